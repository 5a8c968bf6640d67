"""The runs folder: names, prefixes, creation all at once, deletion with care."""

from __future__ import annotations

import pytest

from moore_engine import rundir
from moore_engine.rundir import Lock, write_json
from moore_tui.runs import store
from moore_tui.runs.errors import BadRunName, RunIsLive, RunNotFound
from tests.tui.made_runs import beat_at, dead_identity, make_run, sleeper


def test_the_option_beats_the_environment_which_beats_the_default():
    assert str(store.runs_folder("a", {"MOORE_RUNS_DIR": "b"})) == "a"
    assert str(store.runs_folder(None, {"MOORE_RUNS_DIR": "b"})) == "b"
    assert str(store.runs_folder(None, {})) == "runs"


def test_the_listing_has_whole_runs_only(tmp_path):
    for name in ("b", "a", ".tmp-1234"):
        make_run(tmp_path, name)
    (tmp_path / "notes").mkdir()
    (tmp_path / "file").touch()
    assert [run.id for run in store.listing(tmp_path)] == ["a", "b"]
    assert store.listing(tmp_path / "none") == []


def test_a_run_is_found_by_name_prefix_or_path(tmp_path, monkeypatch):
    run = make_run(tmp_path, "hopper-s1")
    make_run(tmp_path, "walker-s1")
    for text in ("hopper-s1", "hop", str(run.path), str(run.path) + "/"):
        assert store.resolve(text, tmp_path).path.resolve() == run.path
    monkeypatch.chdir(tmp_path)
    assert store.resolve("./hopper-s1", tmp_path / "none").id == "hopper-s1"


def test_an_exact_name_beats_the_longer_ones_that_begin_so(tmp_path):
    for name in ("hopper", "hopper-2"):
        make_run(tmp_path, name)
    assert store.resolve("hopper", tmp_path).id == "hopper"


def test_a_beginning_of_several_names_is_refused_with_all_of_them(tmp_path):
    for name in ("hopper-1", "hopper-2"):
        make_run(tmp_path, name)
    with pytest.raises(BadRunName, match=r"'hop' begins the names of several runs: hopper-1, hopper-2$"):
        store.resolve("hop", tmp_path)


def test_an_unknown_name_is_refused_with_the_nearest(tmp_path):
    make_run(tmp_path, "hopper-medium")
    with pytest.raises(
        RunNotFound, match=r"there is no run 'hoper-medium' in .*; did you mean hopper-medium\?"
    ) as error:
        store.resolve("hoper-medium", tmp_path)
    assert error.value.exit_code == 3


def test_in_an_empty_folder_the_refusal_says_that_it_is_empty(tmp_path):
    with pytest.raises(RunNotFound, match="has no runs"):
        store.resolve("x", tmp_path / "none")


def test_a_folder_that_is_no_run_is_not_found(tmp_path):
    (tmp_path / "notes").mkdir()
    with pytest.raises(RunNotFound):
        store.resolve("notes", tmp_path)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-x", ".hidden", "a b", "a\n", "x" * 121, "ä"])
def test_a_name_that_is_no_plain_folder_name_is_refused(tmp_path, name):
    with pytest.raises(BadRunName, match="cannot name a run") as error:
        store.check_name(name, tmp_path)
    assert error.value.exit_code == 2


def test_a_created_run_is_whole_and_knows_its_name(tmp_path):
    run = store.create(tmp_path / "runs", lambda name: f'name = "{name}"', name="mine")
    assert run.config.read_text() == 'name = "mine"'
    assert run.control.is_dir()
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["mine"]


def test_an_unnamed_run_takes_the_next_free_number(tmp_path):
    made = [store.create(tmp_path, str, stem="hopper/medium s0").id for _ in range(3)]
    assert made == ["hopper-medium-s0", "hopper-medium-s0-2", "hopper-medium-s0-3"]
    assert next(store.free_names("hopper-medium-s0", tmp_path)) == "hopper-medium-s0-4"


def test_a_given_name_that_is_taken_is_refused(tmp_path):
    make_run(tmp_path, "mine")
    with pytest.raises(BadRunName, match="there is already a run 'mine'"):
        store.create(tmp_path, str, name="mine")


def test_a_name_taken_at_the_last_moment_is_refused_or_passed_over(tmp_path):
    def late(name):
        if name == "mine":
            make_run(tmp_path, name).events.write_text("precious")
        return name

    assert store.create(tmp_path, late, stem="mine").id == "mine-2"
    (tmp_path / "mine").rename(tmp_path / "kept")
    with pytest.raises(BadRunName, match="there is already a run 'mine'"):
        store.create(tmp_path, late, name="mine")
    assert (tmp_path / "kept" / "events.jsonl").exists()
    assert (tmp_path / "mine" / "events.jsonl").read_text() == "precious"


def test_a_failed_creation_leaves_nothing(tmp_path):
    def fail(name):
        raise ValueError(name)

    with pytest.raises(ValueError, match="mine"):
        store.create(tmp_path, fail, name="mine")
    assert list(tmp_path.iterdir()) == []


def test_a_run_at_rest_is_deleted(tmp_path):
    run = make_run(tmp_path)
    write_json(run.state, {"identity": dead_identity(), "status": "training"})
    store.delete(run)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_works_is_not_deleted(tmp_path):
    run = make_run(tmp_path)
    with sleeper() as (_, who):
        write_json(run.state, {"identity": who, "status": "training"})
        beat_at(run, 1)
        with pytest.raises(RunIsLive, match="is live; stop it"):
            store.delete(run)
    write_json(run.keeper, {"identity": rundir.this_process(), "status": "restarting"})
    with pytest.raises(RunIsLive, match="is restarting"):
        store.delete(run)
    assert run.exists()


def test_a_run_whose_lock_is_held_is_not_deleted(tmp_path):
    run = make_run(tmp_path)
    lock = Lock(run)
    with pytest.raises(RunIsLive):
        store.delete(run)
    lock.release()
    store.delete(run)


def test_a_run_that_may_work_on_another_host_is_not_deleted(tmp_path):
    run = make_run(tmp_path)
    far = {**rundir.this_process(), "host": "far"}
    write_json(run.state, {"identity": far, "status": "training"})
    with pytest.raises(RunIsLive, match="on far"):
        store.delete(run)
    write_json(run.state, {"identity": far, "status": "done"})
    store.delete(run)


def test_what_is_no_run_is_never_deleted(tmp_path):
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter").touch()
    with pytest.raises(RunNotFound):
        store.delete(rundir.RunDir(folder))
    link = tmp_path / "link"
    link.symlink_to(make_run(tmp_path, "real").path)
    with pytest.raises(RunNotFound):
        store.delete(rundir.RunDir(link))
    assert (folder / "chapter").exists()
    assert (tmp_path / "real" / "config.toml").exists()
