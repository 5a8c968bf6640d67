"""Make a run directory: resolve the configuration, let the engine check it, freeze it, and rename it into place."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moore_engine import config as configs
from moore_engine.rundir import EXIT_FAILED, EXIT_USAGE, RunDir, is_locked
from moore_tui.headless import tools
from moore_tui.headless.diagnostics import Failure
from moore_tui.runs import store
from moore_tui.runs.errors import RunIsLive

PROJECT_FILE = Path("moore.toml")
CHOSEN = "filled in at creation"


@dataclass(frozen=True)
class Wish:
    """What the user asks for: a preset or file, and what is laid over it."""

    source: str | None
    sets: Sequence[str] = ()
    flags: Mapping[str, Any] = field(default_factory=dict)
    profile: str | None = None
    trust: Sequence[str] = ()


def resolve(wish: Wish) -> configs.Resolved:
    """All layers put together, as `run` and `config show` both see them; raises ConfigError."""
    return configs.resolve(
        wish.source, project=PROJECT_FILE, env=os.environ, sets=wish.sets, flags=wish.flags, profile=wish.profile
    )


def prepare(config: configs.Config, trust: Sequence[str] = ()) -> dict[str, Any]:
    """The engine's check of data, task and device in a process of its own (it needs torch).

    Returns its answer: config (TOML text with everything resolved), rows, disk_mb, warnings, dataset. Raises Failure.
    """
    command = shlex.split(os.environ.get("MOORE_PREPARE", "")) or tools.command("prepare")
    body = json.dumps({"config": configs.dumps(config), "trust": list(trust), "base_dir": str(Path.cwd())})
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=tools.environment(),
    )
    try:
        out, err = process.communicate(body)
    except BaseException:
        process.kill()
        process.wait()
        raise
    lines = [line for line in err.strip().splitlines() if line]
    if process.returncode != 0:
        code = EXIT_USAGE if process.returncode == EXIT_USAGE else EXIT_FAILED
        raise Failure(lines[-1] if lines else f"the check of the run ended with {process.returncode}", code)
    try:
        return dict(json.loads(out))
    except ValueError:
        raise Failure("the check of the run gave no answer; try moore-console doctor", EXIT_FAILED) from None


def parse(text: str) -> configs.Config:
    """A configuration from TOML text that the engine wrote."""
    import tempfile

    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(text)
        file.flush()
        return configs.load(file.name)


def create(config: configs.Config, runs: Path, *, stem: str, sources: Mapping[str, str]) -> RunDir:
    """Freeze `config` as a new directory under `runs`, named by run.name or else by `stem` and the seed.

    Each key's line ends with where its value came from. Nothing is left behind on failure. Raises BadRunName if the
    name is taken.
    """

    def frozen(name: str) -> str:
        named = configs.set_value(config, "run.name", name)
        return configs.dumps(named, sources if config.run.name else {**sources, "run.name": CHOSEN})

    return store.create(runs, frozen, name=config.run.name, stem=f"{stem}-s{config.run.seed}")


def origins(resolved: configs.Resolved, checked: configs.Config) -> dict[str, str]:
    """Where each value came from, with those that the engine's check filled in."""
    changed = [key for key in configs.keys() if configs.get(resolved.config, key) != configs.get(checked, key)]
    return {**resolved.sources, **{key: f"{resolved.sources[key]}, {CHOSEN}" for key in changed}}


def check_name(name: str, runs: Path) -> None:
    """Refuse a name that is taken before anything slow happens; RunIsLive if it is a running run's."""
    if not name:
        return
    taken = RunDir(runs / name)
    if taken.exists() and is_locked(taken):
        raise RunIsLive(f"run {name} is already running; moore-console wait {name} waits for it")
    store.check_name(name, runs)
