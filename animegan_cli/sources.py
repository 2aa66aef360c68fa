"""Where settings come from: flag, environment, TOML file, what it goes on from, recipe, default."""

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from animegan_cli.errors import SettingsError
from animegan_cli.settings import SECTIONS, Settings, preset, section_of

ENV_PREFIX = "ANIMEGAN_"


@dataclass(frozen=True)
class Layer:
    """Values that one source gives; ``label`` names the source where settings are shown."""

    label: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Resolved:
    """Settings, and for every field the label of the source that its value came from."""

    settings: Settings
    origin: dict[str, str]


def flag_name(field: str) -> str:
    """Return the flag of a field: ``batch_size`` -> ``--batch-size``."""
    extra = Settings.model_fields[field].json_schema_extra
    flag = extra.get("flag") if isinstance(extra, dict) else None
    return str(flag or "--" + field.replace("_", "-"))


def explicit_layers(flags: Mapping[str, Any], config: Path | None) -> list[Layer]:
    """Collect what the user said, strongest first: flags, environment, TOML file.

    Raises:
        SettingsError: for an unreadable file, an unknown variable or an unknown key.
    """
    layers = [Layer("flag", dict(flags)), Layer("environment", _environment())]
    if config is not None:
        layers.append(Layer(str(config), _toml(config)))
    return layers


def first_value(layers: Sequence[Layer], field: str) -> Any:
    """Return the strongest value given for a field, or None."""
    return next((layer.values[field] for layer in layers if field in layer.values), None)


def resolve(layers: Sequence[Layer]) -> Resolved:
    """Merge layers (strongest first) with the recipe's values and the defaults.

    Raises:
        SettingsError: if a value does not fit its field; the line names flag, value and source.
    """
    recipe = first_value(layers, "recipe") or Settings.model_fields["recipe"].default
    merged: dict[str, Any] = {}
    origin = dict.fromkeys(Settings.model_fields, "default")
    for layer in [Layer(f"recipe {recipe}", preset(recipe)), *reversed(layers)]:
        merged |= layer.values
        origin |= dict.fromkeys(layer.values, layer.label)
    try:
        return Resolved(Settings.model_validate(merged), origin)
    except ValidationError as error:
        raise SettingsError(_explain(error, origin)) from None


def _environment() -> dict[str, Any]:
    names = {
        name.removeprefix(ENV_PREFIX).lower(): name
        for name in map(str.upper, os.environ)
        if name.startswith(ENV_PREFIX)
    }
    for field, name in names.items():
        if field not in Settings.model_fields:
            raise SettingsError(f"unknown environment variable {name}{_hint(field, ENV_PREFIX)}")
    if not names:
        return {}
    from pydantic_settings import BaseSettings, EnvSettingsSource  # slow to import, rarely needed

    class Environment(Settings, BaseSettings):  # type: ignore[misc]
        pass

    return dict(EnvSettingsSource(Environment, env_prefix=ENV_PREFIX)())


def _toml(path: Path) -> dict[str, Any]:
    from pydantic_settings import BaseSettings, TomlConfigSettingsSource

    if not path.is_file():
        raise SettingsError(f"--config {path}: no such file")
    try:
        tables = TomlConfigSettingsSource(BaseSettings, path)()
    except (ValueError, OSError) as error:
        raise SettingsError(f"--config {path}: not a TOML file: {error}") from None
    flat: dict[str, Any] = {}
    for key, value in tables.items():
        if isinstance(value, dict):
            _check_table(path, key, value)
            flat |= value
        else:
            flat[key] = value
    for key in flat:
        if key not in Settings.model_fields:
            raise SettingsError(f"{path}: unknown key {key!r}{_hint(key)}")
    return flat


def _check_table(path: Path, table: str, values: Mapping[str, Any]) -> None:
    if table not in SECTIONS:
        raise SettingsError(f"{path}: unknown table [{table}]; use one of {', '.join(SECTIONS)}")
    for key in values:
        if key in Settings.model_fields and key not in SECTIONS[table].model_fields:
            raise SettingsError(f"{path}: {key!r} belongs in [{section_of(key)}], not [{table}]")


def _hint(field: str, prefix: str = "") -> str:
    close = difflib.get_close_matches(field, Settings.model_fields, n=1)
    if not close:
        return "; see animegan train --help"
    return f"; did you mean {prefix}{close[0].upper() if prefix else close[0]}?"


def _explain(error: ValidationError, origin: Mapping[str, str]) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        field = str(problem["loc"][0])
        message = problem["msg"].removeprefix("Value error, ")
        message = message[0].lower() + message[1:]
        where = origin.get(field, "flag")
        if where == "environment":
            what = f"{ENV_PREFIX}{field.upper()}={problem['input']}"
        elif where == "flag":
            what = f"{flag_name(field)} {problem['input']}"
        else:
            what = f"{where}: {field} = {problem['input']!r}"
        lines.append(f"{what}: {message}")
    return "; ".join(dict.fromkeys(lines))
