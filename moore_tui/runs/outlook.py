"""What a draft gives: every key's value and source, the runs' names, what is wrong with it; without the engine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from moore_engine import config as configs
from moore_engine.config_checks import Description, choices
from moore_engine.data import catalogue
from moore_engine.presets import FOLDER, algorithm_of, profiles, read_toml, variants
from moore_engine.schema import ALGORITHMS
from moore_tui.runs import launch, store
from moore_tui.runs.draft import ALGO, DATA, FROM, NAME, PROFILE, SEED, SOURCE, Draft, read_seeds
from moore_tui.runs.errors import ConsoleError

HERE = "changed here"
"""Source of a value that was typed into the draft."""


@dataclass(frozen=True)
class Outlook:
    """Values as text and their sources by key; `problems` and `warnings` are sentences, the former by field or key.

    `config` is the whole configuration, None where the parts do not fit together; a run can start only without
    problems. `names` are those that the runs of `seeds` will have.
    """

    values: Mapping[str, str]
    sources: Mapping[str, str]
    problems: Mapping[str, str]
    warnings: Sequence[str] = ()
    config: configs.Config | None = None
    seeds: Sequence[int] = ()
    names: Sequence[str] = ()


def look(draft: Draft, runs: Path) -> Outlook:
    """All layers put together and checked; takes some milliseconds, never raises."""
    problems: dict[str, str] = {}
    base = _base(draft, problems)
    values = {key: text(configs.get(base.config, key)) for key in configs.keys()}
    sources = {key: f"run {draft.copy_of}" if where == "config.toml" else where for key, where in base.sources.items()}
    for key, typed in _typed(draft).items():
        values[key], sources[key] = typed, HERE
        if wrong := check(key, typed):
            problems[key] = wrong
    seeds = _seeds(draft, problems)
    whole = _whole(draft, runs, problems)
    if whole:
        values.update({key: text(configs.get(whole.config, key)) for key in configs.keys() if key not in _typed(draft)})
    seeds = seeds or [(whole or base).config.run.seed]
    names = _names(draft, (whole or base).config.run.name, seeds, runs, problems)
    warnings = [*(whole.warnings if whole else ()), *_crowd(seeds)]
    return Outlook(values, sources, problems, warnings, whole.config if whole else None, seeds, names)


def check(key: str, typed: str) -> str | None:
    """What is wrong with a key's value by itself, in one sentence; `run.seed` takes several."""
    try:
        if key == SEED:
            read_seeds(typed)
        else:
            configs.value_of(key, typed, "typed")
    except configs.ConfigError as error:
        return str(error)
    return None


def remark(draft: Draft, key: str, typed: str, runs: Path) -> str | None:
    """What would not fit, or have no effect, if a key had this value, which is right by itself."""
    if check(key, typed):
        return None
    there = look(draft.change(key, typed), runs)
    told = [there.problems.get(key), *there.problems.values(), *there.warnings]
    return next((each for each in told if each and key in each), None)


def presets() -> list[tuple[str, str]]:
    """Every preset with what it says about itself, the quickstart first."""
    heads = [(name, read_toml(FOLDER / f"{name}.toml")) for name in configs.presets()]
    lines = [(name, str(head.get("about") or head.get("source") or "")) for name, head in heads]
    return sorted(lines, key=lambda each: (each[0] != "quickstart", each[0]))


def algorithms() -> list[tuple[str, str]]:
    """Every algorithm that learns from the same run, and the other presets that some have, with what they are."""
    found = [(name, each.about) for name, each in ALGORITHMS.items() if name != "collect"]
    return found + [
        (name, f"{algorithm_of(name)} with the settings of its {name.removeprefix(algorithm_of(name) + '-')}")
        for name in variants()
        if name not in ALGORITHMS
    ]


def profile_names() -> list[str]:
    """Profiles for smaller machines."""
    return list(profiles())


@cache
def describe() -> dict[str, Description]:
    """What each key is about and what it takes, in the order they are written."""
    return {each.key: each for each in configs.describe()}


def offers(key: str) -> list[str]:
    """The values of a key that takes one of a few words; none where it takes others too."""
    parts = describe()[key].allowed.split(" or ")
    return parts if parts == ["true", "false"] else choices(key) if all(part[0] == '"' for part in parts) else []


def data_sets() -> list[tuple[str, str]]:
    """The data sets on this machine that have a name, each with its task."""
    bundled = [(f"bundled:{each.stem}", "comes with the program") for each in _bundled()]
    fetched = [(each.name, f"{each.task}, downloaded") for each in catalogue.d4rl().values() if each.path.is_file()]
    minari = [(f"{catalogue.MINARI}{each.name}", each.task or "") for each in catalogue.minari_sets()]
    return bundled + fetched + minari


def check_source(typed: str) -> str | None:
    """What is wrong with a file to take a configuration from."""
    try:
        launch.resolve(launch.Wish(typed.strip() or "?"))
    except configs.ConfigError as error:
        return str(error)
    return None


def completions(typed: str) -> list[str]:
    """Data sets that begin with `typed`: those with a name, and HDF5 files."""
    named = [name for name, _ in data_sets()]
    return [each for each in named if each.startswith(typed) and each != typed] + paths(typed, (".hdf5", ".h5"))


def paths(typed: str, endings: Sequence[str]) -> list[str]:
    """Files with one of these endings, and the folders on the way to them, that begin with `typed`."""
    folder, slash, _ = typed.rpartition("/")
    try:
        entries = sorted(Path(folder + slash or ".").expanduser().iterdir())
    except OSError:
        return []
    found = [
        f"{folder}{slash}{each.name}{'/' if each.is_dir() else ''}"
        for each in entries
        if not each.name.startswith(".") and (each.suffix in endings or each.is_dir())
    ]
    return [each for each in found if each.startswith(typed) and each != typed]


def text(value: Any) -> str:
    """A value as it is written after `--set key=`."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(text(item) for item in value)}]"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if value != "" else '""'


def _bundled() -> list[Path]:
    return sorted((FOLDER.parent / "data").glob("*.hdf5"))


def _base(draft: Draft, problems: dict[str, str]) -> configs.Resolved:
    """What the source and the profile give by themselves; the defaults where they are wrong."""
    found = configs.Resolved(configs.Config(), dict.fromkeys(configs.keys(), "default"))
    try:
        found = launch.resolve(launch.Wish(draft.source))
    except configs.ConfigError as error:
        problems[SOURCE] = str(error)
        return found
    try:
        found = launch.resolve(launch.Wish(draft.source, profile=draft.profile))
    except configs.ConfigError as error:
        problems[PROFILE] = str(error)
    try:
        flags = {"algo": draft.algo} if draft.algo else {}
        return launch.resolve(launch.Wish(draft.source, flags=flags, profile=None if problems else draft.profile))
    except configs.ConfigError as error:
        problems[ALGO] = str(error)
        return found


def _typed(draft: Draft) -> dict[str, str]:
    """What was typed at keys of the configuration; the seeds are no single value."""
    algo = algorithm_of(draft.algo) if draft.algo else ""
    apart = {ALGO: algo, DATA: draft.data, NAME: draft.name, FROM: draft.origin}
    return {**draft.edits, **{key: typed for key, typed in apart.items() if typed}}


def _whole(draft: Draft, runs: Path, problems: dict[str, str]) -> configs.Resolved | None:
    """Everything together; what does not fit is blamed on the key it names, one that was changed here if it can be."""
    try:
        resolved = launch.resolve(launch.from_run(draft.wish(), runs))
    except ConsoleError as error:
        problems.setdefault(FROM, str(error))
        return None
    except configs.ConfigError as error:
        if not problems:
            problems[_blamed(str(error), draft)] = str(error)
        return None
    try:
        configs.check_launchable(resolved.config)
    except configs.ConfigError as error:
        problems.setdefault(_blamed(str(error), draft), str(error))
    return resolved


def _blamed(sentence: str, draft: Draft) -> str:
    """The key that a sentence is about."""
    named = [key for key in configs.keys() if key in sentence]
    changed = [key for key in named if key in draft.edits]
    return (changed or sorted(named, key=sentence.index) or [SOURCE])[0]


def _seeds(draft: Draft, problems: dict[str, str]) -> list[int]:
    try:
        return read_seeds(draft.seeds)
    except configs.ConfigError as error:
        problems[SEED] = str(error)
        return []


def _names(draft: Draft, name: str, seeds: Sequence[int], runs: Path, problems: dict[str, str]) -> list[str]:
    """Names of the runs to be; a given one must be free."""
    if not name:
        stem = launch.stem(launch.Wish(draft.source, flags={"algo": draft.algo}, stem=draft.stem))
        return [next(store.free_names(f"{stem}-s{seed}", runs)) for seed in seeds]
    given = launch.names(name, seeds)
    try:
        for each in given:
            launch.check_name(each, runs)
    except ConsoleError as error:
        problems.setdefault(NAME, str(error))
    return given


def _crowd(seeds: Sequence[int]) -> list[str]:
    cores = len(os.sched_getaffinity(0))
    return [f"{len(seeds)} runs start at once and share {cores} cores."] if len(seeds) > 1 else []
