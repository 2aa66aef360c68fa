"""Draw hats, ears, ribbons and other things worn on the head."""

import math
from collections.abc import Callable

from animegan_cli.avatars.look import Look
from animegan_cli.avatars.palettes import WHITE, Colour, Tones, mix, tones
from animegan_cli.avatars.pen import Pen, Shape, oval, path, ribbon, star, symmetric
from animegan_cli.avatars.scene import draw_bow

_GOLD = tones((246, 206, 98))


def draw_hat(pen: Pen, look: Look) -> None:
    """Draw what is worn on the head, above all hair."""
    place = pen.flipped() if look.traits.mirrored else pen
    draw = _HATS.get(look.traits.hat)
    if draw is not None:
        draw(place, look)


def _part(pen: Pen, shape: Shape, fill: Colour, line: Colour) -> None:
    pen.fill(shape, fill)
    pen.outline(shape, line, 0.55)


def _dome(pen: Pen, shape: Shape, cloth: Tones) -> None:
    pen.blend(shape, mix(cloth.base, cloth.light, 0.35), mix(cloth.base, cloth.shadow, 0.5))
    pen.outline(shape, cloth.line, 0.55)


def _cap(pen: Pen, look: Look) -> None:
    cloth, accent = look.cloth, look.accent
    dome = symmetric(path((0, -38), (19, -38, 28, -26, 28.4, -12), (15, -16, 0, -16)))
    _dome(pen, dome, cloth)
    for side in pen.sides():
        side.line(path((1, -37.8), (12, -33, 13.4, -15.4)), cloth.shadow, 0.55)
    _part(pen, oval(0, -38, 2.2, 1.4), accent.base, accent.line)
    brim = path(
        (-24, -14.6),
        (-10, -19.4, 4, -18.8),
        (20, -18.4, 30, -12.4),
        (33, -8.6, 31, -7.2),
        (14, -12.6, 0, -12.4),
        (-14, -12.2, -24, -8.8),
        (-27, -11, -24, -14.6),
    )
    _part(pen, brim, accent.base, accent.line)
    pen.fill(ribbon(path((-22, -13.6), (2, -18.4, 27, -11.4)), 1.1, 0.2, 0.2), accent.light, 170)
    pen.fill(star(0, -25.6, 4.4, 0.45, 5), accent.base)


def _beanie(pen: Pen, look: Look) -> None:
    cloth, accent = look.cloth, look.accent
    _part(pen, oval(0, -43, 5.4, 5), accent.base, accent.line)
    pen.fill(oval(-1.4, -44.6, 2.2, 1.7), accent.light, 170)
    _dome(pen, symmetric(path((0, -40.4), (19, -40.4, 27.6, -28, 27.6, -14), (0, -14))), cloth)
    for x in (-16, -8, 0, 8, 16):
        pen.line(
            path((x * 0.4, -40 + abs(x) * 0.06), (x * 1.1, -33, x * 1.25, -20)), cloth.shadow, 0.55
        )
    band = symmetric(
        path((0, -20.4), (16, -20.4, 28, -17.2), (30, -13, 28.6, -8.6), (16, -12.4, 0, -12.4))
    )
    _part(pen, band, accent.base, accent.line)
    for x in range(-24, 25, 6):
        lift = 0.0052 * x * x
        pen.line([(x, -19.6 + lift), (x * 1.02, -13 + lift)], accent.shadow, 0.6)


def _witch(pen: Pen, look: Look) -> None:
    cloth, accent = look.cloth, look.accent
    cone = path(
        (-22, -19),
        (-16, -36, -10, -46, 4, -55),
        (10, -58, 17, -57, 20, -51),
        (14, -52, 12, -49),
        (16, -38, 19, -30, 22, -19),
        (0, -14, -22, -19),
    )
    _dome(pen, cone, cloth)
    pen.fill(ribbon(path((12, -49), (8, -45, 6, -46)), 0.8, 0.9, 0), cloth.deep)
    band = path(
        (-22.4, -20.4), (-21, -25.6), (0, -20, 20.6, -25.6), (22.4, -20.4), (0, -14.8, -22.4, -20.4)
    )
    _part(pen, band, accent.base, accent.line)
    brim = symmetric(
        path((0, -19.4), (20, -19.6, 38, -14.6), (43, -12.4, 38, -11.4), (20, -12.6, 0, -12))
    )
    _part(pen, brim, cloth.base, cloth.line)
    with pen.inside(brim) as inner:
        inner.fill(path((-40, -12.4), (0, -16.4, 40, -12.4), (40, -8), (-40, -8)), cloth.shadow)
    _part(pen, star(-9, -21.4, 4.2, 0.48, 5), _GOLD.base, _GOLD.line)


def _beret(pen: Pen, look: Look) -> None:
    cloth = look.cloth
    pen.line([(3, -41), (4.4, -45)], cloth.line, 1.6)
    shape = path(
        (-27.6, -18),
        (-37, -28, -22, -39, 2, -41.4),
        (22, -43, 37, -33, 33, -23),
        (30.4, -17.4, 27, -16.4),
        (0, -25.4, -27.6, -18),
    )
    _dome(pen, shape, cloth)
    with pen.inside(shape) as inner:
        inner.fill(path((36, -40), (36, -14), (26, -14), (34, -24, 26, -40)), cloth.shadow, 120)
        inner.fill(oval(-8, -35.4, 9, 2.4), cloth.light, 120)
    band = path((-27.6, -18.4), (0, -26, 27.4, -17), (27.6, -13.8), (0, -22.4, -27.4, -15))
    _part(pen, band, cloth.shadow, cloth.line)


def _headphones(pen: Pen, look: Look) -> None:
    cloth, accent = look.cloth, look.accent
    arc = path((-28, 2), (-31, -20, -21, -37.4, 0, -37.4), (21, -37.4, 31, -20, 28, 2))
    pen.fill(ribbon(arc, 4.2, 1, 1), cloth.line)
    pen.fill(ribbon(arc, 3.1, 1, 1), cloth.base)
    pen.fill(ribbon(path((-14, -33.4), (0, -40.4, 14, -33.4)), 1.0, 0.1, 0.1), cloth.light)
    for side in pen.sides():
        _part(
            side,
            path((23, -5), (31, -8, 33.4, 3.4), (33.6, 13, 24, 13.4), (22, 4, 23, -5)),
            cloth.base,
            cloth.line,
        )
        _part(side, oval(29, 3.4, 4.3, 7.4), accent.base, accent.line)
        side.fill(oval(28, 0.4, 1.4, 2.6), accent.light, 200)


def _ribbon(pen: Pen, look: Look) -> None:
    draw_bow(pen.placed(16, -27, angle=24, zoom=1.5), look.accent.base, tails=False)


def _cat_ears(pen: Pen, look: Look) -> None:
    hair = look.hair
    for side in pen.sides():
        ear = path((7, -30), (9, -39, 18.6, -46), (25.4, -36, 24.8, -20), (15, -24, 7, -30))
        side.blend(ear, hair.base, mix(hair.base, hair.shadow, 0.3))
        side.outline(ear, hair.line, 0.55)
        side.fill(
            path((12, -30), (13, -36, 18, -41), (22, -34, 21.6, -25.4), (16, -27, 12, -30)),
            mix((255, 176, 184), hair.base, 0.15),
        )
        side.fill(
            path(
                (7.4, -28),
                (11, -33, 13, -37.4),
                (13.4, -32, 16.6, -31.6),
                (16, -28, 19.4, -25.6),
                (14, -22, 7.4, -28),
            ),
            hair.base,
        )


def _pins(pen: Pen, look: Look) -> None:
    pin = pen.placed(17.4, -12.5, angle=62)
    for y, tone in ((-1.7, look.accent), (1.7, look.cloth)):
        shape = path(
            (-4.4, y - 1), (4.4, y - 1), (5.6, y, 4.4, y + 1), (-4.4, y + 1), (-5.6, y, -4.4, y - 1)
        )
        _part(pin, shape, mix(tone.base, tone.light, 0.2), tone.line)
    _part(pen, star(13.4, -19.4, 3.9, 0.5, 5), _GOLD.base, _GOLD.line)


def _horns(pen: Pen, look: Look) -> None:
    horn = tones(mix((122, 98, 112), look.accent.base, 0.3))
    for side in pen.sides():
        shape = path(
            (8.6, -29),
            (9.4, -42, 19, -47.4, 30, -44.4),
            (23, -42, 20.6, -36, 22.4, -24),
            (15, -24, 8.6, -29),
        )
        side.blend(shape, horn.light, horn.shadow)
        with side.inside(shape) as inner:
            for y in (-31, -35, -39, -42.6):
                x = 9 + 0.26 * (-31 - y)
                inner.fill(
                    ribbon(path((x, y), (x + 5, y + 3.4, x + 13, y + 4.4)), 1.1, 0.4, 0.9),
                    horn.deep,
                )
        side.outline(shape, horn.line, 0.55)
        side.fill(
            path(
                (7, -28.4),
                (9.6, -31, 11.6, -28.4),
                (14, -29.6, 16, -26),
                (19, -27, 23.4, -22.6),
                (16, -23.4, 7, -28.4),
            ),
            mix(look.hair.base, look.hair.light, 0.12),
        )


def _flower(pen: Pen, tone: Tones, radius: float) -> None:
    for i in range(5):
        angle = math.tau * i / 5 - math.pi / 2
        petal = oval(
            radius * 0.62 * math.cos(angle),
            radius * 0.62 * math.sin(angle),
            radius * 0.5,
            radius * 0.5,
        )
        pen.outline(petal, tone.line, 0.7)
    for i in range(5):
        angle = math.tau * i / 5 - math.pi / 2
        x, y = radius * 0.62 * math.cos(angle), radius * 0.62 * math.sin(angle)
        pen.fill(oval(x, y, radius * 0.5, radius * 0.5), mix(tone.base, tone.light, 0.25))
    pen.fill(oval(0, 0, radius * 0.34, radius * 0.34), _GOLD.base)


def _flowers(pen: Pen, look: Look) -> None:
    for x, y, angle in ((25, -9, 40), (10, -29.6, -30)):
        leaf = pen.placed(x, y, angle=angle)
        _part(leaf, path((0, 0), (4, -5, 8.4, -2), (5, 2, 0, 0)), (104, 178, 116), (46, 96, 70))
    _flower(pen.placed(20.4, -15), look.accent, 4.6)
    _flower(pen.placed(15.4, -24.6), look.cloth, 5.8)


def _headband(pen: Pen, look: Look) -> None:
    arc = path((-26.2, -3), (-28, -30.4, 0, -30.4), (28, -30.4, 26.2, -3))
    pen.fill(ribbon(arc, 4.4, 0.25, 0.25), look.accent.line)
    pen.fill(ribbon(arc, 3.4, 0.2, 0.2), look.accent.base)
    pen.fill(ribbon(path((-16, -22.6), (-8, -28, 4, -27.8)), 0.8, 0.1, 0.1), look.accent.light)
    if look.traits.lines % 2:
        draw_bow(pen.placed(15.6, -27.4, angle=30, zoom=0.95), look.cloth.base, tails=False)


def _crown(pen: Pen, look: Look) -> None:
    pen = pen.placed(0, 2.6)
    shape = path(
        (-11, -31),
        (-13, -41.4),
        (-6.4, -36.4),
        (0, -44),
        (6.4, -36.4),
        (13, -41.4),
        (11, -31),
        (0, -27.4, -11, -31),
    )
    pen.blend(shape, _GOLD.light, _GOLD.shadow)
    pen.outline(shape, _GOLD.line, 0.55)
    for x, y in ((-13, -41.4), (0, -44), (13, -41.4)):
        _part(pen, oval(x, y, 1.5, 1.5), _GOLD.base, _GOLD.line)
    _part(pen, oval(0, -33.4, 1.9, 2.3), look.accent.base, look.accent.line)
    pen.fill(oval(-0.5, -34.2, 0.6, 0.7), WHITE, 220)


_HATS: dict[str, Callable[[Pen, Look], None]] = {
    "cap": _cap, "beanie": _beanie, "witch": _witch, "beret": _beret, "headphones": _headphones,
    "ribbon": _ribbon, "cat-ears": _cat_ears, "pins": _pins, "horns": _horns, "flowers": _flowers,
    "headband": _headband, "crown": _crown,
}  # fmt: skip
