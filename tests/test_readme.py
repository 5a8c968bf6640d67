"""Every command, option, preset, key and file that the README names exists."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from moore_engine import config, rundir
from moore_engine.presets import profiles, variants
from moore_tui.headless.commands import app

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
PROGRAM = "moore-console"
GROUP = typer.main.get_command(app)


def commands() -> list[list[str]]:
    """The words of every command in the README's fenced blocks; `&&` divides commands."""
    found = []
    for block in re.findall(r"^```sh\n(.*?)^```", README, re.M | re.S):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            while words:
                end = words.index("&&") if "&&" in words else len(words)
                found.append(words[:end])
                words = words[end + 1 :]
    return found


def of_program() -> list[list[str]]:
    """Arguments of each call of the program."""
    return [words[1:] for words in commands() if words[0].rpartition("/")[2] == PROGRAM]


def test_the_blocks_hold_the_two_commands_and_the_steering() -> None:
    assert ["scripts/test"] in commands()
    assert commands()[:2] == [["scripts/setup"], [f".venv/bin/{PROGRAM}", "run", "quickstart"]]
    assert {words[0] for words in of_program()} >= {"run", "status", "pause", "resume", "set", "stop", "eval"}


def test_every_command_is_a_script_or_the_program() -> None:
    for words in commands():
        if words[0].rpartition("/")[2] != PROGRAM:
            assert words[0].startswith("scripts/"), words
            assert (ROOT / words[0]).stat().st_mode & 0o111, f"{words[0]} cannot be executed"


@pytest.mark.parametrize("words", of_program(), ids=" ".join)
def test_each_call_of_the_program_is_understood(words: list[str]) -> None:
    command, arguments = GROUP, list(words)
    while hasattr(command, "commands"):
        command = command.commands[arguments.pop(0)]
    context = command.make_context(words[0], arguments)
    for setting in [*(context.params.get("sets") or ()), *filter(None, [context.params.get("setting")])]:
        key, _, value = setting.partition("=")
        config.set_value(config.Config(), key, value, live=words[0] == "set")
    source = context.params.get("source")
    assert source is None or source in (*config.presets(), *variants())
    profile = context.params.get("profile")
    assert profile is None or profile in profiles()


def test_each_option_in_the_text_belongs_to_a_command() -> None:
    known = {option for command in every(GROUP) for parameter in command.params for option in parameter.opts}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", re.sub(r"^```.*?^```", "", README, flags=re.M | re.S)))
    assert named
    assert named <= known


@pytest.mark.parametrize("name", ["plot-run", "results"])
def test_each_option_of_a_script_is_one_of_its_own(name: str) -> None:
    called = [words for words in commands() if words[0] == f"scripts/{name}"]
    assert called
    told = subprocess.run(
        [sys.executable, ROOT / "scripts" / name, "--help"], capture_output=True, text=True, check=True
    )
    for words in called:
        for option in filter(lambda word: word.startswith("-"), words):
            assert re.search(rf"(?<!\S){option}\b", told.stdout), f"{name} has no {option}"


def test_the_exit_codes_are_those_of_the_contract() -> None:
    numbers = re.search(r"^## Exit codes\n\n\|(.*)\|$", README, re.M)
    assert numbers is not None
    codes = {value for name, value in vars(rundir).items() if name.startswith("EXIT_")}
    assert [int(cell) for cell in numbers[1].split("|")] == sorted(codes)


def test_the_files_of_a_run_are_those_of_the_contract() -> None:
    listed = re.search(r"^## The run directory.*?\n\n(.*?)\n\n", README, re.M | re.S)
    assert listed is not None
    named = {name.rstrip("/") for name in re.findall(r"`([\w.]+/?)`", listed[1])}
    run = rundir.RunDir("run")
    assert named == {path.name for path in vars(run).values() if path != run.path}


def every(command: typer.core.TyperCommand | typer.core.TyperGroup) -> list[typer.core.TyperCommand]:
    """All commands below one."""
    below = getattr(command, "commands", {}).values()
    return [command, *(each for child in below for each in every(child))]
