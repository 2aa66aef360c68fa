"""Image folder, zip or built-in avatars -> one uint8 memory map.

Every image is decoded once. The pixels go into a flat file in the cache folder, ``[N, S, S, 3]``
uint8, named by what they were made from (paths, sizes, modification times, image size, fit,
background), so that a second start decodes nothing and a changed folder decodes anew.
"""

import errno
import hashlib
import json
import os
import time
from collections.abc import Collection, Generator, Iterator
from contextlib import closing, suppress
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
from animegan_cli.decoding import decoders, locator, reason
from animegan_cli.device import generator, sent
from animegan_cli.errors import DataError
from animegan_cli.images import parse_color, read_image
from animegan_cli.listing import Listing
from animegan_cli.reporting import NullReporter, Reporter
from animegan_cli.streams import cores, in_order

CACHE_VERSION = 2
PROCESSES_FROM = 500  # files; for fewer, decoding processes take longer to start than they save
_CHUNK = 64  # files that a process decodes at a time
_A_DAY = 86_400  # seconds: what is half written for so long, nobody writes any more
_OF_THE_SYSTEM = frozenset(map(os.strerror, errno.errorcode))  # why files cannot be opened

Color = tuple[int, int, int]
Decoded = memoryview | str  # pixels, or the reason why there are none


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
        return sent(images, torch.device(device)).permute(0, 3, 1, 2)

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


def open_images(
    listing: Listing,
    size: int,
    *,
    fit: str = "crop",
    background: str = "white",
    strict: bool = False,
    cache_dir: Path | None = None,
    without: Collection[str] | None = None,
    reporter: Reporter | None = None,
) -> ImageSet:
    """Return the images of a listing, decoded now or in an earlier start.

    Args:
        listing: of what files.
        size: width and height.
        fit: ``crop`` or ``pad``.
        background: behind what is transparent.
        strict: whether a file that cannot be read is an error.
        cache_dir: the user's cache folder if None.
        without: names of files that a run which has begun could not read; it goes on without them,
            and with all others. If None, those that an earlier start could not open are tried
            again.
        reporter: told of progress.

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
    meta = _known(file, size)
    if meta is not None:
        mended = [
            name
            for name, why in meta["skipped"]
            if (_opens(listing, name, why) if without is None else as_text(name) not in without)
        ]
        if mended:  # of which sizes and times say nothing
            file = file.with_stem(f"{file.stem}-{_hash(mended)}")
            meta = _known(file, size)
    if meta is None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            meta = _decode(listing, size, fit, color, strict, file, reporter)
        except OSError as error:
            raise DataError(
                f"cannot write the image cache in {folder}: {error.strerror or error}; "
                "--cache-dir chooses another folder"
            ) from None
        _forget_older(file, origin)
    skipped = [(name, reason) for name, reason in meta["skipped"]]
    if skipped and strict:
        raise _unreadable(*skipped[0])
    shape = (meta["count"], size, size, 3)
    return ImageSet(np.memmap(file, np.uint8, "r", shape=shape), meta["digest"], skipped)


def as_text(name: str) -> str:
    """Return the name of a file as it can be written down, though it be none in UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _known(file: Path, size: int) -> dict[str, Any] | None:
    """Return what is known of images decoded before; None if they have to be decoded (again).

    A cleaner may have taken one of the two files, or left a part.
    """
    try:
        meta: dict[str, Any] = json.loads(file.with_suffix(".json").read_text("utf-8"))
        return meta if file.stat().st_size == meta["count"] * size * size * 3 else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _opens(listing: Listing, name: str, why: str) -> bool:
    """Return whether a file can be opened by now, if that was what kept it from being read."""
    if listing.kind != "folder" or why not in _OF_THE_SYSTEM:
        return False
    try:
        with Path(listing.source, name).open("rb") as file:
            return bool(file.read(1))
    except OSError:
        return False


def _decode(
    listing: Listing,
    size: int,
    fit: str,
    color: Color,
    strict: bool,
    file: Path,
    reporter: Reporter,
) -> dict[str, Any]:
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
    return meta


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
    """Delete what was decoded from the same source before it changed, and what was never finished.

    What another process may still be writing or reading stays.
    """
    key = file.stem.split("-")[2]
    older = [x for x in file.parent.glob(f"images-{origin}-*") if x.stem.split("-")[2] != key]
    for other in [*older, *file.parent.glob(".images-*.tmp")]:
        with suppress(OSError):
            if other in older or time.time() - other.stat().st_mtime > _A_DAY:
                other.unlink()


def _hash(*parts: object) -> str:
    text = json.dumps(parts, separators=(",", ":"))
    return hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=8).hexdigest()
