"""Which arithmetic a run uses."""

import pytest
import torch

from animegan_cli import device

CPU = torch.device("cpu")


@pytest.mark.parametrize(("has_it", "sooner"), [(True, True), (True, False), (False, True)])
def test_bfloat16_is_chosen_where_it_is_sooner_done(
    monkeypatch: pytest.MonkeyPatch, has_it: bool, sooner: bool
) -> None:
    """A CPU may have it, and take longer so; one that lacks it is not timed."""
    timed = []

    def seconds(dtype: torch.dtype) -> float:
        timed.append(dtype)
        return 1.0 if (dtype is torch.bfloat16) == sooner else 2.0

    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_it)
    monkeypatch.setattr(device, "_seconds", seconds)
    device._bf16_pays.cache_clear()
    try:
        chosen = device.choose_precision("auto", CPU)
    finally:
        device._bf16_pays.cache_clear()
    assert chosen is (torch.bfloat16 if has_it and sooner else torch.float32)
    assert bool(timed) == has_it
    assert device.choose_precision("bf16", CPU) is torch.bfloat16
    assert device.choose_precision("fp32", CPU) is torch.float32


def test_a_convolution_is_timed() -> None:
    assert 0 < device._seconds(torch.float32) < 60
