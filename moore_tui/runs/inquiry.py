"""What the engine finds about a configuration before a run is made of it, asked once for each and remembered."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from moore_engine import config as configs
from moore_tui.runs import estimate, launch
from moore_tui.runs.errors import ConsoleError

APART = ("run.name", "run.seed", "run.from")
"""Keys that change nothing of what is found, or that cannot be asked about without a run of that name."""
DATA = ("data.path", "data.task", "data.termination")


@dataclass(frozen=True)
class Found:
    """`problem` is the engine's sentence if it refused; then nothing else is known."""

    rows: int = 0
    disk_mb: float = 0.0
    warnings: tuple[str, ...] = ()
    problem: str = ""


class Inquiry:
    """`ask` takes seconds and belongs in a thread; the others answer at once."""

    def __init__(self) -> None:
        self._known: dict[str, Found] = {}
        self._rows: dict[str, int] = {}
        self._paces: dict[str, estimate.Pace | None] = {}
        self._process: subprocess.Popen[str] | None = None
        self._over = False

    def known(self, config: configs.Config, trust: Sequence[str] = ()) -> Found | None:
        """What was found of this configuration; None if nobody has asked."""
        return self._known.get(_digest(config, trust))

    def rows(self, config: configs.Config) -> int | None:
        """Rows of the configuration's data set, if it was ever looked at for this task."""
        return self._rows.get(_data(config))

    def ask(self, config: configs.Config, trust: Sequence[str] = ()) -> Found:
        """Let the engine look; blocks until it has."""
        try:
            answer = launch.prepare(_without(config), trust, self._started)
            found = Found(
                int(answer.get("rows", 0)), float(answer.get("disk_mb", 0)), tuple(answer.get("warnings", ()))
            )
            self._rows[_data(config)] = found.rows
        except ConsoleError as error:
            found = Found(problem=" ".join(str(error).split()))
        finally:
            self._process = None
        if not self._over:
            self._known[_digest(config, trust)] = found
        return found

    def seconds(self, config: configs.Config) -> float | None:
        """How long a run takes by itself; None until the machine was measured for its sizes and its rows are known."""
        rows, pace = self.rows(config), self._paces.get(estimate.sizes(config))
        return estimate.seconds(config, rows, pace) if rows is not None and pace is not None else None

    def measured(self, config: configs.Config) -> bool:
        """Whether there is nothing more to measure for these sizes."""
        return estimate.sizes(config) in self._paces

    def measure(self, config: configs.Config, trust: Sequence[str] = ()) -> None:
        """Let the engine measure how fast a run of these sizes is; blocks until it has."""
        pace = estimate.measure(config, trust, self._started)
        self._process = None
        if not self._over:
            self._paces[estimate.sizes(config)] = pace

    def forget(self) -> None:
        """Refusals are no longer remembered: what they complained about may have been put right."""
        self._known = {key: found for key, found in self._known.items() if not found.problem}

    def close(self) -> None:
        """End the look that is under way, if one is."""
        self._over = True
        process = self._process
        if process is not None:
            process.kill()

    def _started(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        if self._over:
            process.kill()


def _without(config: configs.Config) -> configs.Config:
    for key in APART:
        config = configs.set_value(config, key, configs.get(configs.Config(), key))
    return config


def _digest(config: configs.Config, trust: Sequence[str]) -> str:
    return f"{json.dumps(sorted(trust))} {configs.sha256(_without(config))}"


def _data(config: configs.Config) -> str:
    return json.dumps([configs.get(config, key) for key in DATA])
