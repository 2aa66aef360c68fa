"""The one settings model that every command shares: all sections together, flat."""

from pathlib import Path
from typing import Any

from pydantic import model_validator

from animegan_cli.machine_sections import ComputingSettings, ReadingSettings, RuntimeSettings
from animegan_cli.recipes import RECIPES
from animegan_cli.result_sections import (
    CompareSettings,
    DrawingSettings,
    PictureSettings,
    RankSettings,
    ResultSettings,
    SampleSettings,
    ScoringSettings,
)
from animegan_cli.sections import (
    BestSettings,
    DataSettings,
    ImageSettings,
    LengthSettings,
    NetworkSettings,
    OutputSettings,
    RunSettings,
    Section,
    TrainingSettings,
)

SECTIONS: dict[str, type[Section]] = {
    "data": DataSettings,
    "images": ImageSettings,
    "networks": NetworkSettings,
    "training": TrainingSettings,
    "length": LengthSettings,
    "run": RunSettings,
    "output": OutputSettings,
    "best": BestSettings,
    "scoring": ScoringSettings,
    "reading": ReadingSettings,
    "computing": ComputingSettings,
    "machine": RuntimeSettings,
    "comparison": CompareSettings,
    "drawing": DrawingSettings,
    "pictures": PictureSettings,
    "sampling": SampleSettings,
    "ranking": RankSettings,
    "result": ResultSettings,
}
TRAIN_SECTIONS = tuple(SECTIONS)[: tuple(SECTIONS).index("machine") + 1]


class Settings(
    ResultSettings,
    RankSettings,
    SampleSettings,
    PictureSettings,
    DrawingSettings,
    CompareSettings,
    RuntimeSettings,
    ComputingSettings,
    ReadingSettings,
    ScoringSettings,
    BestSettings,
    OutputSettings,
    RunSettings,
    LengthSettings,
    TrainingSettings,
    NetworkSettings,
    ImageSettings,
    DataSettings,
):
    """Every setting of every command; what is not given follows from the recipe.

    ``Settings()`` is a run of the default recipe; it reads no environment and no file.
    """

    @model_validator(mode="before")
    @classmethod
    def _follow_the_recipe(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {**preset(given.get("recipe")), **given}


def preset(recipe: object = None) -> dict[str, Any]:
    """Return the values of a recipe, of the default one if None, of none if it does not exist."""
    name = TrainingSettings.model_fields["recipe"].default if recipe is None else recipe
    return dict(RECIPES[name].values) if isinstance(name, str) and name in RECIPES else {}


def section_of(field: str) -> str:
    """Return the name of the section that declares a field."""
    return next(name for name, section in SECTIONS.items() if field in section.model_fields)


def train_fields(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return what ``settings.json`` holds: the sections of ``train``, as plain JSON values.

    Paths are absolute, so that a run can be continued from any folder.
    """
    values = settings.model_dump(mode="json")
    for field, value in settings:
        if isinstance(value, Path):
            values[field] = str(value.absolute())
    return {
        name: {field: values[field] for field in SECTIONS[name].model_fields}
        for name in TRAIN_SECTIONS
    }


def fixed_fields() -> list[str]:
    """Return the names of the fields that may not change when a run is continued."""
    return [
        field
        for name in TRAIN_SECTIONS
        for field in SECTIONS[name].model_fields
        if SECTIONS[name].fixed_in_a_run
    ]
