"""Resolve, check, write and read a run's configuration.

A flag beats the environment, which beats the project file, which beats a file, which beats the algorithm's preset,
which beats the data set's preset, which beats the default (moore_engine/schema.py). Every error is a ConfigError of one
sentence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import tomli

from moore_engine.config_checks import check_across, convert, describe, kind_of
from moore_engine.presets import (
    ConfigError,
    Layer,
    algorithm_layers,
    algorithm_of,
    layer,
    nearest,
    preset_layers,
    profile_layer,
    read_toml,
)
from moore_engine.presets import names as presets
from moore_engine.schema import ALGORITHMS, SECTIONS, Config, attribute, get, keys, stages

__all__ = [
    "ALGORITHMS",
    "LIVE_KEYS",
    "Config",
    "ConfigError",
    "Resolved",
    "check_launchable",
    "describe",
    "dumps",
    "get",
    "keys",
    "live_keys",
    "load",
    "presets",
    "resolve",
    "set_value",
    "sha256",
    "toml",
    "value_of",
]

LIVE_KEYS = frozenset(
    {
        "online.alpha",
        "online.epochs",
        "offline.penalty_coef",
        "eval.every_epochs",
        "eval.episodes",
        "checkpoint.every_epochs",
        "checkpoint.keep",
        "collect.target_return",
    }
)
"""Keys that a request may change in a running trainer; `live_keys` says which of them in whose."""

FLAGS = {
    "algo": "run.algo",
    "seed": "run.seed",
    "data": "data.path",
    "name": "run.name",
    "from": "run.from",
    "task": "data.task",
    "ref-min": "data.ref_min",
    "ref-max": "data.ref_max",
    "kind": "collect.kind",
    "steps": "collect.steps",
    "random-steps": "collect.random_steps",
    "train-steps": "collect.train_steps",
    "target-return": "collect.target_return",
    "output": "collect.output",
    "id": "collect.id",
    "author": "collect.author",
    "code-permalink": "collect.code_permalink",
}
"""Flags with a name of their own, and the key each sets."""


class Resolved(msgspec.Struct, frozen=True):
    """A checked configuration, where each "section.key" came from, and remarks that are not errors."""

    config: Config
    sources: dict[str, str]
    warnings: list[str] = []


def resolve(
    preset_or_file: str | Path | None = None,
    *,
    project: Path | None = None,
    env: Mapping[str, str] | None = None,
    sets: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
    profile: str | None = None,
) -> Resolved:
    """Put the layers together, lowest first: default, data set's preset, algorithm's preset, FILE.toml, profile,
    project file, environment, flags.

    `project` is the project file's path (skipped if there is none), `env` the environment (only MOORE_SECTION__KEY is
    read), `sets` the `section.key=value` of --set, `flags` values by FLAGS' names (None is skipped; `algo` may name a
    variant of an algorithm's preset).
    Raises ConfigError.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    variant = given.get("algo")
    if variant is not None:
        given["algo"] = algorithm_of(variant)
    over = [layer(read_toml(project), project)] if project is not None and project.is_file() else []
    over += [_environment(env or {}), _set_layer(sets), {FLAGS[name]: (given[name], f"--{name}") for name in given}]
    builtin, own = preset_layers(preset_or_file) if preset_or_file is not None else ([], [])
    wanted = _stacked([*builtin, *own, *over])
    algo, task = wanted["run.algo"][0], wanted["data.task"][0]
    if variant is not None or not any(each.get("run.algo", ("",))[0] == algo for each in builtin):
        builtin += algorithm_layers(variant or algo, Path(str(preset_or_file)).stem, task)
    below = _stacked([*builtin, *own])
    if profile is not None:
        below |= _checked(profile_layer(profile, {key: value for key, (value, _) in below.items()}))
    merged = _stacked([below, *over])
    config = _build({key: value for key, (value, _) in merged.items()})
    own_alpha = merged["online.alpha"] != below["online.alpha"]
    return Resolved(config, {key: source for key, (_, source) in merged.items()}, _remarks(config, own_alpha))


def _stacked(layers: Sequence[Layer]) -> Layer:
    """All keys: the defaults, and over them the layers, lowest first."""
    config = Config()
    merged: Layer = {key: (get(config, key), "default") for key in keys()}
    for each in layers:
        merged |= _checked(each)
    return merged


def load(path: Path | str) -> Config:
    """A run's frozen config.toml."""
    table = read_toml(Path(path))
    return _build({key: value for key, (value, _) in _checked(layer(table, Path(path))).items()})


def dumps(config: Config, sources: Mapping[str, str] | None = None) -> str:
    """TOML text with every key written, each followed by where it came from if `sources` are given."""
    lines: list[str] = []
    for key in keys():
        section, name = key.split(".")
        if f"[{section}]" not in lines:
            lines += ([""] if lines else []) + [f"[{section}]"]
        line = f"{name} = {toml(get(config, key))}"
        lines.append(f"{line}  # {toml(sources[key])[1:-1]}" if sources else line)
    return "\n".join(lines) + "\n"


def toml(value: Any) -> str:
    """A value as TOML; None is the word "none"."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml, value))}]"
    if value is None or isinstance(value, str):
        return json.dumps("none" if value is None else value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool) else repr(value)


def sha256(config: Config) -> str:
    """Digest of the configuration's values."""
    import hashlib

    return hashlib.sha256(dumps(config).encode()).hexdigest()


def set_value(config: Config, key: str, value: Any, *, live: bool = False) -> Config:
    """`config` with "section.key" set to `value` (text is read as TOML, else as a bare string).

    With `live`, only the `live_keys` of its algorithm may be set. Raises ConfigError.
    """
    allowed = live_keys(config.run.algo)
    if live and key in keys() and key not in allowed:
        raise ConfigError(f"{key} cannot change while a run is going; these can: {', '.join(sorted(allowed))}.")
    value = _parse(key, value, "set") if isinstance(value, str) else value
    values = {each: get(config, each) for each in keys()}
    return _build(values | {each: new for each, (new, _) in _checked({key: (value, "set")}).items()})


def value_of(key: str, text: str, where: str = "set") -> Any:
    """What `text` gives "section.key" by itself, whatever the other keys are; raises ConfigError."""
    return convert(key, _parse(key, text, where), where)


def live_keys(algo: str) -> frozenset[str]:
    """The LIVE_KEYS that mean something to a run of this algorithm."""
    sections = ("eval", "checkpoint", "collect") if algo == "collect" else ("eval", "checkpoint", "offline", "online")
    return frozenset(key for key in LIVE_KEYS if key.partition(".")[0] in sections)


def check_launchable(config: Config) -> None:
    """Raise ConfigError unless the data set is named, which may name the task itself; an algorithm without an offline
    stage needs none, but then the task."""
    if config.run.algo == "collect":
        for key in ("data.path", "run.from"):
            if get(config, key):
                raise ConfigError(f'{key} = {toml(get(config, key))} has no meaning where run.algo = "collect".')
    elif not config.data.path and "offline" in stages(config.run.algo):
        raise ConfigError("data.path is empty: name a data set with --data FILE, or start from the preset quickstart.")
    if not config.data.task and not config.data.path:
        raise ConfigError("data.task is empty: name the Gymnasium task with --task Hopper-v4.")


def _environment(env: Mapping[str, str]) -> Layer:
    """MOORE_SECTION__KEY variables; one that names no key is an error, other MOORE_ variables are not ours."""
    by_variable = {f"MOORE_{key.replace('.', '__')}".upper(): key for key in keys()}
    found: Layer = {}
    for variable, text in env.items():
        if not variable.startswith("MOORE_") or "__" not in variable:
            continue
        if variable not in by_variable:
            raise ConfigError(f"The environment variable {variable} names no key{nearest(variable, by_variable)}")
        key = by_variable[variable]
        found[key] = (_parse(key, text, variable), variable)
    return found


def _set_layer(sets: Sequence[str]) -> Layer:
    found: Layer = {}
    for text in sets:
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals:
            raise ConfigError(f'--set takes section.key=value, got "{text}".')
        found[key] = (_parse(key, value, "--set"), "--set")
    return found


def _parse(key: str, text: str, where: str) -> Any:
    """Value of a text: TOML if it is TOML, else the text itself; a key that holds text takes it as it is."""
    kind = kind_of(key, where)
    if not text.startswith(('"', "'")):
        try:
            return msgspec.convert(text, kind)
        except msgspec.ValidationError:
            pass
    try:
        return tomli.loads(f"value = {text}")["value"]
    except tomli.TOMLDecodeError:
        return text


def _checked(settings: Layer) -> Layer:
    """Settings with every value of its key's type and range."""
    return {key: (convert(key, value, where), where) for key, (value, where) in settings.items()}


def _build(values: Mapping[str, Any]) -> Config:
    """Config of checked values by "section.key" (missing ones take the default), checked across keys too."""
    parts: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for key, value in values.items():
        section, name = key.split(".")
        parts[section][attribute(name)] = value
    sections: dict[str, Any] = {section: struct(**parts[section]) for section, struct in SECTIONS.items()}
    config = Config(**sections)
    check_across(config)
    return config


def _remarks(config: Config, own_alpha: bool) -> list[str]:
    """Settings that are valid but do nothing."""
    if own_alpha and config.online.sampler != "priority":
        return [f'online.alpha has no effect unless online.sampler = "priority" (it is "{config.online.sampler}").']
    return []
