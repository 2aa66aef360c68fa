"""Ranking keeps the best by the discriminator's score, in memory for k."""

import csv
import json
import random
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Cli
from PIL import Image
from test_sampling import snapshot as snapshot

from animegan_cli import ranking
from animegan_cli.checkpoints import load_snapshot
from animegan_cli.data import normalize
from animegan_cli.errors import DataError
from animegan_cli.ranking import Scored, TopK, rank
from animegan_cli.sampling import count_seeds, draw, in_passes


@pytest.mark.parametrize("k", [1, 7, 50, 80])
def test_top_k_equals_sorting(k: int) -> None:
    random.seed(k)
    scores = [random.choice([0.5, random.random()]) for _ in range(50)]
    kept = TopK(k)
    for seed, score in enumerate(scores):
        kept.add(seed, score)
    ordered = sorted(((-score, seed) for seed, score in enumerate(scores)))[:k]
    assert kept.best() == [Scored(-score, seed) for score, seed in ordered]


def test_a_score_that_is_no_number_is_the_worst() -> None:
    kept = TopK(2)
    for seed, score in enumerate([float("nan"), 1.0, -5.0]):
        kept.add(seed, score)
    assert [entry.seed for entry in kept.best()] == [1, 2]


def test_scores_are_those_of_d_in_evaluation_mode(snapshot: Path, tmp_path: Path) -> None:
    loaded = load_snapshot(snapshot)
    ranked = rank(loaded, range(70), 5, grid=tmp_path / "result.png", out=tmp_path / "best")
    images = torch.cat([batch.images for batch in draw(loaded.G, range(70))])
    with torch.no_grad():
        expected = torch.cat([loaded.D(normalize(images[i : i + 1])) for i in range(70)])
    order = expected.argsort(descending=True)[:5].tolist()
    assert [entry.seed for entry in ranked.best] == order
    with (tmp_path / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["seed"]) for row in rows] == list(range(70))
    assert np.allclose([float(row["score"]) for row in rows], expected, atol=1e-4)
    assert [path.name for path in ranked.images] == [f"seed-{seed:08d}.png" for seed in order]
    with Image.open(tmp_path / "result.png") as grid, Image.open(ranked.images[1]) as second:
        assert (np.asarray(grid)[2:18, 20:36] == np.asarray(second)).all()


@pytest.mark.parametrize("memory_order", [torch.channels_last, torch.contiguous_format])
def test_a_score_does_not_depend_on_what_is_scored_beside_it(
    snapshot: Path, memory_order: torch.memory_format
) -> None:
    D = load_snapshot(snapshot).D
    images = torch.rand(40, 3, 16, 16).contiguous(memory_format=memory_order)
    orders = []
    D.register_forward_pre_hook(lambda D, x: orders.append(x[0].stride()))
    whole = in_passes(D, images, "cpu")
    alone = [in_passes(D, images[i : i + 1], "cpu") for i in (0, 31, 32, 39)]
    assert torch.equal(torch.cat(alone), whole[[0, 31, 32, 39]])
    assert len(set(orders)) == 1


def test_result_and_scores_from_the_command_line(cli: Cli, snapshot: Path, tmp_path: Path) -> None:
    flags = ["--snapshot", snapshot, "--candidates", 40, "--top-k", 3]
    result = cli("rank", *flags, "--json")
    assert result.returncode == 0, result.stderr
    about = json.loads(result.stdout)
    assert (about["grid"], about["scores"], about["candidates"]) == ("result.png", "scores.csv", 40)
    scores = [entry["score"] for entry in about["best"]]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)
    with Image.open(tmp_path / "result.png") as grid:
        assert grid.text["seeds"].count(",") <= 2  # type: ignore[attr-defined]
    plain = cli("rank", *flags, "--seeds", "100-120", "--quiet")
    assert plain.stdout.splitlines() == ["result.png", "scores.csv"]
    assert (tmp_path / "scores.csv").read_text().splitlines()[1].startswith("100,")


def test_more_asked_for_than_there_are(snapshot: Path, tmp_path: Path) -> None:
    ranked = rank(load_snapshot(snapshot), range(3), 16, grid=tmp_path / "result.png")
    assert len(ranked.best) == 3


def test_memory_does_not_grow_with_the_candidates(
    snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load_snapshot(snapshot)
    monkeypatch.setattr(ranking, "score_batch", lambda D, batch, device: [0.0] * len(batch.seeds))

    def peak(candidates: int) -> int:
        tracemalloc.start()
        rank(loaded, range(candidates), 4, grid=tmp_path / "result.png")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak(64)
    assert peak(2560) < peak(1280) + 20_000


def test_a_folder_that_cannot_be_written(snapshot: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot write"):
        rank(load_snapshot(snapshot), range(3), 1, grid=tmp_path / "file" / "result.png")


def test_many_of_the_best_are_files_and_a_part_of_them_the_picture(
    cli: Cli, snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "GRID_LIMIT", 40)
    result = cli("rank", "--snapshot", snapshot, "--candidates", 80, "--top-k", 70, "--out", "best")
    assert result.returncode == 0, result.stderr
    assert len(list((tmp_path / "best").glob("seed-*.png"))) == 70
    with Image.open(tmp_path / "result.png") as picture:
        assert picture.size == (7 * 18 + 2, 6 * 18 + 2)
        assert count_seeds(picture.text["seeds"], 0) == 40
