"""Named presets: what a recipe sets, as data.

A recipe is a set of values for the fields of ``NetworkSettings`` and ``TrainingSettings``, and for
the precision; adding one touches this file and the names that ``TrainingSettings.recipe`` takes.
``classic`` is the published system: Adam for G, SGD for D, real label 0.8. The learning rate of D
was not published; how it was found is told in ``tests/benchmarks/classic_d_lr.py``.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """A preset: when to pick it, and the values that it sets."""

    summary: str
    values: dict[str, Any]


MODERN = {
    "family": "projected",
    "z_dim": 128,
    "width": 32,
    "d_width": 64,
    "g_styled": True,
    "d_mixed": False,
    "d_conditional": True,
    "d_zoom": 1.5,
    "d_zoom_kimg": 78.0,
    "batch_size": 32,
    "objective": "hinge",
    "match": 4.0,
    "match_kimg": 128.0,
    "match_beta": 0.9,
    "covariance": 0.25,
    "detail": 0.4,
    "paired": 1.0,
    "paired_focus": 0.85,
    "grow_kimg": 40.0,
    "g_optimizer": "adam",
    "d_optimizer": "adam",
    "g_lr": 8e-4,
    "g_lr_kimg": 64.0,
    "d_lr": 8e-4,
    "beta1": 0.0,
    "beta2": 0.99,
    "augment": 1.0,
    "ema_kimg": 5.0,
}

RECIPES: dict[str, Recipe] = {
    "modern": Recipe(
        summary="a projected discriminator, and G told what it should draw: good faces soonest",
        values=MODERN,
    ),
    "modern-gpu": Recipe(
        summary="modern in batches of 128, its schedules as many steps long: for a GPU",
        values={
            **MODERN,
            "batch_size": 128,
            "match_kimg": 512.0,
            "grow_kimg": 160.0,
            "d_zoom_kimg": 312.0,
            "g_lr_kimg": 256.0,
            "ema_kimg": 20.0,
        },
    ),
    "classic": Recipe(
        summary="the 2019 system as published: BCE, label 0.8, Adam for G, SGD for D",
        values={
            "precision": "fp32",
            "family": "classic",
            "z_dim": 100,
            "width": 64,
            "objective": "bce",
            "batch_size": 64,
            "real_label": 0.8,
            "fake_label": 0.0,
            "g_optimizer": "adam",
            "d_optimizer": "sgd",
            "g_lr": 2e-4,
            "d_lr": 2e-2,
            "beta1": 0.5,
            "beta2": 0.999,
            "momentum": 0.0,
            "d_iter_step": 1,
            "g_iter_step": 1,
        },
    ),
    "classic-adam": Recipe(
        summary="its lineage's other form: Adam for both, batch 256, G in every fifth iteration",
        values={
            "precision": "fp32",
            "family": "classic",
            "z_dim": 100,
            "width": 64,
            "objective": "bce",
            "batch_size": 256,
            "real_label": 0.8,
            "fake_label": 0.0,
            "g_optimizer": "adam",
            "d_optimizer": "adam",
            "g_lr": 2e-4,
            "d_lr": 2e-4,
            "beta1": 0.5,
            "beta2": 0.999,
            "d_iter_step": 1,
            "g_iter_step": 5,
        },
    ),
}
