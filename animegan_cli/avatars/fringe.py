"""Draw the hair in front of the face: crown, fringe, side locks, shine and cowlicks."""

import random

from animegan_cli.avatars.look import Look
from animegan_cli.avatars.palettes import mix
from animegan_cli.avatars.pen import Pen, Point, Shape, mirror, path, ribbon

_END = (24.6, 3.0)
_CROWN = 16  # about where the crown gives way to the fringe among the points of the outline

# Strand tips and the notches between them, from left to right.
FRINGES: dict[str, tuple[Point, ...]] = {
    "full": ((-21.5, 9), (-18, -2), (-14.5, 3), (-10, -5), (-6, 2), (-1.5, -6), (2.5, 2.4),
        (6.5, -5), (11, 2.6), (15, -3), (18, 4), (19, -1), (22, 9)),
    "blunt": ((-22, 10), (-19, -0.5), (-15, 1), (-11, -0.2), (-7, 1.2), (-4, -2), (-1.5, 1.2),
        (3, 0.2), (7, 1.2), (10, -1.4), (12.5, 1.1), (16, 0.4), (18.5, 0.8), (19.4, -0.6),
        (22, 10)),
    "swept": ((-22, 11), (-19, -5), (-17.5, 3), (-13, -14), (-7, 0), (-2, -11), (5, 2), (8, -7),
        (14, 4), (16, -3), (22.5, 11)),
    "side-part": ((-22, 12), (-18.5, -6), (-16, 2), (-9.5, -21), (-1, -2), (2, -10), (9, 2),
        (11, -6), (16.5, 5), (18, -2), (22.5, 12)),
    "centre-part": ((-22.5, 14), (-18.5, 0), (-15.5, 5), (-12, -6), (-7, -2), (0, -22), (7, -2),
        (12, -6), (15.5, 5), (18.5, 0), (22.5, 14)),
    "between": ((-22.5, 11), (-19, -4), (-15, 3), (-9, -12), (-4.5, -3), (-3, -7), (0.6, 8.4),
        (4.4, -8), (6.4, -1), (10, -12), (15, 3), (19, -4), (22.5, 11)),
    "choppy": ((-23.5, 12), (-19.5, 0), (-17, 6), (-13, -6), (-11.5, 1), (-7, -9), (-3, 4.6),
        (0, -7), (4, 0), (6, -8), (10, 4), (13.5, -5), (17, 5), (19, -2), (23.5, 12)),
    "curtain": ((-23, 18), (-18.5, 3), (-17, 9), (-13, -4), (-10, -1), (1.5, -23), (9, -3),
        (12, -6), (16.6, 8), (18.6, 2), (23, 18)),
    "veil": ((-22, 11), (-18.5, -5), (-16, 2), (-9, -20), (-1, -1), (1.5, -7), (7, 12), (9.5, 4),
        (13.5, 16.5), (16.5, 6), (21.5, 20)),
}  # fmt: skip

# The right side lock.
_LOCKS: dict[str, Shape] = {
    "short": path((24.8, -6), (26.6, 4, 25.8, 10, 21.6, 16.4), (20.4, 9, 18.4, 3, 18.6, -6)),
    "chin": path((25, -6), (28, 8, 27.2, 18, 20.6, 28.6), (20.8, 23, 19.6, 21),
        (18.8, 23.6, 17.4, 24.6), (19.4, 12, 17.6, 2, 18, -6)),
    "long": path((25, -6), (28, 12, 28, 28, 25.4, 47), (23.6, 42, 22.6, 41), (21.4, 46, 19.6, 49),
        (19.8, 30, 20.4, 16, 17.6, -6)),
    "flick": path((25, -6), (27.6, 8, 26.4, 15, 31.4, 22.6), (25.4, 23.4, 22.4, 19.4),
        (21.8, 23, 23, 26.4), (17.6, 21, 19, 6, 17.8, -6)),
}  # fmt: skip


def fringe_shape(look: Look) -> Shape:
    """Outline the crown and the fringe."""
    points = FRINGES[look.traits.fringe]
    if look.traits.mirrored:
        points = tuple((-x, y) for x, y in points[::-1])
    rng = random.Random(look.traits.lines)
    points = tuple((x + rng.uniform(-0.8, 0.8), y + rng.uniform(-0.9, 0.9)) for x, y in points)
    ex, ey = _END
    shape = path((-ex, ey), (-29, -16, -21.6, -32.4, 0, -32.4), (21.6, -32.4, 29, -16, ex, ey))
    notch = _END
    for i in range(len(points) - 1, -1, -2):
        tip = points[i]
        nxt = points[i - 1] if i else (-ex, ey)
        shape += _strand(notch, tip)[1:] + _strand(nxt, tip)[::-1][1:]
        notch = nxt
    return shape[:-1]


def _strand(notch: Point, tip: Point) -> Shape:
    (nx, ny), (tx, ty) = notch, tip
    return path(notch, (nx + 0.12 * (tx - nx), ny + 0.6 * (ty - ny), tx, ty))


def draw_locks(pen: Pen, look: Look) -> None:
    """Draw the side locks."""
    kind, hair = look.traits.locks, look.hair
    if kind == "none":
        return
    shape = _LOCKS[kind]
    long = max(y for _, y in shape)
    for side in pen.sides():
        dyed = mix(hair.base, look.dye.base, min(1.0, long / 40))
        tip = dyed if look.traits.dye == "tips" else mix(hair.base, hair.shadow, 0.45)
        side.blend(shape, hair.base, tip)
        side.fill(
            ribbon(path((22, -4), (24, long * 0.4, 22.4, long * 0.8)), 0.8, 0.1, 0.1), hair.shadow
        )
        side.fill(
            ribbon(path((24, 0), (25.8, long * 0.3, 24.6, long * 0.6)), 1.0, 0.1, 0.1),
            hair.light,
            130,
        )
        side.outline(shape, hair.line, 0.5)


def draw_fringe(pen: Pen, look: Look, shape: Shape) -> None:
    """Draw the crown and the fringe with strands and shine."""
    hair, traits = look.hair, look.traits
    points = FRINGES[traits.fringe]
    if traits.mirrored:
        points = tuple((-x, y) for x, y in points[::-1])
    pen.blend(shape, mix(hair.base, hair.light, 0.16), mix(hair.base, hair.shadow, 0.22))
    with pen.inside(shape) as inner:
        if traits.dye == "tips":
            inner.blend(
                path((-30, -14), (30, -14), (30, 14), (-30, 14)),
                hair.base,
                mix(hair.base, look.dye.base, 0.8),
            )
        elif traits.dye == "streak":
            x = points[2][0]
            inner.fill(
                path(
                    (-1, -34),
                    (x * 0.5 - 4, -20, points[1][0] - 1, 0),
                    (x, 14),
                    (points[3][0] + 1, -2),
                    (x * 0.5 + 4, -22, 2, -34),
                ),
                look.dye.base,
            )
        _strands(inner, look, points)
        for side in inner.sides():  # the sides turn away from the light
            side.fill(path((28, -28), (28, 12), (21.5, 12), (23.5, -12, 17, -28)), hair.shadow, 110)
        _shine(inner, look)
    if traits.back == "spiky":  # the spikes behind go on where the crown ends
        pen.line([*shape[_CROWN:], shape[0]], hair.line, 0.5)
    else:
        pen.outline(shape, hair.line, 0.5)


def _strands(pen: Pen, look: Look, points: tuple[Point, ...]) -> None:
    """Shade one side of every strand and draw the parting lines up to the crown."""
    hair = look.hair
    root = (points[len(points) // 2][0] * 0.25, -31.0)
    for i in range(1, len(points) - 1, 2):
        (nx, ny), (tx, ty) = points[i], points[i + 1]
        up = (nx * 0.7 + root[0] * 0.3, ny * 0.55 + root[1] * 0.45)
        bend = (nx * 1.05, (ny + up[1]) / 2 - 1)
        pen.fill(
            path(
                (nx + 0.2, ny + 0.4),
                (bend[0], bend[1], up[0], up[1]),
                (bend[0] + 2.4, bend[1] + 2, tx, ty),
            ),
            hair.shadow,
        )
        pen.fill(
            ribbon(path((nx, ny + 0.6), (bend[0], bend[1], up[0], up[1])), 0.8, 0.9, 0.0), hair.deep
        )


def _shine(pen: Pen, look: Look) -> None:
    rng = random.Random(look.traits.lines ^ 0x5EED)
    for left, right in ((-18.5, -3.5), (-1.5, 5.0), (7.5, 17.5)):
        upper: Shape = []
        lower: Shape = []
        steps = max(2, round((right - left) / 2.4))
        for i in range(steps + 1):
            x = left + (right - left) * i / steps
            y = -21.5 + 0.018 * x * x
            end = i in (0, steps)
            upper.append((x, y - (0 if end else rng.uniform(0.6, 1.6))))
            lower.append(
                (x, y + (0 if end else (rng.uniform(0.4, 1.2), rng.uniform(1.8, 3.4))[i % 2]))
            )
        pen.fill(upper + lower[::-1], look.hair.light, 215)


_AHOGES: dict[str, tuple[Shape, ...]] = {
    "curl": (path((-1.4, -31.5), (-4, -41, 4, -45, 9, -41), (12.4, -38, 9, -34.4, 6.8, -36.4),
        (8.6, -37.4, 7.6, -40, 5.4, -39.8), (1, -39.4, 0.8, -35, 1.6, -31.5)),),
    "leaf": (path((-1.2, -31.5), (-3, -39, 2, -44.6, 10.4, -44.6), (8, -39, 3, -38, 1.6, -31.5)),),
    "pair": (
        path((-0.8, -31.5), (-1, -39, 4, -43, 10, -42), (6, -39, 3, -36, 2, -31.5)),
        mirror(path((-0.8, -31.5), (-1, -37, 3, -40, 8, -38.6), (5, -37, 3, -35, 2, -31.5))),
    ),
}  # fmt: skip


def draw_ahoge(pen: Pen, look: Look) -> None:
    """Draw the cowlick."""
    place = pen.flipped() if look.traits.mirrored else pen
    for shape in _AHOGES.get(look.traits.ahoge, ()):
        place.outline(shape, look.hair.line, 0.9)
        place.fill(shape, look.hair.base)
