"""Marked runs side by side: groups by what differs beside the seed, rows that agree with the runs' own figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from moore_engine.rundir import RunDir
from moore_tui.runs.aggregate import Figures, figures, iqm
from moore_tui.runs.compare import Outcome
from moore_tui.runs.comparison import Cell, Group, Grouping, grouping, rows, shared_name
from moore_tui.runs.series import RunSeries
from moore_tui.runs.tail import EventTail
from tests.tui.made_runs import make_run
from tests.tui.rich_runs import rich_run


def read(run: RunDir) -> Figures:
    series = RunSeries()
    tail = EventTail(run.events)
    while (batch := tail.poll()).changed or batch.more:
        series.apply(batch)
    return figures(series)


def test_runs_that_differ_in_the_seed_only_are_one_group(tmp_path: Path) -> None:
    for seed in (0, 1):
        make_run(tmp_path, f"a-s{seed}", run={"seed": seed})
        make_run(tmp_path, f"b-s{seed}", run={"seed": seed}, online={"epochs": 7, "alpha": 2.0})
    found = grouping(["a-s0", "a-s1", "b-s0", "b-s1"], tmp_path)
    assert found.groups == (
        Group("epochs=100, alpha=1", ("a-s0", "a-s1")),
        Group("epochs=7, alpha=2", ("b-s0", "b-s1")),
    )
    assert found.differences == (("online.epochs", (100, 7)), ("online.alpha", (1.0, 2.0)))


def test_a_key_that_does_nothing_is_in_no_label(tmp_path: Path) -> None:
    make_run(tmp_path, "a")
    make_run(tmp_path, "b", online={"alpha": 2.0})
    make_run(tmp_path, "u", online={"sampler": "uniform", "alpha": 3.0})
    labels = [group.label for group in grouping(["a", "b", "u"], tmp_path).groups]
    assert labels == ["sampler=priority, alpha=1", "sampler=priority, alpha=2", "sampler=uniform"]


def test_a_data_set_comes_last_and_in_short(tmp_path: Path) -> None:
    make_run(tmp_path, "a", data={"sha256": "ab" * 32}, online={"epochs": 7})
    make_run(tmp_path, "b", data={"sha256": "cd" * 32})
    labels = [group.label for group in grouping(["a", "b"], tmp_path).groups]
    assert labels == ["epochs=7, sha256=abababababab", "epochs=100, sha256=cdcdcdcdcdcd"]


def test_keys_of_one_name_keep_their_section(tmp_path: Path) -> None:
    make_run(tmp_path, "a")
    make_run(tmp_path, "b", offline={"epochs": 3}, online={"epochs": 4})
    labels = [group.label for group in grouping(["a", "b"], tmp_path).groups]
    assert labels == ["offline.epochs=1000, online.epochs=100", "offline.epochs=3, online.epochs=4"]


def test_an_only_group_is_called_by_what_its_names_share(tmp_path: Path) -> None:
    for seed in (0, 1, 10):
        make_run(tmp_path, f"hopper-s{seed}", run={"seed": seed})
    found = grouping(["hopper-s0", "hopper-s1", "hopper-s10"], tmp_path)
    assert [group.label for group in found.groups] == ["hopper"] and found.differences == ()
    assert (shared_name(["one"]), shared_name(["a", "b"]), shared_name(["x-s10", "x-s11"])) == ("one", "runs", "x-s1")


def test_a_configuration_that_cannot_be_read_is_told_and_left_out(tmp_path: Path) -> None:
    make_run(tmp_path, "good")
    (make_run(tmp_path, "bad")).config.write_text("[run\n")
    found = grouping(["bad", "good", "gone"], tmp_path)
    assert found.unreadable == ("bad", "gone") and [group.ids for group in found.groups] == [("good",)]
    assert grouping([], tmp_path) == Grouping()


def test_a_group_is_the_interquartile_mean_of_its_runs_and_a_run_its_own_figures(tmp_path: Path) -> None:
    known = {run.id: read(run) for run in (rich_run(tmp_path, f"r-s{seed}", gain=1.0 + seed) for seed in range(5))}
    made = rows(grouping(sorted(known), tmp_path), known)
    assert [(row.name, row.member) for row in made] == [("r (5 runs)", None), *((f"r-s{n}", n) for n in range(5))]
    whole, first = made[0], made[1]
    finals = [run.outcome.final.value for run in known.values() if run.outcome.final]
    final = whole.cells["final"]
    assert final.value == iqm(finals) == pytest.approx(sorted(finals)[2])
    assert (final.low, final.high) == (sorted(finals)[1], sorted(finals)[3])
    outcome = known["r-s0"].outcome
    assert outcome.final is not None and outcome.dip is not None and outcome.final.error is not None
    assert first.cells["final"] == Cell(
        outcome.final.value, outcome.final.value - outcome.final.error, outcome.final.value + outcome.final.error
    )
    assert first.cells["dip"] == Cell(outcome.dip.net, outcome.dip.low, outcome.dip.high)


def test_a_group_of_runs_in_several_units_has_no_figures_of_its_own(tmp_path: Path) -> None:
    score, plain = read(rich_run(tmp_path, "r-s0")), Figures(Outcome(unit="return", evaluations=1))
    made = rows(Grouping((Group("r", ("r-s0", "r-s1")),)), {"r-s0": score, "r-s1": plain})
    assert made[0].cells == {} and made[0].unit == "" and made[1].cells["final"].value is not None


def test_runs_that_were_not_read_yet_have_empty_rows(tmp_path: Path) -> None:
    rich_run(tmp_path, "r-s0")
    rich_run(tmp_path, "r-s1")
    made = rows(grouping(["r-s0", "r-s1"], tmp_path), {})
    assert [row.cells for row in made] == [{}, {}, {}]
