"""What changes over a run follows from the images seen alone."""

from animegan_cli.schedules import doublings, falling, stage, steps
from animegan_cli.settings import Settings


def settings(**fields: object) -> Settings:
    return Settings.model_validate({"batch_size": 32, "batch_kimg": 100.0, **fields})


def test_a_rate_stays_then_falls_to_a_quarter() -> None:
    assert [falling(n, 2.0) for n in (0, 2000, 4000, 8000, 10**9)] == [1.0, 1.0, 0.5, 0.25, 0.25]
    assert falling(10**9, 0.0) == 1.0


def test_batches_grow_where_images_seen_are_a_multiple_of_the_larger_one() -> None:
    assert doublings(settings()) == [100_032, 200_064]
    for begin, batch_size in zip(doublings(settings()), (64, 128), strict=True):
        assert begin % batch_size == 0
        assert stage(begin - 1, settings()).batch_size == batch_size // 2
        assert stage(begin, settings()).batch_size == batch_size
    assert stage(10**9, settings()).batch_size == 128


def test_batches_that_do_not_grow() -> None:
    own = settings(batch_kimg=0.0)
    assert doublings(own) == []
    assert stage(10**9, own) is own


def test_lengths_that_are_counted_in_steps_grow_with_the_batch() -> None:
    lengths = {"g_lr_kimg": 64.0, "match_kimg": 128.0, "paired_kimg": 40.0, "ema_kimg": 5.0}
    start = settings(**lengths, grow_kimg=40.0)
    assert stage(99_999, start) is start
    large = stage(300_000, start)
    assert {name: getattr(large, name) for name in lengths} == {
        name: 4 * length for name, length in lengths.items()
    }
    assert (large.grow_kimg, large.g_lr) == (start.grow_kimg, start.g_lr)


def test_steps_are_counted_through_all_batches() -> None:
    own = settings()
    assert steps(0, own) == 0
    assert steps(64_000, own) == 2000
    assert steps(100_032 + 640, own) == 3126 + 10
    assert steps(200_064 + 1280, own) == 3126 + 1563 + 10
    assert steps(640, settings(batch_kimg=0.0)) == 20
