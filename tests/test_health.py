"""Health: known answers of the measures, and the sentence for each way to fail."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from animegan_cli.health import HEALTHY, diagnose, diversity, variety
from animegan_cli.settings import Settings
from animegan_cli.training_loop import train

GOOD = {
    "cur_nimg": 50_000,
    "D_real": 0.7,
    "D_fake": 0.12,
    "loss_G": 2.5,
    "diversity": 0.9,
    "near_duplicates": 0.0,
}


def random_images(n: int, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    small = torch.randint(0, 256, (n, 3, 4, 4), generator=random, dtype=torch.uint8)
    return small.repeat_interleave(12, 2).repeat_interleave(12, 3)


def test_variety_of_black_and_white() -> None:
    images = torch.zeros(3, 3, 48, 48, dtype=torch.uint8)
    images[2] = 255
    found = variety(images)
    assert found.distance == pytest.approx(2 / 3)  # of three pairs, two differ by 1
    assert found.nearest == 0
    assert found.nearest_of_each.tolist() == pytest.approx([0, 0, 1])


def test_reals_against_themselves_and_copies() -> None:
    reals = variety(random_images(32))
    assert diversity(reals, reals) == {"diversity": 1.0, "near_duplicates": 0.0}
    half = random_images(32, 1)
    half[:8] = half[0]
    found = diversity(variety(half), reals)
    assert found["near_duplicates"] == pytest.approx(8 / 32)
    assert 0.8 < found["diversity"] < 1


def test_one_training_image() -> None:
    alike = variety(random_images(1).expand(2, -1, -1, -1))
    found = diversity(variety(random_images(8)), alike)
    assert found["diversity"] == 0
    assert "all alike" in diagnose({**GOOD, **found}, Settings())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, [HEALTHY]),
        ({"D_fake": 0.001, "loss_G": 7.0}, ["D is winning", "--d-lr 0.005"]),
        ({"loss_G": 4e12, "D_fake": 0.39}, ["D runs away: loss_G 4e+12", "--d-lr 0.002"]),
        ({"D_real": 0.1, "D_fake": 0.8}, ["takes fakes for real", "--d-lr 0.08"]),
        ({"D_real": 0.4, "D_fake": 0.39}, ["cannot tell", "--d-lr 0.08"]),
        ({"near_duplicates": 0.38}, ["G repeats itself: 38% near-duplicates", "--g-lr 0.0001"]),
        ({"diversity": 0.2}, ["20% of the variety", "--batch-size"]),
        ({"near_duplicates": 1.0, "cur_nimg": 2000}, [HEALTHY]),  # too early to judge
    ],
)
def test_each_failure_has_its_sentence(changes: dict[str, float], words: list[str]) -> None:
    sentence = diagnose({**GOOD, **changes}, Settings(g_lr=2e-4, d_lr=2e-2))
    for word in words:
        assert word in sentence
    assert (sentence == HEALTHY) == (words == [HEALTHY])


def test_what_is_missing_is_not_judged() -> None:
    assert diagnose({"cur_nimg": 50_000}, Settings()) == HEALTHY


def test_a_run_writes_its_health(tiny: Callable[..., Settings]) -> None:
    run = train(tiny(tick_kimg=0.008)).run
    lines = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
    for line in lines:
        assert line["grad_norm_D"] > 0
        assert line["grad_norm_G"] > 0
        assert line["diversity"] > 0
        assert 0 <= line["near_duplicates"] <= 1
        assert isinstance(line["health"], str)


def test_swapped_labels_and_one_image_are_seen(
    tiny: Callable[..., Settings], photos: Path, tmp_path: Path
) -> None:
    swapped = tiny(real_label=0.1, fake_label=0.9, total_kimg=0.4, d_lr=0.02, tick_kimg=0.4)
    run = train(swapped).run
    assert "--real-label must be above --fake-label" in _last(run)["health"]
    for photo in sorted(photos.iterdir())[1:]:
        photo.unlink()
    run = train(tiny(run=tmp_path / "one", tick_kimg=0.008)).run
    assert "all alike" in _last(run)["health"]


def _last(run: Path) -> dict[str, str]:
    line: dict[str, str] = json.loads((run / "stats.jsonl").read_text().splitlines()[-1])
    return line
