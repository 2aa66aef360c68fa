"""The rules of the house: who imports whom, and what a quick command may load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "animegan_cli"
LAYERS = [
    {
        "__init__",
        "errors",
        "seeds",
        "fields",
        "sections",
        "machine_sections",
        "result_sections",
        "settings",
        "recipes",
        "pretrained",
        "sources",
        "reporting",
        "signals",
        "streams",
        "atomic",
    },
    {
        "device",
        "parallel",
        "feed",
        "order",
        "images",
        "pictures",
        "decoding",
        "avatars",
        "listing",
        "data",
        "networks",
        "augment",
        "schedules",
        "objectives",
        "meters",
        "matching",
        "atypical",
        "pairing",
        "recording",
        "health",
    },
    {"run_dir", "checkpoints", "lineage", "metrics"},
    {"sampling", "starting_weights"},
    {"run_log", "run_start", "ranking", "training_state", "scoring", "report"},
    {"training_step", "keep_best", "codes"},
    {"training_loop"},
    {"cli", "__main__"},
]
ONLY_IN = {"typer": {"cli"}, "rich": {"cli"}, "safetensors": {"checkpoints", "metrics"}}


def rooms() -> list[tuple[str, Path]]:
    return [
        (file.relative_to(PACKAGE).parts[0].removesuffix(".py"), file)
        for file in sorted(PACKAGE.rglob("*.py"))
    ]


def imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "animegan_cli":
            found |= {f"animegan_cli.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def layer(room: str) -> int:
    return next(i for i, names in enumerate(LAYERS) if room in names)


@pytest.mark.parametrize(("room", "file"), rooms(), ids=lambda value: getattr(value, "name", value))
def test_rooms_import_downwards_only(room: str, file: Path) -> None:
    for module in imports(file):
        top, _, rest = module.partition(".")
        assert room in ONLY_IN.get(top, {room}), f"{top} has no place in {room}"
        if top == "animegan_cli" and rest and rest != "__version__":
            other = rest.split(".")[0]
            assert layer(other) <= layer(room), f"{room} imports {other} from a layer above"
        if layer(room) == 0:
            assert top not in {"torch", "torchvision", "numpy", "PIL"}


def test_ranking_and_training_do_not_know_each_other() -> None:
    assert "animegan_cli.ranking" not in imports(PACKAGE / "training_loop.py")
    assert not any("training" in name for name in imports(PACKAGE / "ranking.py"))


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["train", "--size", "7"]])
def test_help_and_bad_arguments_load_no_torch(arguments: list[str]) -> None:
    code = (
        "import sys; sys.argv = ['animegan', *sys.argv[1:]]\n"
        "from animegan_cli.cli.app import main\n"
        "try:\n    main()\n"
        "finally:\n    print('loaded:', *({'torch', 'numpy', 'PIL'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60
    )
    assert result.stdout.splitlines()[-1] == "loaded:"
    assert result.returncode == (0 if "--help" in arguments else 2)
