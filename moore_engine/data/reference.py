"""From a word on the command line to a data set and its task: a path, a D4RL name, `minari:ID` or `bundled:NAME`."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moore_engine.data import catalogue, source
from moore_engine.data.errors import DataError
from moore_engine.data.transitions import Transitions
from moore_engine.data.validate import tasks_of_dims
from moore_engine.envs import Env
from moore_engine.start import trusted


@dataclass(frozen=True)
class Reference:
    """Where the data set lies, as `data.path` says it, and the task it is looked at for, with the task's sizes.

    `why` says how the task was found; `low`, `high` (action_dim,) are its action bounds.
    """

    path: str
    task: str
    why: str
    obs_dim: int
    action_dim: int
    low: NDArray[np.float32]
    high: NDArray[np.float32]

    @property
    def file(self) -> Path | None:
        """The HDF5 file in D4RL's layout that it is, if it is one."""
        return None if self.path.startswith(catalogue.MINARI) else Path(source.info(self.path).path)

    def load(
        self,
        *,
        checks: bool = True,
        cached: bool = True,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Transitions:
        """The data set; arguments are those of `source.load`. Raises DataError."""
        return source.load(
            self.path,
            progress=progress,
            cached=cached,
            task=self.task,
            obs_dim=self.obs_dim,
            action_dim=self.action_dim,
            low=self.low,
            high=self.high,
            checks=checks,
        )


def resolve(word: str, task: str | None = None) -> Reference:
    """The data set that `word` names, for `task` or else the task it says or is known to be of.

    Raises DataError, and TaskError for a task that cannot be made.
    """
    path = locate(word)
    found, why = (task, "asked for") if task else _task(path)
    env = Env(found, 0, trust_code=trusted())
    sizes = env.obs_dim, env.action_dim, env.low, env.high
    env.close()
    return Reference(path, found, why, *sizes)


def locate(word: str) -> str:
    """`word` as `data.path` says it; raises DataError with the nearest name where there is no such data set."""
    known = word in catalogue.d4rl() or word.startswith((catalogue.MINARI, source.BUNDLED))
    if not known and not Path(word).exists() and Path(word).name == word and not Path(word).suffix:
        close = difflib.get_close_matches(word, [*catalogue.d4rl(), "bundled:quickstart"], n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}?" if close else "`moore-console data list` shows what there is."
        raise DataError(f"there is no data set {word!r}; {hint}")
    return source.locate(word, Path.cwd())


def _task(path: str) -> tuple[str, str]:
    """(task, how it was found) of a located data set."""
    info = source.info(path)
    if task := source.task(path):
        return task, "named in the set" if info.task else "of the official file of this size or name"
    alike = tasks_of_dims(info.obs_dim, info.action_dim)
    if len(alike) == 1:
        return alike[0], "of its dimensions"
    hint = f" ({' or '.join(alike)})" if alike else ""
    raise DataError(
        f"{path} does not say which task it is of, and {info.obs_dim} observation and {info.action_dim} action "
        f"dimensions do not tell: name it with --task{hint}."
    )
