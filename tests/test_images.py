"""Files of every kind become the right bytes."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from animegan_cli.errors import SettingsError
from animegan_cli.images import parse_color, read_image

GREEN = (0, 255, 0)


def save(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)
    return path


def middle(path: Path, **options: object) -> tuple[int, ...]:
    return tuple(int(v) for v in read_image(path, 16, **options)[8, 8])  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", ["png", "webp", "bmp", "gif", "tiff", "jpg"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    path = save(Image.new("RGB", (30, 20), (200, 100, 50)), tmp_path / f"a.{suffix}")
    pixels = read_image(path, 16)
    assert pixels.shape == (16, 16, 3) and pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - (200, 100, 50)).max() <= 6


@pytest.mark.parametrize(
    ("mode", "color", "over_green"),
    [
        ("L", 100, (100, 100, 100)),
        ("1", 1, (255, 255, 255)),
        ("LA", (100, 0), GREEN),
        ("LA", (100, 255), (100, 100, 100)),
        ("RGBA", (10, 20, 30, 0), GREEN),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBA", (255, 0, 255, 51), (51, 204, 51)),
    ],
)
def test_modes_over_the_background(
    tmp_path: Path, mode: str, color: object, over_green: tuple[int, ...]
) -> None:
    path = save(Image.new(mode, (16, 16), color), tmp_path / "a.png")
    assert middle(path, background=GREEN) == over_green


def test_palette_with_transparency(tmp_path: Path) -> None:
    image = Image.new("P", (16, 16), 1)
    image.putpalette([9, 9, 9, 40, 50, 60])
    assert middle(save(image, tmp_path / "a.png")) == (40, 50, 60)
    assert middle(save(image, tmp_path / "b.png", transparency=1), background=GREEN) == GREEN


def test_sixteen_bits_keep_their_value(tmp_path: Path) -> None:
    grey = Image.fromarray(np.full((16, 16), 100 * 257, np.uint16))
    assert middle(save(grey, tmp_path / "a.png")) == (100, 100, 100)
    assert middle(save(grey, tmp_path / "a.tiff")) == (100, 100, 100)
    wide = Image.fromarray(np.full((16, 16), 100 * 257, np.int32))
    assert middle(save(wide, tmp_path / "b.tiff")) == (100, 100, 100)
    real = Image.fromarray(np.full((16, 16), 100 / 255, np.float32))
    assert middle(save(real, tmp_path / "c.tiff")) == (100, 100, 100)


def test_cmyk(tmp_path: Path) -> None:
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    red, green, blue = middle(save(cyan, tmp_path / "a.jpg", quality=100))
    assert red < 30 and green > 225 and blue > 225


def test_cmyk_with_a_damaged_profile(tmp_path: Path) -> None:
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()  # not for CMYK
    path = save(cyan, tmp_path / "a.tiff", icc_profile=profile)
    red, green, _ = middle(path)
    assert red < 30 and green > 225


def test_exif_orientation(tmp_path: Path) -> None:
    image = Image.new("RGB", (40, 40), "red")
    image.paste("blue", (0, 0, 20, 40))  # left half blue
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned clockwise: left becomes top
    pixels = read_image(save(image, tmp_path / "a.png", exif=exif), 16)
    assert tuple(pixels[2, 8]) == (0, 0, 255)
    assert tuple(pixels[13, 8]) == (255, 0, 0)


def test_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (16, 16), name) for name in ("red", "blue")]
    path = save(frames[0], tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert middle(path) == (255, 0, 0)


def test_crop_takes_the_centre_and_pad_takes_all(tmp_path: Path) -> None:
    image = Image.new("RGB", (60, 20), "red")
    image.paste("blue", (20, 0, 40, 20))
    path = save(image, tmp_path / "a.png")
    cropped = read_image(path, 20)
    assert (cropped == (0, 0, 255)).all()
    padded = read_image(path, 60, "pad", GREEN)
    assert tuple(padded[5, 5]) == GREEN
    assert tuple(padded[30, 5]) == (255, 0, 0)
    assert tuple(padded[30, 30]) == (0, 0, 255)


def test_bytes_and_paths_are_the_same(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.effect_noise((32, 32), 90).save(buffer, "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(buffer.getvalue())
    assert (read_image(path, 24) == read_image(buffer.getvalue(), 24)).all()


def test_colors() -> None:
    assert parse_color("white") == (255, 255, 255)
    assert parse_color("#102030") == (16, 32, 48)
    with pytest.raises(SettingsError, match="--background sky: use a colour name or #rrggbb"):
        parse_color("sky")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_damaged_exif_block_costs_no_picture(kind: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (16, 16), (200, 30, 40)).save(file, kind, exif=b"Exif\0\0no TIFF at all")
    pixels = read_image(file.getvalue(), 16)
    assert abs(pixels.astype(int) - (200, 30, 40)).max() < 16


def test_a_profile_that_is_none_still_gives_a_picture() -> None:
    file = io.BytesIO()
    Image.new("CMYK", (16, 16)).save(file, "JPEG", icc_profile=b"not a profile")
    assert read_image(file.getvalue(), 16).min() > 240


def test_a_line_is_no_picture_to_pad() -> None:
    file = io.BytesIO()
    Image.new("RGB", (1000, 2)).save(file, "PNG")
    with pytest.raises(ValueError, match="1000 x 2 pixels are too narrow"):
        read_image(file.getvalue(), 16, "pad")
