"""Image folder, zip or built-in avatars -> one uint8 memory map; which images a step sees.

Every image is decoded once. The pixels go into a flat file in the cache folder, ``[N, S, S, 3]``
uint8, named by what they were made from (paths, sizes, modification times, image size, fit,
background), so that a second start decodes nothing and a changed folder decodes anew.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import torch
from numpy.typing import NDArray
from torch import Tensor

from animegan_cli.atomic import written_whole
from animegan_cli.avatars import draw_avatar
from animegan_cli.device import generator
from animegan_cli.errors import DataError
from animegan_cli.images import SUFFIXES, parse_color, read_image
from animegan_cli.reporting import NullReporter, Reporter

BUILT_IN_AVATARS = 4000
CACHE_VERSION = 1
_DECODE_WINDOW = 512  # files in flight: bounds memory, whatever the size of the folder

Reader = Callable[[str], Path | bytes]


@dataclass(frozen=True)
class Listing:
    """The image files of a folder or zip, before any is opened."""

    source: str
    files: list[tuple[str, int, int]]  # name, bytes, modification time (ns) or checksum
    read: Callable[[str, int, str, tuple[int, int, int]], NDArray[np.uint8]]

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


@dataclass
class Order:
    """Which images a step sees, and which of them flipped, as a function of images seen.

    Image number ``i`` of a run is entry ``i % n`` of the shuffle of epoch ``i // n``; so the order
    does not depend on the batch size, and a continued run goes on where it stopped.

    Attributes:
        n: images in the set.
        seed: the run's seed.
        mirror: flip half of the images; another half in each epoch.
    """

    n: int
    seed: int
    mirror: bool = True
    _epoch: int = -1

    def at(self, cur_nimg: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return indices ``[count]`` and flips ``[count]`` for images ``cur_nimg`` onwards."""
        indices, flips = [], []
        while count > 0:
            epoch, start = divmod(cur_nimg, self.n)
            self._shuffle(epoch)
            taken = min(count, self.n - start)
            indices.append(self._indices[start : start + taken])
            flips.append(self._flips[start : start + taken])
            cur_nimg, count = cur_nimg + taken, count - taken
        return np.concatenate(indices), np.concatenate(flips)

    def _shuffle(self, epoch: int) -> None:
        if epoch == self._epoch:
            return
        random = generator(self.seed, "order", epoch)
        self._indices = torch.randperm(self.n, generator=random).numpy()
        flips = torch.randint(0, 2, (self.n,), generator=random, dtype=torch.uint8)
        self._flips = flips.numpy().astype(bool) & self.mirror
        self._epoch = epoch


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
        return Listing("built-in avatars", files, _draw)
    if source.is_dir():
        listing = Listing(str(source.resolve()), list(_walk(source)), _reader(source.joinpath))
    elif zipfile.is_zipfile(source):
        archive = zipfile.ZipFile(source)
        members = [(m.filename, m.file_size, m.CRC) for m in archive.infolist() if not m.is_dir()]
        files = sorted(member for member in members if _is_image(member[0]))
        listing = Listing(str(source.resolve()), files, _reader(archive.read))
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


def _walk(folder: Path) -> Iterator[tuple[str, int, int]]:
    for path, folders, names in os.walk(folder, followlinks=True):
        folders.sort()
        for name in sorted(filter(_is_image, names)):
            file = Path(path, name)
            try:
                stat = file.stat()
            except OSError:  # a dangling link: listed, and named when it cannot be read
                yield file.relative_to(folder).as_posix(), 0, 0
            else:
                yield file.relative_to(folder).as_posix(), stat.st_size, stat.st_mtime_ns


def _is_image(name: str) -> bool:
    path = Path(name)
    hidden = path.name.startswith(".") or "__MACOSX" in path.parts
    return path.suffix.lower() in SUFFIXES and not hidden


def _reader(locate: Callable[[str], Path | bytes]) -> Any:
    def read(name: str, size: int, fit: str, color: tuple[int, int, int]) -> NDArray[np.uint8]:
        return read_image(locate(name), size, fit, color)

    return read


def _draw(name: str, size: int, fit: str, color: tuple[int, int, int]) -> NDArray[np.uint8]:
    return np.asarray(draw_avatar(int(name), size))


def _decode(
    listing: Listing,
    size: int,
    fit: str,
    color: tuple[int, int, int],
    strict: bool,
    file: Path,
    reporter: Reporter,
) -> None:
    def attempt(entry: tuple[str, int, int]) -> NDArray[np.uint8] | str:
        try:
            return listing.read(entry[0], size, fit, color)
        except Exception as error:  # Pillow's plugins raise whatever the bytes make them raise
            return _reason(error)

    count, skipped, digest = 0, [], hashlib.blake2b(digest_size=16)
    what = "Drawing avatars" if listing.read is _draw else "Decoding images"
    with written_whole(file) as temporary:
        with (
            temporary.open("wb") as pixels,
            ThreadPoolExecutor(os.cpu_count()) as pool,
            reporter.task(what, total=len(listing)) as advance,
        ):
            for start in range(0, len(listing), _DECODE_WINDOW):
                window = listing.files[start : start + _DECODE_WINDOW]
                for entry, image in zip(window, pool.map(attempt, window), strict=True):
                    advance(1)
                    if isinstance(image, str):
                        skipped.append((entry[0], image))
                        if strict:
                            raise _unreadable(entry[0], image)
                        continue
                    rows = np.ascontiguousarray(image).data
                    pixels.write(rows)
                    digest.update(rows)
                    count += 1
        if not count:
            raise DataError(
                f"none of the {len(listing):,} image files in {listing.source} can be read; "
                f"the first: {skipped[0][0]}: {skipped[0][1]}"
            )
    with written_whole(file.with_suffix(".json")) as temporary:
        meta = {"count": count, "digest": digest.hexdigest(), "skipped": skipped}
        temporary.write_text(json.dumps(meta), "utf-8")


def _reason(error: Exception) -> str:
    if "cannot identify image file" in str(error):
        return "not an image that Pillow can read"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).split("\n")[0] or type(error).__name__


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
