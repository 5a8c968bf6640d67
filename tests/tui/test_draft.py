"""A run in the making: seeds as people write them, what a draft becomes, and what is wrong with it, by field."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from moore_engine import config as configs
from moore_engine.config import ConfigError
from moore_tui.runs import draft, launch, outlook
from moore_tui.runs.draft import ALGO, DATA, FROM, NAME, PROFILE, SEED, SOURCE, TRUST, Draft, read_seeds
from moore_tui.runs.outlook import HERE, look, remark
from tests.tui.made_runs import make_run


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("MOORE_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("typed", "seeds"),
    [("", []), ("3", [3]), ("0-4", [0, 1, 2, 3, 4]), ("0,3,7", [0, 3, 7]), ("0-1, 5 8-9", [0, 1, 5, 8, 9])],
)
def test_seeds_are_numbers_and_ranges(typed: str, seeds: list[int]) -> None:
    assert read_seeds(typed) == seeds


@pytest.mark.parametrize(
    ("typed", "words"),
    [("x", "'x' is no seed"), ("-1", "no seed"), ("4-0", "write 0-4"), ("0-4,3", "seed 3 stands there twice"),
     ("0-9999", "more than 100"), ("0-60,70-160", "more than 100"), ("99999999999", "no seed")],
)  # fmt: skip
def test_seeds_that_are_none_are_refused_in_a_sentence(typed: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_seeds(typed)


def test_every_change_can_be_taken_back() -> None:
    changes = {
        PROFILE: "cpu", DATA: "x.hdf5", SEED: "0-4", NAME: "mine", FROM: "a@switch", TRUST: "Mine-v0",
        "online.alpha": "0.5",
    }  # fmt: skip
    for name, text in changes.items():
        changed = Draft().change(name, text)
        assert changed.text(name) == text and changed != Draft()
        assert changed.reset(name) == Draft()


def test_a_draft_is_what_the_command_line_would_have_asked_for() -> None:
    made = Draft("hopper-medium", "cpu").change(SEED, "3").change(NAME, "mine").change("online.alpha", "0.5")
    resolved = launch.resolve(made.wish())
    assert (resolved.config.run.seed, resolved.config.run.name, resolved.config.online.alpha) == (3, "mine", 0.5)
    assert resolved.sources["online.alpha"] == "--set" and resolved.sources["run.seed"] == "--seed"
    assert "profile cpu" in " ".join(resolved.sources.values())


def test_the_command_starts_the_same_in_a_shell() -> None:
    made = Draft().change("model.hidden", "[64, 64]").change(NAME, "a").change(SEED, "0-1").change(TRUST, "x:y")
    script = f"moore-console() {{ printf '%s|' \"$@\"; echo; }}; {made.command()}"
    said = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split("|")[:-1] for line in said] == [
        ["run", "quickstart", "--name", f"a-s{seed}", "--seed", f"{seed}", "--set", "model.hidden=[64, 64]",
         "--trust-code", "x:y", "--detach"]
        for seed in (0, 1)
    ]  # fmt: skip
    assert shlex.split(Draft().command()) == ["moore-console", "run", "quickstart", "--detach"]


def test_an_outlook_has_every_value_and_where_it_came_from(tmp_path: Path) -> None:
    found = look(Draft().change("online.alpha", "0.5"), tmp_path)
    assert tuple(found.values) == configs.keys()
    assert (found.values["online.alpha"], found.sources["online.alpha"]) == ("0.5", HERE)
    assert found.sources["model.lr"].startswith("preset quickstart") and found.sources["sac.gamma"] == "default"
    assert found.config is not None and not found.problems and found.names == ["quickstart-s0"]


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({SOURCE: "quikstart"}, SOURCE, "did you mean quickstart?"),
        ({PROFILE: "cpx"}, PROFILE, "did you mean cpu?"),
        ({SOURCE: "hopper-medium"}, DATA, "data.path is empty"),
        ({SEED: "4-0"}, SEED, "backwards"),
        ({NAME: "a/b"}, NAME, "run.name"),
        ({NAME: "taken"}, NAME, "already a run 'taken'"),
        ({NAME: "taken", SEED: "0-1"}, NAME, "already a run 'taken-s1'"),
        ({FROM: "nobody@switch"}, FROM, "no run 'nobody'"),
        ({"online.alpha": "-1"}, "online.alpha", "a number > 0"),
        ({"online.sampler": "unifrm"}, "online.sampler", "did you mean uniform?"),
        ({"model.elites": "9"}, "model.elites", "more than model.networks"),
        ({"offline.updates_per_epoch": "300"}, "offline.updates_per_epoch", "does not divide"),
        ({"online.sampler": "custom"}, "online.sampler", "needs a function"),
    ],
)
def test_what_is_wrong_stands_at_its_field(changes: dict[str, str], field: str, words: str, tmp_path: Path) -> None:
    make_run(tmp_path, "taken")
    make_run(tmp_path, "taken-s1")
    made = Draft()
    for name, text in changes.items():
        made = made.change(name, text)
    found = look(made, tmp_path)
    assert list(found.problems) == [field] and words in found.problems[field]


def test_values_wrong_together_can_be_put_right_one_after_the_other(tmp_path: Path) -> None:
    first = Draft().change("offline.updates_per_epoch", "300")
    assert look(first, tmp_path).problems and outlook.check("offline.updates_per_epoch", "300") is None
    assert "does not divide" in (remark(Draft(), "offline.updates_per_epoch", "300", tmp_path) or "")
    assert not look(first.change("offline.rollout_every", "100"), tmp_path).problems


def test_a_value_without_effect_is_remarked_upon(tmp_path: Path) -> None:
    uniform = Draft().change("online.sampler", "uniform")
    assert "no effect" in (remark(uniform, "online.alpha", "2", tmp_path) or "")
    assert remark(Draft(), "online.alpha", "2", tmp_path) is None
    found = look(uniform.change("online.alpha", "2"), tmp_path)
    assert not found.problems and "no effect" in found.warnings[0]


def test_the_environment_and_the_project_file_hold_for_drafts_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("moore.toml").write_text("[eval]\nepisodes = 3\n")
    monkeypatch.setenv("MOORE_MODEL__BATCH", "32")
    found = look(Draft(), tmp_path)
    assert (found.values["eval.episodes"], found.values["model.batch"]) == ("3", "32")
    monkeypatch.setenv("MOORE_MODEL__BATHC", "32")
    assert "MOORE_MODEL__BATHC" in look(Draft(), tmp_path).problems[SOURCE]


def test_a_copy_finds_its_own_name_and_other_data_their_own_references(tmp_path: Path) -> None:
    run = make_run(tmp_path, "mine-s4-2", run={"seed": 4, "name": "mine-s4-2"},
                   data={"path": "x.hdf5", "task": "Hopper-v4", "ref_min": 1.0, "ref_max": 2.0})  # fmt: skip
    same, other = draft.copy(run), draft.copy(run).change(DATA, "y.hdf5")
    found = look(same, tmp_path)
    assert (found.names, found.values[NAME], found.values["data.ref_max"]) == (["mine-s4"], '""', "2")
    assert found.sources["data.path"] == "run mine-s4-2"
    assert launch.resolve(same.wish()).config.data.ref_max == 2.0
    assert launch.resolve(other.wish()).config.data.ref_max is None


def test_a_branch_goes_on_from_the_state_that_is_named(tmp_path: Path) -> None:
    run = make_run(tmp_path, "mine", data={"path": "x.hdf5", "task": "Hopper-v4"})
    found = look(draft.branch(run, "ckpt-100"), tmp_path)
    assert not found.problems and found.values[FROM] == "mine@ckpt-100"
    assert found.config is not None and found.config.run.from_ == f"{run.path.resolve()}@ckpt-100"


def test_an_algorithm_brings_the_settings_of_its_own_preset(tmp_path: Path) -> None:
    plain, awac = look(Draft(), tmp_path), look(Draft().change(ALGO, "awac"), tmp_path)
    assert plain.values[ALGO] == "moore" and awac.values[ALGO] == "awac"
    assert awac.values["online.sampler"] == "uniform" and "awac" in awac.sources["online.sampler"]
    assert awac.config is not None and awac.config == configs.resolve("quickstart", flags={"algo": "awac"}).config
    assert awac.names == ["quickstart-awac-s0"]
    assert Draft().change(ALGO, "awac").command() == "moore-console run quickstart --algo awac --detach"
    assert Draft().change(ALGO, "awac").change(ALGO, "") == Draft()


def test_a_variant_of_an_algorithm_is_that_algorithm_with_other_settings(tmp_path: Path) -> None:
    found = look(Draft(algo="awac-authors"), tmp_path)
    assert (found.values[ALGO], found.values["awac.weighting"]) == ("awac", "softmax") and not found.problems


def test_what_is_typed_beats_the_algorithms_preset_and_an_unknown_one_is_told(tmp_path: Path) -> None:
    typed = look(Draft(algo="cql", edits={"cql.weight": "7"}), tmp_path)
    assert (typed.values["cql.weight"], typed.sources["cql.weight"]) == ("7", HERE)
    assert "did you mean cql?" in look(Draft(algo="cqll"), tmp_path).problems[ALGO]


def test_every_algorithm_is_offered_with_what_it_is_and_so_are_other_presets() -> None:
    offered = dict(outlook.algorithms())
    assert list(offered)[:6] == ["moore", "mopo", "mbpo", "awac", "balanced_replay", "cql"]
    assert offered["awac-authors"] == "awac with the settings of its authors" and "collect" not in offered


def test_keys_of_a_few_words_offer_them_and_others_offer_none() -> None:
    assert set(outlook.offers("online.sampler")) >= {"priority", "uniform", "half_half"}
    assert outlook.offers("online.initial_rollout") == ["true", "false"]
    assert outlook.offers("online.alpha") == outlook.offers("run.name") == outlook.offers("data.ref_min") == []
    assert {"moore", "mopo"} <= set(outlook.offers("run.algo"))


def test_data_sets_are_completed_folder_by_folder(tmp_path: Path) -> None:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    for name in ("a.hdf5", "b.txt", ".c.hdf5"):
        (tmp_path / "data" / name).touch()
    assert outlook.completions("da") == ["data/"]
    assert outlook.completions("data/") == ["data/a.hdf5", "data/deep/"]
    assert outlook.completions("bundled:q") == ["bundled:quickstart"]
    assert outlook.completions("nowhere/") == []


def test_the_quickstart_comes_first_and_every_preset_says_something() -> None:
    found = outlook.presets()
    assert found[0][0] == "quickstart" and len(found) == len(configs.presets())
    assert all(about for _, about in found)
