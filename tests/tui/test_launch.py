"""From a wish to running runs: one check for all seeds, names that fit, nothing left where something fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from moore_engine import config as configs
from moore_engine.rundir import EXIT_FAILED, EXIT_USAGE
from moore_tui.runs import estimate, launch
from moore_tui.runs.errors import CheckFailed, CheckRefused, LaunchFailed
from moore_tui.runs.estimate import Pace
from moore_tui.runs.inquiry import Inquiry
from moore_tui.runs.launch import Wish
from tests.tui.workbench import Workbench, workbench


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workbench]:
    with workbench(tmp_path, monkeypatch) as made:
        yield made


def quickstart(*sets: str) -> configs.Config:
    return configs.resolve("quickstart", sets=sets).config


def test_several_seeds_share_one_check_and_differ_in_seed_and_name_only(bench: Workbench) -> None:
    told: list[str] = []
    made = launch.launch(Wish("quickstart", flags={"name": "a"}, seeds=(0, 3)), bench.runs, told.append)
    assert [run.id for run in made] == ["a-s0", "a-s3"] == bench.made
    assert len(bench.asked) == 1
    assert told == ["checking data, task and device ...", "4000 rows of the set; the run needs up to 42 MB of disk"]
    one, other = (configs.load(run.config) for run in made)
    assert configs.set_value(configs.set_value(one, "run.seed", 3), "run.name", "a-s3") == other
    assert "seed = 3  # --seed" in made[1].config.read_text()


def test_an_algorithm_without_an_offline_stage_is_told_to_use_no_rows(bench: Workbench) -> None:
    told: list[str] = []
    launch.check(Wish("quickstart", flags={"algo": "mbpo"}), bench.runs, told.append)
    assert told[-1] == "from scratch, no rows of the set; the run needs up to 42 MB of disk"


def test_runs_without_a_name_take_free_ones(bench: Workbench) -> None:
    for names in (["quickstart-s0", "quickstart-s1"], ["quickstart-s0-2", "quickstart-s1-2"]):
        made = launch.launch(Wish("quickstart", seeds=(0, 1)), bench.runs, lambda line: None)
        assert [run.id for run in made] == names


def test_a_refusal_leaves_nothing_and_has_the_exit_code_of_bad_input(bench: Workbench) -> None:
    bench.tell(refuse={"quickstart": "no such thing"})
    with pytest.raises(CheckRefused, match="no such thing") as refused:
        launch.launch(Wish("quickstart"), bench.runs, lambda line: None)
    assert refused.value.exit_code == EXIT_USAGE and bench.made == []


def test_a_check_that_breaks_says_so(bench: Workbench) -> None:
    (bench.folder / "prepare.py").write_text("print('not json')")
    with pytest.raises(CheckFailed, match="gave no answer") as failed:
        launch.prepare(quickstart())
    assert failed.value.exit_code == EXIT_FAILED


def test_how_far_the_check_is_is_told_and_is_no_error(bench: Workbench) -> None:
    (bench.folder / "prepare.py").write_text(
        "import sys\n"
        "print('reading minari:a/b-v0: 16 of 32 episodes', file=sys.stderr)\n"
        "print('it cannot be', file=sys.stderr)\n"
        "print('reading minari:a/b-v0: 32 of 32 episodes', file=sys.stderr)\n"
        "sys.exit(2)"
    )
    told: list[str] = []
    with pytest.raises(CheckRefused, match=r"^it cannot be$"):
        launch.prepare(quickstart(), tell=told.append)
    assert told == [f"reading minari:a/b-v0: {done} of 32 episodes" for done in (16, 32)]


def test_what_began_before_an_error_goes_on(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    start = launch.LocalLauncher.start

    def second_fails(self: launch.LocalLauncher, run: launch.RunDir) -> dict[str, object]:
        if run.id.endswith("s1"):
            raise LaunchFailed("no more processes")
        return start(self, run)

    monkeypatch.setattr(launch.LocalLauncher, "start", second_fails)
    with pytest.raises(LaunchFailed, match=r"only quickstart-s0 started: no more processes"):
        launch.launch(Wish("quickstart", seeds=(0, 1, 2)), bench.runs, lambda line: None)
    assert bench.made == ["quickstart-s0"]


def test_the_engine_is_asked_once_for_each_configuration(bench: Workbench) -> None:
    inquiry = Inquiry()
    one = quickstart()
    assert inquiry.known(one) is None and inquiry.rows(one) is None
    found = inquiry.ask(one)
    assert (found.rows, found.disk_mb, found.problem) == (4000, 42.0, "")
    named = quickstart("run.seed=7", "run.name=x")
    assert inquiry.known(named) == found, "seed and name change nothing"
    assert inquiry.known(quickstart("sac.batch=32")) is None
    assert inquiry.rows(quickstart("sac.batch=32")) == 4000, "the data set is the same"
    assert inquiry.rows(quickstart("data.path=other.hdf5")) is None


def test_refusals_can_be_forgotten_and_answers_are_not(bench: Workbench) -> None:
    inquiry = Inquiry()
    bench.tell(refuse={"batch = 32": "too small"})
    small = quickstart("sac.batch=32")
    assert inquiry.ask(small).problem == "too small" and inquiry.known(small) is not None
    inquiry.ask(quickstart())
    inquiry.forget()
    assert inquiry.known(small) is None and inquiry.known(quickstart()) is not None


def test_an_inquiry_that_is_closed_ends_the_look_and_remembers_nothing(bench: Workbench) -> None:
    (bench.folder / "prepare.py").write_text("import signal; signal.pause()")
    inquiry = Inquiry()
    inquiry.close()
    assert inquiry.ask(quickstart()).problem and inquiry.known(quickstart()) is None


def test_time_is_measured_once_for_each_size(bench: Workbench) -> None:
    inquiry = Inquiry()
    one, longer, larger = quickstart(), quickstart("online.epochs=24"), quickstart("sac.hidden=[512]")
    inquiry.ask(one)
    assert inquiry.seconds(one) is None and not inquiry.measured(one)
    inquiry.measure(one)
    assert inquiry.seconds(one) == pytest.approx(28.0), "28 000 updates of a millisecond"
    assert inquiry.seconds(longer) == pytest.approx(52.0)
    assert not inquiry.measured(larger)


def test_the_parts_of_a_run_are_those_of_algorithm_1() -> None:
    config = quickstart("model.max_updates=50", "online.max_updates=40")
    counted = estimate.parts(config, rows=500, limit=100)
    off, on = config.offline, config.online
    assert counted["update"] == 8 * 500 and counted["online_update"] == 12 * 200 * 10
    assert counted["transition"] == 16 * off.rollout_batch * 5 + 24 * on.rollout_batch * 5
    assert counted["minibatch"] == 50 + 24 * 40
    episodes = 10 * (8 + 12) + 100
    assert counted["step"] == 2400 + episodes * 100
    found = estimate.seconds(config, 500, Pace(1.0, 2.0, 0.0, 0.0, 0.0, 0.5))
    assert found == 4_000 + 2.0 * 24_000 + 0.5 * (2400 + episodes * 1000)


def test_a_branch_has_no_offline_stage_and_mopo_no_online_one() -> None:
    branch = estimate.parts(quickstart("run.from=a@switch"), 500)
    alone = estimate.parts(quickstart("run.algo=mopo"), 500)
    whole = estimate.parts(quickstart(), 500)
    updates = [(parts["update"], parts["online_update"]) for parts in (branch, alone, whole)]
    assert updates == [(0, 24_000), (4_000, 0), (4_000, 24_000)]
    assert alone["minibatch"] + branch["minibatch"] == pytest.approx(whole["minibatch"])


def of(algo: str, *sets: str) -> configs.Config:
    return configs.resolve("quickstart", flags={"algo": algo}, sets=sets).config


def test_algorithms_without_models_fit_none_and_roll_nothing_out() -> None:
    for algo in ("awac", "cql", "balanced_replay"):
        counted = estimate.parts(of(algo), 500)
        assert not {"minibatch", "transition"} & set(counted)
        off = of(algo).offline
        assert counted["update"] == off.epochs * off.updates_per_epoch > 0


def test_from_scratch_there_is_no_offline_stage_and_random_steps_teach_nothing() -> None:
    config = of("mbpo", "online.random_steps=200", "online.epochs=12", "online.rollout_growth=[1,12,1,12]")
    counted, on = estimate.parts(config, rows=0, limit=100), config.online
    assert counted["update"] == 0 and counted["online_update"] == (2400 - 200) * on.updates_per_step
    assert counted["step"] == 2400 + 12 * config.eval.episodes * 100, "no frozen policy is evaluated at a switch"
    assert counted["transition"] == pytest.approx(2400 // on.model_every * on.rollout_batch * 6.5)
    assert counted == estimate.parts(config, rows=500, limit=100), "rows of a data set have no part in it"


def test_the_first_epoch_of_balanced_replay_has_its_additional_updates() -> None:
    once, ten = (estimate.parts(of("balanced_replay", f"balanced.first_epoch={n}"), 500) for n in (1, 10))
    on = of("balanced_replay").online
    assert ten["online_update"] - once["online_update"] == 9 * on.steps_per_epoch * on.updates_per_step
    offline_only = estimate.parts(of("balanced_replay", "online.epochs=0"), 500)
    assert offline_only["online_update"] == 0


def test_what_a_pace_depends_on_has_the_algorithm_in_it() -> None:
    sizes = [of("cql"), of("awac"), of("cql", "cql.actions=3"), of("cql", "online.epochs=3")]
    one, other, fewer, shorter = map(estimate.sizes, sizes)
    assert len({one, other, fewer}) == 3 and one == shorter


def test_a_name_that_is_chosen_says_which_algorithm_was_asked_for() -> None:
    assert launch.stem(launch.Wish("presets/hopper.toml")) == "hopper"
    assert launch.stem(launch.Wish("hopper", flags={"algo": "awac"})) == "hopper-awac"


def test_a_machine_that_cannot_be_measured_is_no_error(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    (bench.folder / "pace.py").write_text("raise SystemExit(2)")
    assert estimate.measure(quickstart()) is None
    monkeypatch.delenv("MOORE_PACE")
    assert estimate.measure(quickstart()) is None, "with another check the engine is not started"
