"""Settings: where they lie, what is refused and how it is told, and that writing them spoils nothing."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from moore_tui import settings
from moore_tui.settings import BadSettings, Settings, check_keymap, check_theme, load


def written(folder: Path, text: str) -> dict[str, str]:
    """An environment whose settings file holds `text`."""
    path = folder / "config" / "moore-console" / "settings.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return {"XDG_CONFIG_HOME": str(folder / "config"), "XDG_STATE_HOME": str(folder / "state")}


def test_without_a_file_nothing_is_chosen_and_nothing_is_written(tmp_path: Path) -> None:
    found = load({"HOME": str(tmp_path)})
    assert (found.theme, found.keymap) == ("", {})
    assert found.path == tmp_path / ".config" / "moore-console" / "settings.toml"
    assert found.state_path == tmp_path / ".local" / "state" / "moore-console" / "state.json"
    assert found.state() == {} and list(tmp_path.iterdir()) == []


def test_a_relative_base_directory_is_ignored(tmp_path: Path) -> None:
    assert load({"HOME": str(tmp_path), "XDG_CONFIG_HOME": "here"}).path == load({"HOME": str(tmp_path)}).path


def test_theme_and_keys_are_read(tmp_path: Path) -> None:
    found = load(written(tmp_path, 'theme = "nord"\n[keys]\n"runs.mark" = "m"\n"anywhere.help" = "f1, ?"\n'))
    assert found.theme == "nord"
    assert found.keymap == {"runs.mark": "m", "anywhere.help": "f1,question_mark"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("theme = nord", "is no TOML"),
        ("thme = 'nord'", "'thme' that does not exist; did you mean theme?"),
        ("theme = 3", "must be a name in quotes"),
        ("keys = 3", "must hold binding ids"),
        ("[keys]\n'runs.mrk' = 'm'", "no binding 'runs.mrk'; did you mean runs.mark?"),
        ("[keys]\n'runs.mark' = 3", "must be a key in quotes"),
        ("[keys]\n'runs.mark' = ' '", "must be a key in quotes"),
        ("[keys]\n'runs.mark' = 'entr'", "'entr', which is no key; did you mean enter?"),
        ("[keys]\n'runs.mark' = 'contrl+k'", "there is no contrl"),
        ("[keys]\n'runs.mark' = 'n'", "gives 'n' two meanings at once: runs.mark and runs.new"),
        ("[keys]\n'runs.mark' = '?'", "gives '?' two meanings at once"),
        ("[keys]\n'runs.mark' = 'x'", "two meanings at once: control.stop and runs.mark"),
        ("[keys]\n'log.wrap' = 'x'", "two meanings at once: log.wrap and control.stop"),
        ("[keys]\n'runs.mark' = 'm'\n'runs.note' = 'm'", "two meanings at once: runs.mark and runs.note"),
    ],
)
def test_what_cannot_be_is_one_sentence_with_the_file_and_exit_code_2(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(BadSettings) as refused:
        load(written(tmp_path, text))
    assert told in str(refused.value) and "settings.toml" in str(refused.value)
    assert "\n" not in str(refused.value) and refused.value.exit_code == 2


@pytest.mark.parametrize(
    "keymap",
    [
        {"runs.mark": "n", "runs.new": "space"},
        {"charts.log": "n", "log.next": "L"},
        {"control.kill": "ctrl+k"},
        {"replay.back": ","},
        {"charts.in": "+"},
    ],
)
def test_keys_may_be_swapped_and_shared_by_panes(keymap: dict[str, str]) -> None:
    assert set(check_keymap(keymap, "here")) == set(keymap)


def test_a_theme_that_does_not_exist_is_told_with_the_nearest() -> None:
    with pytest.raises(BadSettings, match="did you mean nord"):
        check_theme(Settings("nrd"), ["nord", "gruvbox", "dracula", "monokai", "flexoki", "textual-dark"])
    check_theme(Settings(""), [])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", 'theme = "nord"\n'),
        ('theme = "x"', 'theme = "nord"\n'),
        ('# mine\n  theme="x" # why\n\n[keys]\n"a" = "m"\n', '# mine\ntheme = "nord"\n\n[keys]\n"a" = "m"\n'),
        ('[keys]\n"runs.mark" = "m"', 'theme = "nord"\n[keys]\n"runs.mark" = "m"'),
        ('# a [note]\n', 'theme = "nord"\n# a [note]\n'),
    ],
)  # fmt: skip
def test_keeping_a_theme_changes_its_line_only(before: str, after: str, tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(before)
    Settings(path=path).keep_theme("nord")
    assert path.read_text() == after and tomllib.loads(after)["theme"] == "nord"


def test_the_state_keeps_what_others_left(tmp_path: Path) -> None:
    found = load({"HOME": str(tmp_path)})
    found.keep_state(lines=["a"])
    found.keep_state(sort="name")
    assert load({"HOME": str(tmp_path)}).state() == {"lines": ["a"], "sort": "name"}
    assert found.state_path is not None
    found.state_path.write_text("{torn")
    assert found.state() == {}


def test_settings_without_a_place_are_not_kept() -> None:
    Settings().keep_theme("nord")
    Settings().keep_state(lines=["a"])
    assert Settings().state() == {}


def test_every_clash_of_the_table_itself_is_meant() -> None:
    assert check_keymap({}, "here") == {}
    assert {tuple(sorted(each[1:])) for each in settings._clashes(settings.KEYS)} == {("control.set", "log.error")}
