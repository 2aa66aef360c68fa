"""Reading one image file of any kind as a square of RGB bytes, without torch.

What few images need is imported when one does, numpy too: a process that decodes starts in half
the time.
"""

import io
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageColor, ImageOps

from animegan_cli.errors import SettingsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
Color = tuple[int, int, int]


def parse_color(name: str) -> Color:
    """Return a colour given as a CSS name or ``#rrggbb`` as (red, green, blue), 0 to 255.

    Raises:
        SettingsError: if it is no colour.
    """
    try:
        return ImageColor.getrgb(name)[:3]
    except ValueError:
        raise SettingsError(f"--background {name}: use a colour name or #rrggbb") from None


def read_image(
    source: Path | bytes, size: int, fit: str = "crop", background: Color = (255, 255, 255)
) -> "NDArray[np.uint8]":
    """Decode an image to bytes ``[size, size, 3]``, RGB, 0 to 255, as ``read_bytes`` does."""
    import numpy as np

    pixels = read_bytes(source, size, fit, background)
    return np.frombuffer(pixels, np.uint8).reshape(size, size, 3)


def read_bytes(
    source: Path | bytes, size: int, fit: str = "crop", background: Color = (255, 255, 255)
) -> bytes:
    """Decode an image to ``size * size`` RGB pixels, row by row.

    The first frame counts; EXIF orientation is honoured; transparency is laid over ``background``;
    16-bit and CMYK images are converted by value. ``fit`` is ``crop`` (resize the short side and
    cut out the centre) or ``pad`` (resize the long side and fill up with ``background``).

    Raises:
        OSError, ValueError, SyntaxError: whatever Pillow raises for a file that it cannot read.
    """
    with Image.open(source if isinstance(source, Path) else io.BytesIO(source)) as image:
        if image.format == "JPEG" and fit == "crop":
            image.draft(None, (size, size))  # decode large JPEGs at a reduced scale
        image.load()
        with suppress(Exception):  # a damaged EXIF block: the picture is whole all the same
            ImageOps.exif_transpose(image, in_place=True)
        rgb = to_rgb(image, background)
        if rgb.size != (size, size):
            if fit == "pad":
                if max(rgb.size) > 2 * size * min(rgb.size):  # less than a pixel would be left
                    raise ValueError(f"{rgb.width} x {rgb.height} pixels are too narrow to see")
                rgb = ImageOps.pad(rgb, (size, size), Image.Resampling.LANCZOS, color=background)
            else:
                rgb = ImageOps.fit(rgb, (size, size), Image.Resampling.LANCZOS)
        return rgb.tobytes()


def to_rgb(image: Image.Image, background: Color) -> Image.Image:
    """Convert an image of any mode to RGB, transparency over ``background``."""
    if image.mode == "CMYK" and image.info.get("icc_profile"):
        return _through_profile(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _to_eight_bits(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        over = Image.new("RGBA", rgba.size, (*background, 255))
        return Image.alpha_composite(over, rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _through_profile(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    profile = io.BytesIO(image.info["icc_profile"])
    try:
        converted = ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(profile),
            ImageCms.createProfile("sRGB"),
            outputMode="RGB",
        )
    except (ImageCms.PyCMSError, OSError):  # damaged: the plain conversion still gives a picture
        converted = None
    return converted or image.convert("RGB")


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Scale deep grey to 8 bits: 16-bit integers by 1/257, floats from [0, 1] (or [0, 255])."""
    import numpy as np

    values = np.asarray(image).astype(np.float64)
    if image.mode == "F":
        values = values * 255 if values.max(initial=0) <= 1 else values
    elif image.mode != "I" or values.max(initial=0) > 255:
        values = values / 257
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8), "L")
