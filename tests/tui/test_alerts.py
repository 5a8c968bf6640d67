"""What is odd about a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from moore_tui.runs.alerts import MOST, alerts, unkept
from moore_tui.runs.model import Snapshot
from moore_tui.runs.series import RunSeries
from moore_tui.runs.tail import Batch
from tests.tui.rich_runs import OFFLINE, at, evaluation, events


def shot(state: str = "done", **fields: Any) -> Snapshot:
    return Snapshot("run", Path("run"), state, **{"detail": "", **fields})


def series(found: list[dict[str, Any]]) -> RunSeries:
    made = RunSeries()
    made.apply(Batch(found, False, None, False))
    return made


def online(returns: list[float], frozen: float = 1000.0, spread: float = 10.0) -> list[dict[str, Any]]:
    """A run whose frozen policy was evaluated ten times, and then each online epoch once."""
    found = events(OFFLINE, 1.0, 0.0)
    place = (1.0, "online", 1, 8000, 0)
    for number in range(1, 11):
        found.append(evaluation(found, *place, frozen + spread * (number % 3 - 1), baseline=number))
    for epoch, value in enumerate(returns, 1):
        found.append(evaluation(found, 2.0, "online", epoch, 8000 + epoch, epoch, value))
    return found


def test_a_fall_that_is_more_than_noise_is_told_with_its_limits() -> None:
    told = alerts(shot(), series(online([1000.0, 400.0, 700.0, 1100.0])))
    assert len(told) == 1 and told[0].startswith("net dip of ") and "in score at the switch (95 %:" in told[0]
    depth = float(told[0].split()[3])
    assert (1000.0 - 400.0) / 32.0 - 3.0 < depth < (1000.0 - 400.0) / 32.0


def test_a_fall_of_the_very_first_online_evaluation_counts() -> None:
    told = alerts(shot(), series(online([400.0, 1000.0, 1010.0, 1100.0])))
    assert len(told) == 1 and told[0].startswith("net dip of ")
    depth = float(told[0].split()[3])
    assert (1000.0 - 400.0) / 32.0 - 3.0 < depth < (1000.0 - 400.0) / 32.0


def test_an_unchanged_policy_does_not_dip() -> None:
    assert alerts(shot(), series(online([1010.0, 990.0, 1000.0, 1005.0]))) == []


def test_a_fall_after_the_first_ten_online_epochs_is_none_at_the_switch() -> None:
    assert alerts(shot(), series(online([1000.0] * 10 + [0.0]))) == []


def test_without_online_evaluations_there_is_nothing_to_say() -> None:
    assert alerts(shot(), series(events(3, 1.0, 0.0))) == []
    assert alerts(shot(), RunSeries()) == []
    assert alerts(shot(), None) == []


def test_the_newest_warnings_are_told_and_the_others_counted() -> None:
    found = events(2, 1.0, 0.0)
    for number in range(MOST + 3):
        found.append(at(found, "warn", what=f"odd thing {number}"))
    assert alerts(shot(), series(found)) == ["3 earlier warnings", *(f"odd thing {n}" for n in range(3, MOST + 3))]


def test_lines_that_could_not_be_read_are_counted() -> None:
    made = series(events(1, 1.0, 0.0))
    made.bad = 2
    assert alerts(shot(), made) == ["2 lines of events.jsonl could not be read"]


@pytest.mark.parametrize(
    ("state", "kept", "detail", "told"),
    [
        ("live", False, "", True), ("live", True, "", False), ("paused", False, "", True), ("stalled", False, "", True),
        ("done", False, "", False), ("interrupted", False, "", False), ("live", False, "on node07", False),
    ],
)  # fmt: skip
def test_a_running_run_without_keeper_is_told_so_on_its_own_host(
    state: str, kept: bool, detail: str, told: bool
) -> None:
    assert unkept(shot(state, kept=kept, detail=detail)) == told
    assert any("no keeper" in text for text in alerts(shot(state, kept=kept, detail=detail), None)) == told
