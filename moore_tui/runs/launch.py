"""From a wish to a run: resolve the configuration, let the engine check it, freeze it as a directory, start it.

`moore-console run` and the console's launch screen both go this way. Errors are ConfigError or ConsoleError.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from moore_engine import config as configs
from moore_engine.rundir import EXIT_USAGE, RunDir, is_locked
from moore_tui.launchers.local import LocalLauncher
from moore_tui.runs import algorithms, engine, store
from moore_tui.runs.errors import CheckFailed, CheckRefused, ConsoleError, LaunchFailed, RunIsLive

PROJECT_FILE = Path("moore.toml")
CHOSEN = "filled in at creation"
READING = "reading "
"""What the engine's lines begin with that only say how far it is."""

Tell = Callable[[str], None]
"""Takes one line about how it goes."""


@dataclass(frozen=True)
class Wish:
    """What the user asks for: a preset or file, and what is laid over it.

    `seeds` asks for one run for each; `stem` begins the name of a run that was given none (else it is the source's).
    """

    source: str | None
    sets: Sequence[str] = ()
    flags: Mapping[str, Any] = field(default_factory=dict)
    profile: str | None = None
    trust: Sequence[str] = ()
    seeds: Sequence[int] = ()
    stem: str = ""


@dataclass(frozen=True)
class Checked:
    """A configuration with nothing left open, and what the engine found: `rows` of data, `disk_mb` at most.

    `sources` tell where each value came from.
    """

    config: configs.Config
    sources: Mapping[str, str]
    rows: int = 0
    disk_mb: float = 0.0
    dataset: str = ""
    warnings: Sequence[str] = ()


def launch(wish: Wish, runs: Path, tell: Tell) -> list[RunDir]:
    """Check, create and start: one run, or one for each of the wish's seeds. Those that began go on after an error."""
    checked = check(wish, runs, tell)
    made: list[RunDir] = []
    for each in wishes(wish, checked):
        try:
            made.append(create_and_start(*each, runs))
        except ConsoleError as error:
            if not made:
                raise
            raise LaunchFailed(f"only {', '.join(run.id for run in made)} started: {error}") from error
    return made


def check(wish: Wish, runs: Path, tell: Tell) -> Checked:
    """Everything that can be refused before anything exists; takes seconds. Warnings go to `tell`."""
    wish = from_run(wish, runs)
    resolved = resolve(wish)
    configs.check_launchable(resolved.config)
    for name in names(resolved.config.run.name, wish.seeds):
        check_name(name, runs)
    for warning in resolved.warnings:
        tell(f"warning: {warning}")
    tell("checking data, task and device ...")
    answer = prepare(resolved.config, wish.trust, tell=tell)
    for warning in answer.get("warnings", []):
        tell(f"warning: {warning}")
    found = Checked(
        config=(config := parse(answer["config"])),
        sources=origins(resolved, config),
        rows=answer.get("rows", 0),
        disk_mb=answer.get("disk_mb", 0),
        dataset=str(answer.get("dataset", "")),
        warnings=(*resolved.warnings, *answer.get("warnings", [])),
    )
    data = algorithms.rows_of(config.run.algo, found.rows, found.dataset)
    tell(f"{data}; the run needs up to {found.disk_mb} MB of disk")
    return found


def create_and_start(wish: Wish, checked: Checked, runs: Path) -> RunDir:
    """Freeze the checked configuration as a new directory and start it; nothing is left behind on failure."""
    made = create(checked.config, runs, stem=stem(wish), sources=checked.sources)
    try:
        launcher(wish.trust).start(made)
    except BaseException:
        shutil.rmtree(made.path, ignore_errors=True)
        raise
    return made


def wishes(wish: Wish, checked: Checked) -> list[tuple[Wish, Checked]]:
    """One wish and checked configuration for each run: they differ in seed and name only."""
    if not wish.seeds:
        return [(wish, checked)]
    each = []
    for seed, name in zip(wish.seeds, names(checked.config.run.name, wish.seeds), strict=True):
        config = configs.set_value(configs.set_value(checked.config, "run.seed", seed), "run.name", name)
        each.append((wish, replace(checked, config=config, sources={**checked.sources, "run.seed": "--seed"})))
    return each


def names(name: str, seeds: Sequence[int]) -> list[str]:
    """What runs of these seeds are called if a name was given; empty where it is chosen at creation."""
    if len(seeds) < 2 or not name:
        return [name] * max(1, len(seeds))
    return [f"{name}-s{seed}" for seed in seeds]


def stem(wish: Wish) -> str:
    """The beginning of a name that is chosen at creation, with the algorithm that was asked for; the seed follows."""
    found, algo = wish.stem or Path(str(wish.source)).stem, wish.flags.get("algo")
    return f"{found}-{algo}" if algo else found


def resolve(wish: Wish) -> configs.Resolved:
    """All layers put together, as `run` and `config show` both see them; raises ConfigError."""
    return configs.resolve(
        wish.source, project=PROJECT_FILE, env=os.environ, sets=wish.sets, flags=wish.flags, profile=wish.profile
    )


def from_run(wish: Wish, runs: Path) -> Wish:
    """The wish with RUN@WHERE of its flag `from` as a path; RUN alone means RUN@switch. Raises RunNotFound."""
    text = wish.flags.get("from")
    if not text:
        return wish
    name, _, where = text.rpartition("@") if "@" in text else (text, "", "switch")
    branch = f"{store.resolve(name, runs).path.resolve()}@{where}"
    return replace(wish, flags={**wish.flags, "from": branch})


def check_name(name: str, runs: Path) -> None:
    """Refuse a name that is taken before anything slow happens; RunIsLive if it is a running run's."""
    if not name:
        return
    taken = RunDir(runs / name)
    if taken.exists() and is_locked(taken):
        raise RunIsLive(f"run {name} is already running; moore-console wait {name} waits for it")
    store.check_name(name, runs)


def prepare(
    config: configs.Config,
    trust: Sequence[str] = (),
    started: Callable[[subprocess.Popen[str]], None] = lambda process: None,
    tell: Tell = lambda text: None,
) -> dict[str, Any]:
    """The engine's check of data, task and device in a process of its own (it needs torch), which `started` is given.

    `tell` takes how far it is where that takes long, in a thread. Returns its answer: config (TOML text with everything
    resolved), rows, disk_mb, warnings, dataset. Raises CheckRefused with its sentence, CheckFailed if it broke.
    """
    command = shlex.split(os.environ.get("MOORE_PREPARE", "")) or engine.command("prepare")
    body = json.dumps({"config": configs.dumps(config), "trust": list(trust), "base_dir": str(Path.cwd())})
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=engine.environment(),
    )
    lines: list[str] = []
    listener = threading.Thread(target=_listen, args=(process, lines, tell), daemon=True)
    with process:
        listener.start()
        try:
            started(process)
            out = _ask(process, body)
        except BaseException:
            process.kill()
            raise
        finally:
            listener.join()
    if process.returncode != 0:
        kind = CheckRefused if process.returncode == EXIT_USAGE else CheckFailed
        raise kind(lines[-1] if lines else f"the check of the run ended with {process.returncode}")
    try:
        return dict(json.loads(out))
    except ValueError:
        raise CheckFailed("the check of the run gave no answer; try moore-console doctor") from None


def _ask(process: subprocess.Popen[str], body: str) -> str:
    """Give a process its question, and wait for its answer."""
    assert process.stdin is not None and process.stdout is not None
    with contextlib.suppress(BrokenPipeError), process.stdin as question:  # it may have ended already
        question.write(body)
    out = process.stdout.read()
    process.wait()
    return out


def _listen(process: subprocess.Popen[str], lines: list[str], tell: Tell) -> None:
    """Collect what a process says on stderr, and pass on how far it is."""
    for line in process.stderr or ():
        if line.startswith(READING):
            tell(line.strip())
        elif line.strip():
            lines.append(line.strip())


def parse(text: str) -> configs.Config:
    """A configuration from TOML text that the engine wrote."""
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


def launcher(trust: Sequence[str] = ()) -> LocalLauncher:
    """Starts runs on this host; MOORE_TRAINER names another command than the engine's trainer."""
    env = dict(os.environ)
    env.pop("MOORE_TRUST_CODE", None)
    if trust:
        env["MOORE_TRUST_CODE"] = ",".join(trust)
    return LocalLauncher(command=shlex.split(os.environ.get("MOORE_TRAINER", "")), env=env)
