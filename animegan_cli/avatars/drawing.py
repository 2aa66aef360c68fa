"""Draw one avatar from a seed."""

import random

from PIL import Image

from animegan_cli.avatars.eyes import draw_brows, draw_eyes, draw_glasses
from animegan_cli.avatars.face import (
    draw_blush,
    draw_ears,
    draw_face,
    draw_jewels,
    draw_mouth,
    draw_neck,
    draw_nose,
)
from animegan_cli.avatars.fringe import draw_ahoge, draw_fringe, draw_locks, fringe_shape
from animegan_cli.avatars.hair import draw_back_hair, draw_front_tails
from animegan_cli.avatars.headwear import draw_hat
from animegan_cli.avatars.look import Look, look_of
from animegan_cli.avatars.pen import Pen
from animegan_cli.avatars.scene import draw_backdrop, draw_clothes
from animegan_cli.avatars.traits import Traits, choose_traits

_UNITS = 96  # drawing units along one side, whatever the size
_SUPERSAMPLING = 4
# How far things reach above and beside the middle of the face; the rest reach 34 and 33.
_ABOVE = {
    "witch": 58, "beanie": 49, "beret": 46, "cat-ears": 47, "horns": 46.5, "crown": 46.5, "cap": 40,
    "top-bun": 47, "twin-buns": 39.5, "spiky": 43, "ponytail": 41, "headphones": 40,
    "curl": 45, "leaf": 45.5, "pair": 43.5,
}  # fmt: skip
_BESIDE = {"twin-tails": 43, "drills": 40, "witch": 43, "wavy": 38}


def draw_avatar(seed: int, size: int = 96) -> Image.Image:
    """Draw the avatar of ``seed`` as a square RGB image of ``size`` pixels a side."""
    look = look_of(choose_traits(random.Random(seed)))
    side = size * _SUPERSAMPLING
    image = Image.new("RGB", (side, side))
    unit = side / _UNITS
    canvas = Pen(image, (unit, 0.0, 0.0, 0.0, unit, 0.0))
    draw_backdrop(canvas, look)
    _draw_bust(canvas, look)
    return image.resize((size, size), Image.Resampling.LANCZOS)


def _draw_bust(canvas: Pen, look: Look) -> None:
    traits = look.traits
    x, y, zoom = _place(traits)
    body = canvas.placed(x, y, zoom=zoom)
    # The head turns about the neck, which lies 22 units below the middle of the face.
    head = body.placed(0, 22, angle=traits.tilt).placed(0, -22)
    hair = head.placed(0, 0, zoom=traits.volume)
    features = head.placed(traits.turn, 0)
    fringe = fringe_shape(look)

    draw_back_hair(hair, look)
    draw_neck(body, look)
    draw_clothes(body, look)
    draw_ears(head, look)
    draw_face(head, look, fringe)
    draw_blush(features, look)
    draw_nose(features.placed(traits.turn * 0.4, 0), look)
    draw_mouth(features, look)
    draw_eyes(features, look)
    draw_brows(features, look)
    draw_glasses(features, look)
    draw_jewels(head, look)
    draw_front_tails(hair, look)
    draw_locks(hair, look)
    draw_ahoge(hair, look)
    draw_fringe(hair, look, fringe)
    draw_brows(features, look, alpha=100)
    draw_hat(hair, look)


def _place(traits: Traits) -> tuple[float, float, float]:
    """Return where the middle of the face goes and the zoom, so that nothing is cut off."""
    worn = (traits.hat, traits.back, traits.ahoge)
    above = traits.volume * max(_ABOVE.get(name, 34.0) for name in worn)
    beside = traits.volume * max(_BESIDE.get(name, 33.0) for name in worn)
    zoom = min(traits.zoom, 56 / above, 47 / beside)
    y = max(50.0, above * zoom + 2.0)
    room = max(0.0, 47 - beside * zoom)
    return 48 + max(-room, min(room, traits.shift)), y, zoom
