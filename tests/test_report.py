"""The page about a run: what it holds, that it holds it alone, and that a browser shows it."""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli, error_line

from animegan_cli.report import write_report
from animegan_cli.run_dir import RunDir
from animegan_cli.settings import Settings
from animegan_cli.training_loop import train

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
HOSTILE = "<img src=x onerror=alert(1)>&'\"</script><script>alert(2)</script>.png"
SCORES = {"frechet": 90.5, "kid": 12.25, "kid_stderr": 0.5, "precision": 0.75, "recall": 0.5}


class Elements(HTMLParser):
    """All elements of a page, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))


def add_evaluation(run: Path, nimg: int, **changes: Any) -> None:
    report = {
        "network": "lite2",
        "resize": 260,
        "n": 50,
        "seed": 0,
        "floor": {**SCORES, "frechet": 4.125},
        "yours": SCORES,
        "noise": {**SCORES, "frechet": 999.0},
        "notes": ["a <b>note</b>"],
    }
    line = {"cur_nimg": nimg, "evaluation": report, "best": True, **changes}
    with (run / "stats.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


def embedded(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert found
    return json.loads(found[1])  # type: ignore[no-any-return]


@pytest.fixture
def run(tiny: Callable[..., Settings], photos: Path) -> Path:
    """A run of 32 images in four ticks, with two evaluations and a file nobody can read."""
    (photos / "a <b>bad file.png").write_bytes(b"no image")
    path = train(tiny(tick_kimg=0.008, sample_kimg=0.016)).run
    add_evaluation(path, 16, best=False)
    add_evaluation(path, 32)
    return path


def test_the_page_holds_the_run(run: Path) -> None:
    page = write_report(RunDir(run)).read_text("utf-8")
    data = embedded(page)
    charts = {chart["title"]: chart for chart in data["charts"]}
    lines = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
    ticks = [line for line in lines if "evaluation" not in line]
    assert charts["Losses"]["x"] == [8, 16, 24, 32]
    assert charts["Losses"]["series"]["loss_D"] == [line["loss_D"] for line in ticks]
    assert charts["Frechet distance"]["x"] == [16, 32]
    assert charts["Frechet distance"]["floors"] == {"frechet": 4.125}
    assert charts["Frechet distance"]["best"] == 32
    assert [grid["nimg"] for grid in data["grids"]] == [0, 16, 32]
    assert len({grid["src"] for grid in data["grids"]}) == 3
    assert "<th>batch_size</th><td>4</td>" in page
    assert f"<th>data</th><td>{run.parent / 'photos'}</td>" in page
    assert "The best snapshot: 32 images" in page
    assert "<td>4.125</td><td>90.5</td><td>999</td>" in page
    assert html.escape(ticks[-1]["health"]) in page
    assert 'alt="real images"' in page
    assert "a &lt;b&gt;note&lt;/b&gt;" in page
    assert "a &lt;b&gt;bad file.png" in page


def test_the_page_needs_nothing_else(run: Path) -> None:
    page = write_report(RunDir(run)).read_text("utf-8")
    for _, attributes in Elements(page).found:
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert "@import" not in page and "url(" not in page and "fetch(" not in page


def test_names_from_files_stay_text(run: Path) -> None:
    settings = json.loads((run / "settings.json").read_text())
    settings["data"]["data"] = HOSTILE
    (run / "settings.json").write_text(json.dumps(settings))
    plain = Elements(write_report(RunDir(run)).read_text("utf-8")).found
    hostile = run.rename(run.parent / HOSTILE.replace("/", ""))
    (hostile / "skipped.txt").write_text(HOSTILE + "\tnot an image\n")
    with (hostile / "stats.jsonl").open("a") as file:
        file.write(json.dumps({"cur_nimg": 40, "loss_D": 1.0, "health": HOSTILE}) + "\n")
    add_evaluation(hostile, 40)
    page = write_report(RunDir(hostile)).read_text("utf-8")
    found = Elements(page).found
    assert html.escape(HOSTILE) in page
    assert [attributes for _, attributes in found if "onerror" in attributes] == []
    for tag in ("script", "img", "b"):
        assert sum(name == tag for name, _ in found) == sum(name == tag for name, _ in plain)


def test_a_run_without_statistics_has_a_page(tiny: Callable[..., Settings], run: Path) -> None:
    for file in ("stats.jsonl", "reals.png", "skipped.txt"):
        (run / file).unlink()
    shutil.rmtree(run / "samples")
    page = write_report(RunDir(run)).read_text("utf-8")
    assert embedded(page) == {"charts": [], "grids": []}
    assert "no statistics yet" in page
    assert "The best snapshot" not in page


def test_half_a_line_is_left_out(run: Path) -> None:
    with (run / "stats.jsonl").open("a") as file:
        file.write('{"cur_nimg": 40, "loss_D": 0.')
    page = write_report(RunDir(run)).read_text("utf-8")
    assert embedded(page)["charts"][0]["x"] == [8, 16, 24, 32]


def test_many_grids_are_thinned(run: Path) -> None:
    first = (run / "samples" / "fakes-000000000.png").read_bytes()
    for i in range(100):
        (run / "samples" / f"fakes-{1000 + i:09d}.png").write_bytes(first)
    grids = embedded(write_report(RunDir(run)).read_text("utf-8"))["grids"]
    assert len(grids) == 40
    assert (grids[0]["nimg"], grids[-1]["nimg"]) == (0, 1099)


def test_the_command_and_its_errors(run: Path, cli: Cli, tmp_path: Path) -> None:
    result = cli("report", run, "--output", tmp_path / "pages" / "page.html")
    assert result.stdout.replace("\n", "") == str(tmp_path / "pages" / "page.html")
    assert (tmp_path / "pages" / "page.html").stat().st_size > 50_000
    assert str(tmp_path / "nothing") in error_line(cli("report", tmp_path / "nothing"))
    (run / "samples" / "fakes-000000016.png").write_bytes(b"no image")
    assert "fakes-000000016.png: cannot be read" in error_line(cli("report", run))


@pytest.mark.skipif(BROWSER is None, reason="no Chromium to open the page with")
def test_a_browser_shows_it(run: Path, tmp_path: Path) -> None:
    """Charts are drawn, the slider changes the grid, nothing fails and nothing is fetched."""
    page = write_report(RunDir(run)).read_text("utf-8")
    watch = """<script>
      const failures = [];
      addEventListener("error", (event) => failures.push(String(event.message)));
      </script>"""
    act = """<script>
      const slider = document.querySelector("#grid input");
      const picture = document.querySelector("#grid img");
      const told = () => document.querySelector("#grid output").textContent;
      const before = [told(), picture.src];
      slider.value = 1;
      slider.dispatchEvent(new Event("input"));
      const found = { failures, before: before[0], after: told(),
        changed: picture.src !== before[1], charts: document.querySelectorAll("canvas").length,
        fetched: performance.getEntriesByType("resource")
          .filter((entry) => entry.name.startsWith("http")).length };
      document.body.dataset.found = JSON.stringify(found);
      </script>"""
    page = page.replace("<head>", "<head>" + watch, 1)
    page = page[: page.rindex("</body>")] + act + "</body></html>"
    (tmp_path / "page.html").write_text(page, "utf-8")
    flags = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"
    shown = subprocess.run(
        [
            str(BROWSER),
            *flags.split(),
            f"--user-data-dir={tmp_path / 'browser'}",
            "--dump-dom",
            f"file://{tmp_path / 'page.html'}",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    body = dict(Elements(shown).found)["body"]
    charts = len(embedded(page)["charts"])
    assert charts >= 8
    assert json.loads(str(body["data-found"])) == {
        "failures": [],
        "before": "32 images seen",
        "after": "16 images seen",
        "changed": True,
        "charts": charts,
        "fetched": 0,
    }


@pytest.mark.parametrize("content", ["{", '{"a": 1}', "[]"])
def test_damaged_settings_are_one_line(run: Path, cli: Cli, content: str) -> None:
    (run / "settings.json").write_text(content)
    assert "settings.json is damaged" in error_line(cli("report", run))
