"""Choosing the device and deriving every random number from an address."""

import ctypes
import functools
import hashlib
import os
import sys
import timeit
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F

from animegan_cli.errors import SettingsError

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of glibc's malloc.h


def choose_device(name: str = "auto", index: int | None = None) -> torch.device:
    """Return the device that a setting names; ``auto`` prefers cuda, then mps, then cpu.

    Where several processes of one machine train together, ``cuda`` is another one for each.

    Args:
        name: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        index: which CUDA device ``cuda`` is; torch's current one if None.

    Raises:
        SettingsError: if the named device is not there.
    """
    if name == "auto":
        other = "mps" if torch.backends.mps.is_available() else "cpu"
        name = "cuda" if torch.cuda.is_available() else other
    device = torch.device(name if name != "cuda" or index is None else f"cuda:{index}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        found = torch.cuda.device_count()
        raise SettingsError(
            f"--device {device}: torch finds {found} CUDA devices; use --device cpu, or as many "
            "processes as there are devices"
            if index
            else f"--device {name}: torch finds {found} CUDA devices; use --device cpu"
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise SettingsError("--device mps: torch finds no Apple GPU; use --device cpu")
    return device


def sent(x: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a CPU tensor on a device, to CUDA without waiting for it.

    MPS then reads what it comes from too late, when that may be something else (pytorch#189690).
    """
    return x.to(device, non_blocking=device.type == "cuda")


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the type that autocast computes in; ``auto`` is bfloat16 where that is sooner done."""
    if device.type not in ("cpu", "cuda", "mps"):  # meta has no autocast
        return torch.float32
    if name == "auto":
        if device.type == "cuda":
            name = "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
        else:
            name = "bf16" if device.type == "cpu" and _bf16_pays() else "fp32"
    return torch.bfloat16 if name == "bf16" else torch.float32


@functools.cache
def _bf16_pays() -> bool:
    """Return whether this CPU convolves sooner in bfloat16, by a tenth at least.

    One may have it and still be slower: a virtual Xeon whose AMX is hidden took 1.9 times as long.
    """
    return has_bf16() and _seconds(torch.bfloat16) < 0.9 * _seconds(torch.float32)


def has_bf16() -> bool:
    """Return whether this CPU has instructions for bfloat16."""
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", bool)())  # AMX implies it


@torch.no_grad()
def _seconds(dtype: torch.dtype) -> float:
    """Return the least time of three that a convolution such as G's takes."""
    x = torch.ones(16, 128, 24, 24, dtype=dtype).to(memory_format=torch.channels_last)
    weight = torch.ones(128, 128, 3, 3, dtype=dtype)
    F.conv2d(x, weight, padding=1)  # the first also chooses an algorithm
    return min(timeit.repeat(lambda: F.conv2d(x, weight, padding=1), number=1, repeat=3))


def use_tensor_cores(device: torch.device) -> None:
    """On CUDA, let float32 products use TF32, and cuDNN time its algorithms once a shape."""
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True


@contextmanager
def repeatable(wanted: bool = True) -> Iterator[None]:
    """Compute with algorithms alone that give the same bits at every repeat, on CUDA too.

    torch warns of an operation that has none. cuBLAS reads its variable when it is first used.
    """
    if not wanted:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    timed, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, False
    strict = torch.are_deterministic_algorithms_enabled()
    warned = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=not strict or warned)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(strict, warn_only=warned)
        torch.backends.cudnn.benchmark = timed


def can_compile(device: torch.device) -> str:
    """Return why torch.compile does not work here, or nothing if it does."""
    try:
        torch.compile(lambda x: x.sin() + 1)(torch.zeros(8, device=device))
    except Exception as error:  # no compiler, no Triton, an unknown card: each has its own class
        return (str(error).strip() or type(error).__name__).splitlines()[0]
    return ""


def set_threads(threads: int) -> None:
    """Let torch use this many CPU threads; 0 keeps torch's own choice (physical cores)."""
    if threads > 0:
        torch.set_num_threads(threads)


def reuse_freed_memory() -> None:
    """Ask glibc to keep large freed blocks for the next step: a fourteenth faster on a CPU.

    By default it hands each of them back to the kernel, which clears every page again. Other C
    libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def derived_seed(*address: int | str) -> int:
    """Return a 63-bit seed that follows from an address such as ``(seed, "z", cur_nimg)``.

    Randomness is addressed, not remembered: what step 1,000 draws does not depend on whether the
    steps before it ran in this process, so that a continued run equals one never stopped.
    """
    text = "/".join(map(str, address)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def generator(*address: int | str) -> torch.Generator:
    """Return a CPU generator for an address; the same numbers on every device."""
    return torch.Generator().manual_seed(derived_seed(*address))


def noise(shape: tuple[int, ...], *address: int | str) -> torch.Tensor:
    """Return standard normal numbers of ``shape`` for an address, on the CPU."""
    return torch.randn(shape, generator=generator(*address))
