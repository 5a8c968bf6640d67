"""What several runs say together, against definitions spelt out once more."""

from __future__ import annotations

import math
from statistics import fmean

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from moore_engine import events as contract
from moore_engine.rundir import write_json
from moore_tui.runs import aggregate, compare, lineage, store
from moore_tui.runs.aggregate import MOST_POINTS, auc, band, epochs_to, figures, iqm, quantile
from moore_tui.runs.feed import Feed
from moore_tui.runs.series import RunSeries
from moore_tui.runs.tail import Batch
from moore_tui.runs.working_hours import WorkingHours
from tests.tui.made_runs import event, make_run, write_events

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=25)


# --- statistics ---


@given(VALUES)
def test_the_interquartile_mean_is_that_of_the_values_whose_rank_is_in_the_middle_half(values):
    n = len(values)
    ranked = sorted(range(n), key=values.__getitem__)
    middle = [values[index] for rank, index in enumerate(ranked) if rank >= n // 4 and rank < n - n // 4]
    assert iqm(values) == pytest.approx(fmean(middle), abs=1e-6)
    assert min(values) - 1e-6 <= iqm(values) <= max(values) + 1e-6


@given(VALUES, st.integers(0, 24), st.floats(1e7, 1e9))
def test_one_outlier_among_four_or_more_does_not_move_it(values, where, outlier):
    assume(len(values) >= 4)
    changed = sorted(values)
    changed[-1] = outlier
    assert iqm(changed) == pytest.approx(iqm(values), abs=1e-6)


@given(VALUES, st.floats(0, 1))
def test_a_quantile_has_its_share_of_the_values_below(values, q):
    found = quantile(values, q)
    assert sum(value <= found + 1e-6 for value in values) >= math.floor(q * (len(values) - 1)) + 1
    assert sum(value >= found - 1e-6 for value in values) >= math.floor((1 - q) * (len(values) - 1))


def test_of_nothing_there_is_nothing():
    assert math.isnan(iqm([]))
    assert math.isnan(quantile([], 0.5))
    assert list(band([]).x) == []
    assert list(band([([], []), ([1.0], [math.nan])]).x) == []


# --- bands ---


@given(st.lists(st.lists(st.floats(-100, 100), min_size=5, max_size=5), min_size=1, max_size=6))
def test_seeds_evaluated_at_the_same_places_are_put_together_there(curves):
    xs = [0.0, 1.0, 2.0, 5.0, 9.0]
    found = band([(xs, ys) for ys in curves])
    assert list(found.x) == xs
    assert list(found.count) == [len(curves)] * 5
    assert list(found.mean) == pytest.approx([iqm(column) for column in zip(*curves, strict=True)])
    assert list(found.low) == pytest.approx([quantile(column, 0.25) for column in zip(*curves, strict=True)])
    assert list(found.high) == pytest.approx([quantile(column, 0.75) for column in zip(*curves, strict=True)])


def test_between_its_points_a_curve_is_straight_and_outside_it_says_nothing():
    found = band([([0.0, 4.0], [0.0, 8.0]), ([1.0, 2.0], [10.0, math.nan])])
    assert list(found.x) == [0.0, 1.0, 4.0]
    assert list(found.mean) == [0.0, 6.0, 8.0]
    assert list(found.count) == [1, 2, 1]


def test_a_long_curve_gets_a_grid_of_bounded_size_with_its_ends():
    xs = [float(x) for x in range(5000)]
    found = band([(xs, [2 * x for x in xs])] * 2)
    assert len(found.x) == MOST_POINTS
    assert (found.x[0], found.x[-1]) == (0.0, 4999.0)
    assert list(found.mean) == pytest.approx([2 * x for x in found.x])


# --- figures ---


def test_epochs_to_ninety_percent_of_the_gain():
    points = [(1, 10.0), (2, 18.9), (3, 19.0), (4, 5.0), (5, 20.0)]
    assert epochs_to(10.0, points) == 3
    assert epochs_to(10.0, points, 0.5) == 2
    assert epochs_to(20.0, points) is None
    assert epochs_to(None, points) is None
    assert epochs_to(10.0, []) is None


def test_the_area_is_the_mean_height_from_the_switch_on():
    assert auc(10.0, [(1, 20.0), (2, 20.0)]) == pytest.approx((15 + 20) / 2)
    assert auc(None, [(2, 20.0), (4, 40.0)]) == 30.0
    assert auc(None, [(3, 7.0)]) == 7.0
    assert auc(10.0, []) is None


@given(st.floats(-100, 100), st.integers(1, 30))
def test_the_area_of_a_flat_curve_is_its_height(height, epochs):
    assert auc(height, [(epoch, height) for epoch in range(1, epochs + 1)]) == pytest.approx(height)


EVALS = st.lists(
    st.tuples(
        st.sampled_from(["offline", "baseline", "online", "online", "pause", "resume", "run"]),
        st.one_of(st.floats(-10, 10), st.sampled_from(["nan", None])),
        st.floats(0.1, 100),
        st.integers(0, 5),
    ),
    max_size=30,
)


@given(EVALS, st.integers(1, 29))
def test_the_outcome_is_that_of_the_events_themselves_dead_attempts_or_not(script, cut):
    bodies, now, online, attempt = [], 1e9, False, 1
    for seq, (what, score, gap, back) in enumerate(script, 1):
        now += gap
        online = online or what == "online"
        attempt += what == "run"
        place = {"t": now, "att": attempt, "stage": "online" if online else "offline", "epoch": seq}
        if what in ("pause", "resume"):
            bodies.append(event(seq, "ack", verb=what, ok=True, **place))
        elif what == "run":
            bodies.append(event(seq, "run", resumed_seq=max(0, seq - back), data_return_mean=3.0, **place))
        else:
            mean = score if isinstance(score, float) else 1.0
            fields = {"score": score, "return_mean": 2 * mean + 1, "returns": [2 * mean, 2 * mean + 2]}
            bodies.append(event(seq, "eval", **place, **fields, **({"baseline": seq} if what == "baseline" else {})))
    series = RunSeries()
    cut = min(cut, len(bodies))
    for first, part in ((0, bodies[:cut]), (cut, bodies[cut:])):
        resumed = [each["resumed_seq"] for each in part if each["k"] == "run"]
        keep = min(resumed) if resumed else None
        alive = [each for each in contract.visible(bodies[: first + len(part)]) if each["seq"] > first]
        series.apply(Batch(alive, False, keep if keep is None or keep < first else None, False))
    visible = contract.visible(bodies)
    assert figures(series).outcome.unit == compare.outcome(visible).unit
    assert flat(figures(series).outcome) == pytest.approx(
        flat(compare.outcome(visible)), rel=1e-6, abs=1e-4, nan_ok=True
    )


def flat(outcome, prefix=""):
    """Figures of a nested record by path; nan for what is not known."""
    found = {}
    for key, value in (outcome.as_dict() if prefix == "" else outcome).items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        elif key != "unit":
            found[prefix + key] = math.nan if value is None else float(value)
    return found


def test_the_examples_figures_are_those_of_its_events():
    run = store.example()
    visible = contract.visible(contract.read(run.events))
    series = RunSeries()
    series.apply(Batch(visible, False, None, False))
    found = figures(series)
    assert flat(found.outcome) == pytest.approx(flat(compare.outcome(visible)), rel=1e-6, nan_ok=True)
    assert found.outcome.final.value == 100.0
    assert found.epochs_to == 5
    assert 50 < found.auc < 100


def test_a_branch_is_measured_against_the_offline_stage_it_inherits(tmp_path):
    parent = make_run(tmp_path, "parent")
    scores = {"return_mean": 50.0, "score": 5.0, "returns": [49.0, 51.0]}
    write_events(
        parent,
        event(1, "run", resumed_seq=0, data_return_mean=20.0),
        event(2, "eval", **{**scores, "return_mean": 10.0, "score": 1.0}),
        *(event(seq, "eval", baseline=seq, **scores) for seq in range(3, 6)),
        event(6, "eval", stage="online", return_mean=9e9, score=9e8),
    )
    (parent.checkpoints / "switch").mkdir()
    write_json(parent.checkpoints / "switch" / "manifest.json", {"seq": 5})
    child = make_run(tmp_path, "child", run={"from_": f"{parent.path}@switch#01"})
    write_events(child, event(1, "run", resumed_seq=0), event(2, "eval", stage="online", return_mean=90.0, score=9.0))
    feed = Feed(tmp_path)
    feed.open(["child"])
    while feed.poll() or feed.more:
        pass
    found = figures(feed.series("child"))
    assert flat(found.outcome) == pytest.approx(flat(compare.outcome(*lineage.history(child))), nan_ok=True)
    assert (found.outcome.offline.value, found.outcome.final.value, found.outcome.data) == (5.0, 9.0, 2.0)


def test_a_run_without_evaluations_has_no_figures():
    found = figures(RunSeries())
    assert (found.outcome.offline, found.epochs_to, found.auc) == (None, None, None)


# --- working hours ---


def test_working_hours_leave_out_pauses_and_gaps_between_attempts():
    hours = WorkingHours()
    hours.add([event(1, t=0.0), event(2, t=10.0), event(3, "ack", t=20.0, verb="pause", ok=True)])
    hours.add([event(4, "perf", t=500.0), event(5, "ack", t=1000.0, verb="resume", ok=True), event(6, t=1005.0)])
    hours.add([event(7, t=1010.0)])
    hours.add([event(8, "run", t=9000.0, att=2), event(9, t=9001.0, att=2)])
    assert hours.seconds == 20.0 + 10.0 + 1.0
    hours.drop_after(6, 1005.0)
    assert hours.seconds == 25.0


# --- configurations ---


def test_configurations_are_told_apart_by_what_differs():
    every = [{"a": 1, "b": 2}, {"a": 1, "b": 3}, {"a": 1, "b": 2, "c": "x"}]
    assert lineage.differences(every) == [("b", [2, 3, 2]), ("c", [None, None, "x"])]
    assert lineage.alike(every) == {"b=2, c=None": [0], "b=3, c=None": [1], "b=2, c=x": [2]}
    assert lineage.alike([{"a": 1}] * 3) == {"": [0, 1, 2]}
    assert lineage.alike([]) == {}


def test_the_share_of_the_gain_is_nine_tenths():
    assert aggregate.SHARE == 0.9
