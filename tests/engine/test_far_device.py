"""Every algorithm on a device that is not the CPU, without a GPU: where its tensors are, and what is captured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._pytree import tree_flatten

from moore_engine import awac, checkpoint, config, cql, sac, sac_ensemble
from moore_engine.algorithms import balanced_replay, mopo, one_buffer
from moore_engine.capture import Captured
from moore_engine.data.source import load
from moore_engine.envs import Env
from moore_engine.samplers import holdout_mask
from moore_engine.schema import ALGORITHMS
from moore_engine.start import fix_arithmetic
from moore_engine.terminations import for_task
from moore_engine.train import train
from moore_engine.training import Training
from tests.engine import far_device
from tests.engine import trainer_runs as runs
from tests.engine.test_train import TASK, Desk

SHORT = (
    "offline.epochs=1", "offline.updates_per_epoch=4", "offline.rollout_every=2", "offline.rollout_batch=60",
    "model.max_epochs=1", "model.max_updates=3", "online.epochs=2", "online.steps_per_epoch=10", "online.model_every=5",
    "online.rollout_batch=60", "online.max_updates=3", "online.updates_per_step=1", "sac.batch=16", "eval.episodes=1",
    "eval.switch_episodes=1", "balanced.agents=2", "balanced.ratio_hidden=[16,16]", "balanced.first_epoch=1",
    "cql.actions=2",
)  # fmt: skip

VARIANTS: dict[str, tuple[str, ...]] = {
    **{name: (f"run.algo={name}",) for name in ALGORITHMS if name != "collect"},
    "mbpo": ("run.algo=mbpo", "online.random_steps=5"),
    "balanced_replay": ("run.algo=balanced_replay", "online.update_every=5"),
    "critics": ("sac.critics=4", "sac.critic_subset=2", "sac.layer_norm=true"),
    "half": ("online.sampler=half_half", "online.alpha=auto", "online.penalty_anneal=true"),
}


@pytest.fixture(autouse=True)
def one_arithmetic(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The CPU groups its products as a GPU would, so that both give the same bits."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_grad_enabled()
    for module in (sac, awac):
        monkeypatch.setattr(module, "CPU_CHUNK", module.DEVICE_CHUNK)
    monkeypatch.setattr(mopo, "CPU_CHUNK", mopo.GPU_CHUNK)
    monkeypatch.setattr(cql, "CPU_COLUMNS", cql.DEVICE_COLUMNS)
    monkeypatch.setattr(sac_ensemble, "CPU_GROUP", 4)
    fix_arithmetic(1)
    yield
    torch.use_deterministic_algorithms(before[0])
    torch.set_grad_enabled(before[1])
    far_device.crossed.clear()


def begin(data: Path, device: torch.device, *sets: str) -> tuple[Training, Desk]:
    settings = config.resolve(None, sets=[*runs.SMALL, *SHORT, f"data.path={data}", f"data.task={TASK}", *sets]).config
    env = Env(TASK, 0)
    rows = load(str(data), task=TASK, obs_dim=env.obs_dim, action_dim=env.action_dim, low=env.low, high=env.high)
    return Training(settings, rows, for_task(TASK), device, frozenset()), Desk(settings)


def leaves(state: dict[str, Any]) -> list[Any]:
    """What a state holds, its tensors with the values where a CPU can compare them."""
    found = [getattr(each, "near", each) for each in tree_flatten(state)[0]]
    return [each.tolist() if hasattr(each, "tolist") else each for each in found]


class Stopped(Exception):
    """Raised at a tick."""


def stop_online(training: Training, desk: Desk) -> None:
    """Stop a run at the first tick after seven environment steps."""

    def stop() -> None:
        if training.counters.env_step == 7:
            raise Stopped

    desk.on_tick = stop


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_run_on_another_device_stopped_and_resumed_gives_the_bits_of_one_on_the_cpu(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str
) -> None:
    plain, desk = begin(data, torch.device("cpu"), *VARIANTS[variant])
    train(plain, desk)
    calls: list[list[str]] = []

    class Watched(Captured):
        def __call__(self) -> None:
            before = len(far_device.crossed)
            super().__call__()
            calls.append(far_device.crossed[before:])

    for module in (mopo, one_buffer, balanced_replay):
        monkeypatch.setattr(module, "Captured", Watched)
    with far_device.far_device() as device:
        first, desk = begin(data, device, *VARIANTS[variant])
        stop_online(first, desk)
        with suppress(Stopped):
            train(first, desk)
        assert first.counters.finished == (first.stages == ("offline",))
        saved = checkpoint.save(runs.make_run(tmp_path / "run", data), first.state_dict(), step=1)
        far, desk = begin(data, device, *VARIANTS[variant])
        far.load_state_dict(checkpoint.load(saved))
        train(far, desk)
    assert leaves(far.state_dict()) == leaves(plain.state_dict())
    assert calls and not any(calls), "what a graph would hold neither reads a value nor moves one"


def test_rows_held_out_are_chosen_as_on_the_cpu() -> None:
    expected = holdout_mask(torch.arange(400), 400, 0.5, cap=50)
    with far_device.far_device() as device:
        held = holdout_mask(torch.arange(400).to(device), 400, 0.5, cap=50)
    assert expected.sum() == 50
    assert leaves({"held": held}) == leaves({"held": expected})


@pytest.mark.parametrize("inference", [False, True])
def test_reading_a_value_and_moving_one_are_noticed(inference: bool) -> None:
    with far_device.far_device() as device, torch.inference_mode(inference):
        far = torch.ones(3, device=device)
        for crossing in (lambda: far.sum().item(), lambda: bool(far[0] > 0), far.cpu, lambda: far * torch.ones(())):
            before = len(far_device.crossed)
            crossing()
            assert len(far_device.crossed) > before
        before = len(far_device.crossed)
        far.mul_(2.0).add_(far)
        assert len(far_device.crossed) == before


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda far, draws: far + torch.ones(3), "a CPU tensor"),
        (lambda far, draws: torch.randn(3, generator=draws, device=far.device), "a CPU generator"),
        (lambda far, draws: torch.randn(3, generator=torch.Generator(far.device)), "a generator of the far device"),
        (lambda far, draws: far.cumsum(0), "deterministic"),
        (lambda far, draws: far.kthvalue(1), "deterministic"),
        (lambda far, draws: far.numpy(), "numpy"),
    ],
)
def test_what_cuda_refuses_is_refused(mistake: Callable[[torch.Tensor, torch.Generator], Any], message: str) -> None:
    near = torch.Generator()
    with far_device.far_device() as device, pytest.raises(RuntimeError, match=message):
        mistake(torch.ones(3, device=device), near)
