"""Decoding many image files on all cores, in processes of their own that never load torch.

Pillow holds Python's lock for half of the time that a small JPEG takes, so threads lose more than
they gain (``tests/benchmarks/data.py`` has figures). The processes are not ``multiprocessing``'s,
which runs a user's script once more where that has no guard. Each reads one line of JSON per
request, writes the pixels to their rows of a file, and answers with one line.
"""

import json
import os
import signal
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from animegan_cli.errors import DataError
from animegan_cli.images import Color, read_bytes

Chunk = tuple[int, Sequence[str]]  # row of the first file, and the names of all
Reasons = list[str | None]  # why each file has no pixels; None for those that have


def locator(kind: str, source: str) -> Callable[[str], Path | bytes]:
    """Return what finds a file of a ``folder`` or ``zip`` by its name."""
    return zipfile.ZipFile(source).read if kind == "zip" else Path(source).joinpath


def reason(error: Exception) -> str:
    """Say in one line why a file cannot be read."""
    if "cannot identify image file" in str(error):
        return "not an image that Pillow can read"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).split("\n")[0] or type(error).__name__


@contextmanager
def decoders(
    kind: str, source: str, size: int, fit: str, color: Color, target: Path, count: int
) -> Iterator[Callable[[Chunk], Reasons]]:
    """Yield a function that has a chunk of files decoded by one of ``count`` processes.

    Pixels go into ``target``, which exists, ``size * size * 3`` bytes a row; rows of files that
    cannot be read stay as they are. Calls wait for a free process, so make them on ``count``
    threads.

    Raises:
        OSError: from the function, if ``target`` cannot be written.
        DataError: from the function, if a process died.
    """
    idle: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()
    with ExitStack() as stack:
        for _ in range(count):
            process = stack.enter_context(_started())
            with suppress(BrokenPipeError):  # dead already: said when its answer does not come
                _say(process.stdin, [kind, source, size, fit, color, str(target)])
            idle.put(process)

        def decode(chunk: Chunk) -> Reasons:
            process = idle.get()
            try:
                return _ask(process, chunk)
            finally:
                idle.put(process)

        yield decode


def serve() -> None:
    """Answer requests until the parent closes the pipe; the parent alone acts on Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    kind, source, size, fit, color, target = json.loads(sys.stdin.readline())
    read = _reader(kind, source, size, fit, tuple(color))
    with Path(target).open("r+b", buffering=0) as pixels:
        for line in sys.stdin:
            first, names = json.loads(line)
            try:
                _say(sys.stdout, _decode(read, first, names, size * size * 3, pixels))
            except OSError as error:
                _say(sys.stdout, {"errno": error.errno, "strerror": error.strerror})


def _decode(
    read: Callable[[str], bytes], first: int, names: Sequence[str], row_bytes: int, pixels: Any
) -> Reasons:
    reasons: Reasons = []
    for row, name in enumerate(names, first):
        try:
            picture = read(name)
        except Exception as error:  # Pillow's plugins raise whatever the bytes make them raise
            reasons.append(reason(error))
            continue
        pixels.seek(row * row_bytes)
        pixels.write(picture)
        reasons.append(None)
    return reasons


def _reader(kind: str, source: str, size: int, fit: str, color: Color) -> Callable[[str], bytes]:
    if kind == "avatars":
        from animegan_cli.avatars import draw_avatar  # many modules, rarely needed

        return lambda name: draw_avatar(int(name), size).tobytes()
    if kind == "zip":
        unpack = zipfile.ZipFile(source).read
        return lambda name: read_bytes(unpack(name), size, fit, color)

    def read(name: str) -> bytes:
        with open(f"{source}/{name}", "rb", buffering=0) as file:  # noqa: PTH123 - Path's is slow
            return read_bytes(file.read(), size, fit, color)

    return read


@contextmanager
def _started() -> Iterator["subprocess.Popen[str]"]:
    package = str(Path(__file__).parents[1])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "animegan_cli.decoding"],  # -P: no modules of where one is
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="ascii",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    with process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            with suppress(BrokenPipeError):
                process.stdin.close()  # at which it ends


def _ask(process: "subprocess.Popen[str]", chunk: Chunk) -> Reasons:
    assert process.stdout is not None
    try:
        _say(process.stdin, chunk)
        answer = process.stdout.readline()
    except BrokenPipeError:
        answer = ""
    if not answer:
        names = chunk[1]
        raise DataError(
            f"a decoding process died of one of these files: {names[0]} to {names[-1]}"
            f" (exit status {process.wait()})"
        )
    reasons = json.loads(answer)
    if isinstance(reasons, dict):
        raise OSError(reasons["errno"], reasons["strerror"])
    return list(reasons)


def _say(pipe: Any, what: object) -> None:
    pipe.write(json.dumps(what) + "\n")
    pipe.flush()


if __name__ == "__main__":
    serve()
