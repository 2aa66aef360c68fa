"""Settings and the five places that they come from."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Cli, error_line

from animegan_cli.checkpoints import NetworkShapes, save_snapshot
from animegan_cli.cli.options import images_as_learnt
from animegan_cli.errors import SettingsError
from animegan_cli.recipes import RECIPES
from animegan_cli.sections import NetworkSettings, TrainingSettings
from animegan_cli.seeds import parse_seeds
from animegan_cli.settings import SECTIONS, TRAIN_SECTIONS, Settings, section_of
from animegan_cli.sources import Layer, explicit_layers, flag_name, resolve
from animegan_cli.training_loop import train

NAMES = "'modern', 'modern-gpu', 'classic' or 'classic-adam'"


def resolved(flags: dict[str, object], config: Path | None = None) -> dict[str, object]:
    return resolve(explicit_layers(flags, config)).settings.model_dump()


def test_every_field_says_what_it_is_once() -> None:
    names = [name for section in SECTIONS.values() for name in section.model_fields]
    assert len(names) == len(set(names)) == len(Settings.model_fields)
    for name, info in Settings.model_fields.items():
        assert info.description and info.description.endswith("."), name


def test_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "run.toml"
    file.write_text("[training]\nrecipe = 'classic-adam'\nbatch_size = 8\ng_lr = 0.01\nseed = 5\n")
    monkeypatch.setenv("ANIMEGAN_BATCH_SIZE", "16")
    monkeypatch.setenv("ANIMEGAN_G_LR", "0.02")
    settled = resolve(explicit_layers({"batch_size": "32"}, file))
    assert settled.settings.batch_size == 32
    assert settled.settings.g_lr == 0.02
    assert settled.settings.seed == 5
    assert settled.settings.g_iter_step == 5
    assert settled.settings.z_dim == 100
    expected = {
        "batch_size": "flag",
        "g_lr": "environment",
        "seed": str(file),
        "g_iter_step": "recipe classic-adam",
        "z_dim": "recipe classic-adam",
        "size": "default",
    }
    assert {name: settled.origin[name] for name in expected} == expected


def test_recipes_set_only_what_is_learnt_and_how() -> None:
    fields = {**NetworkSettings.model_fields, **TrainingSettings.model_fields, "precision": None}
    for recipe in RECIPES.values():
        assert recipe.values.keys() <= fields.keys()
        Settings(**recipe.values)


def test_in_batches_of_128_every_schedule_has_as_many_steps() -> None:
    one, other = RECIPES["modern"].values, RECIPES["modern-gpu"].values
    changed = {name for name in one if one[name] != other[name]}
    assert changed == {"batch_size", *(name for name in one if name.endswith("_kimg"))}
    assert all(other[name] / one[name] == 4 for name in changed)


def test_the_published_recipes() -> None:
    assert resolved({})["recipe"] == "modern"
    classic = resolved({"recipe": "classic"})
    assert (classic["g_optimizer"], classic["d_optimizer"]) == ("adam", "sgd")
    assert (classic["real_label"], classic["fake_label"]) == (0.8, 0.0)
    adam = resolved({"recipe": "classic-adam"})
    assert (adam["g_optimizer"], adam["d_optimizer"]) == ("adam", "adam")
    assert (adam["batch_size"], adam["d_iter_step"], adam["g_iter_step"]) == (256, 1, 5)
    assert (adam["g_lr"], adam["d_lr"], adam["beta1"], adam["beta2"]) == (2e-4, 2e-4, 0.5, 0.999)


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        ({"batch_size": "0"}, "--batch-size 0: input should be greater than or equal to 2"),
        ({"size": "100"}, "--size 100: use one of 16, 24, 32, 48, 64, 96, 128, 192, 256"),
        ({"g_lr": "nan"}, "--g-lr nan: input should be a finite number"),
        ({"device": "gpu"}, "--device gpu: use auto, cpu, cuda, cuda:N or mps"),
        ({"seeds": "3-1"}, "--seeds 3-1: 3-1 is no range of seeds from 0 to 2^63 - 1"),
        ({"seeds": "a"}, "--seeds a: seeds look like 1,5,10-20"),
        ({"recipe": "x"}, "--recipe x: input should be " + NAMES),
    ],
)
def test_values_out_of_range_name_the_flag(flags: dict[str, object], line: str) -> None:
    with pytest.raises(SettingsError) as caught:
        resolved(flags)
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("batchsize = 3", "unknown key 'batchsize'; did you mean batch_size?"),
        ("[train]\nseed = 3", "unknown table [train]; use one of data,"),
        ("[data]\nseed = 3", "'seed' belongs in [training], not [data]"),
        ("seed = ", "not a TOML file"),
        ("width = 0", "width = 0: input should be greater than or equal to 1"),
    ],
)
def test_mistakes_in_a_file_name_the_file(tmp_path: Path, text: str, line: str) -> None:
    file = tmp_path / "run.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        resolved({}, file)
    assert str(file) in str(caught.value) and line in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nothing\.toml: no such file"):
        resolved({}, tmp_path / "nothing.toml")


def test_mistakes_in_the_environment(process: Cli) -> None:
    line = error_line(process("train", ANIMEGAN_BATCHSIZE="3"))
    wanted = "unknown environment variable ANIMEGAN_BATCHSIZE; did you mean ANIMEGAN_BATCH_SIZE?"
    assert line == wanted
    line = error_line(process("train", ANIMEGAN_WIDTH="x"))
    assert line.startswith("ANIMEGAN_WIDTH=x: use a number, or tiny, small, base, large")


def test_flags_that_do_not_exist(process: Cli) -> None:
    assert error_line(process("train", "--widht", 3)).startswith("No such option: --widht")
    assert error_line(process("paint")).startswith("No such command 'paint'")


def test_widths_have_names() -> None:
    assert resolved({"width": "tiny"})["width"] == 16
    assert resolved({"width": "large"})["width"] == 128


def test_flag_names() -> None:
    assert flag_name("batch_size") == "--batch-size"
    assert flag_name("json_output") == "--json"
    assert section_of("batch_size") == "training"


def test_seeds() -> None:
    assert [seed for span in parse_seeds("1,5, 10-12") for seed in span] == [1, 5, 10, 11, 12]


def test_help_shows_every_field_of_train(process: Cli) -> None:
    text = process("train", "--help", COLUMNS="240").stdout
    for name in TRAIN_SECTIONS:
        for field, info in SECTIONS[name].model_fields.items():
            assert flag_name(field) in text
            assert info.description in text
    assert "(default: 96)" in text
    assert "(>= 2, <= 65536)" in text


def test_dry_run_shows_origins_and_trains_nothing(
    cli: Cli, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(tmp_path.rglob("*"))
    monkeypatch.setenv("ANIMEGAN_G_LR", "0.001")
    result = cli("train", "--data", photos, "--recipe", "classic", "--dry-run", "--seed", 9)
    assert result.returncode == 0, result.stderr
    rows = {row.split()[0]: row.split()[1:] for row in result.stdout.splitlines() if row.split()}
    assert rows["--seed"] == ["9", "flag"]
    assert rows["--g-lr"] == ["0.001", "environment"]
    assert rows["--beta1"] == ["0.5", "recipe", "classic"]
    assert rows["--width"] == ["64", "recipe", "classic"]
    assert rows["--size"] == ["96", "default"]
    assert rows["G"][:2] == ["3,578,432", "parameters,"]
    assert rows["D"][:2] == ["2,767,296", "parameters,"]
    assert rows["images"][0] == "10"
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("flags", ["--g-styled", "--d-zoom 2", "--family projected"])
def test_dry_run_refuses_what_a_run_would(cli: Cli, photos: Path, flags: str) -> None:
    result = cli("train", "--data", photos, "--recipe", "classic", "--dry-run", *flags.split())
    assert result.returncode == 2
    assert "go with --family projected" in result.stderr.replace("goes", "go")
    assert "Traceback" not in result.stderr


def test_dry_run_refuses_a_snapshot_of_other_networks(cli: Cli, photos: Path) -> None:
    flags = ("train", "--data", photos, "--init", "pretrained", "--dry-run")
    result = cli(*flags, "--width", 8)
    assert result.returncode == 2
    assert "its networks are those of --recipe modern" in unwrapped(result.stderr)
    assert cli(*flags).returncode == 0


def test_a_run_has_the_networks_of_the_snapshot_that_it_starts_from(
    cli: Cli, photos: Path, tmp_path: Path
) -> None:
    """And its recipe, where nothing else is said; a run that goes on reads no snapshot."""
    networks = {"width": 6, "d_width": 5, "z_dim": 7, "size": 24}
    shapes = NetworkShapes(
        "classic", {"size": 24, "width": 6, "z_dim": 7}, {"size": 24, "width": 5}
    )
    start = tmp_path / "start.safetensors"
    save_snapshot(start, *shapes.build(), shapes, "imported", 0)
    flags = ("train", "--data", photos, "--from", start)
    shown = cli(*flags, "--dry-run", "--g-lr", 0.5)
    assert shown.returncode == 0, shown.stderr
    rows = {row.split()[0]: row.split()[1:] for row in shown.stdout.splitlines() if row.split()}
    for name, value in {"recipe": "classic", **networks}.items():
        assert rows[f"--{name.replace('_', '-')}"] == [str(value), "--init"]
    assert rows["--g-lr"] == ["0.5", "flag"]
    other = cli(*flags, "--dry-run", "--width", 7)
    assert other.returncode == 2
    assert "--recipe classic --z-dim 7 --size 24 --width 6 --d-width 5" in unwrapped(other.stderr)
    modern = cli(*flags, "--dry-run", "--recipe", "modern")
    assert modern.returncode == 2
    assert "--recipe classic --z-dim 7" in unwrapped(modern.stderr)
    short = ("--batch-size", 4, "--threads", 1, "--device", "cpu", "--run", tmp_path / "run")
    begun = cli(*flags, *short, "--total-kimg", "0.004")
    assert begun.returncode == 0, begun.stderr
    start.unlink()
    assert cli("train", "--run", tmp_path / "run", "--dry-run").returncode == 0
    more = cli("train", "--run", tmp_path / "run", "--total-kimg", "0.008")
    assert more.returncode == 0, more.stderr
    assert (tmp_path / "run" / "snapshot-000000008.safetensors").is_file()
    gone = cli(*flags)
    assert gone.returncode == 2
    assert f"{start}: no such file" in unwrapped(gone.stderr)


def test_a_run_that_was_killed_before_its_first_state_has_its_settings(
    cli: Cli, photos: Path, tmp_path: Path
) -> None:
    """But for what is said now; of another recipe it begins anew."""
    run = tmp_path / "run"
    flags = ("--data", photos, "--recipe", "classic", "--size", 16, "--width", 4, "--device", "cpu")
    begun = cli("train", *flags, "--run", run, "--batch-size", 4, "--total-kimg", "0.004")
    assert begun.returncode == 0, begun.stderr
    for state in run.glob("state-*"):
        state.unlink()
    shown = cli("train", "--run", run, "--dry-run", "--width", 5)
    assert shown.returncode == 0, shown.stderr
    rows = {row.split()[0]: row.split()[1:] for row in shown.stdout.splitlines() if row.split()}
    assert rows["--recipe"] == ["classic", "run"]
    assert rows["--size"] == ["16", "run"]
    assert rows["--width"] == ["5", "flag"]
    other = cli("train", "--run", run, "--dry-run", "--recipe", "modern", "--data", photos)
    assert other.returncode == 0, other.stderr
    assert "run" not in unwrapped(other.stdout.split("\n\n")[0]).split()


def unwrapped(text: str) -> str:
    return " ".join(text.split())


def test_settings_json_is_a_config(tiny: object, tmp_path: Path) -> None:
    from animegan_cli.settings import train_fields

    tables = train_fields(tiny())  # type: ignore[operator]
    text = "".join(
        f"[{table}]\n"
        + "".join(f"{k} = {json.dumps(v)}\n" for k, v in fields.items() if v is not None)
        for table, fields in tables.items()
    )
    file = tmp_path / "again.toml"
    file.write_text(text)
    assert train_fields(Settings(**_plain(resolved({}, file)))) == tables


def _plain(values: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in values.items() if value is not None}


def test_settings_made_in_code_follow_the_recipe_too() -> None:
    assert Settings().model_dump() == resolved({})
    classic = Settings(recipe="classic", width=8)
    assert (classic.family, classic.objective, classic.width) == ("classic", "bce", 8)
    assert classic.model_copy(update={"width": 4}).d_lr == RECIPES["classic"].values["d_lr"]


def test_a_run_is_scored_on_images_made_as_its_own(tiny: Callable[..., Settings]) -> None:
    run = train(tiny(fit="pad", background="black")).run
    said = [Layer("flag", {"background": "red"})]
    for named in ({"run": str(run)}, {"snapshot": str(run / "snapshot-000000032.safetensors")}):
        settings = resolve(images_as_learnt([*said, Layer("flag", named)])).settings
        assert (settings.fit, settings.background) == ("pad", "red")
    for named in ({"fake": str(run)}, {"snapshot": "pretrained"}):
        assert resolve(images_as_learnt([Layer("flag", named)])).settings.fit == "crop"
