"""Which files of a folder or zip are images, before any is opened."""

import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from animegan_cli.decoding import reason
from animegan_cli.errors import DataError
from animegan_cli.images import SUFFIXES

BUILT_IN_AVATARS = 4000
OF_A_RUN = {"settings.json", "reals.png"}  # in a folder of both, images are no data

Entry = tuple[str, int, int]  # name, bytes, modification time (ns) or checksum
Place = tuple[int, int]  # a device and a folder on it


@dataclass(frozen=True)
class Listing:
    """The image files of a folder or zip, before any is opened."""

    source: str
    files: list[Entry]
    kind: Literal["folder", "zip", "avatars"]

    def __len__(self) -> int:
        return len(self.files)


def list_images(source: Path | None, flag: str = "--data") -> Listing:
    """Find the image files of a folder (recursively) or zip; ``None`` is the built-in avatars.

    Folders of runs are left out. A folder within that cannot be entered is listed as if it were a
    file, and so named with those that cannot be read.

    Raises:
        DataError: if the path does not exist, is no folder or zip, or holds no image.
    """
    if source is None:
        return Listing(
            "built-in avatars", [(str(seed), 0, 0) for seed in range(BUILT_IN_AVATARS)], "avatars"
        )
    try:
        if source.is_dir():
            listing = Listing(str(source.resolve()), list(_walk(source)), "folder")
        elif zipfile.is_zipfile(source):
            with zipfile.ZipFile(source) as archive:
                members = [(m.filename, m.file_size, m.CRC) for m in archive.infolist()]
            files = sorted(member for member in members if _is_image(member[0]))
            listing = Listing(str(source.resolve()), files, "zip")
        elif source.exists():
            raise DataError(f"{flag} {source}: neither a folder nor a zip file")
        else:
            raise DataError(f"{flag} {source}: no such folder or zip file")
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{flag} {source}: {reason(error)}") from None
    if not listing.files:
        if source.is_dir() and _is_run({entry.name for entry in source.iterdir()}):
            raise DataError(f"{flag} {source}: is the folder of a run; name one of images")
        endings = ", ".join(sorted(SUFFIXES))
        raise DataError(f"{flag} {source}: no images found; expected files ending in {endings}")
    return listing


def _walk(folder: Path) -> Iterator[Entry]:
    return _entries(folder, "", [_place(folder.stat())])


def _entries(folder: str | Path, inside: str, around: list[Place]) -> Iterator[Entry]:
    """Yield what is in a folder, by name; ``around`` are that folder and those that it is in."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        if not inside:
            raise
        yield inside, 0, 0
        return
    if _is_run({entry.name for entry in entries}):
        return
    folders = []
    for entry in entries:
        if _is_folder(entry):
            folders.append(entry)
        elif _is_image(entry.name):
            try:
                stat = entry.stat()
            except OSError:  # a dangling link: listed, and named when it cannot be read
                yield inside + entry.name, 0, 0
            else:
                yield inside + entry.name, stat.st_size, stat.st_mtime_ns
    for entry in folders:
        try:
            place = _place(Path(entry.path).stat())
        except OSError:
            yield f"{inside}{entry.name}/", 0, 0
            continue
        if place not in around:  # else a link to a folder that it is in
            yield from _entries(entry.path, f"{inside}{entry.name}/", [*around, place])


def _place(stat: os.stat_result) -> Place:
    return stat.st_dev, stat.st_ino


def _is_run(names: set[str]) -> bool:
    return names >= OF_A_RUN


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


def _is_image(path: str) -> bool:
    *folders, name = path.split("/")
    hidden = name.startswith(".") or "__MACOSX" in folders
    return os.path.splitext(name)[1].lower() in SUFFIXES and not hidden  # noqa: PTH122
