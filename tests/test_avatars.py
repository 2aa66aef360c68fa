"""The avatars that the package draws itself."""

import hashlib
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from animegan_cli.avatars import draw_avatar, write_avatars
from animegan_cli.avatars.drawing import _place
from animegan_cli.avatars.traits import CHOICES, Traits, choose_traits
from animegan_cli.errors import DataError
from animegan_cli.reporting import Advance, NullReporter


@pytest.fixture(scope="module")
def avatars() -> list[Image.Image]:
    return [draw_avatar(seed) for seed in range(300)]


@pytest.fixture(scope="module")
def traits() -> list[Traits]:
    return [choose_traits(random.Random(seed)) for seed in range(2000)]


def digest(image: Image.Image) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()


def test_a_seed_always_gives_the_same_bytes(avatars: list[Image.Image]) -> None:
    code = (
        "import hashlib, sys\n"
        "from animegan_cli.avatars import draw_avatar, write_avatars\n"
        "for seed in (11, 3, 7):\n"
        "    print(hashlib.sha256(draw_avatar(seed).tobytes()).hexdigest())\n"
        "print('loaded:', *({'torch', 'numpy'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.splitlines() == [
        *(digest(avatars[seed]) for seed in (11, 3, 7)),
        "loaded:",
    ]
    assert digest(draw_avatar(11)) == digest(avatars[11])


def test_seeds_give_faces_that_differ(avatars: list[Image.Image]) -> None:
    assert len({digest(image) for image in avatars}) == len(avatars)
    rng = random.Random(0)
    pairs = [rng.sample(avatars, 2) for _ in range(400)]
    distances = [
        sum(ImageStat.Stat(ImageChops.difference(first, second)).mean) / 3
        for first, second in pairs
    ]
    assert sum(distances) / len(distances) > 45
    assert min(distances) > 8


def test_traits_of_many_seeds_differ(traits: list[Traits]) -> None:
    assert len(set(traits)) == len(traits)
    parts = [[getattr(one, name) for name in CHOICES] for one in traits]
    assert len(set(map(tuple, parts))) == len(traits)


@pytest.mark.parametrize("name", CHOICES)
def test_every_choice_occurs(name: str, traits: list[Traits]) -> None:
    assert {getattr(one, name) for one in traits} == set(CHOICES[name])


def test_nothing_is_cut_off_at_the_top(traits: list[Traits]) -> None:
    for one in traits:
        _, y, zoom = _place(one)
        assert 0.75 < zoom <= 1.2
        assert 50 <= y <= 61


@pytest.mark.parametrize("size", [48, 96, 192])
def test_size_and_mode(size: int) -> None:
    image = draw_avatar(5, size)
    assert image.size == (size, size)
    assert image.mode == "RGB"


def test_sizes_show_the_same_face() -> None:
    small, large = draw_avatar(5, 96), draw_avatar(5, 192)
    shrunk = large.resize((96, 96), Image.Resampling.BOX)
    assert max(ImageStat.Stat(ImageChops.difference(small, shrunk)).mean) < 6


def test_edges_are_smooth(avatars: list[Image.Image]) -> None:
    for image in avatars:
        colours = image.getcolors(96 * 96)
        assert colours is not None
        assert len(colours) > 600  # flat areas alone would give some dozens


class CountingReporter(NullReporter):
    """Remembers its tasks."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}
        self.done = 0
        self.stats: list[Mapping[str, float]] = []

    @contextmanager
    def task(
        self, description: str, total: int, unit: str = "image", done: int = 0
    ) -> Iterator[Advance]:
        assert (unit, done) == ("image", 0)
        self.totals[description] = total

        def advance(count: int) -> None:
            self.done += count

        yield advance


def test_writing(tmp_path: Path) -> None:
    reporter = CountingReporter()
    folder = tmp_path / "a" / "b"
    paths = write_avatars(folder, 3, first_seed=41, size=48, reporter=reporter)
    assert [path.name for path in paths] == [f"avatar-0000{seed}.png" for seed in (41, 42, 43)]
    assert sorted(folder.iterdir()) == paths
    assert reporter.totals == {"Drawing avatars": 3}
    assert reporter.done == 3
    with Image.open(paths[1]) as image:
        assert digest(image.convert("RGB")) == digest(draw_avatar(42, 48))


def test_writing_again_gives_the_same_files(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in write_avatars(tmp_path, 2)]
    assert [path.read_bytes() for path in write_avatars(tmp_path, 2)] == first
    assert write_avatars(tmp_path, 0) == []


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_file_in_the_way_is_refused(tmp_path: Path, below: str) -> None:
    file = tmp_path / "taken"
    file.write_text("mine", "utf-8")
    with pytest.raises(DataError, match="a file is in the way") as caught:
        write_avatars(file / below, 1)
    assert "\n" not in str(caught.value)
    assert file.read_text("utf-8") == "mine"


def test_a_folder_without_write_permission_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Image.Image, "save", refuse)
    with pytest.raises(DataError, match="Permission denied") as caught:
        write_avatars(tmp_path, 1)
    assert "\n" not in str(caught.value)


def test_a_name_that_is_taken_by_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "avatar-000000.png").mkdir()
    with pytest.raises(DataError, match=r"avatar-000000\.png"):
        write_avatars(tmp_path, 1)
