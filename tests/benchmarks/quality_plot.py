"""Distance over CPU time of the runs that ``quality.py`` measured, as one SVG picture.

``python tests/benchmarks/quality_plot.py OUT.svg FLOOR NAME=RUN [NAME=RUN ...]``
"""

import json
import math
import sys
from pathlib import Path

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 340, 56, 150, 16, 44
COLORS = ("#2563eb", "#dc2626", "#059669", "#9333ea", "#d97706")


def main() -> None:
    output, floor = Path(sys.argv[1]), float(sys.argv[2])
    curves = {
        name: [json.loads(line) for line in Path(run, "quality.jsonl").read_text().splitlines()]
        for name, run in (argument.split("=", 1) for argument in sys.argv[3:])
    }
    output.write_text(picture(curves, floor), "utf-8")


def picture(curves: dict[str, list[dict[str, float]]], floor: float) -> str:
    """Draw one line a run, both axes logarithmic, the floor dashed."""
    rows = [row for curve in curves.values() for row in curve]
    first, last = (f(row["cpu_sec"] for row in rows) for f in (min, max))
    top = max(row["frechet"] for row in rows) * 1.2
    bottom = floor * 0.8

    def x(seconds: float) -> float:
        share = math.log(seconds / first) / math.log(last / first)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(distance: float) -> float:
        share = math.log(distance / bottom) / math.log(top / bottom)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for distance in (50, 100, 200, 500, 1000, 2000):
        if bottom < distance < top:
            parts += [
                line(LEFT, y(distance), WIDTH - RIGHT, y(distance), "#e5e7eb"),
                text(LEFT - 6, y(distance) + 4, f"{distance}", "end"),
            ]
    for seconds in sorted({row["cpu_sec"] for row in rows if row in next(iter(curves.values()))}):
        parts.append(text(x(seconds), HEIGHT - BOTTOM + 18, f"{seconds / 120:.3g}", "middle"))
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts += [
        text(middle, HEIGHT - 8, "minutes on two cores (CPU seconds / 120)", "middle"),
        line(LEFT, y(floor), WIDTH - RIGHT, y(floor), "#6b7280", "4 4"),
        text(WIDTH - RIGHT + 8, y(floor) + 4, f"floor {floor:g}", "start", "#6b7280"),
    ]
    labels: list[tuple[float, float]] = []
    for (name, curve), color in zip(curves.items(), COLORS, strict=False):
        points = [(x(row["cpu_sec"]), y(row["frechet"])) for row in curve]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{color}"/>' for a, b in points]
        label = points[-1][0] + 8, points[-1][1] + 4
        while any(abs(label[0] - a) < 60 and abs(label[1] - b) < 12 for a, b in labels):
            label = label[0], label[1] - 4  # above the one that is there
        labels.append(label)
        parts.append(text(*label, name, "start", color))
    return "\n".join([*parts, "</svg>", ""])


def line(x: float, y: float, to_x: float, to_y: float, color: str, dashes: str = "none") -> str:
    return (
        f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" stroke="{color}" '
        f'stroke-dasharray="{dashes}"/>'
    )


def text(x: float, y: float, words: str, anchor: str, color: str = "#111827") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}">{words}</text>'


if __name__ == "__main__":
    main()
