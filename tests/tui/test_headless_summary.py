"""Offline score, final score and net dip of a run, by hand."""

from __future__ import annotations

from itertools import combinations
from statistics import fmean
from typing import Any

import pytest

from moore_tui.headless.summary import lowest, summarise


def evaluation(stage: str, epoch: int, score: float | str | None, **fields: Any) -> dict[str, Any]:
    return {"k": "eval", "stage": stage, "epoch": epoch, "score": score, "return_mean": -100.0 * epoch, **fields}


def test_the_lowest_of_a_few_is_the_mean_of_minima_over_all_choices() -> None:
    values = [3.0, -1.0, 7.0, 7.0, 2.0]
    for count in range(1, 6):
        assert lowest(values, count) == pytest.approx(fmean(min(each) for each in combinations(values, count)))
    assert lowest(values, 9) == -1.0


def test_the_net_dip_takes_off_what_an_unchanged_policy_would_show() -> None:
    frozen = [evaluation("offline", 5, score, baseline=1) for score in (48.0, 52.0)]
    online = [evaluation("online", epoch, score) for epoch, score in enumerate((45.0, 40.0, 60.0), 1)]
    found = summarise([evaluation("offline", 5, 90.0), *frozen, *online])
    assert (found.unit, found.offline, found.final) == ("score", 50.0, 60.0)
    assert (found.dip, found.net_dip) == (10.0, 10.0 - 2.0)


def test_only_the_first_ten_online_epochs_can_dip() -> None:
    online = [evaluation("online", epoch, 50.0 if epoch < 11 else 1.0) for epoch in range(1, 12)]
    found = summarise([evaluation("offline", 1, 55.0), *online])
    assert (found.dip, found.final, found.net_dip) == (5.0, 1.0, None)


def test_returns_are_used_where_one_score_is_missing() -> None:
    found = summarise([evaluation("offline", 1, 5.0), evaluation("online", 3, None)])
    assert (found.unit, found.offline, found.final, found.dip) == ("return", -100.0, -300.0, 200.0)


def test_a_run_without_an_online_stage_has_no_dip() -> None:
    found = summarise([evaluation("offline", 1, 5.0), evaluation("offline", 2, 6.0)])
    assert (found.offline, found.final, found.dip) == (6.0, 6.0, None)
    assert summarise([]).final is None
