"""Figures of a run at a step in closed form, which step it is, and what runs are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from moore_engine import rundir
from moore_engine.rundir import RunDir, read_json, write_json
from moore_tui.report.gather import RunFacts, gather
from moore_tui.report.outcomes import at_step
from moore_tui.report.strata import NothingToCompare, strata
from moore_tui.report.summary import of_stratum, together
from tests.report.figure_runs import figure_run


def facts(*runs: RunDir) -> list[RunFacts]:
    return gather([run.path for run in runs])


def unfinished(run: RunDir) -> RunDir:
    state = read_json(run.state) or {}
    write_json(run.state, {**state, "status": "stopped", "exit": rundir.EXIT_STOPPED})
    return run


def test_a_runs_figures_are_those_of_its_curve(tmp_path: Path) -> None:
    """Offline 30, then 25, 40, 60, 80 at 1000, 2000, 3000, 4000 steps."""
    run = facts(figure_run(tmp_path, "a-s0", frozen=(30, 30, 30), after=(25, 40, 60, 80)))[0]
    found = at_step(run, 4000, "score")
    assert found.reached and found.unit == "score"
    assert found.figures == {
        "offline": 30.0,
        "final": 80.0,
        "net_dip": pytest.approx(5.0),
        "epochs_to_90": 4.0,
        "steps_to_90": 4000.0,
        "auc": pytest.approx((27.5 + 32.5 + 50 + 70) / 4),
        "regret": pytest.approx((100 - 45) * 4),
    }


def test_nothing_after_the_step_counts(tmp_path: Path) -> None:
    run = facts(figure_run(tmp_path, "a-s0", frozen=(30, 30, 30), after=(28, 40, 10, 80)))[0]
    found = at_step(run, 2500, "score")
    assert found.figures == {
        "offline": 30.0,
        "final": 40.0,
        "net_dip": pytest.approx(2.0),
        "epochs_to_90": 2.0,
        "steps_to_90": 2000.0,
        "auc": pytest.approx((29 + 34) / 2),
        "regret": pytest.approx((100 - 31.5) * 2.5),
    }
    late = at_step(run, 5000, "score")
    assert not late.reached and late.figures["offline"] == 30.0
    assert {name for name, value in late.figures.items() if value is not None} == {"offline"}


def test_a_run_without_gain_or_frozen_policy_or_offline_stage_has_fewer_figures(tmp_path: Path) -> None:
    worse = facts(figure_run(tmp_path, "a-s0", before=(50,), after=(40, 30)))[0]
    found = at_step(worse, 2000, "score").figures
    assert found["epochs_to_90"] is None and found["steps_to_90"] is None and found["net_dip"] is None
    assert found["auc"] == pytest.approx((45 + 35) / 2)
    scratch = facts(figure_run(tmp_path, "b-s0", before=(), after=(10, 30)))[0]
    found = at_step(scratch, 2000, "score").figures
    assert found["offline"] is None and found["net_dip"] is None and found["epochs_to_90"] is None
    assert found["auc"] == pytest.approx(20.0) and found["regret"] == pytest.approx(160.0)


def test_returns_have_no_regret(tmp_path: Path) -> None:
    run = facts(figure_run(tmp_path, "a-s0", after=(25, 40)))[0]
    found = at_step(run, 2000, "return")
    assert found.unit == "return" and found.figures["final"] == 400.0 and found.figures["regret"] is None
    assert found.outcome.final is not None and found.outcome.final.value == 400.0


def runs_of(folder: Path, lengths: Sequence[int], **more: Any) -> list[RunFacts]:
    return facts(*(figure_run(folder, f"a-s{n}", after=range(10, 10 + each), **more) for n, each in enumerate(lengths)))


def test_runs_are_compared_at_the_last_step_that_all_finished_ones_were_evaluated_at(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, (4, 6, 5))
    (found,) = strata(runs)
    assert found.step == 4000 and [each.figures["final"] for each in found.outcomes] == [13, 13, 13]
    assert found.notes[0].startswith("Runs are compared at 4,000 environment steps, the last at which all finished")
    (asked,) = strata(runs, 5000)
    assert [each.figures["final"] for each in asked.outcomes] == [None, 14, 14]
    assert "Not yet at that step, so without online figures: a-s0." in asked.notes


def test_an_unfinished_run_does_not_hold_the_others_back(tmp_path: Path) -> None:
    short = unfinished(figure_run(tmp_path, "a-s0", after=(10,)))
    runs = facts(short, figure_run(tmp_path, "a-s1", after=(10, 11, 12)), figure_run(tmp_path, "a-s2", after=()))
    (found,) = strata(runs)
    assert found.step == 3000 and [each.figures["final"] for each in found.outcomes] == [None, 12, None]
    assert "Unfinished, so shown as far as they have come: a-s0 (interrupted)." in found.notes
    assert "Not yet at that step, so without online figures: a-s0." in found.notes
    assert "Without an evaluation of an online stage: a-s2." in found.notes
    (alone,) = strata(runs[:1])
    assert alone.step == 1000 and alone.outcomes[0].figures["final"] == 10


def test_runs_with_other_epochs_meet_where_they_can(tmp_path: Path) -> None:
    runs = facts(figure_run(tmp_path, "a-s0", after=(1, 2, 3, 4), online={"steps_per_epoch": 1000}),
                 figure_run(tmp_path, "b-s0", after=(5, 6, 7, 8, 9, 10, 11), steps=500, online={"steps_per_epoch": 500},
                            run={"algo": "awac"}))  # fmt: skip
    (found,) = strata(runs)
    assert found.step == 3000 and [each.figures["final"] for each in found.outcomes] == [3, 10]
    assert not of_stratum(found).equal_epochs
    other = facts(figure_run(tmp_path, "c-s0", after=(1, 2, 3, 4)),
                  figure_run(tmp_path, "d-s0", after=(5, 6, 7, 8), steps=900))  # fmt: skip
    (apart,) = strata(other)
    assert apart.step == 3600 and [each.figures["final"] for each in apart.outcomes] == [3, 8]
    assert "ends" in apart.notes[0] and "Evaluated before that step but not at it: c-s0." in apart.notes


def test_a_step_that_no_run_has_come_to_is_refused(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, (4, 6))
    with pytest.raises(
        NothingToCompare, match="no run was evaluated at 7000 environment steps; a-s1 came furthest, to"
    ):
        strata(runs, 7000)


def test_runs_without_online_stage_are_told_and_have_their_offline_figure(tmp_path: Path) -> None:
    (found,) = strata(facts(figure_run(tmp_path, "a-s0", before=(10, 20), after=())))
    assert found.step is None and found.outcomes[0].figures["offline"] == 20
    assert found.notes[0] == "No run has an evaluation of an online stage, so there is nothing to compare online."


def test_strata_are_tasks_with_their_data_and_runs_without_data_stand_in_each(tmp_path: Path) -> None:
    one, two = figure_run(tmp_path, "a-s0"), figure_run(tmp_path, "b-s0", sha256="cd" * 32, data="/x/other.hdf5")
    three = figure_run(tmp_path, "c-s0", task="Walker2d-v4", sha256="", data="")
    fresh = figure_run(tmp_path, "d-s0", before=(), sha256="", data="", run={"algo": "mbpo"})
    found = strata(facts(one, two, three, fresh))
    assert [each.name for each in found] == [
        "Hopper-v4, hopper_medium-v2 abababababab", "Hopper-v4, other cdcdcdcdcdcd", "Walker2d-v4",
    ]  # fmt: skip
    assert [[run.id for run in each.runs] for each in found] == [["a-s0", "d-s0"], ["b-s0", "d-s0"], ["c-s0"]]


def test_scores_are_compared_only_where_they_mean_the_same(tmp_path: Path) -> None:
    plain = figure_run(tmp_path, "a-s0")
    (found,) = strata(facts(plain, figure_run(tmp_path, "b-s0", scored=False)))
    assert found.unit == "return" and "Not every run has a score, so returns are compared." in found.notes
    assert [each.figures["final"] for each in found.outcomes] == [800, 800]
    other = figure_run(tmp_path, "c-s0")
    text = other.config.read_text().replace('ref_min = "none"', "ref_min = 1.0")
    other.config.write_text(text.replace('ref_max = "none"', "ref_max = 9.0"))
    (found,) = strata(facts(plain, other))
    assert found.unit == "return" and any("different reference returns" in note for note in found.notes)


def test_what_ties_runs_together_is_told(tmp_path: Path) -> None:
    one = figure_run(tmp_path, "a-s0", run={"from_": "/gone/trunk@switch#00"})
    two = figure_run(tmp_path, "b-s0", run={"from_": "/gone/trunk@switch#00"}, versions={"torch": "9"})
    (found,) = strata(facts(one, two, figure_run(tmp_path, "c-s1", online={"sampler": "uniform"})))
    assert "Several runs of the same seed, which are not independent: moore sampler=priority." in found.notes
    assert any(note.startswith("Several runs that share an offline stage") for note in found.notes)
    assert "One run, so no interval and nothing known of the spread over seeds: moore sampler=uniform." in found.notes
    assert "The runs were made with different versions of torch." in found.notes


def test_a_group_is_summed_up_over_the_runs_that_have_the_figure(tmp_path: Path) -> None:
    finals = ((40, 50), (40, 60), (40, 10))
    runs = facts(*(figure_run(tmp_path, f"a-s{n}", before=(20,), after=each) for n, each in enumerate(finals)))
    (row,) = of_stratum(strata(runs)[0]).rows
    assert (row.group, row.runs, row.seeds) == ("moore", 3, (0, 1, 2))
    assert row.estimates["final"].value == pytest.approx(40.0) and row.estimates["final"].runs == 3
    assert row.estimates["epochs_to_90"].value == 2.0 and row.estimates["epochs_to_90"].runs == 2
    assert "net_dip" not in row.estimates


def groups_on(folder: Path, sha256: str, first: Sequence[float], second: Sequence[float]) -> list[RunDir]:
    made = []
    for algo, finals in (("moore", first), ("cql", second)):
        made += [
            figure_run(folder, f"{algo}{sha256}-s{n}", after=(1, final), sha256=sha256, run={"algo": algo})
            for n, final in enumerate(finals)
        ]
    return made


def test_groups_are_set_against_each_other_and_over_all_data_sets(tmp_path: Path) -> None:
    runs = facts(*groups_on(tmp_path, "aa", (50, 60), (55, 40)), *groups_on(tmp_path, "bb", (1, 2), (3, 4)))
    apart = strata(runs)
    first = {(each.group, each.other): each.estimate.value for each in of_stratum(apart[0]).versus}
    assert first == {("moore", "cql"): 0.75, ("cql", "moore"): 0.25}
    whole = together(apart)
    assert whole is not None and [row.group for row in whole.rows] == ["moore", "cql"]
    assert whole.rows[0].runs == 4 and whole.rows[0].estimates["final"].value == pytest.approx((2 + 50) / 2)
    assert {each.group: each.estimate.value for each in whole.versus} == {"moore": 0.375, "cql": 0.625}
    assert together(apart[:1]) is None
