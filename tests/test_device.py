"""Which arithmetic a run uses."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from animegan_cli import device, training_state
from animegan_cli.errors import SettingsError
from animegan_cli.parallel import Ranks, joined
from animegan_cli.reporting import NullReporter
from animegan_cli.run_dir import RunDir
from animegan_cli.settings import Settings
from animegan_cli.training_state import load_state, new_state, save_state

CPU = torch.device("cpu")
Make = Callable[..., Settings]


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


@pytest.mark.parametrize(
    ("precision", "has_it", "continued"),
    [("auto", True, "bfloat16"), ("auto", False, "float32"), ("fp32", True, "float32")],
)
def test_a_run_goes_on_in_what_it_began_with(
    tiny: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
    has_it: bool,
    continued: str,
) -> None:
    """However another timing comes out, but as it can, and as it is told to."""
    monkeypatch.setattr(device, "_bf16_pays", lambda: False)
    settings, run = tiny(precision=precision), RunDir(tmp_path / "run")
    run.path.mkdir()
    begun = new_state(settings, CPU)
    begun.dtype = torch.bfloat16
    save_state(run, begun, settings, "digest")
    monkeypatch.setattr(training_state, "has_bf16", lambda: has_it)
    state = new_state(settings, CPU, begun=True)
    assert state.dtype is torch.float32
    load_state(run, state, settings, "digest", NullReporter())
    assert state.dtype is getattr(torch, continued)


def test_each_process_of_several_names_its_own_cuda_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first one too: nccl and ``set_device`` take none without a number."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert Ranks(0, 2, 0).own_device == 0 and Ranks().own_device is None
    for name in ("auto", "cuda"):
        assert [device.choose_device(name, i) for i in (0, 1)] == [
            torch.device("cuda:0"),
            torch.device("cuda:1"),
        ]
        assert device.choose_device(name, None).index is None
    assert device.choose_device("cuda:1", 0) == torch.device("cuda:1")
    with pytest.raises(SettingsError, match="as many processes as there are devices"):
        device.choose_device("cuda", 2)


def test_one_process_takes_the_device_that_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    for name in ("cpu", "cuda", "cuda:1"):
        with joined(torch.device(name)):
            pass
    assert taken == [torch.device("cuda:1")]
