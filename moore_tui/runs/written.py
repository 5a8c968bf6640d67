"""state.json and keeper.json as they should be: whatever is not of its kind is left out, so that nobody trips over it.

A run directory may be half-copied, of another version, or a stranger's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from moore_engine.rundir import read_json

Fields = dict[str, Any]
_Check = Callable[[Any], Any]

LARGEST = 1 << 53
"""Of all numbers in these files: beyond it a float no longer tells whole numbers apart."""


def read_state(path: Path) -> Fields:
    """A trainer's state.json; empty where there is none."""
    return _sound(read_json(path), _STATE)


def read_keeper(path: Path) -> Fields:
    """A keeper's keeper.json; empty where there is none."""
    return _sound(read_json(path), _KEEPER)


def whole(value: Any) -> int | None:
    """A whole number of reasonable size, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST else None


def real(value: Any) -> float | None:
    """A finite number of reasonable size, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) <= LARGEST else None


def text(value: Any) -> str | None:
    """A text, else None."""
    return value if isinstance(value, str) else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _record(checks: dict[str, _Check]) -> _Check:
    return lambda value: _sound(value, checks) or None


def _records(checks: dict[str, _Check]) -> _Check:
    """A list's objects, sound or empty; anything else among them is left out."""

    def check(value: Any) -> list[Fields] | None:
        if not isinstance(value, list):
            return None
        return [_sound(each, checks) for each in value if isinstance(each, dict)]

    return check


def _sound(value: Any, checks: dict[str, _Check]) -> Fields:
    """The fields that pass their check."""
    if not isinstance(value, dict):
        return {}
    found = ((name, check(value.get(name))) for name, check in checks.items())
    return {name: each for name, each in found if each is not None}


_PLACE: dict[str, _Check] = {"stage": text, "epoch": whole, "update": whole, "env_step": whole}
_IDENTITY = _record({"host": text, "boot": text, "pid": whole, "start": whole, "nonce": text})
_STATE: dict[str, _Check] = {
    "attempt": whole, "identity": _IDENTITY, "paused": _flag, "status": text, "t": real, "exit": whole,
    "error": text, **_PLACE,
}  # fmt: skip
_ATTEMPT: dict[str, _Check] = {
    "n": whole, "identity": _IDENTITY, "started": real, "ended": real, "exit": whole, "signal": whole,
    "killed": _flag, "at": _record(_PLACE), "max_rss_mb": real, "cpu_s": real, "adopted": _flag,
}  # fmt: skip
_KEEPER: dict[str, _Check] = {
    "identity": _IDENTITY, "status": text, "why": text, "policy": _record({"max_restarts": whole}),
    "restarts": whole, "next_start": real, "attempts": _records(_ATTEMPT),
}  # fmt: skip
