"""The numbers behind the figures, against closed forms and slow plain versions."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from moore_tui.report.figures import curves
from moore_tui.report.figures.curves import Curve
from moore_tui.report.gather import gather
from tests.report.figure_runs import figure_run


def floats(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def test_seeds_join_where_all_are_known_straight_between_their_points() -> None:
    one = floats(0, 10, 20, 30), floats(0, 10, 20, 30)
    other = floats(5, 15, 20), floats(50, 70, 80)
    found = curves.joined([one, other])
    assert found is not None
    assert found.x.tolist() == [5, 10, 15, 20]
    assert found.middle.tolist() == [27.5, 35, 42.5, 50]
    assert found.band is not None
    assert [each.tolist() for each in found.band] == [[5, 10, 15, 20], [50, 60, 70, 80]]


def test_a_single_seed_has_no_band_and_gaps_are_left_out() -> None:
    found = curves.joined([(floats(0, 10, 10, 20, math.nan), floats(1, 2, 3, math.nan, 4))])
    assert found is not None and found.band is None
    assert (found.x.tolist(), found.middle.tolist()) == ([0, 10], [1, 3])


def test_seeds_that_share_no_place_are_no_curve() -> None:
    assert curves.joined([(floats(0, 1), floats(1, 1)), (floats(2, 3), floats(1, 1))]) is None
    assert curves.joined([(floats(), floats())]) is None


@pytest.mark.parametrize("seeds", [3, 4, 5])
def test_the_interval_of_few_seeds_is_that_of_all_resamples(seeds: int) -> None:
    values = np.random.default_rng(seeds).normal(size=(seeds, 2))
    low, high = curves.interval(values)
    for point in range(2):
        means = []
        for chosen in itertools.product(range(seeds), repeat=seeds):
            drawn = sorted(values[each, point] for each in chosen)
            kept = drawn[seeds // 4 : seeds - seeds // 4]
            means.append(sum(kept) / len(kept))
        means.sort()
        at_most = [place + 1 for place in range(len(means))]
        lowest = next(mean for mean, count in zip(means, at_most, strict=True) if count >= 0.025 * len(means))
        highest = next(mean for mean, count in zip(means, at_most, strict=True) if count >= 0.975 * len(means))
        assert (low[point], high[point]) == pytest.approx((lowest, highest))


def test_the_interval_of_three_seeds_reaches_from_the_lowest_to_the_highest() -> None:
    low, high = curves.interval(floats(3, 1, 8)[:, None])
    assert (low[0], high[0]) == (1, 8)


def test_the_interval_of_many_seeds_is_drawn_alike_every_time_and_right() -> None:
    values = np.random.default_rng(1).normal(size=(400, 1))
    low, high = curves.interval(values)
    assert np.array_equal(curves.interval(values)[0], low)
    assert high[0] - low[0] == pytest.approx(2 * 1.96 * 1.09 / 20, rel=0.15)  # s of a normal's IQM: 1.09 / sqrt(n)


def test_a_curve_is_cut_between_its_points() -> None:
    whole = Curve(floats(0, 10, 20), floats(0, 1, 3), (floats(-1, 0, 2), floats(1, 2, 4)))
    cut = whole.until(15)
    assert cut.x.tolist() == [0, 10, 15] and cut.middle.tolist() == [0, 1, 2]
    assert cut.band is not None and cut.band[0].tolist() == [-1, 0, 1] and cut.band[1].tolist() == [1, 2, 3]
    assert whole.until(20) is whole and whole.until(30) is whole


def test_the_density_is_a_sum_of_folded_gaussians_of_silvermans_width() -> None:
    values = floats(0.0, 0.1, 0.1, 0.4, 0.9)
    spread = min(values.std(ddof=1), (0.4 - 0.1) / 1.34)
    assert curves.bandwidth(values) == pytest.approx(0.9 * spread / 5**0.2)
    width = curves.bandwidth(values)
    for at in (0.0, 0.05, 0.7):
        slow = 0.0
        for value in values:
            for centre in (value, -value):
                slow += math.exp(-0.5 * ((at - centre) / width) ** 2) / math.sqrt(2 * math.pi) / width / 5
        assert curves.density(values, floats(at))[0] == pytest.approx(slow)


def test_the_density_over_all_errors_is_one() -> None:
    values = np.abs(np.random.default_rng(2).normal(size=300))
    at = np.linspace(0, 8, 4001)
    assert np.trapezoid(curves.density(values, at), at) == pytest.approx(1, abs=1e-6)


def test_equal_errors_have_no_width() -> None:
    assert curves.bandwidth(np.full(9, 0.3)) == 0.0


def test_offline_counts_back_from_the_switch_and_online_begins_with_the_frozen_policy(tmp_path: Path) -> None:
    figure_run(tmp_path, "s0", before=(5, 7), frozen=(6, 10), after=(9, 12), updates=500, steps=100)
    (run,) = gather([tmp_path / "s0"])
    assert [each.tolist() for each in curves.offline(run, "score")] == [[-500, 0], [5, 7]]
    assert [each.tolist() for each in curves.online(run, "score")] == [[0, 100, 200], [8, 9, 12]]
    assert [each.tolist() for each in curves.online(run, "return_mean")] == [[0, 100, 200], [80, 90, 120]]
    assert curves.offline_updates(run) == 1000


def test_without_evaluations_of_the_frozen_policy_online_begins_with_the_last_offline_one(tmp_path: Path) -> None:
    figure_run(tmp_path, "s0", before=(5, 7), after=(9,))
    (run,) = gather([tmp_path / "s0"])
    assert [each.tolist() for each in curves.online(run, "score")] == [[0, 1000], [7, 9]]
    assert [each.tolist() for each in curves.online(run, "return_mean")] == [[0, 1000], [70, 90]]


def test_a_run_from_scratch_begins_with_its_first_evaluation(tmp_path: Path) -> None:
    figure_run(tmp_path, "s0", before=(), after=(9, 12))
    (run,) = gather([tmp_path / "s0"])
    assert [each.tolist() for each in curves.online(run, "score")] == [[1000, 2000], [9, 12]]
    assert curves.offline_updates(run) == 0
