"""The one settings model that every command shares, in sections.

Each field is declared once, with its type, default, bounds and description; the flag, its help,
the environment variable, the key in a TOML file and the key in a run's ``settings.json`` follow
from it. A section is a class of fields; ``Settings`` is all sections together, flat.
"""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

IMAGE_SIZES = (16, 24, 32, 48, 64, 96, 128, 192, 256)


def _image_size(size: int) -> int:
    if size not in IMAGE_SIZES:
        raise ValueError(f"use one of {', '.join(map(str, IMAGE_SIZES))}")
    return size


def _device(name: str) -> str:
    kind, _, index = name.partition(":")
    if kind not in ("auto", "cpu", "cuda", "mps") or (index and not index.isdecimal()):
        raise ValueError("use auto, cpu, cuda, cuda:N or mps")
    return name


def _seeds(text: str) -> str:
    parse_seeds(text)
    return text


def parse_seeds(text: str) -> list[range]:
    """Read a list of seeds such as ``1,5,10-20`` (ends included) as ranges.

    Raises:
        ValueError: if the text is not such a list; the message says what is expected.
    """
    ranges = []
    for part in text.split(","):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ValueError("seeds look like 1,5,10-20")
        begin, end = int(first), int(last or first)
        if end < begin or end >= 2**63:
            raise ValueError(f"{part.strip()} is no range of seeds from 0 to 2^63 - 1")
        ranges.append(range(begin, end + 1))
    return ranges


UserPath = Annotated[Path, AfterValidator(Path.expanduser)]


class Section(BaseModel):
    """A group of fields; what may differ when a run is continued says so."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    title: ClassVar[str] = ""
    fixed_in_a_run: ClassVar[bool] = True


class DataSettings(Section):
    """Which images are learnt from, and how they become squares."""

    title: ClassVar[str] = "Data"

    data: UserPath | None = Field(
        None,
        description="Folder (searched recursively) or zip of images; built-in avatars if none.",
    )
    size: Annotated[int, AfterValidator(_image_size)] = Field(
        96, description="Width and height of the images in pixels, 3 * 2^k or 2^k, 16 to 256."
    )
    fit: Literal["crop", "pad"] = Field(
        "crop", description="Make images square: crop the centre, or pad with the background."
    )
    background: str = Field(
        "white", description="Colour behind transparent pixels and padding: a name or #rrggbb."
    )
    mirror: bool = Field(True, description="Flip half of the images left to right.")


class NetworkSettings(Section):
    """The shape of both networks."""

    title: ClassVar[str] = "Networks"

    z_dim: int = Field(100, ge=1, le=4096, description="Length of the noise vector z.")
    width: int = Field(
        64, ge=1, le=1024, description="Channels at the widest feature map of G and D (ngf = ndf)."
    )


class TrainingSettings(Section):
    """The recipe and every number that it sets."""

    title: ClassVar[str] = "Training"

    recipe: Literal["classic", "classic-adam"] = Field(
        "classic", description="Named preset for the fields of this section."
    )
    batch_size: int = Field(64, ge=2, le=65536, description="Real images per step.")
    real_label: float = Field(
        0.8, gt=0, le=1, description="Target of D for real images, and of G for its own."
    )
    fake_label: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Target of D for generated images; not 0 shifts what is learnt.",
    )
    g_optimizer: Literal["adam", "sgd"] = Field("adam", description="Optimizer of G.")
    d_optimizer: Literal["adam", "sgd"] = Field("sgd", description="Optimizer of D.")
    g_lr: float = Field(2e-4, gt=0, le=10, description="Learning rate of G.")
    d_lr: float = Field(2e-4, gt=0, le=10, description="Learning rate of D.")
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam's first decay rate.")
    beta2: float = Field(0.999, ge=0, lt=1, description="Adam's second decay rate.")
    momentum: float = Field(0.0, ge=0, lt=1, description="Momentum of SGD.")
    d_iter_step: int = Field(1, ge=1, description="Update D in every such iteration.")
    g_iter_step: int = Field(1, ge=1, description="Update G in every such iteration.")
    seed: int = Field(0, ge=0, lt=2**63, description="All randomness of the run follows from it.")
    init: UserPath | None = Field(
        None, description="Snapshot whose weights a new run starts from (see animegan import)."
    )


class LengthSettings(Section):
    """How long to train; the first limit that is reached ends the run."""

    title: ClassVar[str] = "Length"
    fixed_in_a_run: ClassVar[bool] = False

    epochs: float | None = Field(None, gt=0, description="Passes over the images.")
    total_kimg: float | None = Field(
        None, gt=0, description="Thousands of real images seen (1000 if no length is given)."
    )
    minutes: float | None = Field(None, gt=0, description="Minutes of training, over all restarts.")


class RunSettings(Section):
    """Which run is meant."""

    title: ClassVar[str] = "Run"
    fixed_in_a_run: ClassVar[bool] = False

    run: UserPath | None = Field(
        None, description="Run folder, or 'latest'; the next free runs/NNN-recipe for a new run."
    )


class OutputSettings(Section):
    """What a run writes, and how often."""

    title: ClassVar[str] = "Output"
    fixed_in_a_run: ClassVar[bool] = False

    tick_kimg: float = Field(
        2, gt=0, description="Thousands of images between two lines of statistics."
    )
    sample_kimg: float | None = Field(
        None, gt=0, description="Thousands of images between two grids (one epoch if not given)."
    )
    snapshot_kimg: float = Field(
        100, gt=0, description="Thousands of images between two snapshots; one more at the end."
    )
    state_minutes: float = Field(
        2, ge=0, description="Minutes between two saved states: the most a power cut can cost."
    )


class RuntimeSettings(Section):
    """The machine and the console; none of it changes what is computed, but for rounding."""

    title: ClassVar[str] = "Machine"
    fixed_in_a_run: ClassVar[bool] = False

    device: Annotated[str, AfterValidator(_device)] = Field(
        "auto", description="auto, cpu, cuda, cuda:N or mps."
    )
    threads: int = Field(0, ge=0, le=4096, description="CPU threads; 0 leaves the choice to torch.")
    cache_dir: UserPath | None = Field(
        None, description="Folder for decoded images; the user's cache folder if not given."
    )
    strict: bool = Field(False, description="Stop at the first unreadable image, do not skip it.")
    quiet: bool = Field(False, description="Show errors only.")


class SnapshotSettings(Section):
    """Which trained networks draw."""

    title: ClassVar[str] = "Networks"
    fixed_in_a_run: ClassVar[bool] = False

    snapshot: UserPath | None = Field(
        None, description="Snapshot to draw with; the newest of the run if not given."
    )
    mean: float = Field(0.0, description="Mean of the noise z.")
    std: float = Field(1.0, ge=0, description="Standard deviation of the noise z.")
    seeds: Annotated[str, AfterValidator(_seeds)] | None = Field(
        None, description="Seeds to draw, such as 1,5,10-20; 0 up to the number asked for if none."
    )
    out: UserPath | None = Field(
        None, description="Folder for one PNG per image, named by its seed."
    )
    grid: UserPath | None = Field(
        None, description="Picture of all images (sample.png or result.png if not given)."
    )
    json_output: bool = Field(
        False,
        description="Print what was written as JSON.",
        json_schema_extra={"flag": "--json"},
    )


class SampleSettings(Section):
    """How many images to draw."""

    title: ClassVar[str] = "Sampling"
    fixed_in_a_run: ClassVar[bool] = False

    n: int = Field(64, ge=1, description="Images to draw.")


class RankSettings(Section):
    """How many candidates to score and how many to keep."""

    title: ClassVar[str] = "Ranking"
    fixed_in_a_run: ClassVar[bool] = False

    candidates: int = Field(512, ge=1, description="Images to draw and score.")
    top_k: int = Field(16, ge=1, description="Best images to keep.")


SECTIONS: dict[str, type[Section]] = {
    "data": DataSettings,
    "networks": NetworkSettings,
    "training": TrainingSettings,
    "length": LengthSettings,
    "run": RunSettings,
    "output": OutputSettings,
    "machine": RuntimeSettings,
    "drawing": SnapshotSettings,
    "sampling": SampleSettings,
    "ranking": RankSettings,
}
TRAIN_SECTIONS = ("data", "networks", "training", "length", "run", "output", "machine")


class Settings(
    RankSettings,
    SampleSettings,
    SnapshotSettings,
    RuntimeSettings,
    OutputSettings,
    RunSettings,
    LengthSettings,
    TrainingSettings,
    NetworkSettings,
    DataSettings,
):
    """Every setting of every command; ``Settings()`` has all defaults and reads no environment."""


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
