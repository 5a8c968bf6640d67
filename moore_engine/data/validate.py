"""Checks of a transition table before anything is trained on it: each failure is a DataError of one sentence.

A check raises when the data would mislead the model, and returns warnings (sentences) when a person should know.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from moore_engine.buffers import Layout
from moore_engine.data.transitions import Bool, DataError, Float32
from moore_engine.terminations import Termination

# A fifth of the rows is held out of the model fit; what remains must fill one minibatch of 256.
MIN_ROWS = 320
ACTION_TOLERANCE = 1e-6
ALIGNMENT_TOLERANCE = 1e-4
# Time-outs left unmarked are at most one row in fifty even where episodes last 50 steps; shuffled rows are nearly all.
MAX_JOIN_SHARE = 0.05
TERMINATION_WARN_SHARE = 0.001
TERMINATION_ERROR_SHARE = 0.05
BLOCK = 65_536

# Observation and action dimensions of Gymnasium's tasks; D4RL's scores are those of v4.
_TASKS_BY_DIMS = {
    (11, 3): ("Hopper-v4",),
    (17, 6): ("Walker2d-v4", "HalfCheetah-v4"),
    (4, 1): ("InvertedPendulum-v4",),
    (9, 1): ("InvertedDoublePendulum-v5",),
    (11, 1): ("InvertedDoublePendulum-v4",),
    (3, 1): ("Pendulum-v1",),
    (8, 2): ("Swimmer-v4",),
    (10, 2): ("Reacher-v5",),
    (11, 2): ("Reacher-v4",),
    (23, 7): ("Pusher-v4",),
    (27, 8): ("Ant-v4",),
    (105, 8): ("Ant-v5",),
    (348, 17): ("Humanoid-v5",),
    (376, 17): ("Humanoid-v4",),
}


def tasks_of_dims(obs_dim: int, action_dim: int) -> tuple[str, ...]:
    """Gymnasium's tasks of these dimensions, in their v4 where they have one."""
    return _TASKS_BY_DIMS.get((obs_dim, action_dim), ())


def check_dims(name: str, task: str, found: tuple[int, int], wanted: tuple[int, int]) -> None:
    """`found` and `wanted` are (obs_dim, action_dim) of the file and the task."""
    if found == wanted:
        return
    guess = " or ".join(tasks_of_dims(*found))
    hint = f"these are {guess}'s, so set data.task to that" if guess else "choose the task the file was made with"
    raise DataError(
        f"{name} has {found[0]} observation and {found[1]} action dimensions but {task} has {wanted[0]} and "
        f"{wanted[1]}: {hint}, or give another file."
    )


def check_row_count(name: str, rows: int) -> None:
    if rows < MIN_ROWS:
        raise DataError(
            f"{name} holds {rows} rows and at least {MIN_ROWS} are needed to fit a model: give a larger file."
        )


def as_flags(name: str, key: str, values: NDArray[Any]) -> Bool:
    """`values` (n,) or (n, 1) of 0 and 1 in any number type, as (n,) bool."""
    values = values.reshape(-1)
    if values.dtype == np.bool_:
        return values
    bad = (values != 0) & (values != 1)
    if bad.any():
        row = int(bad.argmax())
        raise DataError(
            f"{name}: {key} must be 0 or 1 but row {row} holds {values[row]} ({int(bad.sum())} such rows): "
            f"repair the file or give another."
        )
    return values.astype(np.bool_)


def column_range(table: Float32) -> tuple[Float32, Float32]:
    """Lowest and highest value of each column, (width,) each; NaN where a column holds one."""
    low, high = table[0].copy(), table[0].copy()
    for _, block in _blocks(table):
        np.minimum(low, block.min(axis=0), out=low)
        np.maximum(high, block.max(axis=0), out=high)
    return low, high


def check_finite(name: str, table: Float32, layout: Layout, span: tuple[Float32, Float32]) -> None:
    """No NaN or infinity anywhere in the table, float64 values beyond float32 included; `span` is its column_range."""
    clean = np.isfinite(span[0]) & np.isfinite(span[1])
    for key, columns in _keys(layout).items():
        if clean[columns].all():
            continue
        bad = ~np.isfinite(table[:, columns])
        rows = bad.any(axis=1)
        row = int(rows.argmax())
        value = table[row, columns][bad[row]][0]
        raise DataError(
            f"{name}: {key} holds {'NaN' if np.isnan(value) else 'infinity'} first in row {row} "
            f"({int(rows.sum())} such rows): remove those rows or give another file."
        )


def scale_actions(
    name: str, table: Float32, layout: Layout, span: tuple[Float32, Float32], low: ArrayLike, high: ArrayLike
) -> None:
    """Actions from the task's units to [-1, 1], in place; bounds may be passed by 1e-6, which is clipped."""
    low, high = np.asarray(low, np.float32).reshape(-1), np.asarray(high, np.float32).reshape(-1)
    lowest, highest = span[0][layout.action], span[1][layout.action]
    actions = table[:, layout.action]
    if (lowest < low - ACTION_TOLERANCE).any() or (highest > high + ACTION_TOLERANCE).any():
        outside = (actions < low - ACTION_TOLERANCE) | (actions > high + ACTION_TOLERANCE)
        rows = outside.any(axis=1)
        row = int(rows.argmax())
        column = int(outside[row].argmax())
        raise DataError(
            f"{name}: action {column} of row {row} is {actions[row, column]:.6g}, outside the task's bounds "
            f"[{low[column]:g}, {high[column]:g}] ({int(rows.sum())} such rows): "
            f"store actions in the task's units, clipped to its bounds."
        )
    center, half = (high + low) / 2, (high - low) / 2
    if center.any() or (half != 1).any():
        actions -= center
        actions /= half
    if (lowest < low).any() or (highest > high).any() or center.any():
        np.clip(actions, -1.0, 1.0, out=actions)


def find_joins(name: str, table: Float32, layout: Layout, ends: Bool, refuse: bool = True) -> Bool:
    """Rows (n,) that neither end nor time out and yet are not followed by their own next observation.

    A few are time-outs nobody marked. More than one in twenty are shuffled or misaligned rows: DataError, or none where
    it is not to `refuse`.
    """
    joins = ~ends & ~_continues(table, layout)
    going_on = max(1, int((~ends[:-1]).sum()))
    if joins.sum() > MAX_JOIN_SHARE * going_on:
        if not refuse:
            return np.zeros_like(ends)
        raise DataError(
            f"{name}: next_observations differ from the next row's observations on {int(joins.sum())} of {going_on} "
            f"rows that neither end nor time out (first: row {int(joins.argmax())}): the rows are shuffled or "
            f"misaligned, so store them in the order they were collected."
        )
    return joins


def ends_are_shifted(table: Float32, layout: Layout, ends: Bool) -> bool:
    """Whether most ending rows' next_obs is the next row's obs: made by shifting, it is the next episode's reset
    state."""
    inner = np.flatnonzero(ends[:-1])
    if inner.size == 0:
        return False
    same = (table[inner, layout.next_obs] == table[inner + 1, layout.obs]).all(axis=1)
    return bool(same.mean() > 0.5)


def check_termination(
    name: str,
    task: str,
    table: Float32,
    layout: Layout,
    ends: tuple[Bool, Bool],
    usable: Bool,
    termination: Termination,
) -> list[str]:
    """The task's termination function against the terminals; `ends` are (terminals, timeouts), each (n,).

    Only `usable` rows (n,) that do not time out count: a fall on the last step allowed is stored as a time-out.
    Raises when more than 5 % of rows, or most of the terminal rows, disagree.
    """
    terminals, timeouts = ends
    counted = usable & ~timeouts
    predicted = _predict(table, layout, termination)
    missed = counted & terminals & ~predicted
    unended = counted & predicted & ~terminals
    total, wrong = max(1, int(counted.sum())), int(missed.sum() + unended.sum())
    stated = int((counted & terminals).sum())
    share = wrong / total
    if share <= TERMINATION_WARN_SHARE and 2 * missed.sum() <= stated:
        return []
    row = int((missed | unended).argmax())
    text = (
        f"{name}: terminals disagree with when {task} ends on {wrong} of {total} rows ({share:.2%}): "
        f"{int(missed.sum())} terminal rows do not end it and {int(unended.sum())} rows that should end it go on "
        f"(first: row {row}{_height(task, table, layout, row)})"
    )
    if share > TERMINATION_ERROR_SHARE or (stated >= 10 and 2 * missed.sum() > stated):
        raise DataError(
            f"{text}: the file is of another task, marks time-outs as terminals or is not real data; give another file "
            f"or the right data.task."
        )
    return [f"{text}."]


def constant_columns(name: str, layout: Layout, span: tuple[Float32, Float32]) -> list[str]:
    """A warning for each key with columns that never change: the model learns nothing from them."""
    low, high = span
    warnings = []
    for key in ("observations", "actions", "rewards"):
        columns = _keys(layout)[key]
        fixed = np.flatnonzero(low[columns] == high[columns])
        if fixed.size:
            listed = ", ".join(map(str, fixed[:8])) + (", ..." if fixed.size > 8 else "")
            what = "never change" if key == "rewards" else f"column {listed} never changes"
            warnings.append(f"{name}: {key} {what}.")
    return warnings


def _keys(layout: Layout) -> dict[str, slice]:
    return {
        "observations": layout.obs,
        "actions": layout.action,
        "next_observations": layout.next_obs,
        "rewards": layout.reward,
        "terminals": layout.terminal,
    }


def _blocks(table: Float32) -> Iterator[tuple[int, Float32]]:
    for start in range(0, table.shape[0], BLOCK):
        yield start, table[start : start + BLOCK]


def _continues(table: Float32, layout: Layout) -> Bool:
    """Rows whose next_obs is the next row's obs, to a relative 1e-4; the last row is not asked."""
    same = np.ones(table.shape[0], np.bool_)
    for start, block in _blocks(table[:-1]):
        following = table[start + 1 : start + 1 + block.shape[0], layout.obs]
        same[start : start + block.shape[0]] = (block[:, layout.next_obs] == following).all(axis=1)
    rows = np.flatnonzero(~same)
    for start in range(0, rows.size, BLOCK):
        few = rows[start : start + BLOCK]
        following = table[few + 1, layout.obs].astype(np.float64)
        gap = np.abs(table[few, layout.next_obs] - following)
        same[few] = (gap <= ALIGNMENT_TOLERANCE * (1 + np.abs(following))).all(axis=1)
    return same


def _predict(table: Float32, layout: Layout, termination: Termination) -> Bool:
    predicted = np.empty(table.shape[0], np.bool_)
    for start, block in _blocks(table):
        rows = torch.from_numpy(block)
        ended = termination(rows[:, layout.obs], rows[:, layout.action], rows[:, layout.next_obs])
        predicted[start : start + block.shape[0]] = ended.numpy()
    return predicted


def _height(task: str, table: Float32, layout: Layout, row: int) -> str:
    if not task.startswith(("Hopper-", "Walker2d-")):
        return ""
    return f", z = {table[row, layout.next_obs][0]:.3g}"
