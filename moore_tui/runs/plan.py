"""What a run's frozen config.toml plans: the few keys that a summary needs, and how far a position is through them.

A thorough parse costs 0.6 ms, which 200 runs cannot afford; so plain lines are scanned and only odd files parsed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from moore_tui.runs import algorithms
from moore_tui.runs.written import whole

_KEYS = {
    "run.algo": "algo",
    "run.seed": "seed",
    "run.from": "origin",
    "data.path": "dataset",
    "data.task": "task",
    "offline.epochs": "offline_epochs",
    "offline.updates_per_epoch": "updates_per_epoch",
    "online.epochs": "online_epochs",
    "online.steps_per_epoch": "steps_per_epoch",
    "online.updates_per_step": "updates_per_step",
}

_TEXTS = ("algo", "origin", "dataset", "task")

_DECODER = json.JSONDecoder()
"""Plain TOML strings and numbers are JSON's; a comment may follow them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Fields are None where the config does not say; `origin` is run.from."""

    algo: str | None = None
    seed: int | None = None
    origin: str | None = None
    dataset: str | None = None
    task: str | None = None
    offline_epochs: int | None = None
    updates_per_epoch: int | None = None
    online_epochs: int | None = None
    steps_per_epoch: int | None = None
    updates_per_step: int | None = None

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that its algorithm has, even if it branched off behind the first."""
        return algorithms.stages(self.algo)

    def epochs(self, stage: str | None) -> int | None:
        """Epochs planned for a stage."""
        return {"offline": self.offline_epochs, "online": self.online_epochs}.get(stage or "")

    def progress(self, stage: str | None, update: int | None, env_step: int | None) -> float | None:
        """Share of the planned SAC updates that is done, 0 to 1; None where plan or position is unknown.

        A run that branched off another's switch never plans the offline stage.
        """
        numbers = (self.offline_epochs, self.updates_per_epoch, self.online_epochs, self.steps_per_epoch)
        if stage not in ("offline", "online") or any(number is None for number in numbers):
            return None
        offline = (self.offline_epochs or 0) * (self.updates_per_epoch or 0) if "offline" in self.stages else 0
        steps = (self.online_epochs or 0) * (self.steps_per_epoch or 0) if "online" in self.stages else 0
        each = max(1, self.updates_per_step or 0)
        if stage == "online":
            before = 0 if self.origin else offline
            done, total = before + (env_step or 0) * each, before + steps * each
        else:
            done, total = min(update or 0, offline), offline + steps * each
        return min(1.0, done / total) if total > 0 else None

    def extended(self, granted: list[dict[str, Any]]) -> Plan:
        """The plan after live `set` requests that the trainer granted (their acknowledgements, oldest first)."""
        plan = self
        for ack in granted:
            args = ack.get("args")
            if isinstance(args, dict) and args.get("key") == "online.epochs":
                try:
                    epochs = whole(int(args.get("value", "")))
                except (TypeError, ValueError, OverflowError):
                    continue
                if epochs is not None:
                    plan = replace(plan, online_epochs=epochs)
        return plan


def read(path: Path) -> Plan:
    """The plan in a config.toml; an empty one where the file cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return Plan()
    values = _scan(text)
    if values is None:
        values = _parse(text)
    return Plan(**{_KEYS[key]: value for key, value in values.items() if _fits(_KEYS[key], value)})


def _fits(field: str, value: Any) -> bool:
    return isinstance(value, str) if field in _TEXTS else whole(value) is not None


def _scan(text: str) -> dict[str, Any] | None:
    """The wanted keys if every one of them stands on a plain line of its own, else None."""
    values = {}
    for key in _KEYS:
        section, name = key.split(".")
        start = text.find(f"[{section}]\n")
        line = text.find(f"\n{name} = ", start, text.find("\n[", start) + 1 or len(text))
        if start < 0 or line < 0:
            return None
        try:
            values[key], end = _DECODER.raw_decode(text, line + len(name) + 4)
        except ValueError:
            return None
        if text[end : end + 3] != "  #" and text[end : end + 1] not in ("", "\n"):
            return None
    return values


def _parse(text: str) -> dict[str, Any]:
    import tomli

    try:
        config = tomli.loads(text)
    except tomli.TOMLDecodeError:
        return {}
    flat = {}
    for key in _KEYS:
        section, name = key.split(".")
        table = config.get(section)
        if isinstance(table, dict) and name in table:
            flat[key] = table[name]
    return flat
