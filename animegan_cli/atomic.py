"""Files that appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import get_ident

from animegan_cli.errors import DataError


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; it gets its name when the block ends well."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{get_ident()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):  # never begun, or a folder that is none: the error is on its way
            temporary.unlink()
        raise


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say in one line what could not be written.

    Raises:
        DataError: for every ``OSError`` in the block.
    """
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from None
