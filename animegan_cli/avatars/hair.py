"""Draw the hair that lies behind the face and the tails that fall over the shoulders."""

import math

from animegan_cli.avatars.look import Look
from animegan_cli.avatars.palettes import mix
from animegan_cli.avatars.pen import Pen, Shape, oval, path, ribbon, symmetric

# Half outlines of the back hair, from the crown down.
_BACKS: dict[str, Shape] = {
    "short": path((0, -32.2), (22, -32.2, 27, -16, 26, 2), (26, 9, 25, 12, 22.4, 17),
        (21, 14, 19.4, 14.4), (19.2, 18, 16.4, 21), (15, 17, 13, 17), (0, 17)),
    "wolf": path((0, -32.2), (22, -32.2, 28, -17, 27, 2), (28, 8, 29, 11, 32.6, 15),
        (29, 16, 27.4, 15.4), (28.6, 22, 32, 26.6), (27, 27, 24, 24), (24.4, 31, 27, 36.4),
        (21, 35, 17, 30), (0, 28)),
    "bob": path((0, -32.2), (22, -32.2, 29, -18, 29, 0), (29, 10, 30.4, 17, 28.4, 23.4),
        (25, 27, 20, 26.4), (16, 25, 12, 20), (0, 18)),
    "curl-bob": path((0, -32.2), (22, -32.2, 29, -18, 29.4, -2), (31, 6, 30, 11, 33, 15),
        (37, 20, 33.6, 24, 30.4, 22.4), (32, 27, 26, 29.6, 22.4, 25.6), (16, 24, 12, 19), (0, 18)),
    "straight": path((0, -32.2), (22, -32.2, 28.6, -17, 29, 2), (29.6, 22, 32.4, 40, 32, 66),
        (0, 66)),
    "wavy": path((0, -32.2), (22, -32.2, 29, -18, 29, -5), (29, 2, 34.6, 5, 33.4, 12),
        (32.4, 19, 37, 22, 35.6, 29), (34.4, 36, 39, 40, 37, 66), (0, 66)),
    "tied": path((0, -32.2), (22, -32.2, 27, -16, 25.6, 2), (25, 9, 23, 13, 19, 16),
        (10, 18, 0, 18)),
}  # fmt: skip

# Outlines of the right tail: behind the body or before it, and where it is tied.
_TAILS: dict[str, tuple[Shape, tuple[float, float]]] = {
    "twin-tails": (
        path((18, -21), (25, -31, 37, -26, 40, -10), (43, 4, 38, 14, 41.6, 25),
            (43, 34, 41, 40, 35, 50), (35.4, 43, 33.6, 42), (32, 47, 28.4, 50),
            (31, 38, 28, 30, 28, 18), (28, 4, 27, -8, 19, -15)),
        (20.6, -19.4),
    ),
    "low-tails": (
        path((20, 16), (27, 14, 32, 20, 31.4, 29), (31, 38, 33, 45, 30, 62), (22, 62),
            (22, 48, 19, 40, 20, 30), (20, 24, 17, 22, 20, 16)),
        (21.4, 17.4),
    ),
    "ponytail": (
        path((2, -29), (10, -43, 31, -40, 36, -20), (40, -4, 34, 8, 38, 22),
            (40, 31, 38, 38, 31, 47), (32, 40, 30, 38), (28, 43, 24, 46), (28, 32, 25, 20, 26, 8),
            (27, -8, 22, -22, 8, -25)),
        (7, -31),
    ),
    "side-tail": (
        path((19, 11), (28, 9, 36, 16, 34.6, 27), (33, 36, 38, 42, 33, 56), (32.6, 50, 30, 49),
            (29, 53, 25, 56), (26, 45, 22, 39, 22.4, 30), (22, 22, 18, 18, 19, 11)),
        (21, 13.4),
    ),
}  # fmt: skip


def draw_back_hair(pen: Pen, look: Look) -> None:
    """Draw the hair behind the head and body."""
    back, hair = look.traits.back, look.hair
    if back in ("twin-tails", "ponytail"):
        shape, knot = _TAILS[back]
        for side in pen.sides() if back == "twin-tails" else (pen,):
            _lock(side, look, shape)
            _tie(side, look, knot)
    elif back == "drills":
        for side in pen.sides():
            _drill(side, look)
    elif back in ("twin-buns", "top-bun"):
        spots = [(18.5, -29.5, 9.0)] if back == "twin-buns" else [(0.0, -37.0, 9.4)]
        for side in pen.sides() if back == "twin-buns" else (pen,):
            for x, y, r in spots:
                _bun(side, look, x, y, r)
    if back == "spiky":
        _spikes(pen, look)
        return
    shape = symmetric(_BACKS.get(back, _BACKS["tied"]))
    upper, lower = hair.shadow, mix(hair.shadow, look.dye.base, 0.7)
    pen.blend(shape, upper, lower if look.traits.dye == "tips" else hair.shadow)
    with pen.inside(shape) as inner:
        inner.fill(
            path((-22, -8), (-23, 26, -11, 33), (0, 36, 11, 33), (23, 26, 22, -8)), hair.deep
        )
        for side in inner.sides():
            for x, low in ((26.4, 20), (22.6, 30), (18, 40)):
                side.fill(
                    ribbon(path((x - 1, -4), (x + 1.5, 14, x + 1.4, low + 14)), 0.8, 0.1, 0.2),
                    hair.deep,
                )
            side.fill(
                ribbon(path((24, 8), (26, 20, 27, 44)), 1.3, 0.1, 0.2),
                mix(hair.shadow, hair.base, 0.8),
            )
    pen.outline(shape, hair.line, 0.5)


def draw_front_tails(pen: Pen, look: Look) -> None:
    """Draw the tails and braids that fall over the shoulders."""
    back = look.traits.back
    if back in ("low-tails", "side-tail"):
        shape, knot = _TAILS[back]
        for side in pen.sides() if back == "low-tails" else (pen,):
            _lock(side, look, shape)
            _tie(side, look, knot)
    elif back == "braids":
        for side in pen.sides():
            _braid(side, look)


def _lock(pen: Pen, look: Look, shape: Shape) -> None:
    hair = look.hair
    tip = look.dye.base if look.traits.dye == "tips" else mix(hair.base, hair.shadow, 0.35)
    pen.blend(shape, hair.base, tip)
    with pen.inside(shape) as inner:
        count = len(shape)
        half = count // 2
        middle = [
            ((shape[i][0] + shape[-1 - i][0]) / 2, (shape[i][1] + shape[-1 - i][1]) / 2)
            for i in range(0, half, 2)
        ]
        inside = [
            (x * 0.55 + p * 0.45, y * 0.55 + q * 0.45)
            for (x, y), (p, q) in zip(middle, shape[::-1][:half:2], strict=False)
        ]
        outside = [
            (x * 0.5 + p * 0.5, y * 0.5 + q * 0.5)
            for (x, y), (p, q) in zip(middle, shape[:half:2], strict=False)
        ]
        inner.fill(inside + shape[-half:][::-1][::-1], hair.shadow, 150)
        inner.fill(ribbon(middle, 0.9, 0.2, 0.2), hair.shadow)
        inner.fill(ribbon(outside, 1.3, 0.0, 0.0), hair.light, 150)
    pen.outline(shape, hair.line, 0.5)


def _tie(pen: Pen, look: Look, knot: tuple[float, float]) -> None:
    x, y = knot
    pen.fill(oval(x, y, 3.1, 3.1), look.accent.line)
    pen.fill(oval(x, y, 2.6, 2.6), look.accent.base)
    pen.fill(oval(x - 0.7, y - 0.9, 0.9, 0.7), look.accent.light)


def _bun(pen: Pen, look: Look, x: float, y: float, r: float) -> None:
    hair = look.hair
    shape = oval(x, y, r, r * 0.95)
    pen.blend(shape, hair.base, hair.shadow)
    pen.fill(
        ribbon(
            path(
                (x - r * 0.6, y + 1),
                (x - r * 0.5, y - r * 0.8, x + r * 0.1, y - r * 0.55),
                (x + r * 0.6, y - r * 0.2, x + r * 0.2, y + r * 0.4),
            ),
            1.0,
            0.1,
            0.1,
        ),
        hair.shadow,
    )
    pen.fill(
        ribbon(
            path((x + r * 0.75, y - 1), (x + r * 0.8, y + r * 0.5, x, y + r * 0.7)), 1.0, 0.1, 0.1
        ),
        hair.deep,
    )
    pen.fill(oval(x - r * 0.25, y - r * 0.6, r * 0.3, r * 0.14), hair.light, 200)
    pen.outline(shape, hair.line, 0.5)


def _drill(pen: Pen, look: Look) -> None:
    hair = look.hair
    for i in range(6, -1, -1):
        x, y = 28.5 + 1.3 * math.sin(i * 1.2), -4 + i * 8.2
        rx = 9.2 - 0.75 * i
        ring = path(
            (x - rx, y - 2),
            (x - rx, y + 7.5, x + rx * 0.4, y + 7.4),
            (x + rx * 1.05, y + 6, x + rx, y - 3),
            (x + rx * 0.8, y - 6, x, y - 6),
            (x - rx * 0.8, y - 6, x - rx, y - 2),
        )
        tip = look.dye.base if look.traits.dye == "tips" and i > 2 else hair.base
        pen.blend(ring, tip, hair.shadow)
        pen.fill(
            ribbon(path((x - rx * 0.7, y + 1), (x - 1, y + 5, x + rx * 0.75, y)), 1.4, 0.1, 0.1),
            hair.light,
            130,
        )
        pen.outline(ring, hair.line, 0.45)


def _braid(pen: Pen, look: Look) -> None:
    hair = look.hair
    for i in range(6, -1, -1):
        y = 16 + i * 6.4
        x = 22.4 + 0.55 * i
        for dx, angle in ((1.8, 30), (-1.8, -30)):
            piece = pen.placed(x + dx, y + (0 if dx > 0 else 2.4), angle=angle)
            shape = oval(0, 0, 3.1, 4.5)
            piece.blend(shape, hair.base, hair.shadow)
            piece.fill(oval(0.2, -1.4, 0.7, 1.9), hair.light, 140)
            piece.outline(shape, hair.line, 0.45)


# Tips and notches of the right half of spiky hair, from the top down.
_SPIKES = (
    (5.4, -41), (9, -33.4), (18.4, -41), (18.6, -30.4), (29.4, -35), (25.4, -22.4), (34.4, -23),
    (27.8, -12), (34, -7.6), (27, -0.6), (30.4, 8.4), (23.4, 9.6), (22.4, 18.4), (17, 15),
)  # fmt: skip


def _spikes(pen: Pen, look: Look) -> None:
    hair = look.hair
    shape: Shape = [(0, -33)]
    for (tx, ty), (nx, ny) in zip(_SPIKES[::2], _SPIKES[1::2], strict=True):
        x, y = shape[-1]
        shape += path((x, y), (0.4 * x + 0.6 * tx, 0.4 * y + 0.6 * ty - 2.2, tx, ty))[1:]
        shape += path((tx, ty), (0.3 * tx + 0.7 * nx, 0.5 * (ty + ny), nx, ny))[1:]
    shape += [(16, 18), (0, 18)]
    shape = symmetric(shape)
    end = look.dye.base if look.traits.dye == "tips" else hair.shadow
    pen.blend(shape, mix(hair.base, hair.light, 0.16), mix(hair.shadow, end, 0.6))
    with pen.inside(shape) as inner:
        inner.fill(path((-24, 0), (-22, 24, 0, 26), (22, 24, 24, 0)), hair.deep)
    pen.outline(shape, hair.line, 0.5)
