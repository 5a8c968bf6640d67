"""Branches and what they inherit; runs that differ in their seed only."""

from __future__ import annotations

from pathlib import Path

from moore_engine.rundir import write_json
from moore_tui.runs import lineage
from tests.tui.made_runs import event, make_run, write_events


def test_a_branch_inherits_the_events_that_its_checkpoint_had_seen(tmp_path: Path) -> None:
    trunk = make_run(tmp_path, "trunk")
    write_events(trunk, *(event(seq) for seq in range(1, 6)))
    write_json_manifest(trunk.checkpoints / "switch", seq=3)
    branch = make_run(tmp_path, "branch", run={"from_": f"{trunk.path}@switch#abc"})
    write_events(branch, event(1), event(2))
    twig = make_run(tmp_path, "twig", run={"from_": f"{branch.path}@ckpt-9#def"})
    write_json_manifest(branch.checkpoints / "ckpt-9", seq=1)
    own, earlier = lineage.history(branch)
    assert ([each["seq"] for each in own], [each["seq"] for each in earlier]) == ([1, 2], [1, 2, 3])
    assert [each["seq"] for each in lineage.history(twig)[1]] == [1, 2, 3, 1]


def test_a_branch_whose_trunk_is_gone_inherits_nothing(tmp_path: Path) -> None:
    branch = make_run(tmp_path, "branch", run={"from_": f"{tmp_path / 'gone'}@switch#abc"})
    assert lineage.history(branch) == ([], [])


def test_runs_that_are_each_others_origin_end_the_search(tmp_path: Path) -> None:
    one = make_run(tmp_path, "one", run={"from_": f"{tmp_path / 'two'}@switch"})
    two = make_run(tmp_path, "two", run={"from_": f"{tmp_path / 'one'}@switch"})
    for run in (one, two):
        write_events(run, event(1))
        write_json_manifest(run.checkpoints / "switch", seq=1)
    assert len(lineage.history(one)[1]) == 2


def test_events_of_dead_attempts_are_not_inherited(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    write_events(run, event(1, "run", resumed_seq=0), event(2), event(3), event(4, "run", resumed_seq=2))
    assert [each["seq"] for each in lineage.history(run)[0]] == [1, 2, 4]


def test_seeds_are_one_group_and_settings_make_others(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, f"p{seed}", run={"seed": seed, "name": f"p{seed}", "threads": seed + 1})
            for seed in (0, 1)]  # fmt: skip
    assert lineage.groups(runs) == {"": runs}
    other = make_run(tmp_path, "u0", online={"sampler": "uniform"})
    assert lineage.groups([*runs, other]) == {"online.sampler=priority": runs, "online.sampler=uniform": [other]}


def test_runs_on_other_data_are_another_group(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, name, data={"sha256": name * 16, "path": name}) for name in ("ab", "cd")]
    assert list(lineage.groups(runs)) == ["data.sha256=abababababab", "data.sha256=cdcdcdcdcdcd"]


def write_json_manifest(folder: Path, *, seq: int) -> None:
    folder.mkdir(parents=True)
    write_json(folder / "manifest.json", {"seq": seq})
