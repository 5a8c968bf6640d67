"""A process that reads data sets one after another and tells how each went, for what reads them may crash or hang.

Run as a program it takes one JSON request a line, {"name"}, and answers one a line: what came of it, how long it took,
and the most memory it held beyond what it had before, in bytes.
"""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TASK: dict[str, Any] = {"task": "Pendulum-v1", "obs_dim": 3, "action_dim": 1, "low": [-2.0], "high": [2.0]}


class ReadingProcess:
    """Answers by `read`; started anew after a crash or a hang."""

    def __init__(self, patience_s: float = 60.0) -> None:
        self._patience_s = patience_s
        self._process: subprocess.Popen[str] | None = None

    def read(self, name: str) -> dict[str, Any]:
        """How reading the set `name` went: "outcome" is data, refused, crashed, hung, or an exception's name."""
        process = self._started()
        assert process.stdin is not None and process.stdout is not None
        ready = [process.stdout]
        line = ""
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps({"name": name}) + "\n")
            process.stdin.flush()
            ready, _, _ = select.select([process.stdout], [], [], self._patience_s)
            line = process.stdout.readline() if ready else ""
        if line:
            return json.loads(line)
        self.close()
        outcome = "crashed" if ready else "hung"
        return {"outcome": outcome, "said": f"exit code {process.returncode}", "memory": 0, "seconds": 0.0}

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                assert stream is not None
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
            self._process = None

    def kill(self) -> None:
        """End the process under its reader's feet."""
        process = self._started()
        process.kill()
        process.wait()

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            command = [sys.executable, "-m", "tests.engine.reading_process"]
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        return self._process


def main() -> None:
    from moore_engine.data import source
    from moore_engine.data.errors import DataError

    for line in sys.stdin:
        name = json.loads(line)["name"]
        before, began = _start_measuring(), time.monotonic()
        said = ""
        try:
            source.info(name)
            outcome, said = "data", _judge(source.load(name, cached=False, **TASK))
        except DataError as error:
            outcome, said = "refused", str(error)
        except BaseException as error:
            outcome, said = type(error).__name__, str(error)
        seconds = time.monotonic() - began
        print(
            json.dumps({"outcome": outcome, "said": said, "memory": _most() - before, "seconds": seconds}), flush=True
        )


def _judge(data: Any) -> str:
    """What is wrong with a data set that was accepted."""
    import numpy as np

    if not np.isfinite(data.table).all():
        return "not finite"
    if np.abs(data.table[:, data.layout.action]).max() > 1:
        return "actions out of bounds"
    return "" if data.n >= 320 and data.lengths.sum() <= data.n + data.rows_dropped else "lengths"


def _start_measuring() -> int:
    """Resident memory now, from where its peak is taken."""
    Path("/proc/self/clear_refs").write_text("5")
    return _most("VmRSS")


def _most(what: str = "VmHWM") -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(what)


if __name__ == "__main__":
    main()
