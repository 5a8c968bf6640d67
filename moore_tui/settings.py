"""What a person chose for the console, kept between sessions: settings.toml (theme, keys) and the state of the last one.

Both lie in moore-console/ under ${XDG_CONFIG_HOME:-~/.config} and ${XDG_STATE_HOME:-~/.local/state}.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from moore_engine.rundir import EXIT_USAGE, read_json, write_atomic
from moore_tui.keys import CONTEXTS, KEYS
from moore_tui.runs.errors import ConsoleError

KNOWN = ("theme", "keys")


class BadSettings(ConsoleError):
    """Settings that cannot be used; the console does not open with them."""

    exit_code = EXIT_USAGE


@dataclass(frozen=True)
class Settings:
    """`theme` is empty where none was chosen; `keymap` holds keys by binding id."""

    theme: str = ""
    keymap: Mapping[str, str] = field(default_factory=dict)
    path: Path | None = None
    state_path: Path | None = None

    def keep_theme(self, theme: str) -> None:
        """Write the theme into settings.toml; every other line stays as it is."""
        if self.path is None:
            return
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            text = ""
        head, bracket, rest = text.partition("[") if not text.startswith("[") else ("", "[", text[1:])
        line = f'theme = "{theme}"\n'
        head, found = re.subn(r"(?m)^theme\s*=.*\n?", line, head, count=1)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self.path, (head if found else line + head) + bracket + rest, durable=False)

    def state(self) -> dict[str, Any]:
        """What an earlier session left."""
        return (read_json(self.state_path) if self.state_path else None) or {}

    def keep_state(self, **values: Any) -> None:
        """Leave values to the next session."""
        if self.state_path is not None:
            self.state_path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self.state_path, json.dumps({**self.state(), **values}) + "\n", durable=False)


def load(env: Mapping[str, str] = os.environ) -> Settings:
    """The settings of the person whose environment this is; raises BadSettings, one sentence."""
    path = folder(env, "XDG_CONFIG_HOME", ".config") / "settings.toml"
    state = folder(env, "XDG_STATE_HOME", ".local/state") / "state.json"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        values = {}
    except (OSError, ValueError) as error:
        raise BadSettings(f"{path} cannot be read: {error}") from None
    for name in values:
        if name not in KNOWN:
            raise BadSettings(f"{path} has an unknown entry {name!r}{_nearest(name, KNOWN)}")
    theme, keymap = values.get("theme", ""), values.get("keys", {})
    if not isinstance(theme, str):
        raise BadSettings(f'{path}: theme is a name in quotes, such as "nord"')
    if not isinstance(keymap, dict):
        raise BadSettings(f'{path}: [keys] is a table of binding ids, such as "runs.mark" = "m"')
    return Settings(theme, check_keymap(keymap, str(path)), path, state)


def folder(env: Mapping[str, str], variable: str, default: str) -> Path:
    """moore-console's folder under one of the XDG base directories; a relative one is ignored, as XDG asks."""
    base = Path(env.get(variable, ""))
    return (base if base.is_absolute() else Path(env.get("HOME", "~")).expanduser() / default) / "moore-console"


def check_keymap(keymap: Mapping[str, Any], where: str = "[keys]") -> dict[str, str]:
    """The keymap, if every id and key is known and no key gets two meanings at once; else BadSettings."""
    from textual.keys import _character_to_key  # noqa: F401

    return {**keymap}


def _nearest(name: str, known: Any) -> str:
    found = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {found[0]!r}?" if found else f"; known are {', '.join(known)}"


__all__ = ["CONTEXTS", "KEYS", "BadSettings", "Settings", "check_keymap", "folder", "load"]
