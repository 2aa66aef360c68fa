"""The fields of ``train`` that say what is learnt, kept and scored, in sections.

How it is computed is in ``machine_sections``; what other commands have is in ``result_sections``.
Each field is declared once, with its type, default, bounds and description; the flag, its help,
the environment variable, the key in a TOML file and the key in a run's ``settings.json`` follow
from it.
"""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from animegan_cli.fields import ImageSize, MaybeWidth, SnapshotPath, UserPath, Width


class Section(BaseModel):
    """A group of fields; what may differ when a run is continued says so."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    title: ClassVar[str] = ""
    fixed_in_a_run: ClassVar[bool] = True


class DataSettings(Section):
    """Which images are learnt from."""

    title: ClassVar[str] = "Data"

    data: UserPath | None = Field(
        None,
        description="Folder (searched recursively) or zip of images; built-in avatars if none.",
    )
    mirror: bool = Field(True, description="Flip half of the images left to right.")
    holdout: float = Field(
        0.0, ge=0, le=0.5, description="Share of the images that is never learnt from, to score by."
    )


class ImageSettings(Section):
    """How images become squares of one size."""

    title: ClassVar[str] = "Images"

    size: ImageSize = Field(
        96, description="Width and height of the images in pixels, 3 * 2^k or 2^k, 16 to 256."
    )
    fit: Literal["crop", "pad"] = Field(
        "crop", description="Make images square: crop the centre, or pad with the background."
    )
    background: str = Field(
        "white", description="Colour behind transparent pixels and padding: a name or #rrggbb."
    )


class NetworkSettings(Section):
    """The shape of both networks."""

    title: ClassVar[str] = "Networks"

    family: Literal["classic", "projected"] = Field(
        "classic", description="Networks: the 2019 DCGAN, or a projected discriminator."
    )
    z_dim: int = Field(100, ge=1, le=4096, description="Length of the noise vector z.")
    width: Width = Field(
        64,
        ge=1,
        le=1024,
        description="Channels of G at its widest feature map (ngf), or tiny (16), small (32, for "
        "two cores), base (64, for a GPU) or large (128, for a server).",
    )
    d_width: int | None = Field(
        None, ge=1, le=1024, description="Channels of D there (ndf); as many as G if not given."
    )
    max_channels: int | None = Field(
        None, ge=1, le=4096, description="Most channels of any map of a projected G (512)."
    )
    narrow_width: MaybeWidth = Field(
        None, ge=1, le=1024, description="Width of G, below --width, for --narrow-kimg at first."
    )
    g_styled: bool = Field(
        False,
        description="Let the noise also scale and shift the maps that it begins, in G of the "
        "projected family: images more varied.",
    )
    d_zoom: float | None = Field(
        None,
        ge=1,
        le=8,
        description="Times that images are enlarged before the frozen network of a projected D "
        "looks at them, to 224 pixels at most.",
    )
    d_mixed: bool | None = Field(
        None,
        description="Show the heads of D random mixtures of the frozen features, as published, not "
        "the features themselves; true if not given, and false in modern.",
    )
    d_conditional: bool = Field(
        False,
        description="With --paired, tell D the code that each image was drawn from, or has, so "
        "that it sees what does not go with it.",
    )


class TrainingSettings(Section):
    """The recipe and every number that it sets."""

    title: ClassVar[str] = "Training"

    recipe: Literal["modern", "modern-gpu", "classic", "classic-adam"] = Field(
        "modern", description="Named preset for what is trained and how."
    )
    objective: Literal["bce", "hinge", "relativistic"] = Field(
        "bce", description="Loss; bce goes with the classic family, the others with projected."
    )
    batch_size: int = Field(64, ge=2, le=65536, description="Real images per step.")
    batch_kimg: float = Field(
        0.0,
        ge=0,
        description="Thousands of images after which batches are twice as large, and four times "
        "after twice as many; 0 for never.",
    )
    real_label: float = Field(
        0.8, gt=0, le=1, description="With bce: target of D for real images, and of G for its own."
    )
    fake_label: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="With bce: target of D for generated images; not 0 shifts what is learnt.",
    )
    g_optimizer: Literal["adam", "sgd"] = Field("adam", description="Optimizer of G.")
    d_optimizer: Literal["adam", "sgd"] = Field("sgd", description="Optimizer of D.")
    g_lr: float = Field(2e-4, gt=0, le=10, description="Learning rate of G.")
    g_lr_kimg: float = Field(
        0.0,
        ge=0,
        description="Thousands of images after which G's learning rate falls, to a quarter at four "
        "times as many; 0 for never.",
    )
    d_lr: float = Field(2e-4, gt=0, le=10, description="Learning rate of D.")
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam's first decay rate.")
    beta2: float = Field(0.999, ge=0, lt=1, description="Adam's second decay rate.")
    momentum: float = Field(0.0, ge=0, lt=1, description="Momentum of SGD.")
    d_iter_step: int = Field(1, ge=1, description="Update D in every such iteration.")
    g_iter_step: int = Field(1, ge=1, description="Update G in every such iteration.")
    match: float = Field(
        0.0, ge=0, description="Weight for G of matching mean and spread of D's frozen features."
    )
    match_kimg: float = Field(
        0.0,
        ge=0,
        description="Thousands of images after which match falls, to a quarter at four times as "
        "many; 0 for never.",
    )
    match_beta: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share that stays of the matched mean and spread at each batch: an average of "
        "many, where those of one batch are mostly chance; 0 for one.",
    )
    covariance: float = Field(
        0.0,
        ge=0,
        description="Share of match for how those features vary together; its average is over "
        "five times as many batches.",
    )
    detail: float = Field(
        0.0,
        ge=0,
        description="Share of match for the image's power at each frequency, of which D's features "
        "see little: against hatching and blur.",
    )
    paired: float = Field(
        0.0,
        ge=0,
        description="Weight for G of becoming like a real image where it draws from the code of "
        "one, as for half of a batch then: images whole sooner; needs --match and --match-beta.",
    )
    paired_kimg: float = Field(
        0.0,
        ge=0,
        description="Thousands of images after which paired falls, to a 16th at four times as "
        "many: what helps at first holds G back later; 0 for never.",
    )
    paired_focus: float = Field(
        0.0,
        ge=0,
        le=1,
        description="How much more the middle of an image counts in --paired and in its code, for "
        "images of one thing in their middle: 0 not at all, 1 it alone.",
    )
    typical: float = Field(
        0.0,
        ge=0,
        description="Weight for G of how typical of real images each of its own is, by D's frozen "
        "features: cleaner images, and less variety.",
    )
    typical_kimg: float = Field(
        0.0,
        ge=0,
        description="Thousands of images of this run before typical begins, best once G's images "
        "are good.",
    )
    grow_kimg: float = Field(
        0.0,
        ge=0,
        description="Thousands of images that a new G learns at half of the size first, in about "
        "half of the time each; a run shorter than that ends with small images, enlarged.",
    )
    narrow_kimg: float = Field(
        0.0, ge=0, description="Thousands of images that a new G learns with --narrow-width."
    )
    d_zoom_kimg: float = Field(
        0.0,
        ge=0,
        description="Thousands of images that D looks at as they are; only then are they enlarged "
        "by d_zoom, where a step takes longer.",
    )
    augment: float = Field(
        0.0, ge=0, le=1, description="Strength of differentiable augmentation of all that D sees."
    )
    ema_kimg: float = Field(
        0.0,
        ge=0,
        description="Half-life of the averaged G that draws, in thousands of images; 0 for none.",
    )
    seed: int = Field(0, ge=0, lt=2**63, description="All randomness of the run follows from it.")
    init: SnapshotPath | None = Field(
        None,
        description="Snapshot whose weights, recipe and sizes a new run starts with (see animegan "
        "import), or 'pretrained' for the faces that animegan brings.",
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
        None,
        description="Run folder, or 'latest'. If not given, train begins the next free "
        "runs/NNN-recipe, and all else takes the newest.",
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


class BestSettings(Section):
    """Scoring while training."""

    title: ClassVar[str] = "Keep the best"
    fixed_in_a_run: ClassVar[bool] = False

    evaluate_every: float | None = Field(
        None, gt=0, description="Thousands of images between two scores; the best G is kept."
    )
    holdout_data: UserPath | None = Field(
        None, description="Folder or zip of images to score against, if not --holdout."
    )
