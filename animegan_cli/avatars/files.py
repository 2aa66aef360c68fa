"""Write a run of built-in avatars as numbered PNG files."""

from pathlib import Path

from animegan_cli.atomic import written_whole
from animegan_cli.avatars.drawing import draw_avatar
from animegan_cli.errors import DataError
from animegan_cli.reporting import NullReporter, Reporter


def write_avatars(
    folder: Path,
    n: int,
    *,
    first_seed: int = 0,
    size: int = 96,
    reporter: Reporter | None = None,
) -> list[Path]:
    """Draw ``n`` avatars into ``folder``, one ``avatar-<seed>.png`` each; return the paths.

    A stop in between leaves no broken image. An existing file of the same name is replaced.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot write avatars to {folder}: {_reason(error)}") from error
    paths: list[Path] = []
    with (reporter or NullReporter()).task("Drawing avatars", total=n) as advance:
        for seed in range(first_seed, first_seed + n):
            path = folder / f"avatar-{seed:06d}.png"
            image = draw_avatar(seed, size)
            try:
                with written_whole(path) as temporary:
                    image.save(temporary, format="PNG")
            except OSError as error:
                raise DataError(f"cannot write {path}: {_reason(error)}") from error
            paths.append(path)
            advance(1)
    return paths


def _reason(error: OSError) -> str:
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "a file is in the way"
    return error.strerror or str(error)
