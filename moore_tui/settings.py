"""What a person chose for the console, kept between sessions: settings.toml (theme, keys) and the last one's state.

Both lie in moore-console/, under ${XDG_CONFIG_HOME:-~/.config} and ${XDG_STATE_HOME:-~/.local/state}.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moore_engine.rundir import EXIT_USAGE, read_json, write_atomic
from moore_tui.keys import KEYS, Key, together
from moore_tui.runs.errors import ConsoleError

KNOWN = ("theme", "keys")


class BadSettings(ConsoleError):
    """Settings that cannot be used, in one sentence; the console does not open with them."""

    exit_code = EXIT_USAGE


@dataclass(frozen=True)
class Settings:
    """`theme` is empty where none was chosen; `keymap` holds keys by binding id, as Textual spells them."""

    theme: str = ""
    keymap: Mapping[str, str] = field(default_factory=dict)
    path: Path | None = None
    state_path: Path | None = None

    def keep_theme(self, theme: str) -> None:
        """Write the theme into settings.toml, whose other lines stay as they are; OSError if that cannot be."""
        if self.path is None:
            return
        text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        first = re.search(r"^\s*\[", text, re.MULTILINE)
        head, tables = (text[: first.start()], text[first.start() :]) if first else (text, "")
        line = f'theme = "{theme}"\n'
        head, found = re.subn(r"^[ \t]*theme[ \t]*=.*(\n|\Z)", line, head, count=1, flags=re.MULTILINE)
        _write(self.path, (head if found else line + head) + tables)

    def state(self) -> dict[str, Any]:
        """What the last session left; empty where there is none."""
        return (read_json(self.state_path) if self.state_path else None) or {}

    def keep_state(self, **values: Any) -> None:
        """Leave these values, beside those that are there, to the next session; OSError if that cannot be."""
        if self.state_path is not None:
            _write(self.state_path, json.dumps({**self.state(), **values}) + "\n")


def load(env: Mapping[str, str] = os.environ) -> Settings:
    """The settings of the person whose environment this is; raises BadSettings."""
    path = folder(env, "XDG_CONFIG_HOME", ".config") / "settings.toml"
    state_path = folder(env, "XDG_STATE_HOME", ".local/state") / "state.json"
    if not path.exists():
        return Settings("", {}, path, state_path)
    values = _read(path)
    for name in values:
        if name not in KNOWN:
            raise BadSettings(f"{path} has an entry {name!r} that does not exist{_nearest(name, KNOWN)}")
    theme, keymap = values.get("theme", ""), values.get("keys", {})
    if not isinstance(theme, str):
        raise BadSettings(f'theme in {path} must be a name in quotes, such as "nord"')
    if not isinstance(keymap, dict):
        raise BadSettings(f'[keys] in {path} must hold binding ids and keys, such as "runs.mark" = "m"')
    return Settings(theme, check_keymap(keymap, str(path)), path, state_path)


def check_theme(settings: Settings, themes: Iterable[str]) -> None:
    """Raise BadSettings unless the theme is one of those there are."""
    if settings.theme and settings.theme not in set(themes):
        raise BadSettings(f"{settings.path} names a theme {settings.theme!r} that does not exist"
                          f"{_nearest(settings.theme, sorted(themes))}")  # fmt: skip


def folder(env: Mapping[str, str], variable: str, default: str) -> Path:
    """The console's folder below an XDG base directory; one that is not absolute is ignored, as the standard asks."""
    base = Path(env.get(variable, ""))
    return (base if base.is_absolute() else Path(env.get("HOME", "") or Path.home(), default)) / "moore-console"


def check_keymap(keymap: Mapping[str, Any], where: str) -> dict[str, str]:
    """The keymap as Textual spells it, if every id and key exists and no key gets two meanings; else BadSettings."""
    known = {key.id: key for key in KEYS}
    spelled: dict[str, str] = {}
    for name, text in keymap.items():
        if name not in known:
            raise BadSettings(f"[keys] in {where} has no binding {name!r}{_nearest(name, known)}")
        if not isinstance(text, str) or not text.strip():
            raise BadSettings(
                f'{name} in {where} must be a key in quotes, such as "m" or "ctrl+o", or several by commas'
            )
        spelled[name] = ",".join(_spell(word, name, where) for word in _words(text))
    changed = [key._replace(keys=spelled.get(key.id, key.keys)) for key in KEYS]
    allowed = set(_clashes(KEYS))
    for word, one, other in _clashes(changed):
        if (word, one, other) not in allowed:
            raise BadSettings(f"[keys] in {where} gives {_typed(word)!r} two meanings at once: {one} and {other}")
    return spelled


def _clashes(keys: Iterable[Key]) -> list[tuple[str, str, str]]:
    """(key, id, id) for all pairs of bindings that hold at once and share a key."""
    by_word: dict[str, list[Key]] = {}
    for key in keys:
        for word in _words(key.keys):
            by_word.setdefault(word, []).append(key)
    return [
        (word, one.id, other.id)
        for word, sharing in by_word.items()
        for i, one in enumerate(sharing)
        for other in sharing[i + 1 :]
        if together(one.context, other.context)
    ]


def _words(keys: str) -> list[str]:
    """Alternatives by commas; a comma alone is the key itself."""
    return [keys.strip()] if keys.strip() == "," else [word.strip() for word in keys.split(",") if word.strip()]


def _spell(word: str, name: str, where: str) -> str:
    """A key by Textual's name: `?` is question_mark, `ctrl+p` stays; BadSettings for one that no keyboard sends."""
    from textual.keys import KEY_NAME_REPLACEMENTS, Keys, key_to_character

    *modifiers, key = word.split("+") if len(word) > 1 else [word]
    if len(key) == 1:
        key = _named(key)
    real = {*(each.value for each in Keys if not each.value.startswith("<")), *KEY_NAME_REPLACEMENTS.values()}
    if key not in real and key_to_character(key) is None:
        raise BadSettings(f"{name} in {where} is {word!r}, which is no key{_nearest(key, real)}")
    if unknown := [each for each in modifiers if each not in ("ctrl", "shift", "alt", "super", "meta", "hyper")]:
        raise BadSettings(f"{name} in {where} is {word!r}: there is no {unknown[0]}, only ctrl, shift and alt")
    return "+".join((*modifiers, key))


def _named(character: str) -> str:
    """Textual's name of the key that types a character."""
    from unicodedata import name

    from textual.keys import KEY_NAME_REPLACEMENTS

    spelled = character if character.isalnum() else name(character, character).lower().replace("-", "_")
    return KEY_NAME_REPLACEMENTS.get(spelled.replace(" ", "_"), spelled.replace(" ", "_"))


def _typed(word: str) -> str:
    """A key as a person knows it."""
    from textual.keys import key_to_character

    return (key_to_character(word) or word).strip() or word


def _read(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadSettings(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise BadSettings(f"{path} is no TOML: {' '.join(str(error).split())}") from None


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, text, durable=False)


def _nearest(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    found = get_close_matches(name, names := list(known), n=1, cutoff=0.5)
    few = f"; there are {', '.join(names)}" if len(names) < 6 else ""
    return f"; did you mean {found[0]}?" if found else few
