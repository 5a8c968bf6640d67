"""What a data set is like: its returns, what it covers of states and actions, and how a policy compares to it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moore_engine import scores
from moore_engine.data.transitions import Transitions

QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
# An action this close to its bound, in [-1, 1], counts as at the bound.
AT_BOUND = 0.99
BEST_SHARE = 0.1
Z95 = 1.96


@dataclass(frozen=True)
class Spread:
    """Returns of episodes: `best` is the mean of the best tenth (at least one), `error` the mean's standard error."""

    mean: float
    std: float
    error: float
    best: float
    quantiles: tuple[float, ...]
    count: int


@dataclass(frozen=True)
class Column:
    """One dimension's range: lowest, 1 % quantile, median, 99 % quantile, highest value, and standard deviation."""

    low: float
    q01: float
    median: float
    q99: float
    high: float
    std: float

    @property
    def constant(self) -> bool:
        return self.low == self.high


@dataclass(frozen=True)
class Verdict:
    """A policy's returns beside the data's: which is better, and what that suggests before going online."""

    word: str
    text: str
    policy_mean: float
    policy_error: float
    policy_episodes: int


def spread(returns: NDArray[np.float64]) -> Spread:
    """The spread of `returns` (episodes,), at least one."""
    count = returns.size
    std = float(returns.std())
    best = np.sort(returns)[-max(1, math.ceil(BEST_SHARE * count)) :]
    return Spread(
        mean=float(returns.mean()),
        std=std,
        error=std / math.sqrt(count),
        best=float(best.mean()),
        quantiles=tuple(float(value) for value in np.quantile(returns, QUANTILES)),
        count=count,
    )


def columns(table: NDArray[np.float32]) -> list[Column]:
    """Each column's range of `table` (n, width)."""
    found = []
    for column in table.T:
        values = np.sort(column)
        last = values.size - 1
        q01, median, q99 = (float(values[round(share * last)]) for share in (0.01, 0.5, 0.99))
        std = float(values.std(dtype=np.float64))
        found.append(Column(float(values[0]), q01, median, q99, float(values[-1]), std))
    return found


def at_bounds(actions: NDArray[np.float32]) -> float:
    """The share of all action values, in [-1, 1], that lie at a bound."""
    return float((np.abs(actions) > AT_BOUND).mean())


def to_task_units(
    actions: NDArray[np.float32], low: NDArray[np.float32], high: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Actions (n, action_dim) from [-1, 1] to the task's bounds."""
    return np.asarray(actions * ((high - low) / 2) + (high + low) / 2, np.float32)


def score_of(data: Transitions, task: str, ret: float) -> float | None:
    """The score of a return: by the set's own references, else the task's; None where there are none."""
    return scores.score(task, ret, data.reference)


def compare(policy: NDArray[np.float64], data: Spread) -> Verdict:
    """Whether a policy of these returns (episodes,) is better than the data, beyond the noise of both means."""
    own = spread(policy)
    noise = Z95 * math.hypot(own.error, data.error)
    if own.mean - noise > data.best:
        word = "policy better"
        text = (
            "it beats even the best tenth of the data's episodes, so offline rows now show worse behaviour than its "
            "own: let them fade sooner with a larger online.alpha"
        )
    elif own.mean - noise > data.mean:
        word = "policy better than the average"
        text = (
            "it beats the data's mean and not yet its best tenth, so offline rows still show something it does not do: "
            "the default online.alpha suits"
        )
    elif own.mean + noise < data.mean:
        word = "data better"
        text = (
            "it is worse than the data it learned from: give the offline stage more epochs or another "
            "offline.penalty_coef first, or keep offline rows longer with a smaller online.alpha"
        )
    else:
        word = "even"
        text = "its mean and the data's cannot be told apart: more evaluation episodes would tell, or the defaults suit"
    return Verdict(word, text, own.mean, own.error, own.count)


def facts(data: Transitions, task: str, low: NDArray[np.float32], high: NDArray[np.float32]) -> dict[str, Any]:
    """Everything as names and numbers, for `--json`."""
    layout, returns = data.layout, spread(data.returns)
    actions = data.table[:, layout.action]
    score = {
        name: score_of(data, task, value)
        for name, value in (("mean", returns.mean), ("best_tenth", returns.best), ("best", returns.quantiles[-1]))
    }
    return {
        "path": data.path,
        "format": data.format,
        "sha256": data.sha256,
        "genuine": data.genuine,
        "made_by": data.made_by,
        "task": task,
        "rows": data.n,
        "rows_dropped": data.rows_dropped,
        "episodes": data.episodes,
        "terminals": data.terminals,
        "timeouts": data.timeouts,
        "length": {"mean": float(data.lengths.mean()), "min": int(data.lengths.min()), "max": int(data.lengths.max())},
        "return": {
            "mean": returns.mean,
            "std": returns.std,
            "best_tenth": returns.best,
            "quantiles": dict(zip(map(str, QUANTILES), returns.quantiles, strict=True)),
        },
        "score": score,
        "reference": data.reference or scores.reference(task),
        "observations": [vars(column) for column in columns(data.table[:, layout.obs])],
        "actions": [vars(column) for column in columns(to_task_units(actions, low, high))],
        "actions_at_bounds": at_bounds(actions),
        "reward": vars(columns(data.table[:, layout.reward])[0]),
        "warnings": list(data.warnings),
    }
