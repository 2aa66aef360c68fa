"""Folders and zips become one memory map, once; the order of images follows from an address."""

import os
import shutil
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import FACES, locked, write_photos
from PIL import Image

from animegan_cli import data, decoding, listing
from animegan_cli.data import ImageSet, normalize, open_images
from animegan_cli.errors import DataError
from animegan_cli.listing import list_images
from animegan_cli.order import Order


def opened(source: Path | None, tmp_path: Path, **options: object) -> ImageSet:
    return open_images(list_images(source), 16, cache_dir=tmp_path / "c", **options)  # type: ignore[arg-type]


@pytest.fixture
def decodes(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every file that is decoded."""
    seen: list[object] = []
    read = data.read_image

    def counting(source: object, *rest: object) -> object:
        seen.append(source)
        return read(source, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(data, "read_image", counting)
    return seen


def test_folders_are_searched_whatever_the_case(photos: Path, tmp_path: Path) -> None:
    (photos / "deep" / "er").mkdir(parents=True)
    (photos / "000.png").rename(photos / "deep" / "er" / "x.PNG")
    (photos / "notes.txt").write_text("no image")
    (photos / ".hidden.png").write_bytes(b"")
    assert len(opened(photos, tmp_path)) == 10


def test_zip_and_folder_hold_the_same(photos: Path, tmp_path: Path) -> None:
    archive = tmp_path / "photos.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(photos.iterdir(), reverse=True):
            file.write(path, f"faces/{path.name}")
        file.writestr("__MACOSX/faces/000.png", b"junk")
    assert opened(archive, tmp_path).digest == opened(photos, tmp_path).digest


def test_a_second_start_decodes_nothing_and_a_changed_folder_does(
    photos: Path, tmp_path: Path, decodes: list[object]
) -> None:
    first = opened(photos, tmp_path)
    assert len(decodes) == 10
    again = opened(photos, tmp_path)
    assert len(decodes) == 10
    assert (first.pixels == again.pixels).all() and first.digest == again.digest
    Image.new("RGB", (16, 16), "red").save(photos / "003.png")
    changed = opened(photos, tmp_path)
    assert len(decodes) == 20
    assert changed.digest != first.digest
    assert tuple(changed.pixels[3, 8, 8]) == (255, 0, 0)
    assert len(list((tmp_path / "c").iterdir())) == 2  # the older map is gone


@pytest.mark.parametrize("option", [{"fit": "pad"}, {"background": "#000000"}])
def test_the_cache_knows_what_it_was_made_with(
    photos: Path, tmp_path: Path, decodes: list[object], option: dict[str, str]
) -> None:
    opened(photos, tmp_path)
    opened(photos, tmp_path, **option)
    opened(photos, tmp_path)
    assert len(decodes) == 20


def test_unreadable_files_are_skipped_and_named(photos: Path, tmp_path: Path) -> None:
    whole = (photos / "004.png").read_bytes()
    (photos / "004.png").write_bytes(whole[: len(whole) // 2])
    (photos / "005.png").write_bytes(b"this is text")
    (photos / "006.png").write_bytes(b"")
    (photos / "gone.png").symlink_to(tmp_path / "nowhere.png")
    images = opened(photos, tmp_path)
    assert len(images) == 7
    assert [name for name, _ in images.skipped] == ["004.png", "005.png", "006.png", "gone.png"]
    reasons = dict(images.skipped)
    assert "truncated" in reasons["004.png"]
    assert reasons["005.png"] == "not an image that Pillow can read"
    assert reasons["gone.png"] == "No such file or directory"
    for start in (1, 2):  # fresh, and from the cache
        with pytest.raises(DataError, match=r"--strict: 004\.png cannot be read: .*truncated"):
            opened(photos, tmp_path / ("x" if start == 1 else ""), strict=True)


def test_strict_leaves_no_half_cache(photos: Path, tmp_path: Path) -> None:
    (photos / "005.png").write_bytes(b"this is text")
    with pytest.raises(DataError):
        opened(photos, tmp_path, strict=True)
    assert list((tmp_path / "c").iterdir()) == []


def test_what_is_wrong_with_the_folder_is_said(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match=r"no images found; expected files ending in \.bmp"):
        list_images(empty)
    with pytest.raises(DataError, match="no such folder or zip file"):
        list_images(tmp_path / "missing")
    file = tmp_path / "a.txt"
    file.write_text("text")
    with pytest.raises(DataError, match="neither a folder nor a zip file"):
        list_images(file)
    (empty / "a.png").write_bytes(b"text")
    with pytest.raises(DataError, match=r"none of the 1 image files in .* can be read"):
        opened(empty, tmp_path)


def test_a_cache_that_cannot_be_written(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "c").write_text("a file in the way")
    with pytest.raises(DataError, match="--cache-dir chooses another folder"):
        opened(photos, tmp_path)


@pytest.mark.parametrize("zipped", [False, True])
def test_processes_decode_what_this_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool
) -> None:
    folder = write_photos(tmp_path / "many", 30)
    for name in ("000.png", "013.png", "029.png"):
        (folder / name).write_bytes(b"this is text")
    (folder / "000.png").rename(folder / "a\udc80.png")
    source = folder
    if zipped:
        source = tmp_path / "many.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for path in sorted(folder.iterdir()):
                archive.write(path, path.name.encode(errors="replace").decode())
    here = opened(source, tmp_path)
    monkeypatch.setattr(data, "PROCESSES_FROM", 2)
    monkeypatch.setattr(data, "_CHUNK", 7)
    there = open_images(list_images(source), 16, cache_dir=tmp_path / "other")
    assert (len(there), there.digest) == (27, here.digest)
    assert there.skipped == here.skipped
    assert (there.pixels == here.pixels).all()
    with pytest.raises(DataError, match=r"--strict: 013\.png cannot be read: not an image"):
        open_images(list_images(source), 16, strict=True, cache_dir=tmp_path / "strict")
    assert list((tmp_path / "strict").iterdir()) == []


def test_a_decoding_process_that_dies_is_reported(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "PROCESSES_FROM", 2)
    monkeypatch.setattr(decoding.sys, "executable", shutil.which("true"))
    with pytest.raises(DataError, match=r"process died of one of these files: 000.png to 009.png"):
        opened(photos, tmp_path)
    assert list((tmp_path / "c").iterdir()) == []


def test_a_full_disk_is_said_by_the_processes(photos: Path, tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full")
    with (
        decoding.decoders("folder", str(photos), 16, "crop", (0, 0, 0), full, 1) as decode,
        pytest.raises(OSError, match="No space left"),
    ):
        decode((0, ["000.png"]))


def test_built_in_avatars_by_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "BUILT_IN_AVATARS", 5)
    here = opened(None, tmp_path)
    monkeypatch.setattr(data, "PROCESSES_FROM", 2)
    there = open_images(list_images(None), 16, cache_dir=tmp_path / "other")
    assert there.digest == here.digest


def test_a_million_images_are_mapped_and_not_loaded(tmp_path: Path) -> None:
    file = tmp_path / "sparse.u8"
    with file.open("wb") as sparse:
        sparse.truncate(10**6 * 16 * 16 * 3)
    images = ImageSet(np.memmap(file, np.uint8, "r", shape=(10**6, 16, 16, 3)), "", [])
    tracemalloc.start()
    order = Order(len(images), seed=1)
    for step in range(3):
        batch = images.batch(order.at(step * 64, 64)[0])
        assert batch.shape == (64, 3, 16, 16)
    assert tracemalloc.get_traced_memory()[1] < 5e6  # besides torch's shuffle: 8 MB
    tracemalloc.stop()


def test_built_in_avatars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "BUILT_IN_AVATARS", 12)
    images = opened(None, tmp_path)
    assert images.pixels.shape == (12, 16, 16, 3)
    assert len({image.tobytes() for image in images.pixels}) == 12


def test_the_order_visits_every_image_once_an_epoch() -> None:
    order = Order(10, seed=3)
    for epoch in range(3):
        indices, _ = order.at(epoch * 10, 10)
        assert sorted(indices) == list(range(10))
    assert list(order.at(0, 10)[0]) != list(order.at(10, 10)[0])


@pytest.mark.parametrize("batch_size", [1, 3, 4, 7, 10, 23])
def test_the_order_does_not_depend_on_the_batch_size_or_the_start(batch_size: int) -> None:
    whole = Order(10, seed=3).at(0, 46)
    parts = [Order(10, seed=3).at(start, batch_size) for start in range(0, 46, batch_size)]
    for i in (0, 1):
        joined = np.concatenate([part[i] for part in parts])[:46]
        assert (joined == whole[i]).all()


def test_flips() -> None:
    flips = Order(1000, seed=3).at(0, 1000)[1]
    assert 400 < flips.sum() < 600
    assert (flips != Order(1000, seed=3).at(1000, 1000)[1]).any()
    assert not Order(1000, seed=3, mirror=False).at(0, 1000)[1].any()
    assert (Order(1000, seed=4).at(0, 1000)[1] != flips).any()


def test_batches_are_normalized_and_flipped() -> None:
    pixels = np.arange(2 * 16 * 16 * 3, dtype=np.uint32).astype(np.uint8).reshape(2, 16, 16, 3)
    batch = ImageSet(pixels, "", []).batch(np.array([1, 0]))
    assert batch.shape == (2, 3, 16, 16)
    values = normalize(batch, torch.tensor([True, False]))
    assert float(values[1, 2, 3, 4]) == pytest.approx(pixels[0, 3, 4, 2] / 127.5 - 1, abs=1e-6)
    assert float(values[0, 2, 3, 4]) == pytest.approx(pixels[1, 3, 15 - 4, 2] / 127.5 - 1, abs=1e-6)
    assert normalize(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [-1, 1]


@pytest.mark.faces
def test_real_faces(tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    folder.mkdir()
    for path in sorted(FACES.iterdir())[:40]:
        shutil.copy(path, folder)
    images = open_images(list_images(folder), 96, cache_dir=tmp_path / "c")
    assert images.pixels.shape == (40, 96, 96, 3)
    with Image.open(folder / "00007.jpg") as face:
        assert (images.pixels[7] == np.asarray(face)).all()


def test_a_run_among_the_images_is_not_learnt_from(photos: Path) -> None:
    """As by ``cd faces; animegan train --data .``, whose next start would see its own fakes."""
    before = list_images(photos).files
    run = photos / "runs" / "000-modern"
    (run / "samples").mkdir(parents=True)
    (run / "settings.json").write_text("{}")
    for picture in ("reals.png", "samples/fakes-000000000.png"):
        (run / picture).write_bytes((photos / "000.png").read_bytes())
    assert list_images(photos).files == before
    assert len(list_images(run / "samples")) == 1  # as one says so


def test_links_to_folders_around_them_end(photos: Path) -> None:
    count = len(list_images(photos))
    for name in ("a", "b"):
        (photos / name).mkdir()
        (photos / name / "all").symlink_to(photos)
    (photos / "c").symlink_to(photos / "a")
    assert len(list_images(photos)) == count


def test_folders_that_cannot_be_entered_are_named(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "locked").mkdir()
    enter = listing.os.scandir
    locked = {str(photos / "locked")}

    def refusing(folder: object) -> object:
        if str(folder) in locked:
            raise PermissionError(13, "Permission denied")
        return enter(folder)  # type: ignore[call-overload]

    monkeypatch.setattr(listing.os, "scandir", refusing)
    (name, _) = opened(photos, tmp_path).skipped[0]
    assert name == "locked/"
    locked.add(str(photos))
    with pytest.raises(DataError, match=r"--data .*photos: Permission denied"):
        list_images(photos)


def test_a_damaged_zip_is_one_line(photos: Path, tmp_path: Path) -> None:
    archive = tmp_path / "photos.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in photos.iterdir():
            file.write(path, path.name)
    content = archive.read_bytes()
    archive.write_bytes(content.replace(b"PK\x01\x02", b"PK\x09\x09"))
    with pytest.raises(DataError, match=r"--data .*photos\.zip: "):
        list_images(archive)


@pytest.mark.parametrize("harm", ["no pixels", "few pixels", "no words", "half of the words"])
def test_a_cache_that_lacks_a_part_is_made_anew(photos: Path, tmp_path: Path, harm: str) -> None:
    whole = opened(photos, tmp_path)
    before = whole.pixels.copy()
    (pixels,), (words,) = ((tmp_path / "c").glob(f"images-*.{x}") for x in ("u8", "json"))
    if harm == "no pixels":
        pixels.unlink()
    elif harm == "few pixels":
        pixels.write_bytes(pixels.read_bytes()[:-1])
    else:
        words.write_text("" if harm == "no words" else words.read_text()[:20])
    again = opened(photos, tmp_path)
    assert again.digest == whole.digest and (again.pixels == before).all()


def test_files_that_can_be_opened_by_now_are_read(photos: Path, tmp_path: Path) -> None:
    with locked("004.png"):
        assert opened(photos, tmp_path).skipped == [("004.png", "Permission denied")]
    assert opened(photos, tmp_path).skipped == []


def test_what_was_never_finished_goes_after_a_day(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    old, new = (tmp_path / "c" / f".images-{name}.u8.1.2.tmp" for name in ("a", "b"))
    for file in (old, new):
        file.write_bytes(b"half")
    os.utime(old, (0, 0))
    opened(photos, tmp_path)
    assert not old.exists() and new.exists()


def test_decoding_processes_take_no_modules_from_the_folder(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "queue.py").write_text("raise RuntimeError('of the user')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "PROCESSES_FROM", 2)
    assert len(opened(photos, tmp_path)) == 10


def test_the_folder_of_a_run_is_no_folder_of_images(tmp_path: Path) -> None:
    for name in ("settings.json", "reals.png"):
        (tmp_path / name).write_text("")
    with pytest.raises(DataError, match="is the folder of a run"):
        list_images(tmp_path)
