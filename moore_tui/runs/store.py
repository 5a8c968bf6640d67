"""The runs folder: which runs there are, which one a name means, and how one is made or deleted."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from moore_engine.rundir import RunDir, fsync, is_locked
from moore_tui.runs import identity, status, written
from moore_tui.runs.errors import BadRunName, RunIsLive, RunNotFound

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=,-]{0,119}")


def runs_folder(option: str | os.PathLike[str] | None = None, env: Mapping[str, str] = os.environ) -> Path:
    """Where runs lie: `--runs-dir`, else MOORE_RUNS_DIR, else ./runs."""
    return Path(option or env.get("MOORE_RUNS_DIR") or "runs")


def listing(folder: Path) -> list[RunDir]:
    """All runs of the folder by name; none if there is no such folder."""
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        return []
    return [run for run in map(RunDir, paths) if run.exists()]


def example() -> RunDir | None:
    """The recorded run that comes with the console (runs/example); None if the installation lacks it."""
    run = RunDir(Path(__file__).parents[1] / "example")
    return run if run.exists() else None


def resolve(text: str, folder: Path) -> RunDir:
    """The run that `text` means: a path, a name in `folder`, or the only beginning of one.

    Raises RunNotFound with the nearest name, BadRunName if several names begin so.
    """
    if not text:
        raise RunNotFound(f"no run was named; {folder} has {_some(listing(folder))}")
    if "/" not in text and RunDir(folder / text).exists():
        return RunDir(folder / text)
    if RunDir(text).exists():
        return RunDir(text)
    runs = listing(folder)
    fitting = [run for run in runs if run.id.startswith(text)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise BadRunName(f"{text!r} begins the names of several runs: {_some(fitting)}")
    from difflib import get_close_matches

    near = get_close_matches(text, [run.id for run in runs], 1, 0.5)
    hint = f"did you mean {near[0]}?" if near else f"{folder} has {_some(runs)}"
    raise RunNotFound(f"there is no run {text!r} in {folder}; {hint}")


def check_name(name: str, folder: Path) -> None:
    """Raise BadRunName unless a new run of `folder` can be called so."""
    if not _NAME.fullmatch(name):
        raise BadRunName(
            f"{name!r} cannot name a run: use at most 120 letters, digits and . _ + = , - after a letter or digit"
        )
    if (folder / name).exists():
        raise BadRunName(f"there is already a run {name!r} in {folder}; choose another name or resume it")


def free_names(stem: str, folder: Path) -> Iterator[str]:
    """Names for a run that was given none: the stem, then stem-2, stem-3, ...; without those that are taken."""
    stem = re.sub(r"[^A-Za-z0-9._+=,-]+", "-", stem).strip("-.")[:100] or "run"
    number = 1
    while True:
        name = stem if number == 1 else f"{stem}-{number}"
        if not (folder / name).exists():
            yield name
        number += 1


def create(folder: Path, config_for: Callable[[str], str], *, name: str = "", stem: str = "run") -> RunDir:
    """Make a run called `name`, or by `stem` if it is empty; `config_for` gives its config.toml by its final name.

    The run appears complete or not at all. Raises BadRunName.
    """
    import shutil

    if name:
        check_name(name, folder)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = RunDir(folder / f".tmp-{os.urandom(4).hex()}")
    try:
        temporary.make()
        for each in [name] if name else free_names(stem, folder):
            temporary.config.write_text(config_for(each), encoding="utf-8")
            if _move(temporary.path, folder / each):
                fsync(folder)
                return RunDir(folder / each)
        check_name(name, folder)
        raise BadRunName(f"the run {name!r} cannot be made in {folder}")
    finally:
        shutil.rmtree(temporary.path, ignore_errors=True)


def delete(run: RunDir) -> None:
    """Remove a run for good. Raises RunIsLive while anything works in it, RunNotFound for what is no run."""
    import shutil

    if not run.exists() or run.path.is_symlink():
        raise RunNotFound(f"{run.path} is no run directory, so it is not deleted")
    state, keeper = written.read_state(run.state), written.read_keeper(run.keeper)
    verdict = status.judge(run, state, keeper, (), time.time())
    if verdict.state in status.RUNNING or verdict.kept or is_locked(run):
        raise RunIsLive(f"run {run.id} is {verdict.state}; stop it before deleting it")
    if verdict.state == "lost":
        raise RunIsLive(f"run {run.id} may still run {verdict.detail}; delete it from that host")
    if identity.condition(keeper.get("identity")) == identity.ELSEWHERE and not status.over(state, keeper):
        raise RunIsLive(f"the keeper of run {run.id} is on another host; delete it from there")
    doomed = run.path.with_name(f".deleted-{os.urandom(4).hex()}")
    run.path.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def _move(source: Path, target: Path) -> bool:
    """Rename a full folder; False if the target exists, which a rename replaces only if it is empty."""
    if target.exists():
        return False
    try:
        source.rename(target)
    except OSError:
        if target.exists():
            return False
        raise
    return True


def _some(runs: list[RunDir]) -> str:
    names = [run.id for run in runs[:5]]
    more = f" and {len(runs) - 5} more" if len(runs) > 5 else ""
    return ", ".join(names) + more if names else "no runs"
