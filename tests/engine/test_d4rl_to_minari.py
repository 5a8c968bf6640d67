"""D4RL files to Minari sets and back: equal arrays whatever the file's peculiarities, and equal tables on the way."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moore_engine.data import d4rl, minari_set
from moore_engine.data.d4rl_to_minari import import_d4rl
from moore_engine.data.minari_to_d4rl import export_d4rl
from moore_engine.data.minari_write import About
from moore_engine.data.reference import Reference
from moore_engine.data.transitions import DataError
from moore_engine.tools import data_export, data_import
from tests.engine.minari_sets import ID, SIZES, TASK, episode, make, never_ends, read, rows

NUMBERS = itertools.count()
Arrays = dict[str, np.ndarray]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "sets"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "sets"


def arrays(lengths: tuple[int, ...] = (120, 80, 200), seed: int = 0) -> Arrays:
    made = rows(lengths, seed)
    return {
        "observations": made.observations,
        "actions": made.actions,
        "next_observations": made.next_observations,
        "rewards": made.rewards,
        "terminals": made.terminals,
        "timeouts": made.timeouts,
        **{f"infos/{key}": values for key, values in made.infos.items()},
    }


def save(path: Path, made: Arrays, **attrs: Any) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs.update({"task": TASK, **attrs})
        for key, values in made.items():
            file[key] = values
    return path


def contents(path: Path) -> dict[str, Any]:
    """Every array of a file with its type and bytes, and the attributes."""
    found: dict[str, Any] = {}

    def note(key: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            values = item[()]
            found[key] = (str(item.dtype), item.shape, np.asarray(values).tobytes() if item.dtype != object else values)

    with h5py.File(path) as file:
        file.visititems(note)
        found["attributes"] = {key: str(value) for key, value in file.attrs.items()}
    return found


def reference(path: Path) -> Reference:
    return Reference(str(path), TASK, "asked for", 3, 1, np.array([-2], np.float32), np.array([2], np.float32))


def there_and_back(path: Path, dataset_id: str = ID) -> Path:
    import_d4rl(reference(path), dataset_id, About(), lambda done, total: None)
    back = path.with_name(f"back-{path.name}")
    export_d4rl(dataset_id, back, lambda done, total: None)
    return back


def as_columns(made: Arrays) -> None:
    for key in ("rewards", "terminals", "timeouts"):
        made[key] = made[key][:, None].astype(np.float64)


def no_timeouts(made: Arrays) -> None:
    del made["timeouts"]


def no_next(made: Arrays) -> None:
    del made["next_observations"]


def v0(made: Arrays) -> None:
    for key in ("next_observations", "timeouts", "infos/qpos", "infos/action_log_probs"):
        del made[key]


def shifted_next(made: Arrays) -> None:
    made["next_observations"] = np.roll(made["observations"], -1, axis=0)


def rounded_next(made: Arrays) -> None:
    made["next_observations"] = made["next_observations"].astype(np.float16).astype(np.float32)
    made["observations"] = made["observations"].astype(np.float16).astype(np.float32)
    made["next_observations"][::7] += np.float32(1e-6)


def wide_next(made: Arrays) -> None:
    made["next_observations"] = made["next_observations"].astype(np.float64)


def both_flags(made: Arrays) -> None:
    made["timeouts"] |= made["terminals"]


def unmarked_joins(made: Arrays) -> None:
    made["timeouts"][0:150] = False


def cut_last(made: Arrays) -> None:
    made["timeouts"][-1] = False


def doubles(made: Arrays) -> None:
    for key in ("observations", "actions", "next_observations", "rewards"):
        made[key] = made[key].astype(np.float64) * 0.999


def byte_flags(made: Arrays) -> None:
    made["terminals"], made["timeouts"] = made["terminals"].astype(np.uint8), made["timeouts"].astype(np.int64)


def big_endian(made: Arrays) -> None:
    made["observations"], made["rewards"] = made["observations"].astype(">f4"), made["rewards"].astype(">f8")
    made["next_observations"] = made["next_observations"].astype(">f4")


def more_keys(made: Arrays) -> None:
    made["metadata/algorithm"] = np.array(b"SAC")
    made["metadata/policy/fc0/weight"] = np.arange(12, dtype=np.float32).reshape(3, 4)
    made["metadata/policy/nonlinearity"] = np.array(b"relu")
    made["goals"] = np.ones((400, 2))
    made["infos/deep/er"] = np.arange(400)
    made["infos/once"] = np.arange(5)
    made["infos/next_observations"] = np.zeros((400, 3))


PECULIAR = [
    as_columns, no_timeouts, no_next, v0, shifted_next, rounded_next, wide_next, both_flags, unmarked_joins, cut_last,
    doubles, byte_flags, big_endian, more_keys,
]  # fmt: skip


@pytest.mark.parametrize("change", [None, *PECULIAR])
def test_a_file_comes_back_equal(tmp_path: Path, change: Any) -> None:
    made = arrays()
    if change:
        change(made)
    path = save(tmp_path / "a.hdf5", made, ref_min=-3.0, ref_max=7.5, made_by="nobody")
    assert contents(there_and_back(path)) == contents(path)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=12).map(tuple),
    seed=st.integers(0, 99),
    changes=st.sets(st.sampled_from([as_columns, cut_last, doubles, byte_flags, both_flags, wide_next]), max_size=3),
)
def test_any_file_comes_back_equal(tmp_path, lengths, seed, changes) -> None:
    number = next(NUMBERS)
    made = arrays(lengths, seed)
    for change in sorted(changes, key=lambda each: each.__name__):
        change(made)
    path = save(tmp_path / f"{number}.hdf5", made)
    back = there_and_back(path, f"any/x{number}-v0")
    assert contents(back) == contents(path)


@pytest.mark.parametrize("change", [None, *PECULIAR])
def test_a_run_gets_the_same_table_from_the_file_and_from_the_set(tmp_path: Path, change: Any) -> None:
    made = arrays((120, 80, 200, 100, 150))
    if change and change is not more_keys:
        change(made)
    path = save(tmp_path / "a.hdf5", made)
    import_d4rl(reference(path), ID, About(), lambda done, total: None)
    for checks in (False, True):
        options = {
            **SIZES,
            "checks": checks,
            "termination": lambda obs, action, next_obs: ~never_ends(obs, action, obs),
        }
        if checks:
            options["termination"] = None
        one, other = d4rl.load(path, **{**options, "task": TASK, "checks": False}), read(checks=False)
        np.testing.assert_array_equal(one.table, other.table)
        np.testing.assert_array_equal(one.returns, other.returns)
        np.testing.assert_array_equal(one.lengths, other.lengths)
        assert (one.terminals, one.timeouts, one.rows_dropped) == (other.terminals, other.timeouts, other.rows_dropped)


def test_what_is_not_known_of_last_rows_is_said(tmp_path: Path) -> None:
    made = arrays()
    no_next(made)
    done = import_d4rl(reference(save(tmp_path / "a.hdf5", made)), ID, About(), lambda done, total: None)
    assert any("does not know the last next observation" in text for text in done.warnings)
    assert any("does not know the last next observation" in text for text in read(termination=never_ends).warnings)


def test_minari_reads_the_imported_episodes(tmp_path: Path) -> None:
    package = pytest.importorskip("minari")
    made = arrays()
    import_d4rl(reference(save(tmp_path / "a.hdf5", made)), ID, About(), lambda done, total: None)
    each = list(package.load_dataset(ID).iterate_episodes())
    np.testing.assert_array_equal(np.concatenate([one.observations[:-1] for one in each]), made["observations"])
    np.testing.assert_array_equal(np.concatenate([one.infos["qpos"] for one in each]), made["infos/qpos"])


def test_the_set_says_what_the_file_says(tmp_path: Path) -> None:
    path = save(tmp_path / "a.hdf5", arrays(), made_by="SAC replay", ref_min=-3.0, ref_max=7.5)
    import_d4rl(reference(path), ID, About(author=("Ada",)), lambda done, total: None)
    found = minari_set.find(ID)
    assert (found.algorithm, found.reference, found.task) == ("SAC replay", (-3.0, 7.5), TASK)
    assert found.metadata["author"] == ["Ada"]
    assert "a.hdf5, imported from D4RL's layout (sha256 " in found.metadata["description"]


def test_importing_the_same_file_again_changes_nothing_and_another_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.hdf5", arrays())
    first = import_d4rl(reference(path), ID, About(), lambda done, total: None)
    again = import_d4rl(reference(path), ID, About(), lambda done, total: None)
    assert again.path == first.path and again.warnings == [f"minari:{ID} is there already."]
    other = save(tmp_path / "b.hdf5", arrays(seed=1))
    with pytest.raises(DataError, match="there is a data set"):
        import_d4rl(reference(other), ID, About(), lambda done, total: None)


def test_shuffled_rows_are_no_episodes(tmp_path: Path) -> None:
    made = arrays()
    order = np.random.default_rng(0).permutation(400)
    path = save(tmp_path / "a.hdf5", {key: values[order] for key, values in made.items()})
    with pytest.raises(DataError, match="shuffled or misaligned"):
        import_d4rl(reference(path), ID, About(), lambda done, total: None)


def test_a_set_of_minaris_own_becomes_a_file_that_reads_alike(tmp_path: Path) -> None:
    pytest.importorskip("minari")
    infos = {"qpos": np.ones((41, 2)), "note": np.ones(7)}
    make([episode(40, each, infos=infos) for each in range(12)], algorithm_name="SAC")
    done = export_d4rl(ID, tmp_path / "a.hdf5", lambda done, total: None)
    assert any("infos/note" in text and "left out" in text for text in done.warnings)
    with h5py.File(tmp_path / "a.hdf5") as file:
        assert file["infos/qpos"].shape == (480, 2) and file["observations"].dtype == np.float64
        assert json.loads(file["metadata/minari"][()])["dataset_id"] == ID
        assert file.attrs["task"] == TASK
    one, other = d4rl.load(tmp_path / "a.hdf5", **SIZES, checks=False), read(checks=False)
    assert one.table_sha256 == other.table_sha256 and one.made_by == "SAC"


def test_the_tools_print_what_they_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(tmp_path / "a.hdf5", arrays())
    words = [str(path), "--id", ID, "--author", "Ada", "--ref-min=-1600", "--ref-max=-150", "--json"]
    assert data_import.main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["data"], told["rows"], told["episodes"], told["task"]) == (f"minari:{ID}", 400, 3, TASK)
    assert minari_set.find(ID).reference == (-1600.0, -150.0)
    back = tmp_path / "b.hdf5"
    assert data_export.main([ID, "-o", str(back)]) == 0
    assert "400 rows in 3 episodes" in capsys.readouterr().out
    assert contents(back) == contents(path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{0}/nothing.hdf5", "--id", ID], "there is no file"),
        (["{0}/a.hdf5", "--id", "nameless"], "is no Minari id"),
        (["{0}/a.hdf5", "--id", ID, "--task", "Hopper-v4"], "has 3 observation and 1 action dimensions but Hopper-v4"),
        (["{0}/a.hdf5", "--id", ID, "--task", "Nothing-v4"], "unknown task"),
        (["minari:some/set-v0", "--id", ID], "there is no Minari set"),
    ],
)
def test_what_cannot_be_imported_is_one_sentence(tmp_path, capsys, words, said) -> None:
    save(tmp_path / "a.hdf5", arrays())
    assert data_import.main([word.format(tmp_path) for word in words]) == 2
    told = capsys.readouterr()
    assert said in told.err and told.err.count("\n") == 1 and told.out == ""


def test_what_cannot_be_exported_is_one_sentence(tmp_path, capsys) -> None:
    import_d4rl(reference(save(tmp_path / "a.hdf5", arrays())), ID, About(), lambda done, total: None)
    for words, said in (
        (["some/set-v0", "-o", str(tmp_path / "b.hdf5")], "there is no Minari set"),
        ([ID, "-o", str(tmp_path / "a.hdf5")], "exists: give another name"),
        ([ID, "-o", str(tmp_path / "nowhere/b.hdf5")], "there is no folder"),
    ):
        assert data_export.main(words) == 2
        told = capsys.readouterr()
        assert said in told.err and told.err.count("\n") == 1 and told.out == ""
