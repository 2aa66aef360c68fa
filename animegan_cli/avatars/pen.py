"""A pen that fills curves on a supersampled canvas through a shift, turn, zoom or mirror."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from PIL import Image, ImageDraw

from animegan_cli.avatars.palettes import Colour

Point = tuple[float, float]
Shape = list[Point]
Matrix = tuple[float, float, float, float, float, float]

_STEPS = 9
_QUAD = [((1 - t) ** 2, 2 * t * (1 - t), t * t) for t in (i / _STEPS for i in range(1, _STEPS + 1))]
_CUBIC = [
    ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
    for t in (i / _STEPS for i in range(1, _STEPS + 1))
]
_CIRCLE, _WHEEL = (
    [(math.cos(i * math.tau / n), math.sin(i * math.tau / n)) for i in range(n)] for n in (28, 80)
)


def path(start: Point, *segments: Sequence[float]) -> Shape:
    """Follow segments of 2 numbers (a line), 4 (a quadratic curve) or 6 (a cubic curve)."""
    points = [start]
    x, y = start
    for segment in segments:
        if len(segment) == 2:
            points.append((segment[0], segment[1]))
        elif len(segment) == 4:
            p, q, r, s = segment
            points += [(a * x + b * p + c * r, a * y + b * q + c * s) for a, b, c in _QUAD]
        else:
            p, q, r, s, v, w = segment
            points += [
                (a * x + b * p + c * r + d * v, a * y + b * q + c * s + d * w)
                for a, b, c, d in _CUBIC
            ]
        x, y = points[-1]
    return points


def oval(x: float, y: float, rx: float, ry: float) -> Shape:
    """Outline an ellipse."""
    return [(x + rx * c, y + ry * s) for c, s in (_CIRCLE if rx < 14 else _WHEEL)]


def mirror(shape: Shape) -> Shape:
    """Reflect a shape left to right."""
    return [(-x, y) for x, y in shape]


def symmetric(half: Shape) -> Shape:
    """Close the right half of an outline with its mirror image."""
    return half + mirror(half)[::-1]


def moved(shape: Shape, dx: float, dy: float) -> Shape:
    """Shift a shape."""
    return [(x + dx, y + dy) for x, y in shape]


def star(x: float, y: float, radius: float, waist: float, points: int) -> Shape:
    """Outline a star with ``points`` tips whose notches lie at ``waist`` of the radius."""
    shape = []
    for i in range(2 * points):
        r = radius if i % 2 == 0 else radius * waist
        angle = math.pi * i / points - math.pi / 2
        shape.append((x + r * math.cos(angle), y + r * math.sin(angle)))
    return shape


def ribbon(line: Shape, width: float, start: float = 0.0, end: float = 0.0) -> Shape:
    """Turn a line into a stroke, full in the middle and ``start`` and ``end`` of it at its ends."""
    last = len(line) - 1
    left: Shape = []
    right: Shape = []
    for i, (x, y) in enumerate(line):
        (px, py), (qx, qy) = line[max(i - 1, 0)], line[min(i + 1, last)]
        dx, dy = qx - px, qy - py
        length = math.sqrt(dx * dx + dy * dy) or 1.0
        t = i / last
        rest = start + (end - start) * t
        half = 0.5 * width * (rest + (1 - rest) * 4 * t * (1 - t)) / length
        left.append((x - dy * half, y + dx * half))
        right.append((x + dy * half, y - dx * half))
    return left + right[::-1]


class Pen:
    """Fills shapes on one image; its matrix takes drawing units to pixels."""

    def __init__(self, image: Image.Image, matrix: Matrix) -> None:
        self.image = image
        self.matrix = matrix
        self._unit = math.sqrt(abs(matrix[0] * matrix[4] - matrix[1] * matrix[3]))
        self._solid = ImageDraw.Draw(image)
        self._blend = ImageDraw.Draw(image, "RGBA")

    def placed(self, dx: float, dy: float, *, angle: float = 0.0, zoom: float = 1.0) -> "Pen":
        """Return a pen whose origin lies at (dx, dy), turned by ``angle`` degrees and zoomed."""
        a, b, c, d, e, f = self.matrix
        cos = zoom * math.cos(math.radians(angle))
        sin = zoom * math.sin(math.radians(angle))
        return Pen(
            self.image,
            (
                a * cos + b * sin,
                b * cos - a * sin,
                a * dx + b * dy + c,
                d * cos + e * sin,
                e * cos - d * sin,
                d * dx + e * dy + f,
            ),
        )

    def flipped(self) -> "Pen":
        """Return a pen that draws mirrored left to right about its origin."""
        a, b, c, d, e, f = self.matrix
        return Pen(self.image, (-a, b, c, -d, e, f))

    def sides(self) -> "tuple[Pen, Pen]":
        """Return this pen and its mirror image, to draw a pair."""
        return self, self.flipped()

    def fill(self, shape: Shape, colour: Colour, alpha: int = 255) -> None:
        """Fill a shape with a colour."""
        if alpha >= 255:
            self._solid.polygon(self._pixels(shape), colour)
        else:
            self._blend.polygon(self._pixels(shape), (*colour, alpha))

    def outline(self, shape: Shape, colour: Colour, width: float = 0.5) -> None:
        """Draw along a closed shape."""
        self.line([*shape, shape[0]], colour, width)

    def line(self, shape: Shape, colour: Colour, width: float = 0.5) -> None:
        """Draw along an open line."""
        self._solid.line(self._pixels(shape), colour, max(1, round(width * self._unit)))

    def blend(self, shape: Shape, upper: Colour, lower: Colour) -> None:
        """Fill a shape with a gradient from its upper to its lower edge."""
        pixels = self._pixels(shape)
        box, mask = self._mask(pixels)
        if mask is None:
            return
        top = min(y for _, y in pixels)
        height = max(y for _, y in pixels) - top + 1
        ramp = Image.linear_gradient("L").resize((1, height), Image.Resampling.BILINEAR)
        ramp = ramp.crop((0, box[1] - top, 1, box[3] - top))
        tint = Image.composite(
            Image.new("RGB", ramp.size, lower), Image.new("RGB", ramp.size, upper), ramp
        )
        self.image.paste(tint.resize(mask.size, Image.Resampling.NEAREST), box, mask)

    @contextmanager
    def inside(self, shape: Shape) -> "Iterator[Pen]":
        """Yield a pen whose marks stay within a shape."""
        box, mask = self._mask(self._pixels(shape))
        if mask is None:
            yield Pen(Image.new("RGB", (1, 1)), self.matrix)
            return
        patch = self.image.crop(box)
        a, b, c, d, e, f = self.matrix
        yield Pen(patch, (a, b, c - box[0], d, e, f - box[1]))
        self.image.paste(patch, box, mask)

    def _pixels(self, shape: Shape) -> list[tuple[int, int]]:
        a, b, c, d, e, f = self.matrix
        return [(round(a * x + b * y + c), round(d * x + e * y + f)) for x, y in shape]

    def _mask(
        self, pixels: list[tuple[int, int]]
    ) -> tuple[tuple[int, int, int, int], Image.Image | None]:
        xs = [x for x, _ in pixels]
        ys = [y for _, y in pixels]
        left, top = max(min(xs), 0), max(min(ys), 0)
        right = min(max(xs) + 1, self.image.width)
        bottom = min(max(ys) + 1, self.image.height)
        if left >= right or top >= bottom:
            return (0, 0, 0, 0), None
        mask = Image.new("L", (right - left, bottom - top), 0)
        ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in pixels], 255)
        return (left, top, right, bottom), mask
