"""Types of settings: paths as a user writes them, sizes of images and widths of networks."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from animegan_cli.pretrained import NAME, PRETRAINED

WIDTHS = {"tiny": 16, "small": 32, "base": 64, "large": 128}
IMAGE_SIZES = (16, 24, 32, 48, 64, 96, 128, 192, 256)


def _image_size(size: int) -> int:
    if size not in IMAGE_SIZES:
        raise ValueError(f"use one of {', '.join(map(str, IMAGE_SIZES))}")
    return size


def _width(value: object) -> object:
    if isinstance(value, str) and not value.strip().isdecimal():
        if value not in WIDTHS:
            raise ValueError(f"use a number, or {', '.join(WIDTHS)}")
        return WIDTHS[value]
    return value


def _snapshot(path: Path) -> Path:
    return PRETRAINED if path == Path(NAME) else path


def _named(value: object) -> object:
    if value == "":  # as of a variable that is not set; to Path it is the folder where one is
        raise ValueError("name a path, or leave it out")
    return value


def expanded(path: Path) -> Path:
    """Return a path with ``~`` replaced by the user's home folder.

    Raises:
        ValueError: if there is no such user.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError(str(error)) from None


UserPath = Annotated[Path, BeforeValidator(_named), AfterValidator(expanded)]
SnapshotPath = Annotated[UserPath, AfterValidator(_snapshot)]
ImageSize = Annotated[int, AfterValidator(_image_size)]
Width = Annotated[int, BeforeValidator(_width)]
MaybeWidth = Annotated[int | None, BeforeValidator(_width)]
