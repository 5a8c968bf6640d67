"""Which runs each figure shows, and what it says of those that it does not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from moore_engine.rundir import write_json
from moore_tui.report.figures import choose
from moore_tui.report.figures.choose import Plan
from moore_tui.report.gather import RunFacts, gather
from tests.report.figure_runs import figure_run

UNC = [(500, 1.0, 0.5, 1.5)]


def runs_of(folder: Path) -> list[RunFacts]:
    return gather(sorted(path.parent for path in folder.glob("*/config.toml")))


def plans(folder: Path) -> dict[str, Plan]:
    return {plan.name: plan for plan in choose.figures(runs_of(folder))}


def shown(plan: Plan) -> list[dict[str, list[str]]]:
    """Labels with run ids, of every panel."""
    return [{group.label: [run.id for run in group.runs] for group in panel.groups} for panel in plan.panels]


def sampler_run(folder: Path, sampler: str, seed: int = 0, alpha: float | str = 1.0, **more: Any) -> None:
    name = f"{sampler}-{alpha}-s{seed}"
    figure_run(folder, name, online={"sampler": sampler, "alpha": alpha, **more.pop("online", {})}, **more)


def test_figure_1_has_one_curve_an_algorithm_with_the_usual_moore(tmp_path: Path) -> None:
    for sampler, alpha in (("priority", 1.0), ("priority", 4.0), ("uniform", 1.0)):
        sampler_run(tmp_path, sampler, alpha=alpha)
    for algo in ("awac", "cql", "mbpo", "balanced_replay"):
        figure_run(tmp_path, f"{algo}-s0", run={"algo": algo})
    plan = plans(tmp_path)["figure-1"]
    assert shown(plan) == [
        {"MOORe": ["priority-1.0-s0"], "MBPO": ["mbpo-s0"], "AWAC": ["awac-s0"],
         "Balanced Replay": ["balanced_replay-s0"], "CQL": ["cql-s0"]}
    ]  # fmt: skip
    assert plan.notes == ("2 runs with another sampler or alpha left to Figures 2 and 3.",)


def test_an_algorithm_whose_runs_differ_in_another_key_has_a_curve_each(tmp_path: Path) -> None:
    figure_run(tmp_path, "a-s0", run={"algo": "cql"}, cql={"weight": 5.0})
    figure_run(tmp_path, "b-s0", run={"algo": "cql"}, cql={"weight": 10.0})
    assert shown(plans(tmp_path)["figure-1"]) == [{"CQL weight=5": ["a-s0"], "CQL weight=10": ["b-s0"]}]


def test_each_task_and_data_set_has_a_panel_and_runs_without_data_stand_in_all_of_their_task(tmp_path: Path) -> None:
    figure_run(tmp_path, "a-s0")
    figure_run(tmp_path, "b-s0", data="hopper_expert-v2.hdf5", sha256="cd" * 32)
    figure_run(tmp_path, "c-s0", run={"algo": "mbpo"}, sha256="", before=())
    figure_run(tmp_path, "d-s0", task="Walker2d-v4", sha256="", data="")
    plan = plans(tmp_path)["figure-1"]
    assert [panel.title for panel in plan.panels] == [
        "Hopper-v4, hopper_medium-v2", "Hopper-v4, hopper_expert-v2", "Walker2d-v4",
    ]  # fmt: skip
    assert shown(plan) == [
        {"MOORe": ["a-s0"], "MBPO": ["c-s0"]}, {"MOORe": ["b-s0"], "MBPO": ["c-s0"]}, {"MOORe": ["d-s0"]},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("bundled:quickstart", "quickstart"),
        ("minari:mujoco/hopper/medium-v0", "mujoco/hopper/medium-v0"),
        ("/somewhere/hopper_medium-v2.hdf5", "hopper_medium-v2"),
        ("hopper-medium-v2", "hopper-medium-v2"),
    ],
)
def test_a_data_set_is_told_without_its_folders(reference: str, name: str) -> None:
    assert choose.dataset(reference) == name


def test_figure_2_has_samplers_with_all_else_equal(tmp_path: Path) -> None:
    for seed in (0, 1):
        for sampler in ("online_only", "priority", "uniform"):
            sampler_run(tmp_path, sampler, seed)
    sampler_run(tmp_path, "priority", 0, alpha=4.0)
    sampler_run(tmp_path, "half_half", 0, online={"updates_per_step": 3})
    plan = plans(tmp_path)["figure-2"]
    assert shown(plan) == [
        {"priority": ["priority-1.0-s0", "priority-1.0-s1"], "uniform": ["uniform-1.0-s0", "uniform-1.0-s1"],
         "online only": ["online_only-1.0-s0", "online_only-1.0-s1"]}
    ]  # fmt: skip
    assert plan.notes == ("The runs of a seed share one offline stage.",)


def test_offline_stages_of_their_own_are_told(tmp_path: Path) -> None:
    sampler_run(tmp_path, "priority", 3)
    sampler_run(tmp_path, "uniform", 3, before=(1.0, 2.0, 3.0))
    assert plans(tmp_path)["figure-2"].notes == ("The runs of seed 3 have offline stages of their own.",)


def test_figure_3_has_the_values_of_alpha_in_order(tmp_path: Path) -> None:
    for alpha in (10.0, 0.25, 2.0, "auto"):
        sampler_run(tmp_path, "priority", alpha=alpha)
    sampler_run(tmp_path, "uniform", alpha=4.0)
    (found,) = shown(plans(tmp_path)["figure-3"])
    assert list(found) == ["α = 0.25", "α = 2", "α = 10", "α = auto"]


def test_a_run_whose_alpha_was_changed_on_the_way_is_in_no_sweep(tmp_path: Path) -> None:
    for alpha in (0.25, 1.0, 4.0):
        sampler_run(tmp_path, "priority", alpha=alpha)
    changed = tmp_path / "priority-4.0-s0" / "control" / "ack-01AAAAAAAAAAAAAAAAAAAAAAAA.json"
    args = {"key": "online.alpha", "value": "2.0"}
    write_json(changed, {"id": "01AAAAAAAAAAAAAAAAAAAAAAAA", "verb": "set", "args": args, "ok": True, "why": ""})
    plan = plans(tmp_path)["figure-3"]
    assert [list(each) for each in shown(plan)] == [["α = 0.25", "α = 1"]]
    assert plan.notes[0] == "1 run whose alpha was changed on the way not drawn."


def test_figure_4_has_the_samplers_or_else_the_algorithms_that_measured_their_uncertainty(tmp_path: Path) -> None:
    sampler_run(tmp_path, "priority", unc=UNC)
    figure_run(tmp_path, "mbpo-s0", run={"algo": "mbpo"}, unc=UNC)
    figure_run(tmp_path, "awac-s0", run={"algo": "awac"})
    assert shown(plans(tmp_path)["figure-4"]) == [{"MOORe": ["priority-1.0-s0"], "MBPO": ["mbpo-s0"]}]
    sampler_run(tmp_path, "uniform", unc=UNC)
    sampler_run(tmp_path, "half_half")
    assert shown(plans(tmp_path)["figure-4"]) == [{"priority": ["priority-1.0-s0"], "uniform": ["uniform-1.0-s0"]}]


def reasons(folder: Path) -> Sequence[str]:
    return [" ".join(plan.notes) for plan in choose.figures(runs_of(folder)) if not plan.panels]


def test_what_has_nothing_to_show_is_left_out_and_says_why(tmp_path: Path) -> None:
    figure_run(tmp_path, "a-s0", after=())
    assert reasons(tmp_path) == [
        "No run has an evaluation of an online stage.",
        "There are no runs of MOORe with two samplers or more and all else equal.",
        "There are no runs of MOORe with two values of alpha or more and all else equal.",
        "No run measured its uncertainty in an online stage.",
    ]
    figure_run(tmp_path, "b-s0")
    assert len(reasons(tmp_path)) == 3
    assert plans(tmp_path)["figure-1"].notes == ("1 run without an evaluation of an online stage not drawn.",)


def test_a_note_of_one_panel_among_several_names_it(tmp_path: Path) -> None:
    sampler_run(tmp_path, "priority")
    sampler_run(tmp_path, "uniform")
    figure_run(tmp_path, "w-s0", task="Walker2d-v4", sha256="cd" * 32, data="w.hdf5")
    assert plans(tmp_path)["figure-2"].notes == (
        "Hopper-v4, hopper_medium-v2: The runs of a seed share one offline stage.",
        "Walker2d-v4, w: There are no runs of MOORe with two samplers or more and all else equal.",
    )


def test_a_panel_is_in_returns_unless_every_run_has_a_score_by_the_same_reference(tmp_path: Path) -> None:
    figure_run(tmp_path, "a-s0")
    assert [panel.unit for panel in plans(tmp_path)["figure-1"].panels] == ["score"]
    figure_run(tmp_path, "b-s0", run={"algo": "awac"}, scored=False)
    assert [panel.unit for panel in plans(tmp_path)["figure-1"].panels] == ["return"]


def test_there_are_no_more_curves_than_can_be_told_apart(tmp_path: Path) -> None:
    for weight in range(1, 11):
        figure_run(tmp_path, f"{weight}-s0", run={"algo": "cql"}, cql={"weight": float(weight)})
    plan = plans(tmp_path)["figure-1"]
    assert [len(panel.groups) for panel in plan.panels] == [choose.MOST]
    assert plan.notes[0].startswith("Only the first 8 of 10 groups are drawn")
