"""Branches and what they inherit; runs that differ in their seed only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moore_engine import control
from moore_engine.rundir import RunDir, write_json
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


def test_a_key_that_a_configuration_lacks_has_its_default(tmp_path: Path) -> None:
    old, new = make_run(tmp_path, "old"), make_run(tmp_path, "new")
    text = old.config.read_text()
    old.config.write_text(text[: text.index("[checkpoint]")].replace("actor_schedule", "# actor_schedule"))
    assert lineage.groups([old, new]) == {"": [old, new]}
    other = make_run(tmp_path, "other", checkpoint={"keep": 3})
    assert list(lineage.groups([old, other])) == ["checkpoint.keep=2", "checkpoint.keep=3"]


def test_keys_that_do_nothing_make_no_group(tmp_path: Path) -> None:
    def one_group(*sections: dict[str, Any]) -> bool:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        return len(lineage.groups([make_run(folder, str(i), **each) for i, each in enumerate(sections)])) == 1

    assert one_group({}, {"collect": {"steps": 5}})
    assert one_group({"online": {"sampler": "uniform"}}, {"online": {"sampler": "uniform", "alpha": 2.0}})
    assert one_group({"run": {"algo": "mopo"}}, {"run": {"algo": "mopo"}, "online": {"epochs": 3}})
    assert one_group({"run": {"algo": "collect"}}, {"run": {"algo": "collect"}, "model": {"networks": 3}})
    assert not one_group({"run": {"algo": "collect"}}, {"run": {"algo": "collect"}, "collect": {"steps": 5}})
    assert not one_group({}, {"online": {"alpha": 2.0}})


def test_a_key_that_no_version_knows_still_tells_runs_apart(tmp_path: Path) -> None:
    one, other = make_run(tmp_path, "one"), make_run(tmp_path, "other")
    other.config.write_text(other.config.read_text() + "\n[later]\nkey = 1\n")
    assert list(lineage.groups([one, other])) == ["later.key=None", "later.key=1"]


def test_long_values_lose_no_group(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, str(n), sac={"hidden": (256, 256, 256, n)}) for n in (1, 2, 3)]
    assert len(lineage.groups(runs)) == 3


def test_a_value_that_was_set_live_makes_another_group(tmp_path: Path) -> None:
    plain, changed, same = (make_run(tmp_path, name) for name in ("plain", "changed", "same"))
    granted(changed, "1", "online.alpha", "2")
    granted(changed, "2", "online.alpha", 4.0)
    granted(changed, "3", "eval.episodes", "0", ok=False)
    granted(same, "1", "online.alpha", "1")
    assert lineage.groups([plain, changed, same]) == {
        "online.alpha=1": [plain, same],
        "online.alpha=1 then 2 then 4": [changed],
    }


def granted(run: RunDir, number: str, key: str, value: Any, *, ok: bool = True) -> None:
    """An acknowledgement as the trainer writes it."""
    control.acknowledge(run, control.Request(number, "set", {"key": key, "value": value}), ok)


def write_json_manifest(folder: Path, *, seq: int) -> None:
    folder.mkdir(parents=True)
    write_json(folder / "manifest.json", {"seq": seq})
