"""Draw one avatar from a seed."""

import random

from PIL import Image, ImageDraw


def draw_avatar(seed: int, size: int = 96) -> Image.Image:
    """Draw the avatar of ``seed`` as a square RGB image of ``size`` pixels a side."""
    rng = random.Random(seed)
    big = size * 4
    u = big / 96

    def colour() -> tuple[int, int, int]:
        return (rng.randrange(60, 256), rng.randrange(60, 256), rng.randrange(60, 256))

    image = Image.new("RGB", (big, big), colour())
    draw = ImageDraw.Draw(image)
    draw.ellipse((18 * u, 10 * u, 78 * u, 80 * u), fill=colour())
    draw.ellipse((25 * u, 25 * u, 71 * u, 77 * u), fill=(250, 225, 205))
    iris = colour()
    for x in (38, 58):
        draw.ellipse(((x - 5) * u, 47 * u, (x + 5) * u, 61 * u), fill=iris)
        draw.ellipse(((x - 2) * u, 51 * u, (x + 2) * u, 58 * u), fill=(30, 20, 40))
    return image.resize((size, size), Image.Resampling.BOX)
