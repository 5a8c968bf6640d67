"""The figures that runs are judged by, against closed forms."""

from __future__ import annotations

import random
from math import inf, sqrt
from statistics import NormalDist, fmean, pstdev, stdev
from typing import Any

import pytest

from moore_tui.runs import compare
from moore_tui.runs.compare import outcome

NORMAL = [NormalDist(100.0, 20.0).inv_cdf((i + 0.5) / 100) for i in range(100)]
"""A hundred episodes with the quantiles of a normal law."""


def evaluation(stage: str, epoch: int, returns: list[float], /, scored: bool = False, **fields: Any) -> dict[str, Any]:
    mean = fmean(returns)
    score = (mean + 20.0) / 4.0 if scored else None
    return {"k": "eval", "stage": stage, "epoch": epoch, "score": score, "return_mean": mean, "returns": returns,
            **fields}  # fmt: skip


def frozen(episodes: list[float], each: int = 10, **fields: Any) -> list[dict[str, Any]]:
    """The frozen policy's episodes in evaluations of `each`."""
    shuffled = random.Random(1).sample(episodes, len(episodes))
    parts = [shuffled[i : i + each] for i in range(0, len(shuffled), each)]
    return [evaluation("offline", 9, part, baseline=i + 1, **fields) for i, part in enumerate(parts)]


def online(means: list[float], spread: float = 1.0) -> list[dict[str, Any]]:
    """One evaluation of ten episodes an epoch."""
    around = [spread * (i - 4.5) for i in range(10)]
    return [evaluation("online", t, [mean + each for each in around]) for t, mean in enumerate(means, 1)]


def test_the_null_minimum_of_ten_evaluations_is_1_54_standard_errors_low() -> None:
    found = outcome([*frozen(NORMAL), *online([100.0] * 10)]).dip
    assert found is not None
    assert found.null == pytest.approx(1.5388 * pstdev(NORMAL) / sqrt(10), rel=0.03)


@pytest.mark.parametrize("epochs, low", [(1, 0.0), (2, 0.5642), (5, 1.1630)])
def test_the_null_of_fewer_evaluations_is_smaller(epochs: int, low: float) -> None:
    found = outcome([*frozen(NORMAL), *online([100.0] * epochs)]).dip
    assert found is not None
    assert found.null == pytest.approx(low * 20 / sqrt(10), abs=0.03 * 20 / sqrt(10) + 0.05)


def test_the_net_dip_is_the_dip_without_its_null_and_lies_within_its_interval() -> None:
    found = outcome([*frozen(NORMAL), *online([100.0, 60.0, *[110.0] * 8, 0.0])]).dip
    assert found is not None and found.null is not None
    assert found.depth == pytest.approx(40.0)
    assert found.net == pytest.approx(40.0 - found.null)
    assert found.low is not None and found.high is not None and found.low < found.net < found.high


def test_the_interval_covers_the_net_dip_of_an_unchanged_policy_as_often_as_it_says() -> None:
    draws, covered = random.Random(0), 0
    for _ in range(60):
        before = frozen([draws.gauss(0, 1) for _ in range(100)])
        after = [evaluation("online", t, [draws.gauss(0, 1) for _ in range(10)]) for t in range(1, 11)]
        dip = outcome([*before, *after]).dip
        assert dip is not None and dip.low is not None and dip.high is not None
        covered += dip.low <= 0 <= dip.high
    assert 53 <= covered <= 59


def test_the_quantile_of_a_minimum_is_that_of_its_closed_form() -> None:
    uniform = [(i + 0.5) / 10_000 for i in range(10_000)]
    for count in (1, 4, 10):
        for q in (0.025, 0.5, 0.975):
            assert compare.lowest_quantile(uniform, count, q) == pytest.approx(1 - (1 - q) ** (1 / count), abs=2e-4)
    assert compare.lowest_quantile([3.0], 5, 0.99) == 3.0


def test_a_standard_error_is_over_the_pooled_episodes() -> None:
    found = outcome([evaluation("offline", 9, [1.0, 2.0]), *frozen(NORMAL), *online([120.0])])
    assert found.offline_last == compare.Mean(1.5, pytest.approx(0.5), 2)
    assert found.frozen == found.offline
    assert found.frozen == compare.Mean(pytest.approx(fmean(NORMAL)), pytest.approx(stdev(NORMAL) / 10), 100)


def test_a_gain_is_sure_beyond_two_standard_errors_of_the_difference() -> None:
    error = sqrt(stdev(NORMAL) ** 2 / 100 + stdev([float(i) for i in range(10)]) ** 2 / 10)
    for gain, sure in ((2.1, True), (1.9, False), (-5.0, False)):
        found = outcome([*frozen(NORMAL), *online([fmean(NORMAL) + gain * error])])
        assert found.gain_errors == pytest.approx(gain)
        assert found.final_beats_offline is sure


def test_a_gain_without_any_noise_is_infinitely_sure() -> None:
    flat = [evaluation("offline", 1, [5.0] * 10), evaluation("online", 1, [6.0] * 10)]
    assert outcome(flat).gain_errors == inf
    assert outcome(list(flat)[:1]).gain_errors is None


def test_scores_scale_errors_and_the_data_mean_without_shifting_the_errors() -> None:
    run = {"k": "run", "data_return_mean": 60.0}
    scored = [*frozen(NORMAL, scored=True), evaluation("online", 1, [200.0, 220.0], scored=True)]
    found, raw = outcome([run, *scored]), outcome([run, *frozen(NORMAL), evaluation("online", 1, [200.0, 220.0])])
    assert (found.unit, raw.unit) == ("score", "return")
    assert found.data == pytest.approx((60.0 + 20.0) / 4)
    assert found.offline is not None and raw.offline is not None and raw.offline.error is not None
    assert found.offline.value == pytest.approx((raw.offline.value + 20) / 4)
    assert found.offline.error == pytest.approx(raw.offline.error / 4)
    assert found.gain_errors == pytest.approx(raw.gain_errors)
    assert found.offline_beats_data is raw.offline_beats_data is True
    assert found.dip is not None and raw.dip is not None and raw.dip.net is not None
    assert found.dip.net == pytest.approx(raw.dip.net / 4)


def test_an_offline_policy_below_its_data_is_told() -> None:
    found = outcome([{"k": "run", "data_return_mean": 200.0}, *frozen(NORMAL)])
    assert found.offline_beats_data is False
    assert outcome(frozen(NORMAL)).offline_beats_data is None


def test_a_branch_is_judged_with_what_it_inherits() -> None:
    trunk = [{"k": "run", "data_return_mean": 60.0}, evaluation("offline", 9, [1.0, 2.0]), *frozen(NORMAL)]
    assert outcome(online([120.0]), trunk) == outcome([*trunk, *online([120.0])])
    assert outcome(online([120.0])).offline is None


def test_time_between_attempts_and_while_paused_is_not_work() -> None:
    def at(t: float, kind: str = "loss", att: int = 1, **fields: Any) -> dict[str, Any]:
        return {"k": kind, "t": t, "att": att, **fields}

    events = [
        at(0), at(10), at(12, "ack", verb="pause", ok=True), at(50, "perf"), at(60, "ack", verb="resume", ok=True),
        at(65), at(1000, "run", att=2), at(1003), at(1004, "ack", att=2, verb="pause", ok=False), at(1006, att=2),
    ]  # fmt: skip
    events[7]["att"] = 2
    assert compare.working_seconds(events) == 12 + 5 + 3 + 1 + 2
    assert compare.working_seconds([]) == 0.0


def test_an_evaluation_that_gave_nan_counts_for_nothing() -> None:
    bad = {"k": "eval", "stage": "online", "epoch": 2, "score": None, "return_mean": "nan", "returns": ["nan"]}
    found = outcome([*frozen(NORMAL), *online([120.0]), bad])
    assert found.final is not None and found.final.value == pytest.approx(120.0)


def test_a_mean_over_runs_needs_the_figure_of_every_run() -> None:
    assert compare.mean_over([1.0, 3.0]) == compare.Mean(2.0, pytest.approx(1.0), 2)
    assert compare.mean_over([1.0]) == compare.Mean(1.0, None, 1)
    assert compare.mean_over([1.0, None]) is None
    assert compare.mean_over([]) is None
