"""`config show`, `config keys`, `config presets`: what a run would be made of, and where each value came from."""

from __future__ import annotations

from moore_engine import config as configs
from moore_engine.config_checks import describe
from moore_engine.presets import FOLDER, profiles, read_toml
from moore_tui.headless.diagnostics import say
from moore_tui.headless.output import answer, answer_json, table
from moore_tui.runs.launch import Wish, resolve
from moore_tui.runs.outlook import text


def show(wish: Wish, as_json: bool) -> int:
    """Every key, its value and its source."""
    resolved = resolve(wish)
    for warning in resolved.warnings:
        say(f"warning: {warning}")
    values = {key: configs.get(resolved.config, key) for key in configs.keys()}
    if as_json:
        answer_json({key: {"value": values[key], "source": resolved.sources[key]} for key in values})
        return 0
    answer(
        table(("KEY", "VALUE", "FROM"), [(key, text(value), resolved.sources[key]) for key, value in values.items()])
    )
    return 0


def list_keys(as_json: bool) -> int:
    """Every key there is: what it takes, its default, one line about it; `live` ones can be set while a run goes on."""
    rows = describe()
    if as_json:
        for row in rows:
            answer_json({**row._asdict(), "live": row.key in configs.LIVE_KEYS})
        return 0
    cells = [
        (row.key, text(row.default), "live" if row.key in configs.LIVE_KEYS else "", row.text, row.allowed)
        for row in rows
    ]
    answer(table(("KEY", "DEFAULT", "LIVE", "ABOUT", "TAKES"), cells))
    return 0


def list_presets(as_json: bool) -> int:
    """Every preset with its line about itself, and the profiles."""
    entries = []
    for name in configs.presets():
        head = read_toml(FOLDER / f"{name}.toml")
        entries.append({"preset": name, "about": head.get("about", ""), "source": head.get("source", "")})
    if as_json:
        for entry in entries:
            answer_json(entry)
        return 0
    answer(table(("PRESET", "ABOUT"), [(entry["preset"], entry["about"] or entry["source"]) for entry in entries]))
    say(f"profiles for smaller machines (--profile): {', '.join(profiles())}")
    return 0
