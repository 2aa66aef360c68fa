"""The fields of ``train`` that say how images are read and steps computed, on which machine.

None of them changes what a run learns, but for rounding; those that do are in ``sections``.
"""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from animegan_cli.fields import UserPath
from animegan_cli.sections import Section


def _device(name: str) -> str:
    if not re.fullmatch(r"auto|(cpu|mps)(:0)?|cuda(:(0|[1-9][0-9]?))?", name):
        raise ValueError("use auto, cpu, cuda, cuda:N or mps")
    return name


class ReadingSettings(Section):
    """How image files are read."""

    title: ClassVar[str] = "Reading"
    fixed_in_a_run: ClassVar[bool] = False

    cache_dir: UserPath | None = Field(
        None, description="Folder for decoded images; the user's cache folder if not given."
    )
    strict: bool = Field(False, description="Stop at the first unreadable image, do not skip it.")


class ComputingSettings(Section):
    """How a step is computed; none of it changes what is computed, but for rounding."""

    title: ClassVar[str] = "Computing"
    fixed_in_a_run: ClassVar[bool] = False

    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="Arithmetic of training; auto is bf16 where that is sooner done."
    )
    compile: bool | None = Field(
        None,
        description="Compile the networks with torch.compile, a minute or more before each start; "
        "if not given, not.",
    )
    cuda_graph: bool | None = Field(
        None,
        description="Record a step once and launch it whole from then on; if not given, on CUDA.",
    )
    deterministic: bool = Field(
        False,
        description="Repeat a run to the bit on CUDA too, by algorithms that are not its fastest; "
        "a CPU always does.",
    )
    micro_batch: int | None = Field(
        None,
        ge=1,
        description="Images that D looks at at once, if memory is short: slower, the same result.",
    )


class RuntimeSettings(Section):
    """The machine and the console."""

    title: ClassVar[str] = "Machine"
    fixed_in_a_run: ClassVar[bool] = False

    device: Annotated[str, AfterValidator(_device)] = Field(
        "auto", description="auto, cpu, cuda, cuda:N or mps."
    )
    threads: int = Field(0, ge=0, le=4096, description="CPU threads; 0 leaves the choice to torch.")
    quiet: bool = Field(False, description="Show errors only.")
