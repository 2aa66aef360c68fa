"""However real images reach the device, a step sees the same ones."""

from pathlib import Path

import pytest
import torch
from conftest import write_photos

from animegan_cli.data import ImageSet, normalize, open_images
from animegan_cli.feed import Feed, feed_for
from animegan_cli.listing import list_images
from animegan_cli.order import Order
from animegan_cli.parallel import Ranks

CPU = torch.device("cpu")


@pytest.fixture
def images(tmp_path: Path) -> ImageSet:
    return open_images(list_images(write_photos(tmp_path / "many", 23)), 16)


def expected(images: ImageSet, cur_nimg: int, count: int) -> torch.Tensor:
    indices, flips = Order(len(images), 5).at(cur_nimg, count)
    return normalize(images.batch(indices), torch.from_numpy(flips))


@pytest.mark.parametrize("way", [{}, {"resident": True}, {"every": 1}, {"every": 3}])
def test_every_way_serves_the_same_images(images: ImageSet, way: dict[str, int]) -> None:
    feed = Feed(images, Order(len(images), 5), CPU, **way)  # type: ignore[arg-type]
    for cur_nimg in (0, 8, 16, 24, 32, 8, 48):  # past an epoch, back, and a step left out
        assert torch.equal(feed.at(cur_nimg, 8), expected(images, cur_nimg, 8))


@pytest.mark.parametrize("way", [{}, {"resident": True}, {"every": 1}])
def test_batches_may_grow(images: ImageSet, way: dict[str, int]) -> None:
    feed = Feed(images, Order(len(images), 5), CPU, **way)  # type: ignore[arg-type]
    for cur_nimg, count in ((0, 4), (4, 4), (8, 8), (16, 8), (24, 16)):
        assert torch.equal(feed.at(cur_nimg, count), expected(images, cur_nimg, count))


def test_a_part_of_the_images_can_live_on_the_device(images: ImageSet) -> None:
    rest, _ = images.split(0.3, seed=1)
    feed = Feed(rest, Order(len(rest), 5), CPU, resident=True)
    for cur_nimg in (0, 8, 16):
        assert torch.equal(feed.at(cur_nimg, 8), expected(rest, cur_nimg, 8))


@pytest.mark.parametrize("way", [{}, {"resident": True}, {"every": 1}])
def test_processes_see_disjoint_parts_of_one_batch(images: ImageSet, way: dict[str, int]) -> None:
    feeds = [
        Feed(images, Order(len(images), 5), CPU, Ranks(rank, 3), **way)  # type: ignore[arg-type]
        for rank in range(3)
    ]
    for cur_nimg in (0, 12, 24):
        batch = torch.cat([feed.at(cur_nimg, 12) for feed in feeds])
        assert torch.equal(batch, expected(images, cur_nimg, 12))


def test_the_next_batch_is_read_before_it_is_asked_for(
    images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = Feed(images, Order(len(images), 5), CPU, every=1)
    feed.at(0, 8)
    assert feed._coming is not None
    feed._coming[2].result()
    monkeypatch.setattr(ImageSet, "batch", lambda *_: pytest.fail("read only now"))
    assert feed._reader is not None
    monkeypatch.setattr(feed._reader, "submit", lambda *_: None)
    assert feed.at(8, 8).shape == (8, 3, 16, 16)


def test_a_cpu_needs_neither_thread_nor_copy(images: ImageSet) -> None:
    feed = feed_for(images, Order(len(images), 5), CPU, every=1)
    assert feed._reader is None
    assert feed._resident is None


@pytest.mark.cuda
def test_images_live_on_a_gpu_where_they_fit(
    images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = torch.device("cuda")
    feed = feed_for(images, Order(len(images), 5), device, every=1)
    assert feed._resident is not None
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (100, 100))
    streamed = feed_for(images, Order(len(images), 5), device, every=1)
    assert streamed._resident is None
    for cur_nimg in (0, 8, 16, 24):
        for one in (feed, streamed):
            batch = one.at(cur_nimg, 8)
            assert batch.device.type == "cuda"
            torch.testing.assert_close(batch.cpu(), expected(images, cur_nimg, 8))
