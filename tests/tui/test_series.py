"""Curves of a run as its events come and go: the same as a plain reading of all visible events, at any moment."""

from __future__ import annotations

import math
import threading
from array import array
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moore_engine import events as contract
from moore_tui.runs.plan import Plan
from moore_tui.runs.series import AXES, RECENT, RunSeries
from moore_tui.runs.table import WIDEST
from moore_tui.runs.tail import Batch, EventTail
from tests.tui.made_runs import line

NAN = math.nan
PLAN = Plan(
    algo="moore", offline_epochs=8, updates_per_epoch=500, online_epochs=12, steps_per_epoch=200, updates_per_step=10
)


def series_of(*events, **kwargs):
    series = RunSeries()
    series.apply(Batch(list(events), False, None, False))
    return series


def at(seq, kind="loss", stage="offline", update=0, env_step=0, t=None, **fields):
    place = {"stage": stage, "epoch": 1, "update": update, "env_step": env_step}
    return {"v": 1, "seq": seq, "att": 1, "t": 1e9 + seq if t is None else t, **place, "k": kind, **fields}


# --- the law ---

NUMBERS = st.one_of(
    st.floats(width=32), st.integers(-5, 5), st.sampled_from(["nan", "inf", "-inf", None, "word", True])
)
FIELDS = {
    "loss": st.fixed_dictionaries({}, optional={"q": NUMBERS, "actor": NUMBERS, "temperature": NUMBERS}),
    "eval": st.fixed_dictionaries(
        {"score": NUMBERS, "return_mean": NUMBERS},
        optional={"baseline": st.integers(0, 2), "returns": st.lists(st.floats(-1e6, 1e6, width=32), max_size=3)},
    ),
    "model": st.fixed_dictionaries({"holdout": st.lists(st.floats(0, 1, width=32), max_size=3)}),
    "perf": st.fixed_dictionaries({"phases": st.dictionaries(st.sampled_from("abc"), st.floats(0, 1, width=32))}),
    "ack": st.just({"verb": "pause", "ok": True}),
    "warn": st.just({"what": "something"}),
    "run": st.fixed_dictionaries({"back": st.integers(0, 12)}),
}
EVENTS = st.sampled_from([*FIELDS, "run"]).flatmap(lambda kind: FIELDS[kind].map(lambda fields: (kind, fields)))


def history(script):
    """Events as a trainer numbers them; a `run` goes back by some of them."""
    bodies = []
    for seq, (kind, fields) in enumerate(script, 1):
        told = {"resumed_seq": max(0, seq - 1 - fields["back"])} if kind == "run" else fields
        stage = "online" if seq > 20 else "offline"
        bodies.append(contract.finite(at(seq, kind, stage, seq * 10, max(0, seq - 20), t=1e9 + seq * 1.5, **told)))
    return bodies


def plain(value):
    """A field as a number, spelt out once more."""
    if isinstance(value, bool | int | float):
        return float(value)
    return float(value) if value in ("nan", "inf", "-inf") else NAN


def columns(rows):
    """Every column of some events of one kind, the slow way."""
    names = {"seq", "t", "epoch", "update", "env_step"}
    for row in rows:
        names |= {k for k in row if k not in ("v", "k", "att", "stage", "returns", "holdout", "phases")}
    found = {name: [plain(row.get(name)) for row in rows] for name in names}
    found["online"] = [float(row["stage"] == "online") for row in rows]
    if any("holdout" in row for row in rows):
        for suffix, reduce in (("mean", fmean), ("min", min), ("max", max)):
            found[f"holdout_{suffix}"] = [reduce(row["holdout"]) if row.get("holdout") else NAN for row in rows]
    for phase in {key for row in rows for key in row.get("phases", ())}:
        found[f"phase_{phase}"] = [plain(row["phases"].get(phase)) for row in rows]
    return found


def kind_of(event):
    return "baseline" if event["k"] == "eval" and event.get("baseline") else event["k"]


def assert_tells(series, visible):
    assert series.events_seen == len(visible)
    for kind in {*map(kind_of, visible), *series.kinds, "rue"}:
        rows = [each for each in visible if kind_of(each) == kind]
        table = series.table(kind)
        assert table.rows == len(rows)
        for name, values in columns(rows).items():
            assert list(table.column(name)) == pytest.approx(values, rel=1e-6, nan_ok=True), (kind, name)
        assert list(series.x(kind, "step")) == [row["update"] for row in rows]
        assert list(series.x(kind, "wall")) == [row["t"] - visible[0]["t"] for row in rows]
        if rows:
            last = series.last(kind)
            assert last["seq"] == rows[-1]["seq"]
            assert series.table(kind).value("update") == rows[-1]["update"]
        else:
            assert series.last(kind) is None
        if kind in ("eval", "baseline"):
            assert [table.episodes(index) for index in range(len(rows))] == [row.get("returns", []) for row in rows]
    assert series.acks == [each for each in visible if each["k"] == "ack"][-RECENT:]
    assert series.attempts == [each for each in visible if each["k"] == "run"]
    first_online = next((each for each in visible if each["stage"] == "online"), None)
    assert (series.switch and series.switch.seq) == (first_online and first_online["seq"])


@settings(max_examples=60)
@given(st.lists(EVENTS, min_size=8, max_size=40), st.randoms(use_true_random=False))
def test_curves_are_those_of_a_plain_reading_however_the_file_grows(tmp_path_factory, script, chance):
    bodies = history(script)
    path = tmp_path_factory.mktemp("series") / "events.jsonl"
    path.write_bytes(b"")
    series, tail = RunSeries(), EventTail(path)
    for written, body in enumerate(bodies, 1):
        with open(path, "ab") as file:
            file.write(line(body))
        if chance.random() < 0.3:
            while (batch := tail.poll(chance.randint(1, 2000))).more:
                series.apply(batch)
            series.apply(batch)
            assert_tells(series, contract.visible(bodies[:written]))
    while (batch := tail.poll(chance.randint(1, 2000))).changed:
        series.apply(batch)
    assert_tells(series, contract.visible(bodies))


# --- examples ---


def test_a_run_without_events_has_empty_curves():
    series = RunSeries()
    assert (series.version, series.kinds, series.newest, series.switch) == (0, (), None, None)
    assert series.table("eval").rows == 0
    assert list(series.table("eval").column("score")) == []
    assert all(list(series.x("eval", axis)) == [] for axis in AXES)
    assert series.horizon("step", Plan()) is None


def test_the_version_rises_with_what_changes_and_only_then():
    series = series_of(at(1, q=1.0))
    before = series.version
    series.apply(Batch([], False, None, True))
    assert series.version == before
    series.apply(Batch([at(2, q=1.0)], False, None, False))
    assert series.version > before


def test_a_field_that_a_kind_gains_later_is_nan_before():
    table = series_of(at(1, q=1.0), at(2, q=2.0, new=5.0)).table("loss")
    assert table.column("new") == pytest.approx(array("d", [NAN, 5.0]), nan_ok=True)
    assert list(table.column("never")) == pytest.approx([NAN, NAN], nan_ok=True)


def test_words_for_numbers_are_numbers_and_what_is_none_is_a_gap():
    table = series_of(
        *(at(i, q=q) for i, q in enumerate([1.0, "nan", "inf", "-inf", None, [], "x", 10**400], 1))
    ).table("loss")
    assert list(table.column("q")) == pytest.approx(
        [1.0, NAN, math.inf, -math.inf, NAN, NAN, NAN, math.inf], nan_ok=True
    )


def test_a_number_after_a_word_is_not_lost():
    table = series_of(at(1, q="word"), at(2, q=2.0)).table("loss")
    assert list(table.column("q")) == pytest.approx([NAN, 2.0], nan_ok=True)


def test_numbers_of_rows_and_updates_stay_exact_beyond_32_bits():
    series = series_of(at(1, update=7), at(2, update=2**40 + 1), at(2**40, update=-1))
    assert list(series.x("loss", "step")) == [7.0, 2.0**40 + 1, -1.0]
    assert list(series.table("loss").column("seq")) == [1.0, 2.0, 2.0**40]


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("apart", [True, False])
def test_a_count_stays_exact_where_its_column_has_to_become_wider(bits, apart):
    counts = [1, 2**bits - 1, 2**bits, 3]
    events = [at(seq, epoch=seq, update=count) for seq, count in enumerate(counts, 1)]
    series = RunSeries()
    for batch in [[each] for each in events] if apart else [events]:
        series.apply(Batch(batch, False, None, False))
    assert list(series.x("loss", "step")) == counts
    assert list(series.table("loss").column("epoch")) == [1, 2, 3, 4]


def test_a_copy_does_not_grow():
    series = series_of(at(1, q=1.0))
    before = series.table("loss").column("q")
    series.apply(Batch([at(2, q=2.0)], False, None, False))
    assert list(before) == [1.0]
    assert list(series.table("loss").column("q", start=1)) == [2.0]


def test_a_hostile_event_cannot_make_columns_without_end():
    series = series_of(*(at(i, **{f"field{i}": 1.0}) for i in range(1, 1000)))
    assert len(series.table("loss").names) <= WIDEST


def test_after_a_dead_attempt_the_newest_event_is_the_one_before_by_its_numbers():
    series = series_of(at(1, "model", holdout=[0.1, 0.3], elites=[1]), at(2, "model", holdout=[0.5], elites=[2]))
    assert series.last("model")["elites"] == [2]
    series.apply(Batch([], False, 1, False))
    assert series.last("model")["holdout_max"] == pytest.approx(0.3)
    assert series.last("model")["update"] == 0


def test_axes_and_episodes_that_were_asked_for_before_forget_a_dead_attempt_too():
    series = series_of(*(at(seq, "eval", returns=[float(seq)]) for seq in range(1, 6)))
    assert list(series.x("eval", "wall")) == [0, 1, 2, 3, 4]
    series.apply(Batch([at(seq, "eval", returns=[-1.0]) for seq in (8, 9)], False, 2, False))
    assert list(series.x("eval", "wall")) == [0, 1, 7, 8]
    assert [series.table("eval").episodes(row) for row in range(5)] == [[1.0], [2.0], [-1.0], [-1.0], []]


def test_a_replaced_file_starts_all_over():
    series = series_of(at(1, q=1.0), at(2, "stage", "online"))
    series.apply(Batch([at(1, q=5.0)], True, None, False))
    assert list(series.table("loss").column("q")) == [5.0]
    assert (series.switch, series.events_seen) == (None, 1)


def test_the_evaluations_of_the_frozen_policy_are_no_points_of_the_curve():
    series = series_of(at(1, "eval", score=1.0), at(2, "eval", score=2.0, baseline=1), at(3, "eval", score=3.0))
    assert list(series.table("eval").column("score")) == [1.0, 3.0]
    assert list(series.table("baseline").column("score")) == [2.0]


# --- axes ---


def run_with_switch():
    return series_of(
        at(1, "eval", update=500, t=100.0),
        at(2, "eval", update=4000, t=130.0),
        at(3, "stage", "online", update=4000, t=131.0),
        at(4, "eval", "online", update=6000, env_step=200, t=190.0),
    )


def test_the_four_axes():
    series = run_with_switch()
    assert list(series.x("eval", "step")) == [500, 4000, 6000]
    assert list(series.x("eval", "env")) == [0, 0, 200]
    assert list(series.x("eval", "wall")) == [0, 30, 90]
    assert list(series.x("eval", "switch")) == [-3500, 0, 2000]
    assert [series.x_of(axis, series.switch) for axis in AXES] == [4000, 31, 0, 0]


def test_before_the_switch_its_axis_counts_from_where_it_is_planned():
    series = series_of(at(1, "eval", update=500))
    assert math.isnan(series.x("eval", "switch")[0])
    series.expect(PLAN)
    assert list(series.x("eval", "switch")) == [-3500]


def test_an_axis_follows_a_switch_that_a_resume_took_back():
    series = run_with_switch()
    series.expect(PLAN)
    series.apply(Batch([at(5, "stage", "online", update=3000)], False, 2, False))
    assert series.switch.update == 3000
    assert list(series.x("eval", "switch")) == [-2500, 1000]


def test_the_planned_end_is_known_from_the_start_and_settles_once_updates_come():
    series = series_of(at(1, "eval", update=500, t=100.0))
    series.expect(PLAN)
    assert series.horizon("step", PLAN) == 8 * 500 + 12 * 200 * 10
    assert series.horizon("switch", PLAN) == 12 * 200 * 10
    assert series.horizon("env", PLAN) == 2400
    late = series_of(at(1, "stage", "online", update=4000), at(2, "loss", "online", update=4500, env_step=149))
    assert late.horizon("step", PLAN) == 4500 + (2400 - 149) * 10


def test_a_run_that_never_goes_online_ends_with_its_offline_stage():
    series = series_of(at(1, "eval", update=500))
    mopo = Plan(algo="mopo", offline_epochs=8, updates_per_epoch=500, online_epochs=12, steps_per_epoch=200)
    assert series.horizon("step", mopo) == 4000


def test_a_run_from_scratch_has_its_switch_at_its_start():
    mbpo = Plan("mbpo", offline_epochs=8, updates_per_epoch=500, online_epochs=12, steps_per_epoch=200,
                updates_per_step=10)  # fmt: skip
    series = series_of(at(1, "perf", "online", update=0, env_step=50))
    series.expect(mbpo)
    assert [series.horizon(axis, mbpo) for axis in ("step", "switch", "env")] == [24_000, 24_000, 2400]


def test_the_planned_end_in_seconds_changes_seldom():
    series = RunSeries()
    ends = set()
    for seq in range(1, 401):
        series.apply(Batch([at(seq, update=seq * 10, t=1e9 + seq * (1.0 + 0.1 * math.sin(seq)))], False, None, False))
        if seq > 20:
            ends.add(series.horizon("wall", PLAN))
    assert len(ends) <= 3
    assert min(ends) > 400


# --- branches ---


def test_a_branch_begins_with_the_curves_of_its_parent_and_their_time():
    parent = run_with_switch()
    parent.apply(Batch([], False, 3, False))
    branch = series_of(
        at(1, "run", "online", update=4000, t=5000.0, resumed_seq=0),
        at(2, "eval", "online", update=6000, env_step=200, t=5060.0),
    )
    before = branch.version
    branch.inherit(parent)
    assert branch.version > before
    assert list(branch.x("eval", "step")) == [500, 4000, 6000]
    assert list(branch.x("eval", "wall")) == [0, 30, 91]
    assert list(branch.x("eval", "switch")) == [-3500, 0, 2000]
    assert branch.events_seen == 2
    assert branch.table("eval").inherited == 2
    assert branch.last("stage") is None
    assert branch.x_of("wall", parent.switch) == 31
    branch.apply(Batch([at(3, "eval", "online", update=8000, t=5120.0)], False, None, False))
    assert list(branch.x("eval", "wall")) == [0, 30, 91, 151]


def test_a_dead_attempt_of_a_branch_takes_nothing_of_its_parent_along():
    branch = series_of(at(1, "eval", "online", update=6000))
    branch.inherit(run_with_switch())
    branch.apply(Batch([at(9, "run", "online", resumed_seq=0)], False, 0, False))
    assert list(branch.x("eval", "step")) == [500, 4000, 6000]
    assert branch.last("eval") is None
    branch.apply(Batch([], True, None, False))
    assert list(branch.x("eval", "step")) == [500, 4000, 6000]


def test_a_branch_of_a_branch_has_both_pasts():
    child = series_of(at(1, "eval", "online", update=6000, t=5000.0), at(2, "eval", "online", update=8000, t=5060.0))
    parent = run_with_switch()
    parent.apply(Batch([], False, 3, False))
    child.inherit(parent)
    grandchild = series_of(at(1, "eval", "online", update=10_000, t=9000.0))
    grandchild.inherit(child)
    assert list(grandchild.x("eval", "step")) == [500, 4000, 6000, 8000, 10_000]
    assert list(grandchild.x("eval", "wall")) == [0, 30, 31, 91, 91]


# --- threads, size ---


def test_columns_that_are_copied_while_events_come_have_one_length():
    series, over = RunSeries(), threading.Event()
    wrong = []

    def read():
        while not over.is_set():
            rows = len(series.table("loss").column("q"))
            if len(series.x("loss", "step")) < rows or len(series.x("loss", "wall")) < rows:
                wrong.append(rows)

    reader = threading.Thread(target=read)
    reader.start()
    for first in range(1, 20_000, 200):
        series.apply(Batch([at(seq, q=1.0, update=seq) for seq in range(first, first + 200)], False, None, False))
    over.set()
    reader.join()
    assert wrong == []
    assert series.table("loss").rows == 20_000


def test_ten_thousand_points_of_eight_series_take_three_quarters_of_a_megabyte_at_most():
    import tracemalloc

    batches = [
        [
            at(seq, kind, update=seq, **{f"{kind}{i}": float(seq) for i in range(4)})
            for seq in range(first, first + 500)
            for kind in ("loss", "unc")
        ]
        for first in range(1, 10_001, 500)
    ]
    tracemalloc.start()
    series = RunSeries()
    before = tracemalloc.get_traced_memory()[0]
    for batch in batches:
        series.apply(Batch(batch, False, None, False))
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert series.table("unc").rows == 10_000
    assert grown <= 750_000
