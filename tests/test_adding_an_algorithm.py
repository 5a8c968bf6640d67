"""docs/adding-an-algorithm.md: its example is put where the page says, learns, resumes exactly, and is exported."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from moore_engine import checkpoint, config, presets, schema
from moore_engine.export import export_policy
from moore_engine.rundir import RunDir
from moore_engine.train import train
from moore_engine.training import Training
from tests.engine import trainer_runs as runs
from tests.engine.test_train import TASK, Desk, _copied, _equal, begin

PAGE = (Path(__file__).parents[1] / "docs" / "adding-an-algorithm.md").read_text()
FILE, LINE = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)
(PRESET,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.M | re.S)
MODULE = "moore_engine.algorithms.td3_bc"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of uniform actions."""
    return runs.write_data(tmp_path_factory.mktemp("data") / "pendulum.hdf5")


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The engine with the page's file, preset and line; the folder of presets."""
    folder = tmp_path_factory.mktemp("presets")
    (folder / "algorithms").mkdir()
    (folder / "algorithms" / "td3_bc.toml").write_text(PRESET)
    module = ModuleType(MODULE)
    exec(compile(FILE, f"{MODULE} in the page", "exec"), module.__dict__)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, MODULE, module)
        patch.setattr(presets, "FOLDER", folder)
        for name, algorithm in eval(f"{{{LINE}}}", vars(schema)).items():
            patch.setitem(schema.ALGORITHMS, name, algorithm)
        yield folder


SETS = (
    "run.algo=td3_bc", "sac.actor_lr=3e-3", "sac.critic_lr=3e-3", "sac.tau=0.02", "offline.epochs=4",
    "online.epochs=2", "online.steps_per_epoch=40", "online.updates_per_step=2", "eval.switch_episodes=0",
    "eval.episodes=3",
)  # fmt: skip


@pytest.fixture(scope="module")
def done(added: Path, data: Path) -> tuple[Training, Desk, dict[str, dict[str, Any]]]:
    """A whole run, with states from its ticks."""
    training, desk = begin(data, *SETS)
    taken: dict[str, dict[str, Any]] = {}

    def take() -> None:
        c = training.counters
        name = f"{c.stage} {c.open or 'between'} {c.epoch} {c.update % 2}"
        if name not in taken:
            taken[name] = _copied(training.state_dict())

    desk.on_tick = take
    train(training, desk)
    return training, desk, taken


def test_the_preset_is_taken_with_its_source(added: Path) -> None:
    resolved = config.resolve(flags={"algo": "td3_bc"}, sets=["data.path=x.hdf5", f"data.task={TASK}"])
    assert (resolved.config.run.algo, resolved.config.offline.epochs) == ("td3_bc", 1000)
    assert resolved.sources["sac.tau"] == "preset td3_bc (TD3+BC, App. A)"


def test_it_learns_from_random_rows_to_balance_longer_than_they_do(done: Any) -> None:
    """The rows' episodes last 6 steps; regression to them alone, or against the value, stays below 20."""
    training, desk, _ = done
    offline = [fields["return_mean"] for kind, fields in desk.said if kind == "eval"][3]
    rows = training.replay.rows[: training.replay.n_off]
    assert rows.shape[0] / rows[:, -1].sum() < 8
    assert offline > 25


def test_a_state_taken_at_any_tick_and_written_to_disk_goes_on_to_the_same_end(
    done: Any, data: Path, tmp_path: Path
) -> None:
    whole, _, taken = done
    end = _copied(whole.state_dict())
    run = RunDir(tmp_path)
    run.make()
    for name in ("offline update 4 1", "online update 1 1", "online between 2 0"):
        again, quiet = begin(data, *SETS)
        again.load_state_dict(checkpoint.load(checkpoint.save(run, taken[name], step=0)))
        train(again, quiet)
        assert _equal(_copied(again.state_dict()), end), name


def test_its_facts_are_those_of_every_algorithm(done: Any) -> None:
    from moore_engine.events import KINDS

    _, desk, _ = done
    assert {kind for kind, _ in desk.said} == {"eval", "loss", "share", "stage"}
    assert all(set(KINDS[kind]) <= fields.keys() for kind, fields in desk.said)


def test_its_policy_is_exported(done: Any, tmp_path: Path) -> None:
    training, _, _ = done
    module = training.algo.policy_module(training.env.low, training.env.high)
    obs = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(module(obs), training.algo.best(obs) * 3.0, rtol=1e-4, atol=1e-5)
    assert export_policy(module, tmp_path, 4).max_error <= 3e-5
