"""The command line as such: help, documentation, usage errors, and what looking at runs may import."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from moore_engine import rundir
from moore_tui import opening
from moore_tui.cli import call, full, main
from moore_tui.headless import quick, records, show, verbs
from moore_tui.headless.commands import app

ROOT = Path(__file__).parents[2]


def commands(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every command with the words that call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help(name: str) -> None:
    command = COMMANDS[name]
    assert command.help and command.help.splitlines()[0].endswith((".", ")."))
    for parameter in command.params:
        assert parameter.name == "help" or parameter.help, f"{name} {parameter.name}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_stands_in_the_documentation_with_its_options(name: str) -> None:
    text = (ROOT / "docs" / "cli.md").read_text()
    section = re.search(rf"### `{name}\b.*?(?=\n##|\Z)", text, re.DOTALL)
    assert section, f"docs/cli.md has no section on {name}"
    everywhere = {"--help", "--runs-dir", "--json", "--wait", "--timeout"}
    for parameter in COMMANDS[name].params:
        for option in parameter.opts:
            if option.startswith("--") and option not in everywhere:
                known = section[0] if name != "resume" else section[0] + text
                assert option in known or any(short in section[0] for short in parameter.opts), f"{name} {option}"


def test_the_documentation_names_no_command_that_is_not_there() -> None:
    headings = re.findall(r"^### `([^`]*)`", (ROOT / "docs" / "cli.md").read_text(), re.MULTILINE)
    words = [" ".join(word for word in heading.split() if word.islower()) for heading in headings]
    assert set(words) == set(COMMANDS)


def test_the_exit_codes_are_frozen() -> None:
    assert (
        rundir.EXIT_DONE, rundir.EXIT_FAILED, rundir.EXIT_USAGE, rundir.EXIT_NO_RUN,
        rundir.EXIT_RUNNING, rundir.EXIT_LOST, rundir.EXIT_STOPPED, rundir.EXIT_CTRL_C,
    ) == (0, 1, 2, 3, 4, 5, 75, 130)  # fmt: skip


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("statsu", 2, "there is no command 'statsu'; did you mean status?"),
        ("config sho", 2, "did you mean show?"),
        ("status --jsn x", 2, "--json"),
        ("pause", 2, "missing argument 'RUN'"),
        ("pause a b", 2, "unexpected extra argument"),
        ("wait x --timeout soon", 2, "--timeout"),
        ("--hz 0", 2, "--hz"),
        ("--ascii list", 2, "how the console looks is said without a command"),
        ("attach nowhere", 3, "there is no run 'nowhere'"),
        ("replay nowhere", 3, "there is no run 'nowhere'"),
        ("run quickstart --watch", 2, "--watch needs a terminal"),
        ("run quickstart --watch --json", 2, "neither --detach nor --json"),
        ("logs x --lines -3", 2, "--lines"),
        ("run quickstrat", 2, "did you mean quickstart?"),
        ("run quickstart --set model.batc=3", 2, "did you mean model.batch?"),
        ("run quickstart --set model.batch=x", 2, "model.batch"),
        ("run quickstart --set seed", 2, "--set takes section.key=value"),
        ("run quickstart --name ../x", 2, "run.name"),
        ("config show none.toml", 2, "none.toml"),
        ("status nowhere", 3, "there is no run 'nowhere'"),
        ("eval nowhere", 3, "there is no run 'nowhere'"),
        ("wait nowhere", 3, "there is no run 'nowhere'"),
        ("set nowhere online.alpha=1", 3, "there is no run 'nowhere'"),
    ],
)
def test_an_error_is_one_sentence_on_stderr(
    line: str, code: int, told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(line.split()) == code
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1 and err.startswith("moore-console: ") and told in err
    assert list(tmp_path.iterdir()) == []


def test_an_error_nobody_foresaw_is_a_sentence_unless_debugging(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> int:
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr(show, "listing", broken)
    assert call(["list"]) == 1
    assert capsys.readouterr().err == (
        "moore-console: unexpected ZeroDivisionError: by zero (MOORE_DEBUG=1 shows where)\n"
    )
    monkeypatch.setenv("MOORE_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        call(["list"])


def test_the_debug_option_shows_the_traceback() -> None:
    code = (
        "import sys; from moore_tui.headless import show; from moore_tui.cli import main\n"
        "show.listing = lambda *a, **k: 1 / 0\n"
        "main(sys.argv[1:])"
    )
    shown = subprocess.run([sys.executable, "-c", code, "--debug", "list"], capture_output=True, text=True, check=False)
    assert "Traceback" in shown.stderr
    hidden = subprocess.run([sys.executable, "-c", code, "list"], capture_output=True, text=True, check=False)
    assert "Traceback" not in hidden.stderr and hidden.returncode == 1


def test_main_exits_with_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0 and capsys.readouterr().out.startswith("moore-console ")


def test_a_reader_that_leaves_early_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m moore_tui config keys | head -1; echo ${{PIPESTATUS[0]}}",
        shell=True, executable="/bin/bash", capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "0" and done.stderr == ""


@pytest.fixture
def deaf() -> Iterator[None]:
    """This process plays the trainer, whose doorbell is SIGUSR1."""
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGUSR1, before)


LINES = [
    "--version",
    "list",
    "list --runs-dir x --json",
    "status a",
    "status --json a --runs-dir=x",
    "logs a",
    "logs a -n 5 -f --attempt=2 --json",
    "logs a -f --lines=0",
    "pause a",
    "pause a -w --timeout 3.5 --json",
    "checkpoint a --wait",
    "stop --runs-dir x a",
    "set a online.alpha=3 --wait --timeout=0",
    "kill a --json",
    "wait a --timeout 1e3",
    "",
    "--readonly --runs-dir x --hz 2",
    "--slow-link --no-mouse --ascii",
    "attach a --runs-dir=x --hz=0.5",
    "attach --readonly a --ascii",
    "replay a --speed 300 --slow-link",
    "replay --no-mouse a",
]


def calls(read: Any, line: str, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What a way of reading the line would have done."""
    made: list[Any] = []
    places = {
        show: ("listing", "status", "version"),
        records: ("logs",),
        verbs: ("request", "change", "kill", "wait"),
        opening: ("console", "attach", "replay"),
    }
    for module, names in places.items():
        for name in names:
            monkeypatch.setattr(module, name, lambda *a, _name=name, **k: made.append((_name, a, k)) or 0)
    assert read(line.split()) == 0
    return made


@pytest.mark.parametrize("line", LINES)
def test_the_quick_way_and_the_full_way_read_a_line_alike(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def quickly(words: list[str]) -> int:
        found = quick.read(words)
        assert found is not None
        return found[0](**found[1])

    assert calls(quickly, line, monkeypatch) == calls(full, line, monkeypatch) != []


@pytest.mark.parametrize(
    "line",
    ["status", "status -h", "status a b", "status a --wait", "status a --json=1", "logs a -n", "logs a -n x",
     "logs a -n -1", "logs a --attempt 0", "wait a --timeout -1", "wait a --timeout nan", "pause --help", "run a",
     "list --state done", "--debug list", "pause a --runs-dir --json",
     "--debug", "--help", "--hz", "--hz 0", "--hz nan", "--hz 100", "--readonly list", "--readonly=1", "attach",
     "attach a b", "replay a --speed -1", "replay a --speed 0", "attach a --speed 3", "x"],
)  # fmt: skip
def test_lines_that_are_not_plain_are_left_to_the_full_way(line: str) -> None:
    assert quick.read(line.split()) is None


@pytest.mark.parametrize("line", ["--version", "list", "status one", "logs one", "pause one"])
@pytest.mark.usefixtures("deaf")
def test_looking_and_pausing_import_nothing_heavy(line: str, tmp_path: Path) -> None:
    run = rundir.RunDir(tmp_path / "one")
    run.make()
    run.config.write_text("")
    (run.log / "attempt-1.log").write_text("x\n")
    rundir.write_json(run.state, {"identity": rundir.this_process(), "status": "training", "attempt": 1})
    (run.beat / "1-600").touch()
    code = (
        "import json, sys\nfrom moore_tui.cli import call\n"
        "sys.path.append('')\ncode = call(sys.argv[1:])\n"
        "print(json.dumps([code, sorted({name.partition('.')[0] for name in sys.modules})]), file=sys.stderr)"
    )
    words = line.split() + (["--runs-dir", str(tmp_path)] if line != "--version" else [])
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=ROOT, check=False)
    left, loaded = json.loads(done.stderr.splitlines()[-1])
    assert left == 0, done.stderr
    assert {"torch", "numpy", "textual", "rich", "typer", "click", "pydantic", "msgspec"}.isdisjoint(loaded)


def test_config_show_says_where_each_value_came_from(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "moore.toml").write_text("[eval]\nepisodes = 3\n")
    monkeypatch.setenv("MOORE_MODEL__BATCH", "64")
    words = ["config", "show", "quickstart", "--set", "online.alpha=0.5", "--data", "x.hdf5"]
    assert call(words) == 0
    lines = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert lines["online.alpha"][1:] == ["0.5", "--set"] and lines["data.path"][1:] == ["x.hdf5", "--data"]
    assert lines["eval.episodes"][1:] == ["3", "moore.toml"] and lines["model.batch"][1:] == [
        "64",
        "MOORE_MODEL__BATCH",
    ]
    assert lines["sac.gamma"][1:] == ["0.99", "default"]
    assert call([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["online.alpha"] == {"value": 0.5, "source": "--set"}


def test_config_keys_and_presets_list_all_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    from moore_engine.config import keys, presets

    call(["config", "keys"])
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == list(keys())
    call(["config", "presets", "--json"])
    assert [json.loads(line)["preset"] for line in capsys.readouterr().out.splitlines()] == list(presets())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("doctor", ["doctor"]),
        ("bench --quick --json", ["bench", "--quick", "--json"]),
        ("eval RUN", ["eval", "RUN", "--checkpoint", "latest"]),
        (
            "eval RUN --checkpoint final --episodes 3 --seed 0 --video x.mp4 --json",
            ["eval", "RUN", "--checkpoint", "final", "--episodes", "3", "--seed", "0", "--video", "x.mp4", "--json"],
        ),
        ("export RUN -o there", ["export", "RUN", "--checkpoint", "latest", "--output", "there"]),
    ],
)
def test_the_engines_tools_get_the_options_as_given(
    line: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "one"
    run.mkdir()
    (run / "config.toml").touch()
    became: list[list[str]] = []

    def become(program: str, arguments: list[str], environment: dict[str, str]) -> None:
        became.append(arguments)
        raise SystemExit(0)

    monkeypatch.setattr("os.execve", become)
    with pytest.raises(SystemExit):
        call([word.replace("RUN", str(run)) for word in line.split()])
    tool, *rest = [word.replace("RUN", str(run)) for word in words]
    assert became == [[sys.executable, "-P", "-m", f"moore_engine.tools.{tool}", *rest]]
