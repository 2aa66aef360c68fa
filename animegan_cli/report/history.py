"""What a run wrote about itself: ticks, evaluations, settings, skipped files."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from animegan_cli.errors import SnapshotError
from animegan_cli.run_dir import RunDir


@dataclass(frozen=True)
class History:
    """A run's own account.

    Attributes:
        ticks: lines of statistics, oldest first.
        evaluations: lines with scores, oldest first.
        settings: by section.
        skipped: files that could not be read, one line each.
    """

    ticks: list[dict[str, Any]]
    evaluations: list[dict[str, Any]]
    settings: dict[str, dict[str, Any]]
    skipped: list[str]

    @property
    def best(self) -> dict[str, Any] | None:
        """The evaluation of the snapshot that is kept as the best."""
        return next((line for line in reversed(self.evaluations) if line.get("best")), None)

    def health_spans(self) -> list[tuple[int, int, str]]:
        """Return (first, last images seen, sentence), equal neighbours joined.

        The figures in a sentence change at every tick; spans are told apart by what comes before.
        """
        told = [line for line in self.ticks if "health" in line]
        spans = []
        for _, group in groupby(
            told, lambda line: str(line["health"]).split(" (")[0].split(":")[0]
        ):
            lines = list(group)
            spans.append((lines[0]["cur_nimg"], lines[-1]["cur_nimg"], lines[-1]["health"]))
        return spans


def read_history(run: RunDir) -> History:
    """Read what a run wrote down.

    Raises:
        SnapshotError: if the folder is no run.
    """
    if not run.settings.is_file():
        raise SnapshotError(f"{run.path}: no run: settings.json is missing")
    run.read_settings()  # which says in one line if it is damaged
    lines = list(_lines(run))
    return History(
        ticks=[line for line in lines if "evaluation" not in line],
        evaluations=[line for line in lines if "evaluation" in line],
        settings=json.loads(run.settings.read_text("utf-8")),
        skipped=run.skipped.read_text("utf-8").splitlines() if run.skipped.is_file() else [],
    )


def _lines(run: RunDir) -> Iterator[dict[str, Any]]:
    if not run.stats.is_file():
        return
    for text in run.stats.read_text("utf-8").splitlines():
        try:
            line = json.loads(text)
        except ValueError:  # half a line, from a process that is writing or was killed
            continue
        if isinstance(line, dict) and "cur_nimg" in line:
            yield line
