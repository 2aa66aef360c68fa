"""The fields of scoring, drawing and ranking, in sections such as those of training."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from animegan_cli.fields import SnapshotPath, UserPath
from animegan_cli.sections import Section
from animegan_cli.seeds import parse_seeds


def _seeds(text: str) -> str:
    parse_seeds(text)
    return text


def _png(path: Path) -> Path:
    if path.suffix.lower() != ".png":
        raise ValueError("the picture is a PNG file: let its name end in .png")
    return path


class ScoringSettings(Section):
    """How generated images are compared with real ones."""

    title: ClassVar[str] = "Scoring"
    fixed_in_a_run: ClassVar[bool] = False

    eval_n: int = Field(
        5000, ge=50, description="Images in each set; at most half of the real ones."
    )
    eval_seed: int = Field(
        0, ge=0, lt=2**63, description="Seed of the choice of images and of the noise."
    )
    features: Literal["auto", "lite2", "inception"] = Field(
        "auto", description="Feature network; auto is inception where its weights are at hand."
    )
    feature_weights: UserPath | None = Field(
        None, description="File of the standard FID weights, for --features inception."
    )


class CompareSettings(Section):
    """Which two sets of images are compared."""

    title: ClassVar[str] = "Images to compare"
    fixed_in_a_run: ClassVar[bool] = False

    real: UserPath | None = Field(None, description="Folder or zip of real images.")
    fake: UserPath | None = Field(
        None, description="Folder or zip of generated images, in place of a snapshot's."
    )


class DrawingSettings(Section):
    """Which trained networks draw, and from which noise."""

    title: ClassVar[str] = "Drawing"
    fixed_in_a_run: ClassVar[bool] = False

    snapshot: SnapshotPath | None = Field(
        None,
        description="Snapshot to draw with, or 'pretrained'; the run's best, else its newest, "
        "if not given.",
    )
    mean: float = Field(0.0, description="Mean of the noise z.")
    std: float = Field(1.0, ge=0, description="Standard deviation of the noise z.")
    truncation: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Under 1, each code that noise becomes is drawn nearer to what is common: "
        "cleaner images, less varied. If not given, 0.6 to sample and rank where there are codes.",
    )


class PictureSettings(Section):
    """Which seeds are drawn, and where they are written."""

    title: ClassVar[str] = "Pictures"
    fixed_in_a_run: ClassVar[bool] = False

    seeds: Annotated[str, AfterValidator(_seeds)] | None = Field(
        None, description="Seeds to draw, such as 1,5,10-20; 0 up to the number asked for if none."
    )
    out: UserPath | None = Field(
        None, description="Folder for the images themselves, each PNG named by its seed."
    )
    grid: Annotated[UserPath, AfterValidator(_png)] | None = Field(
        None,
        description="Picture of the images, 1,024 at most (sample.png or result.png if not given).",
    )


class ResultSettings(Section):
    """How a command says what it did."""

    title: ClassVar[str] = "Result"
    fixed_in_a_run: ClassVar[bool] = False

    json_output: bool = Field(
        False, description="Print the result as JSON.", json_schema_extra={"flag": "--json"}
    )


class SampleSettings(Section):
    """How many images to draw."""

    title: ClassVar[str] = "Sampling"
    fixed_in_a_run: ClassVar[bool] = False

    n: int = Field(64, ge=1, description="Images to draw.")
    format: Literal["png", "webp", "npz", "zip"] = Field(
        "png",
        description="What --out receives: PNG or lossless WebP files, or one samples.npz or "
        "samples.zip (of PNG files) with all images.",
    )


class RankSettings(Section):
    """How many candidates to score and how many to keep."""

    title: ClassVar[str] = "Ranking"
    fixed_in_a_run: ClassVar[bool] = False

    candidates: int = Field(512, ge=1, description="Images to draw and score.")
    top_k: int = Field(16, ge=1, description="Best images to keep.")
    score_by: Literal["auto", "typicality", "logit"] = Field(
        "auto",
        description="What is best: what is most typical of real images by D's frozen network, or "
        "what has D's highest logit; auto is the first where the snapshot knows real images so.",
    )
