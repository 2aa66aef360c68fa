"""Evaluation end to end with a tiny feature network: one n, floor and ceiling, and the cache."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

pytest.importorskip("torch_fidelity", reason="needs the extra: pip install 'animegan-cli[eval]'")

from animegan_cli.data import ImageSet
from animegan_cli.metrics import EvaluationError, FeatureNetwork, Report, evaluate, shuffled
from animegan_cli.metrics.evaluation import noise_images
from animegan_cli.reporting import Advance, NullReporter

SIZE = 12


class Shrink(nn.Module):
    """12 features: the image at 2 x 2 pixels; counts what it sees."""

    seen = 0

    def forward(self, images: Tensor) -> tuple[Tensor]:
        self.seen += len(images)
        return (F.adaptive_avg_pool2d(images.float() / 255, 2).flatten(1),)


class Record(NullReporter):
    """Keeps the names of tasks, with what was done before and within them, and warnings."""

    def __init__(self) -> None:
        self.tasks: list[tuple[str, int, int]] = []
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    @contextmanager
    def task(
        self, description: str, total: int, unit: str = "image", done: int = 0
    ) -> Iterator[Advance]:
        counts: list[int] = []
        yield counts.append
        self.tasks.append((description, done, sum(counts)))


@pytest.fixture
def network() -> FeatureNetwork:
    return FeatureNetwork("shrink", 2, 12, "0", Shrink())


def pictures(count: int, seed: int = 0, middle: float = 90.0) -> ImageSet:
    """Smooth random colours, darker than noise."""
    random = torch.Generator().manual_seed(seed)
    small = middle + 30 * torch.randn(count, 3, 3, 3, generator=random)
    pixels = F.interpolate(small, SIZE, mode="bilinear").clamp(0, 255).byte()
    rows = pixels.permute(0, 2, 3, 1).contiguous().numpy()
    return ImageSet(rows, f"{count}-{seed}-{middle}", [])


def batches(images: ImageSet) -> list[Tensor]:
    return list(images.batch(np.arange(len(images))).split(17))


def test_a_report_is_complete_and_in_order(network: FeatureNetwork, tmp_path: Path) -> None:
    fake = batches(pictures(200, seed=1, middle=84))
    report = evaluate(pictures(400), fake, network, n=150, seed=5, cache_dir=tmp_path)
    assert (report.network, report.resize, report.n, report.seed) == ("shrink", 2, 150, 5)
    assert report.notes == ()
    for metric in ("frechet", "kid"):
        floor, yours, noise = (
            getattr(s, metric) for s in (report.floor, report.yours, report.noise)
        )
        assert floor < yours < noise
    assert report.floor.coverage > report.yours.coverage > report.noise.coverage
    assert report.floor.precision > 0.7
    assert report.floor.recall > 0.7


def test_real_images_reach_the_floor(network: FeatureNetwork, tmp_path: Path) -> None:
    fake = batches(pictures(200, seed=1))
    report = evaluate(pictures(400), fake, network, n=200, cache_dir=tmp_path)
    assert report.yours.frechet == pytest.approx(report.floor.frechet, rel=0.5)
    assert abs(report.yours.kid) < 4 * report.yours.kid_stderr


def test_the_report_says_itself(network: FeatureNetwork, tmp_path: Path) -> None:
    fake = batches(pictures(200, seed=1))
    report = evaluate(pictures(400), fake, network, n=100, cache_dir=tmp_path)
    plain = report.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["floor"]["kid_stderr"] == report.floor.kid_stderr
    assert list(plain) == [*Report.__dataclass_fields__]
    assert report.floor.frechet is not None
    assert report.sentence().startswith(f"floor {report.floor.frechet:.1f}, yours ")
    assert report.sentence().endswith("(Frechet distance, shrink at 2 px, n = 100, seed 0)")


def test_too_few_images_for_a_frechet_distance_give_kid(tmp_path: Path) -> None:
    class Wide(Shrink):
        def forward(self, images: Tensor) -> tuple[Tensor]:
            return (F.adaptive_avg_pool2d(images.float() / 255, 6).flatten(1),)

    network = FeatureNetwork("wide", 6, 108, "0", Wide())
    real, fake = pictures(400), batches(pictures(200, seed=1))
    few = evaluate(real, fake, network, n=108, cache_dir=tmp_path)
    assert few.yours.frechet is None
    assert few.floor.frechet is None
    assert any(note.startswith("no Frechet distance: 108 images") for note in few.notes)
    assert f"yours {few.yours.kid:.3g} +- {few.yours.kid_stderr:.2g}, noise" in few.sentence()
    assert few.sentence().endswith("(KID, wide at 6 px, n = 108, seed 0)")
    enough = evaluate(real, fake, network, n=109, cache_dir=tmp_path)
    assert enough.yours.frechet is not None
    assert enough.notes == ()


@pytest.mark.parametrize(
    ("real", "fake", "n", "note"),
    [
        (300, 200, 150, "n = 150 and not 180: the 300 real images make two sets"),
        (400, 120, 120, "n = 120 and not 180: no more generated images"),
    ],
)
def test_n_is_what_both_folders_can_give(
    real: int, fake: int, n: int, note: str, network: FeatureNetwork, tmp_path: Path
) -> None:
    generated = batches(pictures(fake, seed=1))
    report = evaluate(pictures(real), generated, network, n=180, cache_dir=tmp_path)
    assert report.n == n
    assert report.notes == (note,)


def test_fewer_images_than_say_anything_are_refused(
    network: FeatureNetwork, tmp_path: Path
) -> None:
    with pytest.raises(EvaluationError, match="too few real images to score: 99, and 100"):
        evaluate(pictures(99), batches(pictures(99, 1)), network, cache_dir=tmp_path)
    with pytest.raises(EvaluationError, match="too few generated images to score: 49, and 50"):
        evaluate(pictures(200), batches(pictures(49, 1)), network, cache_dir=tmp_path)


def test_no_more_images_are_drawn_than_asked_for(network: FeatureNetwork, tmp_path: Path) -> None:
    drawn = 0

    def endless() -> Iterator[Tensor]:
        nonlocal drawn
        while True:
            drawn += 20
            yield pictures(20, seed=drawn).batch(np.arange(20))

    evaluate(pictures(400), endless(), network, n=100, cache_dir=tmp_path)
    assert drawn == 100


def test_a_second_evaluation_runs_generated_images_only(
    network: FeatureNetwork, tmp_path: Path
) -> None:
    real, fake = pictures(400), batches(pictures(200, seed=1))
    first, again = Record(), Record()
    one = evaluate(real, fake, network, n=100, cache_dir=tmp_path, reporter=first)
    seen = network.module.seen
    two = evaluate(real, fake, network, n=100, cache_dir=tmp_path, reporter=again)
    assert one == two
    assert [name for name, _, _ in first.tasks] == [
        "Features of generated images",
        "Features of real images",
        "Features of noise",
    ]
    assert again.tasks == [("Features of generated images", 0, 100)]
    assert network.module.seen == seen + 128  # four passes of 32


def test_a_larger_n_adds_to_what_is_cached(network: FeatureNetwork, tmp_path: Path) -> None:
    real, fake = pictures(400), batches(pictures(200, seed=1))
    record = Record()
    evaluate(real, fake, network, n=60, cache_dir=tmp_path)
    grown = evaluate(real, fake, network, n=100, cache_dir=tmp_path, reporter=record)
    assert ("Features of real images", 120, 80) in record.tasks
    assert grown == evaluate(real, fake, network, n=100, cache_dir=tmp_path / "new")


@pytest.mark.parametrize("change", ["pixels", "seed", "weights"])
def test_the_cache_knows_what_it_was_made_from(change: str, tmp_path: Path) -> None:
    fake = batches(pictures(200, seed=1))
    before = FeatureNetwork("shrink", 2, 12, "0", Shrink())
    after = FeatureNetwork("shrink", 2, 12, "1" if change == "weights" else "0", Shrink())
    evaluate(pictures(400), fake, before, n=60, cache_dir=tmp_path)
    record = Record()
    evaluate(
        pictures(400, seed=9 if change == "pixels" else 0),
        fake,
        after,
        n=60,
        seed=int(change == "seed"),
        cache_dir=tmp_path,
        reporter=record,
    )
    assert ("Features of real images", 0, 120) in record.tasks


def test_a_damaged_cache_is_made_anew(network: FeatureNetwork, tmp_path: Path) -> None:
    real, fake = pictures(400), batches(pictures(200, seed=1))
    one = evaluate(real, fake, network, n=60, cache_dir=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2  # and no temporary files
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes()[:50])
    assert evaluate(real, fake, network, n=60, cache_dir=tmp_path) == one
    assert evaluate(real, fake, network, n=60, cache_dir=tmp_path) == one


def test_a_cache_that_cannot_be_written_costs_no_result(
    network: FeatureNetwork, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    record = Record()
    fake = batches(pictures(200, seed=1))
    evaluate(pictures(400), fake, network, n=60, cache_dir=tmp_path / "file", reporter=record)
    assert record.warnings == [f"cannot keep the features of real images in {tmp_path / 'file'}"]


def test_reference_and_floor_share_no_image(network: FeatureNetwork, tmp_path: Path) -> None:
    """Real images numbered by their brightness: the cached rows are all different ones."""
    real = pictures(120)
    real.pixels[:] = np.arange(120, dtype=np.uint8)[:, None, None, None]
    evaluate(real, batches(pictures(60, 1)), network, n=60, cache_dir=tmp_path)
    from animegan_cli.metrics.cache import read_features

    [file] = tmp_path.glob("features-*.safetensors")
    brightness = (read_features(file, 12)[:, 0] * 255).round().int().tolist()
    assert sorted(brightness) == list(range(120))
    assert brightness != list(range(120))


def test_a_shuffle_is_all_images_in_an_order_of_the_seed() -> None:
    images = pictures(70)
    images.pixels[:] = np.arange(70, dtype=np.uint8)[:, None, None, None]

    def order(seed: int, purpose: str = "fake") -> list[int]:
        return torch.cat(list(shuffled(images, seed, purpose)))[:, 0, 0, 0].tolist()

    assert sorted(order(0)) == list(range(70))
    assert order(0) == order(0)
    assert order(0) != order(1)
    assert order(0) != order(0, "real")  # a folder scored against itself is not its own reference


def test_noise_is_even_and_does_not_depend_on_how_much_is_drawn() -> None:
    noise = torch.cat(list(noise_images(70, 8, 8, seed=0)))
    assert noise.shape == (70, 3, 8, 8)
    assert noise.dtype == torch.uint8
    assert noise.min() == 0
    assert noise.max() == 255
    assert noise.float().mean() == pytest.approx(127.5, abs=2)
    assert torch.equal(noise[:40], torch.cat(list(noise_images(40, 8, 8, seed=0))))
