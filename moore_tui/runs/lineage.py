"""Which runs belong together: what a branch inherits from the run it began from, and runs that differ in seed only.

No third-party library.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from moore_engine import config as configs
from moore_engine import control, events
from moore_engine.config_checks import convert
from moore_engine.rundir import RunDir, read_json
from moore_engine.schema import ALGORITHMS
from moore_tui.runs import plan

PER_RUN = ("run.name", "run.seed", "run.from", "run.device", "run.threads", "data.path")
"""Keys in which runs of one group may differ; a data set is known by its sha256."""
DATA = "data.sha256"


def history(run: RunDir) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(visible events of the run, those of the runs it branched off, oldest first, up to the state it began from).

    A run without events, or whose parent is gone, gives empty lists.
    """
    return _visible(run), _inherited(run, frozenset())


@dataclass(frozen=True)
class Changed:
    """A key that was changed live: its values one after the other, whenever that was."""

    values: tuple[Any, ...]

    def __str__(self) -> str:
        return " then ".join(map(_text, self.values))


class _NoEffect:
    def __repr__(self) -> str:
        return "no effect"


MODEL_KEYS = (
    "model_every", "rollout_every", "rollout_batch", "rollout_length", "rollout_growth", "retain_epochs",
    "penalty_coef", "penalty_anneal", "real_ratio", "sampler", "max_updates", "initial_rollout",
)  # fmt: skip
"""Keys of either stage that are of models and rollouts."""

NO_EFFECT: Final = _NoEffect()
"""Value of a key that does nothing in a run; runs do not differ in it."""


def settings(run: RunDir) -> dict[str, Any]:
    """What the run goes by: "section.key" -> value, without the keys that tell runs of one group apart.

    A key that the frozen configuration lacks has its default; one that was changed live is `Changed`.
    """
    table = tomllib.loads(run.config.read_text(encoding="utf-8"))
    written = {f"{section}.{key}": value for section, keys in table.items() for key, value in keys.items()}
    found = {key: configs.get(configs.Config(), key) for key in configs.keys()}
    found |= {key: _value(key, value) for key, value in written.items()}
    for ack in control.acknowledged(run, "set"):
        args = ack.get("args")
        if isinstance(args, dict) and args.get("key") in found:
            key, before = args["key"], found[args["key"]]
            value, earlier = _value(key, args.get("value")), before.values if isinstance(before, Changed) else (before,)
            found[key] = before if value == earlier[-1] else Changed((*earlier, value))
    idle = _idle(found)
    return {key: NO_EFFECT if idle(key) else value for key, value in found.items() if key not in PER_RUN}


def groups(runs: Sequence[RunDir]) -> dict[str, list[RunDir]]:
    """Runs by what they differ in beside the seed, as "online.sampler=uniform" -> runs; a single group is called ""."""
    return {label: [runs[i] for i in members] for label, members in alike([settings(run) for run in runs]).items()}


def alike(every: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    """Configurations (as `settings` gives them) that are equal, by place; the label says what tells them apart."""
    telling = [key for key, _ in differences(every)]
    return {_label(every[members[0]], telling): members for members in equal(every)}


def equal(every: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """The places of configurations that are equal."""
    telling = [key for key, _ in differences(every)]
    found: dict[tuple[str, ...], list[int]] = {}
    for place, each in enumerate(every):
        found.setdefault(tuple(repr(each.get(key)) for key in telling), []).append(place)
    return list(found.values())


def differences(every: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Any]]]:
    """Keys in which configurations differ, each with its value in every one of them; the data set comes last."""
    keys = sorted(dict.fromkeys(key for each in every for key in each), key=lambda key: key == DATA)
    values = [(key, [each.get(key) for each in every]) for key in keys]
    return [(key, found) for key, found in values if len({repr(one) for one in found if one is not NO_EFFECT}) > 1]


def brief(key: str, value: Any) -> Any:
    """A value as a label has it: of a digest the beginning."""
    return str(value)[:12] if key == DATA else value


def _value(key: str, value: Any) -> Any:
    """A value as its key has it; as it was written where the key is unknown, or does not allow it."""
    try:
        return configs.value_of(key, value, "") if isinstance(value, str) else convert(key, value, "")
    except configs.ConfigError:
        return value


def _idle(values: Mapping[str, Any]) -> Callable[[str], bool]:
    """Which keys do nothing in a run with these values."""
    algo, sampler = ALGORITHMS.get(values["run.algo"]), values["online.sampler"]
    if algo is None:
        return lambda key: False
    sections = {section for each in ALGORITHMS.values() for section in each.sections} - {*algo.sections}
    sections |= {"offline", "online"} - {*algo.stages}
    names = set() if len(algo.stages) == 2 else {"eval.switch_episodes"}
    if not algo.models:
        sections.add("model")
        names |= {"sac.critics", "sac.critic_subset", "sac.layer_norm"}
        names |= {f"online.{name}" for name in MODEL_KEYS} | {f"offline.{name}" for name in MODEL_KEYS}
    if values["run.algo"] == "collect":
        sections.add("online")
    if sampler != "priority" or not algo.models:
        names.add("online.alpha")
    if sampler != "custom":
        names.add("online.priority")
    return lambda key: key in names or key.partition(".")[0] in sections


def _visible(run: RunDir) -> list[dict[str, Any]]:
    return events.visible(events.read(run.events)) if run.events.exists() else []


def _inherited(run: RunDir, seen: frozenset[str]) -> list[dict[str, Any]]:
    origin = (plan.read(run.config).origin or "").partition("#")[0]
    path, _, name = origin.rpartition("@")
    if not path or origin in seen:
        return []
    parent = RunDir(path)
    last = (read_json(parent.checkpoints / name / "manifest.json") or {}).get("seq", 0)
    return _inherited(parent, seen | {origin}) + [event for event in _visible(parent) if event["seq"] <= last]


def _label(values: Mapping[str, Any], keys: Sequence[str]) -> str:
    return ", ".join(f"{key}={_text(brief(key, values.get(key)))}" for key in keys if values.get(key) is not NO_EFFECT)


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
