"""Fill the page: everything that comes from a file is escaped, every picture is inside."""

import base64
import html
import io
import json
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from PIL import Image

from animegan_cli.atomic import written_whole
from animegan_cli.errors import SnapshotError
from animegan_cli.report.history import History, read_history
from animegan_cli.run_dir import RunDir

MOST_GRIDS = 40
WEBP_QUALITY = 85
CHARTS: list[tuple[str, list[str]]] = [
    ("Losses", ["loss_D", "loss_G"]),
    ("D(x) and D(G(z))", ["D_real", "D_fake"]),
    ("Gradient norms", ["grad_norm_D", "grad_norm_G"]),
    ("Variety against real images", ["diversity", "near_duplicates"]),
    ("Images a second", ["images_per_sec"]),
]
SCORE_CHARTS: list[tuple[str, list[str]]] = [
    ("Frechet distance", ["frechet"]),
    ("KID", ["kid"]),
    ("Recall and coverage", ["recall", "coverage"]),
    ("Precision and density", ["precision", "density"]),
]


def write_report(run: RunDir, output: Path | None = None) -> Path:
    """Write one HTML page about a run, ``report.html`` in its folder if not named; return it.

    The page needs no network and no other file: pictures, styles and scripts are inside.

    Raises:
        SnapshotError: if the folder is no run, or the page cannot be written.
    """
    history = read_history(run)
    page = Template(_asset("page.html")).substitute(
        style=_asset("uplot.min.css") + _asset("page.css"),
        script=_asset("uplot.min.js") + _asset("page.js"),
        title=html.escape(run.path.absolute().name),
        summary=_summary(run, history),
        health=_health(history),
        pictures=_pictures(run),
        scores=_scores(history),
        settings="".join(_table(name, rows) for name, rows in history.settings.items()),
        skipped=_skipped(history.skipped),
        data=_json({"charts": _charts(history), "grids": _grids(run)}),
    )
    output = output or run.path / "report.html"
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(output) as temporary:
            temporary.write_text(page, "utf-8", "xmlcharrefreplace")
    except OSError as error:
        raise SnapshotError(f"cannot write {output}: {error.strerror or error}") from None
    return output


def _asset(name: str) -> str:
    return files("animegan_cli.report").joinpath(name).read_text("utf-8")


def _json(value: Any) -> str:
    """Return JSON that cannot end the script element around it."""
    return json.dumps(value).replace("<", "\\u003c")


def _summary(run: RunDir, history: History) -> str:
    last = history.ticks[-1] if history.ticks else {}
    parts = [
        str(history.settings.get("training", {}).get("recipe", "")),
        f"{last['cur_nimg']:,} images seen" if last else "no statistics yet",
        f"{last['elapsed_sec'] / 60:.1f} minutes" if "elapsed_sec" in last else "",
        str(run.path.absolute()),
    ]
    return " &middot; ".join(html.escape(part) for part in parts if part)


def _health(history: History) -> str:
    spans = history.health_spans()
    if not spans:
        return ""
    end = max(spans[-1][1], 1)
    strip, rows, before = [], [], 0
    for _, last, sentence in spans:
        kind = "well" if sentence == "healthy" else "ill"
        text = html.escape(f"{before:,} to {last:,} images: {sentence}")
        width = 100 * (last - before) / end
        strip.append(f'<span class="{kind}" style="width:{width:.3f}%" title="{text}"></span>')
        rows.append(f'<li class="{kind}">{text}</li>')
        before = last
    now = html.escape(spans[-1][2])
    return (
        f'<h2>Health</h2><p class="now">Now: {now}</p><div class="strip">{"".join(strip)}</div>'
        f"<details><summary>Over time</summary><ol>{''.join(rows)}</ol></details>"
    )


def _charts(history: History) -> list[dict[str, Any]]:
    """Return what the page draws: x, one list a series, floors as dashed lines, the best's x."""
    charts = [_chart(title, names, history.ticks) for title, names in CHARTS]
    yours = [{"cur_nimg": e["cur_nimg"], **e["evaluation"]["yours"]} for e in history.evaluations]
    best = history.best
    for title, names in SCORE_CHARTS:
        chart = _chart(title, names, yours)
        if best is not None and chart["series"]:
            floor = best["evaluation"]["floor"]
            chart["floors"] = {name: floor.get(name) for name in chart["series"]}
            chart["best"] = best["cur_nimg"]
        charts.append(chart)
    return [chart for chart in charts if chart["series"]]


def _chart(title: str, names: list[str], lines: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "title": title,
        "x": [line["cur_nimg"] for line in lines],
        "series": {
            name: [line.get(name) for line in lines]
            for name in names
            if any(line.get(name) is not None for line in lines)
        },
    }


def _grids(run: RunDir) -> list[dict[str, Any]]:
    """Return at most 40 grids, evenly chosen, the first and the last among them."""
    found = list(run.grids().items())
    steps = min(len(found), MOST_GRIDS)
    chosen = [found[round(i * (len(found) - 1) / max(steps - 1, 1))] for i in range(steps)]
    return [{"nimg": images, "src": _data_uri(path)} for images, path in chosen]


def _pictures(run: RunDir) -> str:
    reals = ""
    if run.reals.is_file():
        source = _data_uri(run.reals)
        reals = f'<figure><img alt="real images" src="{source}">'
        reals += "<figcaption>Real images, as D sees them</figcaption></figure>"
    return reals


def _data_uri(path: Path) -> str:
    try:
        with Image.open(path) as image:
            buffer = io.BytesIO()
            image.convert("RGB").save(buffer, "WEBP", quality=WEBP_QUALITY)
    except OSError as error:
        raise SnapshotError(f"{path}: cannot be read: {error}") from None
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def _scores(history: History) -> str:
    best = history.best
    if best is None:
        return ""
    report = best["evaluation"]
    columns = [report[name] for name in ("floor", "yours", "noise")]
    rows = ""
    for name in ("frechet", "kid", "kid_stderr", "precision", "recall", "density", "coverage"):
        cells = "".join(f"<td>{_cell(column.get(name))}</td>" for column in columns)
        rows += f"<tr><th>{name}</th>{cells}</tr>"
    about = (
        f"{report['network']} at {report['resize']} px, n = {report['n']}, seed {report['seed']}"
    )
    notes = "".join(f"<p>{html.escape(str(note))}</p>" for note in report.get("notes", []))
    return (
        f"<h2>The best snapshot: {best['cur_nimg']:,} images</h2><p>{html.escape(about)}</p>"
        '<div class="wide"><table><tr><th></th><th>floor (real)</th><th>best</th>'
        f"<th>noise</th></tr>{rows}</table></div>{notes}"
    )


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _table(section: str, rows: dict[str, Any]) -> str:
    cells = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape('-' if value is None else str(value))}"
        "</td></tr>"
        for name, value in rows.items()
    )
    return f"<section><h3>{html.escape(section)}</h3><table>{cells}</table></section>"


def _skipped(lines: list[str]) -> str:
    if not lines:
        return ""
    rows = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f"<h2>Files that could not be read</h2><ul class='skipped'>{rows}</ul>"
