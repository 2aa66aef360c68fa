"""Quality after a budget of CPU time: any recipe, any setting, scored against held-out images.

``python tests/benchmarks/quality.py FACES HOLDOUT OUT --minutes 5 15 --set recipe=modern`` trains
one run on one thread, stops it at each budget, scores its snapshot and prints one row a budget.
A budget is the process's own CPU time, in minutes on two cores (15 are 1,800 CPU seconds); what
scoring costs is not counted. The grids lie in ``OUT/samples``.
"""

import argparse
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from animegan_cli.checkpoints import load_snapshot
from animegan_cli.errors import Interrupted
from animegan_cli.reporting import NullReporter
from animegan_cli.run_dir import RunDir
from animegan_cli.scoring import evaluate_against_real
from animegan_cli.settings import Settings
from animegan_cli.sources import Layer, resolve
from animegan_cli.training_loop import train


class Budget(NullReporter):
    """Asks the run to stop, as Ctrl-C would, when its CPU time is spent."""

    end = 0.0

    def tick(self, stats: Mapping[str, Any]) -> None:
        if time.process_time() >= self.end:
            os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces", type=Path)
    parser.add_argument("holdout", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, nargs="+", default=[5, 15, 30, 60])
    parser.add_argument("--set", dest="fields", nargs="*", default=[], help="recipe=modern seed=1")
    parser.add_argument("--n", type=int, default=1000)
    options = parser.parse_args()
    given = dict(field.split("=", 1) for field in options.fields)
    fixed = {"data": options.faces, "run": options.out, "threads": 1, "tick_kimg": 0.5}
    settings = resolve([Layer("benchmark", {**given, **fixed})]).settings
    print("minutes  kimg   img/CPU s  frechet  kid     precision  recall  coverage", flush=True)
    budget, spent_scoring = Budget(), 0.0
    for minutes in options.minutes:
        budget.end = minutes * 120 + spent_scoring
        reached = trained_until(budget, settings)
        cpu = time.process_time() - spent_scoring
        began = time.process_time()
        scores = score(reached, settings, options.holdout, options.n)
        spent_scoring += time.process_time() - began
        kimg = load_snapshot(reached).cur_nimg / 1000
        print(
            f"{minutes:<7g}  {kimg:<6.1f} {1000 * kimg / cpu:<10.1f} {scores.frechet or 0:<8.1f} "
            f"{scores.kid:<7.1f} {scores.precision:<10.3f} {scores.recall:<7.3f} "
            f"{scores.coverage:.3f}",
            flush=True,
        )


def trained_until(budget: Budget, settings: Settings) -> Path:
    """Train until the budget is spent, then write the snapshot of that moment."""
    assert settings.run is not None
    run = RunDir(settings.run)
    try:
        return train(settings.model_copy(update={"total_kimg": 1e6}), budget).snapshot
    except Interrupted:
        reached = int(run.states()[-1].stem.removeprefix("state-"))
        return train(settings.model_copy(update={"total_kimg": reached / 1000})).snapshot


def score(snapshot: Path, settings: Settings, holdout: Path, n: int) -> Any:
    """Return the scores of what a snapshot draws."""
    scored = settings.model_copy(update={"real": holdout, "eval_n": n, "run": None})
    device = torch.device("cpu")
    return evaluate_against_real(scored, load_snapshot(snapshot), device, NullReporter()).yours


if __name__ == "__main__":
    main()
