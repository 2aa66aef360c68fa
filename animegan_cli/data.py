"""Image folder, zip or built-in avatars -> one uint8 memory map.

Every image is decoded once. The pixels go into a flat file in the cache folder, ``[N, S, S, 3]``
uint8, named by what they were made from (paths, sizes, modification times, image size, fit,
background), so that a second start decodes nothing and a changed folder decodes anew.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import platformdirs
import torch
from numpy.typing import NDArray
from torch import Tensor

from animegan_cli.atomic import written_whole
from animegan_cli.avatars import draw_avatar
from animegan_cli.decoding import decoders, locator, reason
from animegan_cli.device import generator
from animegan_cli.errors import DataError
from animegan_cli.images import SUFFIXES, parse_color, read_image
from animegan_cli.reporting import NullReporter, Reporter
from animegan_cli.streams import cores, in_order

BUILT_IN_AVATARS = 4000
CACHE_VERSION = 2
PROCESSES_FROM = 500  # files; for fewer, decoding processes take longer to start than they save
_CHUNK = 64  # files that a process decodes at a time

Color = tuple[int, int, int]
Decoded = memoryview | str  # pixels, or the reason why there are none


@dataclass(frozen=True)
class Listing:
    """The image files of a folder or zip, before any is opened."""

    source: str
    files: list[tuple[str, int, int]]  # name, bytes, modification time (ns) or checksum
    kind: Literal["folder", "zip", "avatars"]

    def __len__(self) -> int:
        return len(self.files)


@dataclass(frozen=True)
class ImageSet:
    """Decoded images.

    Attributes:
        pixels: memory map ``[M, S, S, 3]``, uint8, RGB.
        digest: hash of all pixels; two sets with the same digest are the same.
        skipped: (name, reason) of every file that could not be read.
        rows: which rows of ``pixels`` belong to the set, ``[N]``; all if None.
    """

    pixels: NDArray[np.uint8]
    digest: str
    skipped: list[tuple[str, str]]
    rows: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.pixels if self.rows is None else self.rows)

    def batch(self, indices: NDArray[np.int64], device: torch.device | str = "cpu") -> Tensor:
        """Return images ``[N, 3, S, S]`` as uint8 on a device, in the memory order NHWC."""
        chosen = indices if self.rows is None else self.rows[indices]
        images = torch.from_numpy(self.pixels[chosen])
        return images.to(device, non_blocking=True).permute(0, 3, 1, 2)

    def split(self, share: float, seed: int) -> tuple["ImageSet", "ImageSet"]:
        """Return what is learnt from, and a share that is not; both follow from the seed.

        Copies of an image in several files may fall on both sides.
        """
        order = torch.randperm(len(self), generator=generator(seed, "holdout")).numpy()
        held = round(share * len(self))
        return (
            replace(
                self, digest=_hash(self.digest, "rest", share, seed), rows=np.sort(order[held:])
            ),
            replace(
                self, digest=_hash(self.digest, "held", share, seed), rows=np.sort(order[:held])
            ),
        )


def normalize(images: Tensor, flips: Tensor | None = None) -> Tensor:
    """Map uint8 images ``[N, 3, S, S]`` to float32 in [-1, 1], flipping those marked ``[N]``."""
    if flips is not None:
        images = torch.where(flips[:, None, None, None], images.flip(3), images)
    return images.float().div_(127.5).sub_(1)


def list_images(source: Path | None, flag: str = "--data") -> Listing:
    """Find the image files of a folder (recursively) or zip; ``None`` is the built-in avatars.

    Raises:
        DataError: if the path does not exist, is no folder or zip, or holds no image.
    """
    if source is None:
        files = [(str(seed), 0, 0) for seed in range(BUILT_IN_AVATARS)]
        return Listing("built-in avatars", files, "avatars")
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
    if not listing.files:
        endings = ", ".join(sorted(SUFFIXES))
        raise DataError(f"{flag} {source}: no images found; expected files ending in {endings}")
    return listing


def open_images(
    listing: Listing,
    size: int,
    *,
    fit: str = "crop",
    background: str = "white",
    strict: bool = False,
    cache_dir: Path | None = None,
    reporter: Reporter | None = None,
) -> ImageSet:
    """Return the images of a listing, decoded now or in an earlier start.

    Raises:
        DataError: if no file can be read, if one cannot and ``strict`` is set, or if the cache
            cannot be written.
    """
    reporter = reporter or NullReporter()
    color = parse_color(background)
    folder = cache_dir or Path(platformdirs.user_cache_dir("animegan"))
    origin = _hash(listing.source, size, fit, color)
    key = _hash(CACHE_VERSION, listing.source, size, fit, color, listing.files)
    file = folder / f"images-{origin}-{key}.u8"
    if not file.with_suffix(".json").is_file():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _decode(listing, size, fit, color, strict, file, reporter)
        except OSError as error:
            raise DataError(
                f"cannot write the image cache in {folder}: {error.strerror or error}; "
                "--cache-dir chooses another folder"
            ) from None
        _forget_older(file, origin)
    meta: dict[str, Any] = json.loads(file.with_suffix(".json").read_text("utf-8"))
    skipped = [(name, reason) for name, reason in meta["skipped"]]
    if skipped and strict:
        raise _unreadable(*skipped[0])
    shape = (meta["count"], size, size, 3)
    return ImageSet(np.memmap(file, np.uint8, "r", shape=shape), meta["digest"], skipped)


def _walk(folder: str | Path, inside: str = "") -> Iterator[tuple[str, int, int]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:  # not ours to enter
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
        yield from _walk(entry.path, f"{inside}{entry.name}/")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


def _is_image(path: str) -> bool:
    *folders, name = path.split("/")
    hidden = name.startswith(".") or "__MACOSX" in folders
    return os.path.splitext(name)[1].lower() in SUFFIXES and not hidden  # noqa: PTH122


def _decode(
    listing: Listing,
    size: int,
    fit: str,
    color: Color,
    strict: bool,
    file: Path,
    reporter: Reporter,
) -> None:
    row_bytes = size * size * 3
    many = len(listing) >= PROCESSES_FROM
    count, skipped, digest = 0, [], hashlib.sha256()
    what = "Drawing avatars" if listing.kind == "avatars" else "Decoding images"
    with written_whole(file) as temporary:
        temporary.touch()
        with (
            temporary.open("r+b", buffering=0) as pixels,
            closing(
                (_by_processes if many else _by_threads)(listing, size, fit, color, temporary)
            ) as chunks,
            reporter.task(what, total=len(listing)) as advance,
        ):
            row = 0
            for chunk in chunks:
                for image in chunk:
                    if isinstance(image, str):
                        skipped.append((listing.files[row][0], image))
                        if strict:
                            raise _unreadable(*skipped[-1])
                    else:
                        if not many or count < row:  # else a process has written it there
                            pixels.seek(count * row_bytes)
                            pixels.write(image)
                        digest.update(image)
                        count += 1
                    row += 1
                advance(len(chunk))
            pixels.truncate(count * row_bytes)
        if not count:
            raise DataError(
                f"none of the {len(listing):,} image files in {listing.source} can be read; "
                f"the first: {skipped[0][0]}: {skipped[0][1]}"
            )
    with written_whole(file.with_suffix(".json")) as temporary:
        meta = {"count": count, "digest": digest.hexdigest()[:32], "skipped": skipped}
        temporary.write_text(json.dumps(meta), "utf-8")


def _by_processes(
    listing: Listing, size: int, fit: str, color: Color, file: Path
) -> Generator[list[Decoded], None, None]:
    """Yield chunks of what processes have written to ``file``, each image at its listing's row."""
    lanes, row_bytes = cores(), size * size * 3
    os.truncate(file, len(listing) * row_bytes)
    with (
        decoders(listing.kind, listing.source, size, fit, color, file, lanes) as decode,
        closing(in_order(decode, _chunks(listing), lanes)) as answers,
        file.open("rb", buffering=0) as pixels,
    ):
        for reasons in answers:
            chunk = memoryview(pixels.read(len(reasons) * row_bytes))
            yield [
                chunk[i * row_bytes : (i + 1) * row_bytes] if text is None else text
                for i, text in enumerate(reasons)
            ]


def _by_threads(
    listing: Listing, size: int, fit: str, color: Color, file: Path
) -> Generator[list[Decoded], None, None]:
    """Yield the images one by one."""
    locate = None if listing.kind == "avatars" else locator(listing.kind, listing.source)

    def attempt(entry: tuple[str, int, int]) -> list[Decoded]:
        try:
            if locate is None:
                return [memoryview(draw_avatar(int(entry[0]), size).tobytes())]
            image = read_image(locate(entry[0]), size, fit, color)
            return [image.reshape(-1).data]
        except Exception as error:  # Pillow's plugins raise whatever the bytes make them raise
            return [reason(error)]

    return in_order(attempt, listing.files, cores())


def _chunks(listing: Listing) -> Iterator[tuple[int, list[str]]]:
    for first in range(0, len(listing), _CHUNK):
        yield first, [name for name, _, _ in listing.files[first : first + _CHUNK]]


def _unreadable(name: str, reason: str) -> DataError:
    return DataError(f"--strict: {name} cannot be read: {reason}")


def _forget_older(file: Path, origin: str) -> None:
    """Delete what was decoded from the same source before it changed."""
    for other in file.parent.glob(f"images-{origin}-*"):
        if other.stem != file.stem:
            try:
                other.unlink()
            except OSError:  # in use by another process (Windows)
                continue


def _hash(*parts: object) -> str:
    text = json.dumps(parts, separators=(",", ":"))
    return hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=8).hexdigest()
