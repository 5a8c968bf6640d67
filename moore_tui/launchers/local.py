"""Starts runs on this host: one detached keeper a run, which outlives the console and its terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import moore_tui
from moore_engine.rundir import EXIT_RUNNING, RunDir, read_json
from moore_tui.runs.errors import LaunchFailed, RunIsLive, RunNotFound


class LocalLauncher:
    """`command` replaces the trainer's command line (the run directory is put after it); `options` go to the keeper."""

    def __init__(
        self,
        *,
        command: Sequence[str] = (),
        options: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        timeout: float = 30.0,
    ) -> None:
        self.command, self.options, self.timeout = list(command), list(options), timeout
        self.env = dict(os.environ if env is None else env)

    def start(self, run: RunDir) -> dict[str, Any]:
        """See Launcher. Returns once the keeper has started (or adopted) the trainer and written keeper.json."""
        if not run.exists():
            raise RunNotFound(f"there is no run at {run.path}: its config.toml is missing")
        words = [sys.executable, "-P", "-m", "moore_tui.keeper", str(run.path.absolute()), "--detach", *self.options]
        words += ["--", *self.command] if self.command else []
        try:
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=self._environment(),
                start_new_session=True,
                timeout=self.timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise LaunchFailed(f"the keeper of run {run.id} has not started within {self.timeout:g} s") from None
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        if done.returncode == EXIT_RUNNING:
            raise RunIsLive(said[-1] if said else f"run {run.id} has a keeper already")
        if done.returncode != 0:
            raise LaunchFailed(said[-1] if said else f"the keeper of run {run.id} ended with {done.returncode}")
        keeper = (read_json(run.keeper) or {}).get("identity")
        return keeper if isinstance(keeper, dict) else {}

    def _environment(self) -> dict[str, str]:
        """The packages must be found from any folder, also when they run from a checkout; -P keeps that folder out."""
        root = Path(moore_tui.__file__).resolve().parent.parent
        if root.name in ("site-packages", "dist-packages"):
            return self.env
        paths = [str(root), *self.env.get("PYTHONPATH", "").split(os.pathsep)]
        return self.env | {"PYTHONPATH": os.pathsep.join(path for path in paths if path)}
