"""Draw what lies around the face: the backdrop, the shoulders and the clothes."""

import math
import random
from collections.abc import Callable

from animegan_cli.avatars.look import Look
from animegan_cli.avatars.palettes import WHITE, Colour, brightness, mix
from animegan_cli.avatars.pen import Pen, Shape, oval, path, ribbon, star, symmetric

_FRAME: Shape = [(-1, -1), (97, -1), (97, 97), (-1, 97)]


def draw_backdrop(pen: Pen, look: Look) -> None:
    """Draw the backdrop over the whole canvas; drawing units are 96ths."""
    upper, lower = look.backdrop
    kind = look.traits.pattern
    rng = random.Random(look.traits.lines ^ 0xBAC)
    if kind in ("gradient", "sparkles", "petals", "bubbles"):
        pen.blend(_FRAME, upper, lower)
    else:
        pen.fill(_FRAME, upper)
    soft = mix(upper, lower, 0.45)
    if kind in _PATTERNS:
        _PATTERNS[kind](pen, rng, soft)


def _disc(pen: Pen, rng: random.Random, tone: Colour) -> None:
    pen.fill(oval(rng.uniform(44, 52), rng.uniform(42, 48), 40, 40), tone)


def _stripes(pen: Pen, rng: random.Random, tone: Colour) -> None:
    lean = rng.choice((-40, 0, 40))
    step = rng.choice((12, 16))
    for x in range(-60, 160, step):
        pen.fill([(x, -1), (x + step / 2, -1), (x + step / 2 + lean, 97), (x + lean, 97)], tone)


def _dots(pen: Pen, rng: random.Random, tone: Colour) -> None:
    step = rng.choice((11, 14))
    radius = step * rng.uniform(0.2, 0.3)
    for row in range(-1, 96 // step + 2):
        for column in range(-1, 96 // step + 2):
            x = column * step + (step / 2 if row % 2 else 0)
            pen.fill(oval(x, row * step, radius, radius), tone)


def _rays(pen: Pen, _rng: random.Random, tone: Colour) -> None:
    for i in range(12):
        a, b = math.tau * i / 12, math.tau * (i + 0.5) / 12
        pen.fill(
            [
                (48, 48),
                (48 + 90 * math.cos(a), 48 + 90 * math.sin(a)),
                (48 + 90 * math.cos(b), 48 + 90 * math.sin(b)),
            ],
            tone,
        )


def _rings(pen: Pen, _rng: random.Random, tone: Colour) -> None:
    for radius in (66, 54, 42):
        ring, hole = oval(48, 46, radius, radius), oval(48, 46, radius - 5, radius - 5)
        pen.fill([*ring, ring[0], hole[0], *hole[::-1]], tone)


def _sparkles(pen: Pen, rng: random.Random, _tone: Colour) -> None:
    for _ in range(13):
        x, y, r = rng.uniform(2, 94), rng.uniform(2, 80), rng.uniform(1.6, 5)
        pen.fill(star(x, y, r, 0.3, 4), WHITE, 200)


def _petals(pen: Pen, rng: random.Random, _tone: Colour) -> None:
    pink = mix((255, 190, 205), WHITE, rng.uniform(0, 0.5))
    for _ in range(14):
        leaf = pen.placed(
            rng.uniform(0, 96),
            rng.uniform(0, 90),
            angle=rng.uniform(0, 360),
            zoom=rng.uniform(0.7, 1.3),
        )
        leaf.fill(
            path((0, 4), (-4, 0, -1.4, -3.4), (0, -2.2), (1.4, -3.4), (4, 0, 0, 4)), pink, 225
        )


def _bubbles(pen: Pen, rng: random.Random, _tone: Colour) -> None:
    for _ in range(11):
        r = rng.uniform(2, 8)
        pen.fill(oval(rng.uniform(0, 96), rng.uniform(0, 90), r, r), WHITE, 70)


_PATTERNS: dict[str, Callable[[Pen, random.Random, Colour], None]] = {
    "disc": _disc, "stripes": _stripes, "dots": _dots, "rays": _rays, "rings": _rings,
    "sparkles": _sparkles, "petals": _petals, "bubbles": _bubbles,
}  # fmt: skip

_SLOPE = ((16, 36.4, 31, 37, 37, 44), (41, 50, 41, 60, 41, 70))
_BODIES: dict[str, Shape] = {  # half outlines from the middle of the neckline
    "crew": path((0, 41), (6, 41, 11.6, 34.6), *_SLOPE, (0, 70)),
    "open": path((0, 47), (5, 43, 11.6, 34.6), *_SLOPE, (0, 70)),
    "high": path((0, 34.6), (6, 34.4, 9.6, 32.6), *_SLOPE, (0, 70)),
    "straps": path((0, 46), (9, 46.6, 14.6, 44.6), (17, 37.4), (20.6, 38.2), (20.6, 44, 25, 50),
        (27, 58, 27, 70), (0, 70)),
}  # fmt: skip
_BODY_OF = {
    "tee": "crew", "sailor": "open", "shirt": "open", "blazer": "open", "hoodie": "crew",
    "turtleneck": "high", "kimono": "open", "bow": "high", "straps": "straps", "cape": "high",
}  # fmt: skip


def draw_clothes(pen: Pen, look: Look) -> None:
    """Draw the clothes on the shoulders."""
    outfit, cloth = look.traits.outfit, look.cloth
    shape = symmetric(_BODIES[_BODY_OF[outfit]])
    pen.blend(shape, cloth.base, mix(cloth.base, cloth.shadow, 0.7))
    with pen.inside(shape) as inner:
        for side in inner.sides():
            side.fill(path((30, 70), (29, 54, 26.4, 49), (31, 54, 33, 70)), cloth.shadow)
        inner.fill(path((42, 40), (42, 70), (35, 70), (37, 50, 31, 38)), cloth.shadow, 150)
    pen.outline(shape, cloth.line, 0.55)
    _OUTFITS[outfit](pen, look)


def _part(pen: Pen, shape: Shape, fill: Colour, line: Colour) -> None:
    pen.fill(shape, fill)
    pen.outline(shape, line, 0.5)


def _tee(pen: Pen, look: Look) -> None:
    neck = path((-11.6, 34.6), (-6, 41, 0, 41), (6, 41, 11.6, 34.6))
    pen.fill(ribbon(neck, 2.6, 1, 1), look.accent.base)
    pen.line([(x * 1.12, y + 1.6) for x, y in neck], look.cloth.line, 0.4)


def _sailor(pen: Pen, look: Look) -> None:
    accent = look.accent
    trim = WHITE if brightness(accent.base) < 0.75 else look.cloth.deep
    for side in pen.sides():
        flap = path(
            (11, 32.6), (20, 35, 27, 41), (24, 50, 17, 52), (8, 50, 0, 47.4), (7, 44, 11, 32.6)
        )
        _part(side, flap, accent.base, accent.line)
        side.line(path((24.6, 41.6), (22.4, 48.4, 16.6, 50), (9, 48.6, 3, 46.8)), trim, 0.7)
    _bow(pen, 0, 48.6, 1.0, look.cloth.base if brightness(look.cloth.base) < 0.8 else (214, 66, 80))


def _shirt(pen: Pen, look: Look) -> None:
    for side in pen.sides():
        flap = path(
            (9.4, 31.6), (12, 33, 14, 36), (12.4, 42, 8.6, 46.4), (4, 44, 0, 47), (6, 42, 9.4, 31.6)
        )
        _part(side, flap, mix(look.cloth.light, look.cloth.base, 0.4), look.cloth.line)
    tie = path((-2, 46.6), (2, 46.6), (1.4, 49.6), (4, 70), (-4, 70), (-1.4, 49.6))
    _part(pen, tie, look.accent.base, look.accent.line)
    pen.line([(-1.4, 49.6), (1.4, 49.6)], look.accent.line, 0.45)


def _blazer(pen: Pen, look: Look) -> None:
    white = (250, 249, 252)
    pen.fill(
        path((-10, 34), (-6, 44, 0, 47), (6, 44, 10, 34), (14, 40), (4, 70), (-4, 70), (-14, 40)),
        white,
    )
    for side in pen.sides():
        collar = path(
            (9.4, 31.6),
            (12.4, 34, 13, 37),
            (10, 43, 7.4, 45.6),
            (4, 44.4, 0, 47),
            (6, 42, 9.4, 31.6),
        )
        _part(side, collar, white, (150, 146, 170))
        lapel = path(
            (12, 34),
            (17, 37, 19.6, 42),
            (17, 43.4),
            (18.4, 46.4),
            (12, 56, 3.6, 70),
            (3.4, 60, 8, 48),
            (12, 40, 12, 34),
        )
        _part(side, lapel, mix(look.cloth.base, look.cloth.light, 0.22), look.cloth.line)
    _bow(pen, 0, 48, 0.8, look.accent.base)


def _hoodie(pen: Pen, look: Look) -> None:
    cloth = look.cloth
    for side in pen.sides():
        hood = path(
            (0, 47.5), (8, 47, 20, 44, 24.4, 34.6), (21, 28, 11, 30.6), (13, 36, 6, 41, 0, 41.4)
        )
        _part(side, hood, mix(cloth.base, cloth.light, 0.25), cloth.line)
        side.fill(ribbon(path((20.5, 34), (15, 42.6, 3, 44.6)), 1.0, 0.1, 0.1), cloth.shadow)
        side.fill(ribbon(path((4.4, 46), (5.2, 52, 4.6, 58)), 1.3, 1, 1), look.accent.light)


def _turtleneck(pen: Pen, look: Look) -> None:
    cloth = look.cloth
    collar = symmetric(
        path((0, 27.6), (5, 27.4, 8.4, 25.6), (9.6, 30, 10.4, 34.8), (6, 37.4, 0, 37.6))
    )
    _part(pen, collar, mix(cloth.base, cloth.light, 0.18), cloth.line)
    with pen.inside(collar) as inner:
        inner.fill(oval(0, 24, 10, 6), cloth.shadow)
    for x in (-6, -3, 0, 3, 6):
        pen.line([(x, 30.4 - abs(x) * 0.1), (x * 1.15, 36.6 - abs(x) * 0.1)], cloth.shadow, 0.4)


def _kimono(pen: Pen, look: Look) -> None:
    band = path(
        (-11, 32),
        (-15, 35.4),
        (-6, 50, 8, 62),
        (16, 70),
        (24, 70),
        (4, 56, -4, 46),
        (-9, 40, -11, 32),
    )
    for side, tone in (
        (pen, look.accent.base),
        (pen.flipped(), mix(look.accent.base, look.accent.light, 0.3)),
    ):
        _part(side, band, tone, look.accent.line)
    _part(
        pen,
        path(
            (-11, 32),
            (-16, 35.4),
            (-6, 52, 10, 64),
            (16, 70),
            (24, 70),
            (4, 54, -3, 45.4),
            (-9, 40, -11, 32),
        ),
        look.accent.base,
        look.accent.line,
    )
    for x, y in ((-27, 46), (29, 51), (-33, 57), (22, 43)):
        pen.fill(star(x, y, 2.8, 0.55, 5), mix(look.accent.light, WHITE, 0.3), 220)


def _blouse(pen: Pen, look: Look) -> None:
    for side in pen.sides():
        flap = path((8.8, 30.6), (13, 33, 15.4, 37.6), (9, 42, 0.4, 38), (6, 36, 8.8, 30.6))
        _part(side, flap, (252, 250, 250), look.cloth.line)
    _bow(pen, 0, 40, 1.35, look.accent.base)


def _straps(pen: Pen, look: Look) -> None:
    pen.fill(ribbon(path((-14, 45), (0, 48, 14, 45)), 1.6, 1, 1), look.accent.base)
    choker = path((-7.4, 28.6), (0, 32.4, 7.4, 28.6))
    pen.fill(ribbon(choker, 1.9, 1, 1), look.accent.line)
    pen.fill(oval(0, 31.6, 1.3, 1.5), look.accent.light)


def _cape(pen: Pen, look: Look) -> None:
    cloth, accent = look.cloth, look.accent
    for side in pen.sides():
        flap = path(
            (9, 29), (16, 30, 21, 37), (17, 43, 10.4, 42.6), (5, 40, 0, 37.4), (6, 36, 9, 29)
        )
        _part(side, flap, accent.base, accent.line)
        side.line(path((19, 37.4), (15.6, 41.4, 10.6, 41), (6, 39.4, 3, 38)), (250, 222, 130), 0.7)
    pen.line([(0, 41), (0, 70)], cloth.line, 0.6)
    _part(pen, oval(0, 40.4, 2.6, 2.6), (250, 214, 110), (140, 96, 40))
    pen.fill(oval(-0.6, 39.7, 0.9, 0.9), WHITE, 210)


_OUTFITS: dict[str, Callable[[Pen, Look], None]] = {
    "tee": _tee, "sailor": _sailor, "shirt": _shirt, "blazer": _blazer, "hoodie": _hoodie,
    "turtleneck": _turtleneck, "kimono": _kimono, "bow": _blouse, "straps": _straps, "cape": _cape,
}  # fmt: skip


def _bow(pen: Pen, x: float, y: float, zoom: float, colour: Colour) -> None:
    draw_bow(pen.placed(x, y, zoom=zoom), colour, tails=True)


def draw_bow(pen: Pen, colour: Colour, *, tails: bool) -> None:
    """Draw a bow about the origin, about 14 units wide."""
    dark, line = mix(colour, (70, 30, 90), 0.3), mix(colour, (50, 20, 60), 0.65)
    for side in pen.sides():
        if tails:
            _part(
                side,
                path((0, 1), (4, 4, 5.6, 9.6), (3.4, 8.8), (1.4, 10), (2, 5, 0, 1)),
                dark,
                line,
            )
        loop = path((0.6, 0), (3, -4.4, 6.6, -3.8), (8, 0, 6.6, 3.6), (3, 3.6, 0.6, 0))
        _part(side, loop, colour, line)
        side.fill(path((1, 0), (4, -0.8, 5.4, 0.2), (3.6, 1, 1, 0)), dark)
    _part(pen, oval(0, 0, 1.7, 1.9), mix(colour, WHITE, 0.15), line)
