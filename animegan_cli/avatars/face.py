"""Draw the head: ears, face, nose, mouth, blush and small marks."""

from animegan_cli.avatars.look import Look
from animegan_cli.avatars.palettes import WHITE, mix
from animegan_cli.avatars.pen import Pen, Shape, mirror, moved, oval, path, ribbon, symmetric

# Half outlines, from the top of the skull down to the chin.
FACES: dict[str, Shape] = {
    "oval": path(
        (0, -25), (13, -25, 21, -18, 21.3, -7), (21.8, 3, 21.6, 9, 17.8, 15.2),
            (13, 21, 6, 26, 0, 26)
    ),
    "round": path(
        (0, -25), (13, -25, 21, -18, 21.6, -7), (22.6, 4, 22.6, 11, 18, 17.2),
            (13, 23, 7, 25, 0, 25)
    ),
    "pointed": path(
        (0, -25), (13, -25, 20.5, -18, 21, -7), (21.5, 3, 21, 8.6, 16.4, 15),
            (10.5, 22.5, 4, 27.4, 0, 27.4)
    ),
}  # fmt: skip
MOUTH_Y = 18.2


def face_shape(look: Look) -> Shape:
    """Outline the face."""
    return symmetric(FACES[look.traits.face])


def draw_ears(pen: Pen, look: Look) -> None:
    """Draw both ears and what hangs from them."""
    skin = look.skin
    for side in pen.sides():
        ear = path((20, 1), (26, -3, 27, 5, 24.2, 9.5), (23, 12, 21, 12, 20, 11))
        side.fill(ear, skin.base)
        side.outline(ear, skin.line, 0.45)
        side.fill(path((21, 3.2), (25.6, 1, 24, 6, 21.6, 9), (23, 6, 21, 3.2)), skin.shadow)


def draw_jewels(pen: Pen, look: Look) -> None:
    """Draw what hangs from the ears."""
    metal = (250, 222, 130)
    for side in pen.sides():
        if look.traits.jewel == "studs":
            side.fill(oval(22.4, 12, 1.3, 1.3), look.accent.line)
            side.fill(oval(22.4, 12, 0.95, 0.95), look.accent.light)
        elif look.traits.jewel == "drops":
            side.fill(oval(22.4, 11.8, 0.7, 0.7), metal)
            side.fill(
                path((22.4, 12.2), (25, 17.5, 22.4, 18.4), (19.8, 17.5, 22.4, 12.2)),
                look.accent.base,
            )
            side.fill(oval(22.0, 16.4, 0.5, 0.8), WHITE, 190)
        elif look.traits.jewel == "hoops":
            side.outline(oval(22.4, 14.6, 2.5, 3.0), mix(metal, (140, 90, 20), 0.3), 0.8)


def draw_face(pen: Pen, look: Look, shade: Shape) -> None:
    """Draw the face with the shade that the fringe throws on it."""
    skin = look.skin
    shape = face_shape(look)
    pen.blend(shape, skin.base, skin.base)
    with pen.inside(shape) as inner:
        # A soft shade along the jaw on one side, light on the cheeks.
        inner.fill(
            path((22, -4), (21, 14, 6, 25.5), (0, 28), (12, 30), (26, 20)),
            mix(skin.base, skin.shadow, 0.55),
        )
        inner.fill(moved(shade, 0.5, 2.6), mix(skin.base, skin.shadow, 0.45))
        inner.fill(moved(shade, 0, 1.5), mix(skin.base, skin.shadow, 0.95))
    pen.outline(shape, skin.line, 0.5)


def draw_blush(pen: Pen, look: Look) -> None:
    """Draw blush, freckles, moles and plasters."""
    skin, kind, mark = look.skin, look.traits.blush, look.traits.mark
    for side in pen.sides():
        if kind in ("soft", "lines"):
            for spread, alpha in ((1.0, 40), (0.8, 45), (0.58, 50)):
                side.fill(oval(13.4, 13.6, 4.9 * spread, 2.5 * spread), skin.blush, alpha)
        if kind == "lines":
            for x in (11.2, 13.4, 15.6):
                side.fill(
                    ribbon([(x + 0.8, 12.4), (x, 13.7), (x - 0.8, 15)], 0.7, 0.6, 0.4), skin.lip
                )
        elif kind == "freckles":
            for x, y in ((10.4, 13.2), (12.4, 14.4), (14.2, 12.9), (8.4, 14.3), (16, 14)):
                side.fill(oval(x, y, 0.5, 0.45), mix(skin.shadow, skin.line, 0.35))
    if kind == "across":
        for spread, alpha in ((1.0, 36), (0.86, 42), (0.7, 46)):
            pen.fill(oval(0, 12.4, 17 * spread, 2.9 * spread), skin.blush, alpha)
    if mark == "mole":
        pen.fill(oval(13.6, 15.6, 0.65, 0.65), skin.line)
    elif mark == "lip-mole":
        pen.fill(oval(5.4, 20.6, 0.6, 0.6), skin.line)
    elif mark == "plaster":
        strip = pen.placed(0.4, 11.4, angle=-9)
        band = path((-4.4, -1.4), (4.4, -1.4), (6, 0, 4.4, 1.4), (-4.4, 1.4), (-6, 0, -4.4, -1.4))
        strip.fill(band, (240, 204, 160))
        strip.fill(oval(0, 0, 1.5, 1.1), (252, 230, 196))
        strip.outline(band, skin.line, 0.35)


def draw_nose(pen: Pen, look: Look) -> None:
    """Draw a tiny nose."""
    skin, kind = look.skin, look.traits.nose
    tone = mix(skin.shadow, skin.line, 0.45)
    if kind == "dot":
        pen.fill(oval(0.2, 12.9, 0.75, 0.5), tone)
    elif kind == "stroke":
        pen.fill(ribbon(path((0.7, 10.6), (1.5, 12.6, 0.1, 13.2)), 0.75, 0.3, 0.4), tone)
    elif kind == "shade":
        pen.fill(
            path(
                (-1.5, 13.1), (0, 14.6, 1.7, 13.1), (0.8, 12.6, 0.3, 11.8), (-0.2, 12.8, -1.5, 13.1)
            ),
            skin.shadow,
        )
        pen.fill(ribbon(path((-0.9, 13.3), (0.1, 14, 1.1, 13.3)), 0.6, 0.2, 0.2), tone)
    else:
        pen.fill(oval(0, 12.9, 1.7, 1.1), mix(skin.base, skin.blush, 0.55))
    pen.fill(oval(-0.3, 11.5, 0.5, 0.6), skin.light)


def draw_mouth(pen: Pen, look: Look) -> None:
    """Draw the mouth."""
    kind = look.traits.mouth
    at = pen.placed(0, MOUTH_Y)
    if kind in _OPEN:
        _open_mouth(at, look, kind)
        return
    ink = mix(look.skin.line, (90, 20, 40), 0.25)
    for line in _LINES[kind]:
        at.fill(ribbon(line, 0.95, 0.35, 0.35), ink)
    if kind in ("smile", "small", "pout", "smirk", "flat"):
        at.fill(ribbon(path((-1.5, 2.3), (0, 2.9, 1.5, 2.3)), 0.8, 0.1, 0.1), look.skin.shadow)
    if kind == "fang":
        at.fill([(1.5, 0.9), (3.4, 0.4), (2.6, 2.6)], WHITE)
        at.line([(1.5, 1.1), (2.6, 2.7), (3.3, 0.6)], ink, 0.35)


_LINES: dict[str, list[Shape]] = {
    "smile": [path((-4.3, -0.6), (-2, 1.6, 0, 1.5), (2, 1.6, 4.3, -0.6))],
    "small": [path((-2.3, 0), (0, 1.2, 2.3, 0))],
    "flat": [path((-2.6, 0.3), (0, 0, 2.6, 0.3))],
    "pout": [path((-2.2, 1), (0, -1.1, 2.2, 1))],
    "cat": [path((-4, -0.5), (-3.4, 2, -1.8, 1.8), (-0.4, 1.6, 0, -0.1)), path((4, -0.5),
        (3.4, 2, 1.8, 1.8), (0.4, 1.6, 0, -0.1))],
    "fang": [path((-3.6, -0.4), (0, 2, 3.8, -0.2))],
    "smirk": [path((-2.8, 0.9), (1, 1.6, 3.9, -1.1))],
    "wavy": [path((-3.5, 0.5), (-2.4, -1, -1.2, 0.3), (0, 1.5, 1.2, 0.3), (2.4, -1, 3.5, 0.5))],
}  # fmt: skip
_OPEN: dict[str, Shape] = {
    "open": path((-3.6, -0.7), (0, 0.1, 3.6, -0.7), (3.4, 4.2, 0, 4.2), (-3.4, 4.2, -3.6, -0.7)),
    "laugh": path((-5, -1.2), (0, 0, 5, -1.2), (5, 2.6, 3, 5.4, 0, 5.4),
        (-3, 5.4, -5, 2.6, -5, -1.2)),
    "oh": oval(0, 1.2, 1.7, 2.1),
    "grin": path((-4.8, -1), (0, 0.4, 4.8, -1), (4.2, 2.9, 0, 2.9), (-4.2, 2.9, -4.8, -1)),
}  # fmt: skip


def _open_mouth(pen: Pen, look: Look, kind: str) -> None:
    ink = mix(look.skin.line, (90, 20, 40), 0.35)
    shape = _OPEN[kind]
    pen.fill(shape, (126, 38, 52))
    with pen.inside(shape) as inner:
        if kind == "grin":
            inner.fill(shape, (255, 252, 248))
            inner.line([(-5, 1.1), (5, 1.1)], (214, 190, 196), 0.3)
        else:
            deep = max(y for _, y in shape)
            inner.fill(oval(0.3, deep + 0.4, 2.9, 2.5), (240, 120, 122))
            if kind == "laugh":
                inner.fill(path((-5, -2), (5, -2), (4, 0.9), (0, 1.4, -4, 0.9)), (255, 252, 248))
    pen.outline(shape, ink, 0.45)


def draw_neck(pen: Pen, look: Look) -> None:
    """Draw the neck, the collarbones and the shade under the chin."""
    skin = look.skin
    half = path(
        (0, 14),
        (7.2, 14),
        (7.2, 22, 7, 30, 10, 33.5),
        (14, 36.5, 24, 38, 30, 42),
        (34, 60),
        (0, 60),
    )
    shape = symmetric(half)
    pen.fill(shape, skin.base)
    with pen.inside(shape) as inner:
        inner.fill(
            path((-8, 20), (8, 20), (8, 27), (3, 32.5, 0, 32.5), (-4, 32, -8, 27)), skin.shadow
        )
    for line in (
        path((2.5, 37.6), (7, 36.6, 12, 37.6)),
        mirror(path((2.5, 37.6), (7, 36.6, 12, 37.6))),
    ):
        pen.fill(ribbon(line, 0.8, 0.1, 0.1), skin.shadow)
    for side in pen.sides():
        side.line(
            path((7.2, 20), (7.2, 26, 7.2, 30, 10, 33.5), (14, 36.5, 24, 38, 30, 42)),
            skin.line,
            0.5,
        )
