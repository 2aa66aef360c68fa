"""Scoring: the command, held-out images, and the best snapshot of a run."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY_FLAGS, Cli, error_line, write_photos

pytest.importorskip("torch_fidelity", reason="needs the extra: pip install 'animegan-cli[eval]'")

from animegan_cli.checkpoints import load_snapshot
from animegan_cli.data import ImageSet
from animegan_cli.errors import SettingsError
from animegan_cli.reporting import NullReporter
from animegan_cli.run_dir import find_snapshot
from animegan_cli.settings import Settings
from animegan_cli.training_loop import train


@pytest.fixture
def many(tmp_path: Path) -> Path:
    return write_photos(tmp_path / "many", 220)


def evaluations(run: Path) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
    return [line for line in lines if "evaluation" in line]


def test_a_split_is_disjoint_whole_and_follows_the_seed() -> None:
    pixels = np.arange(40, dtype=np.uint8)[:, None, None, None].repeat(3, 3)
    images = ImageSet(pixels, "d", [])
    rest, held = images.split(0.25, seed=3)
    again, _ = images.split(0.25, seed=3)
    other, _ = images.split(0.25, seed=4)
    seen = [
        set(part.batch(np.arange(len(part)))[:, 0, 0, 0].tolist()) for part in (rest, held, other)
    ]
    assert (len(rest), len(held)) == (30, 10)
    assert seen[0] | seen[1] == set(range(40))
    assert seen[2] != seen[0]
    assert again.digest == rest.digest
    assert len({rest.digest, held.digest, other.digest, "d"}) == 4


def test_the_best_is_kept_marked_and_drawn_with(
    tiny: Callable[..., Settings], many: Path, cli: Cli
) -> None:
    settings = tiny(
        data=many,
        holdout=0.5,
        evaluate_every=0.016,
        eval_n=50,
        total_kimg=0.064,
        snapshot_kimg=0.032,
    )
    run = train(settings).run
    found = evaluations(run)
    assert [line["cur_nimg"] for line in found] == [16, 32, 48, 64]
    scores = [line["evaluation"]["yours"]["kid"] for line in found]  # type: ignore[index]
    marks = [line["best"] for line in found]
    assert marks == [score <= min(scores[: i + 1]) for i, score in enumerate(scores)]
    best = load_snapshot(run / "best.safetensors")
    assert best.cur_nimg == found[scores.index(min(scores))]["cur_nimg"]
    assert find_snapshot(run) == run / "best.safetensors"
    assert "the best by score" in cli("sample", "--run", run, "--n", 1).stderr

    # What a resumed run scores is compared with what is already kept.
    lower = min(scores) - 1
    state = sorted(run.glob("state-*"))[-1]
    assert f'\\"score\\": {min(scores)}'.encode() in state.read_bytes()
    more = train(settings.model_copy(update={"total_kimg": 0.08}))
    assert evaluations(more.run)[-1]["best"] == (
        evaluations(more.run)[-1]["evaluation"]["yours"]["kid"] < lower + 1  # type: ignore[index]
    )


def test_scores_change_nothing_that_is_learnt(tiny: Callable[..., Settings], many: Path) -> None:
    runs = [
        train(tiny(data=many, holdout=0.5, eval_n=50, run=many.parent / str(every), **every)).run
        for every in ({}, {"evaluate_every": 0.016})
    ]
    one, two = (load_snapshot(sorted(run.glob("snapshot-*"))[-1]) for run in runs)
    for a, b in zip(one.G.parameters(), two.G.parameters(), strict=True):
        assert a.equal(b)


def test_evaluate_says_the_same_twice(tiny: Callable[..., Settings], many: Path, cli: Cli) -> None:
    run = train(tiny()).run
    flags = ("--real", many, "--n", 60, "--run", run, "--json")
    first, second = (json.loads(cli("evaluate", *flags).stdout) for _ in range(2))
    assert first == second
    assert (first["network"], first["n"], first["seed"]) == ("lite2", 60, 0)
    assert first["floor"]["kid"] < first["yours"]["kid"] < first["noise"]["kid"]
    text = cli("evaluate", "--real", many, "--n", 60, "--fake", many, "--size", 16).stdout
    assert "floor (real)" in text
    assert "no Frechet distance" in text


def test_bad_input_is_one_line(cli: Cli, photos: Path, tmp_path: Path) -> None:
    assert "--real DIR is needed" in error_line(cli("evaluate", "--fake", photos))
    assert "one at a time" in error_line(
        cli("evaluate", "--fake", photos, "--run", tmp_path, "--real", photos)
    )
    few = cli("evaluate", "--fake", photos, "--real", photos, "--quiet")
    assert "too few real images" in error_line(few)
    assert "no such folder" in error_line(cli("evaluate", "--fake", "x", "--real", "y"))
    asked = ("train", "--data", photos, *TINY_FLAGS, "--quiet")
    assert "--holdout 0.05" in error_line(cli(*asked, "--evaluate-every", 1))
    assert "fewest" in error_line(cli(*asked, "--evaluate-every", 1, "--holdout", 0.5))
    assert "give both" in error_line(cli(*asked, "--holdout-data", photos))
    assert not (tmp_path / "runs").exists()


def test_a_folder_to_score_against(tiny: Callable[..., Settings], many: Path) -> None:
    settings = tiny(evaluate_every=0.016, holdout_data=many, eval_n=50)
    found = evaluations(train(settings).run)
    assert len(found) == 2
    with pytest.raises(SettingsError, match="give both"):
        train(tiny(holdout_data=many))


def test_a_share_of_no_images_is_refused_at_once(tiny: Callable[..., Settings]) -> None:
    with pytest.raises(SettingsError, match="0 images are held out"):
        train(tiny(holdout=0.01, evaluate_every=0.016))


def test_images_are_held_out_one_way(tiny: Callable[..., Settings], many: Path) -> None:
    with pytest.raises(SettingsError, match="leave one out"):
        train(tiny(holdout=0.2, holdout_data=many, evaluate_every=0.016))


def test_held_out_images_that_nothing_asks_for_are_said(
    tiny: Callable[..., Settings], many: Path
) -> None:
    notes = []

    class Listening(NullReporter):
        def note(self, text: str) -> None:
            notes.append(text)

    train(tiny(data=many, holdout=0.1), Listening())
    assert any("22 images are not learnt from" in note for note in notes)
