"""Presets: TOML files of settings, each number with its source, that may build on another (`extends`).

A preset's `source` line, or one of its `[sources]` table for a section or key, says where its numbers come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tomli

FOLDER = Path(__file__).parent / "presets"
HEADER = ("extends", "source", "sources", "about")

Layer = dict[str, tuple[Any, str]]


class ConfigError(ValueError):
    """One sentence: which key or file, what is wrong, what is allowed, the nearest valid name."""


def names() -> tuple[str, ...]:
    """Presets a run can start from."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def profiles() -> tuple[str, ...]:
    """Profiles: reductions of any preset for a smaller machine."""
    return tuple(sorted(path.stem for path in (FOLDER / "profiles").glob("*.toml")))


def nearest(name: str, known: Iterable[str]) -> str:
    """The clause "; did you mean X?" for an unknown name, else the list of known ones."""
    import difflib

    options = list(known)
    found = difflib.get_close_matches(name, options, n=1, cutoff=0.5)
    return f"; did you mean {found[0]}?" if found else f"; known: {', '.join(options)}."


def variants() -> tuple[str, ...]:
    """Presets of algorithms, for `--algo`; those for one data set or task only are found by themselves."""
    stems = sorted(path.stem for path in (FOLDER / "algorithms").glob("*.toml"))
    return tuple(stem for stem in stems if "algo" in _read(stem).get("run", {}))


def algorithm_of(variant: str) -> str:
    """The algorithm that a preset of algorithms is for; `variant` itself if there is no such preset."""
    return str(_read(variant)["run"]["algo"]) if variant in variants() else variant


def algorithm_layers(variant: str, preset: str, task: str) -> list[Layer]:
    """Settings of an algorithm's preset, base first: the one for this preset of a data set, or else for the task's
    family, if there is one. None for algorithms whose settings stand in the data sets' presets."""
    family = task.rpartition(":")[2].partition("-")[0].lower()
    for stem in (f"{variant}-{preset}", f"{variant}-{family}", variant):
        if (path := FOLDER / "algorithms" / f"{stem}.toml").is_file():
            return preset_layers(path)[0]
    return []


def _read(stem: str) -> dict[str, Any]:
    return read_toml(FOLDER / "algorithms" / f"{stem}.toml")


def preset_layers(preset_or_file: str | Path) -> tuple[list[Layer], list[Layer]]:
    """Settings of a preset or a file and all it extends, base first: "section.key" -> (value, where it came from).

    First those of built-in presets, then those of files. Raises ConfigError for an unknown name, an unreadable or
    malformed file, and a preset that extends itself.
    """
    builtin: list[Layer] = []
    own: list[Layer] = []
    seen: list[Path] = []
    path: Path | None = find(preset_or_file)
    while path is not None:
        if path in seen:
            raise ConfigError(f"{seen[-1]} extends {path}, which extends it: a preset cannot build on itself.")
        seen.append(path)
        table = read_toml(path)
        (builtin if path.is_relative_to(FOLDER) else own).insert(0, layer(table, path))
        parent = table.get("extends")
        path = None if parent is None else find(parent, beside=path.parent)
    return builtin, own


def profile_layer(name: str, current: Mapping[str, Any]) -> Layer:
    """What profile `name` reduces of the `current` values ("section.key" -> value).

    A value already as small is kept; 0 in a `max_` key means no limit, and is reduced.
    """
    path = FOLDER / "profiles" / f"{name}.toml"
    if name not in profiles():
        raise ConfigError(f'There is no profile "{name}"{nearest(name, profiles())}')
    reduced: Layer = {}
    for key, (value, _) in layer(read_toml(path), path).items():
        before = current[key]
        unlimited = before == 0 and ".max_" in key
        if unlimited or before > value:
            reduced[key] = (value, f"profile {name} (reduced from {'no limit' if unlimited else f'{before:g}'})")
    return reduced


def find(preset_or_file: str | Path, beside: Path | None = None) -> Path:
    """Path of a preset's name or of a file (relative to `beside`, else to the working directory)."""
    text = str(preset_or_file)
    if text.endswith(".toml") or "/" in text:
        path = (beside or Path()) / text
        if not path.is_file():
            raise ConfigError(f"There is no file {path}; name a TOML file or one of the presets {', '.join(names())}.")
        return path.resolve()
    for folder in (FOLDER, FOLDER / "algorithms", FOLDER / "base"):
        if (folder / f"{text}.toml").is_file():
            return folder / f"{text}.toml"
    raise ConfigError(f'There is no preset "{text}"{nearest(text, names())}')


def read_toml(path: Path) -> dict[str, Any]:
    """Table of a TOML file; a syntax error names the file, line and column."""
    try:
        return tomli.loads(path.read_text(encoding="utf-8"))
    except tomli.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text (byte {error.start}).") from None
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}.") from None


def layer(table: Mapping[str, Any], path: Path) -> Layer:
    """Flatten a file's sections, each value with where it came from; a data file beside it becomes absolute."""
    builtin = path.is_relative_to(FOLDER)
    where = f"preset {path.stem}" if builtin else path.name
    sources = table.get("sources", {})
    flat: Layer = {}
    for section, entries in table.items():
        if section in HEADER:
            continue
        if not isinstance(entries, dict):
            raise ConfigError(f"{section} in {path.name} must be a section: write [{section}] and its keys below it.")
        for name, value in entries.items():
            key = f"{section}.{name}"
            source = sources.get(key) or sources.get(section) or table.get("source")
            if key == "data.path" and not builtin and isinstance(value, str) and (path.parent / value).is_file():
                value = str((path.parent / value).resolve())
            flat[key] = (value, f"{where} ({source})" if source else where)
    return flat
