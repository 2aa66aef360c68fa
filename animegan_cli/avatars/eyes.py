"""Draw the eyes, the brows and what is worn before them."""

from dataclasses import dataclass

from animegan_cli.avatars.look import Look
from animegan_cli.avatars.palettes import WHITE, Colour, mix
from animegan_cli.avatars.pen import Pen, Shape, moved, oval, path, ribbon

EYE_X, EYE_Y = 10.3, 6.4


@dataclass(frozen=True)
class EyeForm:
    """The lids of the right eye about its centre; x grows outward."""

    inner: tuple[float, float]
    outer: tuple[float, float]
    top: float  # height of the upper lid
    peak: float  # where along x the upper lid is highest
    bottom: float
    iris: tuple[float, float]  # radii
    wing: tuple[float, float]  # tip of the upper lash


FORMS: dict[str, EyeForm] = {
    "round": EyeForm((-5.6, 0.4), (6.0, 0.2), -6.7, 0.2, 6.4, (4.4, 5.9), (7.6, -0.8)),
    "almond": EyeForm((-6.0, 1.4), (6.6, -0.4), -6.0, 0.8, 5.6, (4.2, 5.5), (8.2, -1.8)),
    "drooping": EyeForm((-5.8, -0.4), (6.2, 1.6), -6.2, -0.6, 6.2, (4.3, 5.6), (7.6, 2.2)),
    "sharp": EyeForm((-6.0, 2.2), (6.4, -1.4), -5.2, 2.0, 5.4, (4.0, 5.3), (8.6, -3.4)),
    "tall": EyeForm((-5.0, 0.2), (5.6, 0.0), -7.6, 0.0, 6.8, (4.2, 6.6), (7.2, -1.0)),
    "sleepy": EyeForm((-5.9, 0.2), (6.4, 0.6), -4.3, 0.4, 5.8, (4.3, 5.6), (7.9, 0.4)),
}


def draw_eyes(pen: Pen, look: Look) -> None:
    """Draw both eyes."""
    traits = look.traits
    form = FORMS[traits.eye_shape]
    for side, place in ((1, pen), (-1, pen.flipped())):
        eye = place.placed(EYE_X + traits.eye_gap, EYE_Y, zoom=traits.eye_size)
        mood = traits.eye_mood
        if mood in ("happy", "calm") or (mood == "wink" and side < 0):
            _closed_eye(eye, look, curve=-1 if mood == "calm" else 1)
        else:
            _open_eye(eye, look, form, side)


def _lids(form: EyeForm, drop: float) -> tuple[Shape, Shape]:
    """Return the upper lid from the inner to the outer corner and the lower lid back."""
    (ix, iy), (ox, oy) = form.inner, form.outer
    top = form.top + drop
    upper = path(
        (ix, iy),
        (ix + 0.6, (iy + top) / 2 - 1.6, form.peak - 3.0, top, form.peak, top),
        (form.peak + 3.4, top, ox - 0.3, (oy + top) / 2 - 1.0, ox, oy),
    )
    low = form.bottom
    lower = path(
        (ox, oy), (ox - 0.4, low * 0.75, 3.4, low, 0.2, low), (-3, low, ix + 1.2, low * 0.7, ix, iy)
    )
    return upper, lower


def _open_eye(pen: Pen, look: Look, form: EyeForm, side: int) -> None:
    traits = look.traits
    upper, lower = _lids(form, drop=2.6 if traits.eye_mood == "half" else 0.0)
    white = upper + lower[1:]
    iris = look.irises[0 if side > 0 else 1]
    gaze_x = traits.gaze[0] * side - 0.2
    with pen.inside(white) as ball:
        ball.blend(white, (238, 234, 246), (255, 255, 255))
        _iris(ball.placed(gaze_x, traits.gaze[1] + 0.3), form, iris, side)
        ball.fill(ribbon(moved(upper, 0, 0.7), 1.5, 1, 1), mix(look.lash, iris, 0.2), 105)
    _lashes(pen, look, form, upper, lower)


def _iris(pen: Pen, form: EyeForm, iris: Colour, side: int) -> None:
    rx, ry = form.iris
    dark = mix(iris, (26, 14, 52), 0.66)
    glow = mix(iris, (255, 255, 240), 0.5)
    pen.fill(oval(0, 0, rx, ry), dark)
    pen.blend(
        oval(0, 0.1, rx - 0.55, ry - 0.5), mix(iris, (26, 14, 52), 0.5), mix(iris, glow, 0.35)
    )
    pen.fill(
        path(
            (-rx * 0.72, 1.6),
            (0, 3.4, rx * 0.72, 1.6),
            (rx * 0.6, ry - 0.9, 0, ry - 0.8),
            (-rx * 0.6, ry - 0.9, -rx * 0.72, 1.6),
        ),
        glow,
        150,
    )
    pen.fill(oval(0, 0.1, rx * 0.45, ry * 0.46), mix(iris, (16, 8, 34), 0.84))
    pen.fill(oval(-1.5 * side, -ry * 0.46, rx * 0.36, ry * 0.27), WHITE)
    pen.fill(oval(1.7 * side, ry * 0.44, rx * 0.2, ry * 0.14), WHITE, 225)


def _lashes(pen: Pen, look: Look, form: EyeForm, upper: Shape, lower: Shape) -> None:
    ink = look.lash
    (ox, oy), (wx, wy) = form.outer, form.wing
    # The upper lash: the lid, thicker toward the outer corner, ending in a wing.
    count = len(upper) - 1
    above = [
        (x + 0.5 * i / count, y - 0.5 - 1.25 * min(1.0, 1.7 * i / count))
        for i, (x, y) in enumerate(upper)
    ]
    pen.fill([*upper, (ox + 0.1, oy + 0.5), (wx, wy), *above[:-1][::-1]], ink)
    pen.fill(
        ribbon(path((ox - 2.4, oy - 3.6), (ox + 0.6, oy - 3.0, ox + 1.7, oy - 4.4)), 1.0, 0.9, 0.0),
        ink,
    )
    pen.fill(ribbon(lower[2:9], 0.75, 0.5, 0.1), mix(ink, look.skin.line, 0.45))
    crease = [(x * 0.92 + 0.4, y - 2.7) for x, y in upper[4:-4]]
    pen.fill(ribbon(crease, 0.6, 0.1, 0.1), mix(look.skin.shadow, look.skin.line, 0.6))


def _closed_eye(pen: Pen, look: Look, curve: int) -> None:
    if curve > 0:
        line = path((-5.8, 2.0), (-3, -3.4, 0.4, -3.4), (3.8, -3.4, 6.4, 1.8))
        tips = (((5.2, -0.6), (8, 0.2)), ((3.8, -2.0), (6.6, -2.6)))
    else:
        line = path((-5.8, 0.2), (-3, 3.8, 0.4, 3.8), (3.8, 3.8, 6.4, -0.4))
        tips = (((5.4, 1.2), (8, 2.0)), ((3.8, 2.8), (5.8, 4.8)))
    pen.fill(ribbon(line, 1.7, 0.35, 0.5), look.lash)
    for start, end in tips:
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        pen.fill(ribbon([start, middle, end], 0.8, 0.9, 0.0), look.lash)
    crease = path((-3.6, -4.8), (0.4, -7, 4.4, -4.4))
    pen.fill(ribbon(crease, 0.6, 0.1, 0.1), mix(look.skin.shadow, look.skin.line, 0.5))


_BROWS: dict[str, tuple[Shape, float]] = {  # from the inner end outward, and the width
    "soft": (path((4.6, -4.0), (10, -6.6, 16.0, -3.6)), 1.2),
    "straight": (path((4.8, -4.4), (10, -5.2, 15.6, -4.6)), 1.5),
    "raised": (path((5.2, -5.2), (10.5, -9.0, 15.8, -5.6)), 1.1),
    "worried": (path((4.8, -5.8), (10, -5.8, 15.2, -3.0)), 1.3),
    "stern": (path((4.2, -2.6), (10, -5.4, 16.2, -5.4)), 1.5),
    "short": (path((6.6, -4.9), (9, -6.2, 11.8, -5.2)), 2.1),
}


def draw_brows(pen: Pen, look: Look, alpha: int = 255) -> None:
    """Draw the brows in the tone of the hair; thinly, they show through a fringe."""
    line, width = _BROWS[look.traits.brow]
    tone = mix(look.hair.deep, look.hair.line, 0.35)
    for side in pen.sides():
        side.fill(ribbon(line, width, 0.6, 0.15), tone, alpha)


def draw_glasses(pen: Pen, look: Look) -> None:
    """Draw glasses or an eye patch."""
    kind = look.traits.glasses
    if kind == "none":
        return
    if kind == "patch":
        _patch(pen, look)
        return
    x = EYE_X + look.traits.eye_gap
    lens = {
        "round": oval(x, 7, 8.3, 8.3),
        "oval": oval(x, 7.4, 8.6, 6.6),
        "tinted": oval(x, 7.2, 8.6, 7.8),
        "half": path((x - 8, 3), (x - 8, 12, x - 6, 14, x, 14),
            (x + 6, 14, x + 8.5, 12, x + 8.5, 3)),
        "square": path((x - 7.4, 0.6), (x, 0.2, x + 7.8, 0.6), (x + 8.8, 0.8, x + 8.5, 2.4),
            (x + 8.4, 13.6, x + 5, 13.8), (x, 14.3, x - 5, 13.6), (x - 8.3, 13.2, x - 8.2, 1.6),
            (x - 8.2, 0.7, x - 7.4, 0.6)),
    }[kind]  # fmt: skip
    frame = look.accent.line if kind != "round" else mix((150, 104, 48), look.accent.line, 0.4)
    for side in pen.sides():
        if kind == "tinted":
            side.fill(lens, mix(look.accent.deep, (255, 150, 120), 0.25), 130)
        else:
            side.fill(lens, (232, 244, 255), 22)
        glint = path((x + 1, 1.4), (x + 4.2, 2.2), (x - 2.5, 12.2), (x - 5, 11))
        side.fill(glint, WHITE, 32)
        if kind == "half":
            side.line(lens, frame, 1.0)
        else:
            side.outline(lens, frame, 1.0)
        side.line([(x + 8.4, 4.6), (22, 3)], frame, 0.9)
    pen.line(path((8.6 - x, 5), (0, 2.8, x - 8.6, 5)), frame, 0.9)


def _patch(pen: Pen, look: Look) -> None:
    pen = pen.flipped() if look.traits.mirrored else pen
    x = EYE_X + look.traits.eye_gap
    cloth = (54, 46, 62)
    pen.line([(-22, -14), (x - 5, 1)], cloth, 1.2)
    pen.line([(x + 6, 2), (24, -3)], cloth, 1.2)
    shape = path((x - 7.5, 1), (x, -3, x + 7.5, 0), (x + 9, 12, x, 14.5), (x - 9, 12, x - 7.5, 1))
    pen.fill(shape, cloth)
    pen.outline(
        [((px - x) * 0.82 + x, (py - 6) * 0.82 + 6) for px, py in shape], (110, 98, 122), 0.4
    )
