"""What is known of a real folder, kept in the cache folder under the hash of its pixels.

A damaged file counts as none; one that cannot be written costs time at the next start, no more.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from animegan_cli.atomic import written_whole

CACHE_VERSION = 2


def read_features(file: Path, dim: int) -> Tensor:
    """Return cached features ``[N, dim]``, none if there are none."""
    try:
        features = load_file(file)["features"]
    except (OSError, SafetensorError, KeyError):
        return torch.empty(0, dim)
    return features.clone() if features.shape[1:] == (dim,) else torch.empty(0, dim)


def write_features(file: Path, features: Tensor) -> bool:
    """Write features so that the file appears whole or not at all; return whether it did."""
    return _write(file, lambda temporary: save_file({"features": features}, temporary))


def read_json(file: Path) -> Any:
    """Return cached JSON, ``None`` if there is none."""
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def write_json(file: Path, value: Any) -> bool:
    """Write JSON so that the file appears whole or not at all; return whether it did."""
    return _write(file, lambda temporary: temporary.write_text(json.dumps(value), "utf-8"))


def _write(file: Path, write: Callable[[Path], object]) -> bool:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(file) as temporary:
            write(temporary)
    except (OSError, SafetensorError):
        return False
    return True
