"""The console as a user has it: a process of its own, in pipes or on a terminal, with a trainer that only counts."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moore_engine.rundir import RunDir
from moore_tui.runs import control
from moore_tui.runs.errors import LostContact
from moore_tui.runs.model import Snapshot, snapshot

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0

PREPARE = """
import json, os, sys, time
request = json.load(sys.stdin)
mode = os.environ.get("MOORE_FAKE_PREPARE", "")
if mode == "refuse":
    sys.exit(print("the data set is made of cheese", file=sys.stderr) or 2)
while mode and not os.path.exists(mode):
    time.sleep(0.01)
config = request["config"].replace('threads = "auto"', "threads = 1")
json.dump({"config": config, "rows": 7, "disk_mb": 1, "warnings": ["a warning"], "dataset": "none"}, sys.stdout)
"""

TRAINER = """
import os, pathlib, sys
told = pathlib.Path(sys.argv[1], "fake.json")
if not told.exists():
    told.write_text(os.environ["MOORE_FAKE"])
os.execv(sys.executable, [sys.executable, os.environ["MOORE_FAKE_TRAINER"], sys.argv[1]])
"""


class Console:
    """Runs `moore-console` with its runs in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        self.runs = folder / "runs"
        (folder / "prepare.py").write_text(PREPARE)
        (folder / "trainer.py").write_text(TRAINER)
        self.folder = folder
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("MOORE_")} | {
            "PYTHONPATH": str(ROOT),
            "MOORE_RUNS_DIR": str(self.runs),
            "MOORE_PREPARE": f"{sys.executable} {folder / 'prepare.py'}",
            "MOORE_TRAINER": f"{sys.executable} {folder / 'trainer.py'}",
            "MOORE_FAKE_TRAINER": str(ROOT / "tests" / "fake_trainer.py"),
            "MOORE_FAKE": "{}",
            "TERM": "xterm",
        }

    def tell(self, **told: Any) -> None:
        """What the trainers of runs made from now on shall do; see tests/fake_trainer.py."""
        self.env["MOORE_FAKE"] = json.dumps(told)

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "moore_tui", *words],
            env=self.env, cwd=self.folder, text=True, **{"stdin": subprocess.DEVNULL, **options},
        )  # fmt: skip

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One command, its output in pipes."""
        process = self.start(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=PATIENCE_S)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def run_dir(self, name: str) -> RunDir:
        return RunDir(self.runs / name)

    def snapshot(self, name: str) -> Snapshot:
        return snapshot(self.run_dir(name))

    def until(self, name: str, *states: str) -> Snapshot:
        """Wait for a run to be in one of the states."""
        wait_for(lambda: self.run_dir(name).exists() and self.snapshot(name).state in states, f"{name} to be {states}")
        return self.snapshot(name)

    def close(self) -> None:
        """Kill what still runs."""
        for path in self.runs.glob("*/config.toml"):
            with contextlib.suppress(LostContact):
                control.kill(RunDir(path.parent))


def _as_a_shell_would() -> None:
    """Take the terminal, and hear Ctrl-C and hang-ups even if these tests were started where they are ignored."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for each in (signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)


class Terminal:
    """A command on a pseudo-terminal of its own, whose leader it is: Ctrl-C and hang-up reach it as from a keyboard."""

    def __init__(self, console: Console, *words: str) -> None:
        self.master, slave = pty.openpty()
        self._opened()
        self.process = console.start(
            *words, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=_as_a_shell_would,
        )  # fmt: skip
        os.close(slave)
        self.seen = ""

    def _opened(self) -> None:
        """Called between the opening of the terminal and the start of the command."""

    def read_until(self, text: str) -> str:
        """Everything shown so far, once `text` is among it."""
        wait_for(lambda: self._read() or text in self.seen, f"{text!r} on the terminal")
        return self.seen

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def hang_up(self) -> None:
        os.close(self.master)

    def leave(self) -> int:
        """The exit code; what is shown until then is read."""
        wait_for(lambda: self._read() or self.process.poll() is not None, "the command to end")
        self._read()
        return self.process.wait()

    def _read(self) -> None:
        try:
            while select.select([self.master], [], [], 0.01)[0]:
                data = os.read(self.master, 65536)
                if not data:
                    return
                self._take(data)
        except OSError:
            return

    def _take(self, data: bytes) -> None:
        """Called with what the terminal was sent."""
        self.seen += data.decode()


def wait_for(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> None:
    """Return when the condition holds."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience_s} s for {what}"
        time.sleep(0.005)
