"""`--algo`: an algorithm's preset lies over the data set's and under a file of one's own; runs without data."""

from __future__ import annotations

from pathlib import Path

import pytest

from moore_engine import config, presets
from moore_engine.config import ConfigError
from moore_engine.schema import ALGORITHMS


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of presets: one of a data set, and of the algorithm awac one, a variant, one for a task and a preset."""
    files = {
        "pets.toml": '[data]\ntask = "Hopper-v4"\n[sac]\nactor_lr = 0.1\ncritic_lr = 0.1\n[offline]\nepochs = 7\n',
        "toys.toml": '[data]\ntask = "Hopper-v4"\n',
        "algorithms/awac.toml": '[run]\nalgo = "awac"\n[sac]\nactor_lr = 0.2\n[offline]\nepochs = 50\n',
        "algorithms/awac-hopper.toml": 'extends = "awac"\n[sac]\ntau = 0.3\n',
        "algorithms/awac-toys.toml": 'extends = "awac"\n[sac]\ntau = 0.4\n',
        "algorithms/awac-other.toml": 'extends = "awac"\n[run]\nalgo = "awac"\n[sac]\nactor_lr = 0.5\n',
        "profiles/cpu.toml": "[offline]\nepochs = 20\n",
    }
    for name, text in files.items():
        path = tmp_path / "presets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(presets, "FOLDER", tmp_path / "presets")
    return tmp_path


def chosen(source: str | Path, **given: object) -> config.Config:
    return config.resolve(source, **given).config  # type: ignore[arg-type]


def test_an_algorithms_preset_lies_over_the_data_sets(shelf: Path) -> None:
    plain, other = chosen("pets"), chosen("pets", flags={"algo": "awac"})
    assert (plain.run.algo, plain.sac.actor_lr, plain.offline.epochs) == ("moore", 0.1, 7)
    assert (other.run.algo, other.sac.actor_lr, other.offline.epochs) == ("awac", 0.2, 50)
    assert (other.sac.critic_lr, other.data.task) == (0.1, "Hopper-v4")


def test_the_key_does_what_the_flag_does(shelf: Path) -> None:
    assert chosen("pets", sets=["run.algo=awac"]) == chosen("pets", flags={"algo": "awac"})
    assert chosen("pets", env={"MOORE_RUN__ALGO": "awac"}) == chosen("pets", flags={"algo": "awac"})


def test_the_preset_for_the_data_set_goes_before_the_one_for_the_task(shelf: Path) -> None:
    assert chosen("pets", flags={"algo": "awac"}).sac.tau == 0.3
    assert chosen("toys", flags={"algo": "awac"}).sac.tau == 0.4
    assert chosen("pets", flags={"algo": "awac", "task": "Walker2d-v4"}).sac.tau == 0.005


def test_a_variant_is_another_preset_of_the_same_algorithm(shelf: Path) -> None:
    found = chosen("pets", flags={"algo": "awac-other"})
    assert (found.run.algo, found.sac.actor_lr, found.sac.tau) == ("awac", 0.5, 0.005)
    assert presets.variants() == ("awac", "awac-other")


def test_an_algorithms_preset_is_one_to_start_from_and_stays_as_it_is(shelf: Path) -> None:
    found = chosen("awac-other")
    assert (found.run.algo, found.sac.actor_lr) == ("awac", 0.5)


def test_a_file_of_ones_own_wins_over_the_algorithms_preset_and_flags_win_over_both(shelf: Path) -> None:
    own = shelf / "own.toml"
    own.write_text('extends = "pets"\n[sac]\nactor_lr = 0.9\n')
    found = chosen(own, flags={"algo": "awac"})
    assert (found.sac.actor_lr, found.offline.epochs) == (0.9, 50)
    assert chosen(own, flags={"algo": "awac"}, sets=["sac.actor_lr=0.7"]).sac.actor_lr == 0.7


def test_a_frozen_configuration_is_what_it_was(shelf: Path) -> None:
    was = chosen("pets", flags={"algo": "awac"}, sets=["sac.actor_lr=0.6"])
    frozen = shelf / "config.toml"
    frozen.write_text(config.dumps(was))
    assert chosen(frozen) == was


def test_a_profile_reduces_an_algorithms_preset_too(shelf: Path) -> None:
    resolved = config.resolve("pets", flags={"algo": "awac"}, profile="cpu")
    assert resolved.config.offline.epochs == 20
    assert "from 50" in resolved.sources["offline.epochs"]


def test_an_algorithm_that_there_is_not_is_refused_with_the_nearest(shelf: Path) -> None:
    with pytest.raises(ConfigError, match=r'run.algo = "awak" \(--algo\).*did you mean awac'):
        config.resolve("pets", flags={"algo": "awak"})


def test_every_algorithm_has_its_class_and_but_for_the_data_sets_own_its_preset() -> None:
    from moore_engine.algorithms import algorithm
    from moore_engine.algorithms.base import Algorithm

    assert all(issubclass(algorithm(name), Algorithm) for name in ALGORITHMS if name != "collect")
    assert {presets.algorithm_of(each) for each in presets.variants()} == {*ALGORITHMS} - {"moore", "mopo", "collect"}


def test_without_data_only_what_has_no_offline_stage_can_start_and_needs_a_task() -> None:
    with pytest.raises(ConfigError, match=r"data.path is empty"):
        config.check_launchable(config.resolve(sets=["data.task=Hopper-v4"]).config)
    with pytest.raises(ConfigError, match=r"data.task is empty"):
        config.check_launchable(config.resolve(sets=["run.algo=mbpo"]).config)
    config.check_launchable(config.resolve(sets=["run.algo=mbpo", "data.task=Hopper-v4"]).config)


@pytest.mark.parametrize(
    "sets, said",
    [
        (["sac.critic_subset=3"], "sac.critic_subset = 3 is more than sac.critics = 2"),
        (["online.update_every=7"], "online.update_every = 7 does not divide online.steps_per_epoch = 1000"),
        (["online.rollout_growth=[20, 10, 1, 15]"], "online.rollout_growth = [20, 10, 1, 15] is not four numbers"),
        (["online.rollout_growth=[20, 150]"], "online.rollout_growth = [20, 150] is not four numbers"),
        (["run.algo=mbpo", "online.initial_rollout=true"], "online.initial_rollout has no rows to start from"),
    ],
)
def test_keys_that_do_not_go_together_are_refused(sets: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        config.resolve(sets=sets)
    assert said in str(error.value)
