"""Settings fields -> Typer options."""

import functools
import inspect
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from animegan_cli.errors import SettingsError
from animegan_cli.settings import SECTIONS, Settings, preset
from animegan_cli.sources import Layer, explicit_layers, first_value, flag_name, resolve

_DEFAULTS = Settings()  # of the default recipe
_SHAPING = ("fit", "background")  # what files look like as images

Config = Annotated[
    Path | None,
    typer.Option("--config", help="TOML file of settings.", metavar="FILE", show_default=False),
]


def with_settings(
    *sections: str,
    fill: Callable[[list[Layer]], list[Layer]] = lambda layers: layers,
    short: Mapping[str, str] | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one option for every field of some sections.

    The command is called with ``resolved`` and with whatever other parameters it declares.
    ``fill`` may add layers below what the user said, such as a continued run's settings;
    ``short`` gives fields a second flag, where a command leaves no doubt of what is meant.
    """
    fields = {name: info for key in sections for name, info in SECTIONS[key].model_fields.items()}
    titles = {name: SECTIONS[key].title for key in sections for name in SECTIONS[key].model_fields}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def wrapper(**arguments: Any) -> None:
            flags = {name: arguments.pop(name) for name in fields}
            said = {name: value for name, value in flags.items() if value is not None}
            layers = fill(explicit_layers(said, arguments.pop("config")))
            command(resolved=resolve(layers), **arguments)

        own = inspect.signature(command, eval_str=True).parameters
        wrapper.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [parameter for name, parameter in own.items() if name != "resolved"]
            + [
                _parameter(name, info, titles[name], (short or {}).get(name))
                for name, info in fields.items()
            ]
            + [
                inspect.Parameter(
                    "config", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Config
                )
            ]
        )
        return wrapper

    return decorate


def what_goes_on(layers: list[Layer]) -> list[Layer]:
    """Add, below what the user said, settings of what a training goes on from.

    They are all those of the run that ``--run`` names, if it was started, or else recipe and sizes
    of the snapshot that ``--init`` names. A length that the user gives replaces the run's length as
    a whole; a recipe begins a run of another one anew, while it has no state.

    Raises:
        SnapshotError: if that run's settings or that snapshot cannot be read.
    """
    from animegan_cli.run_dir import open_run

    path = _path(layers, "run")
    run = open_run(path) if path is not None else None
    stored = run.read_settings() if run is not None else {}
    if run is not None and not run.states():
        recipe = first_value(layers, "recipe")
        stored = stored if recipe in (None, stored.get("recipe")) else {}
    if not stored:
        return [*layers, *_networks_of_init(layers)]
    length = SECTIONS["length"].model_fields
    if any(first_value(layers, field) is not None for field in length):
        stored = {key: value for key, value in stored.items() if key not in length}
    return [*layers, Layer("run", {key: v for key, v in stored.items() if key != "run"})]


def images_as_learnt(layers: list[Layer]) -> list[Layer]:
    """Add, below what the user said, how the run that is scored made its images of files.

    Raises:
        SnapshotError: if there is no such run, or its settings cannot be read.
    """
    if _path(layers, "fake") is not None:
        return layers
    from animegan_cli.run_dir import RunDir, find_snapshot

    snapshot = _path(layers, "snapshot") or find_snapshot(_path(layers, "run"))
    run = RunDir(snapshot.parent)
    if not run.stats.is_file():  # some file beside others
        return layers
    stored = run.read_settings()
    return [*layers, Layer("run", {key: stored[key] for key in _SHAPING if key in stored})]


def _path(layers: list[Layer], field: str) -> Path | None:
    """Return the strongest path given for a field; None without, or for what is no path.

    That is refused, with its source, where all settings are resolved.
    """
    given = first_value(layers, field)
    try:
        path: Path | None = getattr(resolve([Layer("", {field: given})]).settings, field)
    except SettingsError:
        return None
    return path


def _networks_of_init(layers: list[Layer]) -> list[Layer]:
    path = _path(layers, "init")
    if path is None:
        return []
    from animegan_cli.checkpoints import load_snapshot
    from animegan_cli.starting_weights import networks_of

    snapshot = load_snapshot(path)
    values = networks_of(snapshot)
    recipe = first_value(layers, "recipe") or values["recipe"]
    family = first_value(layers, "family") or preset(recipe).get("family")
    return [Layer("--init", values)] if family == snapshot.shapes.family else []


def _parameter(
    name: str, info: FieldInfo, panel: str, short: str | None = None
) -> inspect.Parameter:
    flag = flag_name(name)
    names: tuple[str, ...]
    if info.annotation in (bool, bool | None):
        kind: Any = bool | None
        names = (flag,) if flag == "--json" else (f"{flag}/--no-{flag[2:]}",)
        metavar = None
    else:  # text, so that pydantic alone judges values, whatever source they came from
        kind, metavar = str | None, _metavar(info)
        names = (short, flag) if short else (flag,)
    default = getattr(_DEFAULTS, name)
    shown = "" if default in (None, False) else f" (default: {_shown(name, default)})"
    option = typer.Option(
        *names,
        help=f"{info.description}{_bounds(info)}{shown}",
        metavar=metavar,
        show_default=False,
        rich_help_panel=panel,
    )
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind, option],
    )


def _shown(name: str, default: object) -> str:
    if isinstance(default, bool):
        return flag_name(name)
    return f"{default:g}" if isinstance(default, float) else str(default)


def _metavar(info: FieldInfo) -> str:
    kind: Any = info.annotation
    while get_origin(kind) in (Annotated, types.UnionType, Union):
        kind = get_args(kind)[0]
    if get_origin(kind) is Literal:
        return "|".join(map(str, get_args(kind)))
    return {int: "INTEGER", float: "NUMBER", Path: "PATH"}.get(kind, "TEXT")


def _bounds(info: FieldInfo) -> str:
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    parts = [
        f"{sign} {getattr(bound, name):g}"
        for bound in info.metadata
        for name, sign in signs.items()
        if getattr(bound, name, None) is not None and abs(getattr(bound, name)) < 2**62
    ]
    return f" ({', '.join(parts)})" if parts else ""
