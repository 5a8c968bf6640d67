"""`python -m moore_engine.tools.bench`: the hot loops' speeds at hopper's sizes, beside the matrix-multiply rate.

Each speed is also given as a share of that rate, counting the products that its mathematics needs and nothing else.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from moore_engine.tools.cli import answer
from moore_engine.tools.matmul import matmul_gflops

OBS, ACTION, BATCH, MEMBERS = 11, 3, 256, 7
MODEL_SIZES = [OBS + ACTION, 200, 200, 200, 200, 2 * (OBS + 1)]
ACTOR_SIZES, CRITIC_SIZES = [OBS, 256, 256, 2 * ACTION], [OBS + ACTION, 256, 256, 1]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="moore-console bench")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="a second a measurement instead of five")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args(argv)
    seconds = 1.0 if options.quick else 5.0
    torch.set_grad_enabled(False)
    rate = matmul_gflops(options.threads, seconds / 2)
    facts: dict[str, Any] = {"threads": options.threads, "matmul_gflops": round(rate, 1)}
    lines = [f"{'float32 matrix products':<26}{rate:>12.1f} GFLOP/s  ({options.threads} threads)"]
    for name, unit, measure in MEASURES:
        if sys.stderr.isatty():
            print(f"\r\x1b[Kmeasuring {name} ...", end="", file=sys.stderr, flush=True)
        value, flop = measure(seconds)
        key = name.replace(" ", "_") + ("_per_s" if unit.endswith("/s") else "_s")
        facts[key] = round(value, 3 if unit == "s" else 1)
        share = ""
        if flop:
            facts[f"{key}_share"] = round(value * flop / 1e9 / rate, 3)
            share = f"  {100 * facts[f'{key}_share']:.0f} % of the matrix-multiply rate"
        lines.append(f"{name:<26}{value:>12,.{2 if unit == 's' else 0}f} {unit}{share}")
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    answer(facts, options.json, "\n".join(lines))
    return 0


def sac_updates(seconds: float) -> tuple[float, float]:
    """SAC updates at batch 256: 16 passes' worth of products a row (6 forward, 10 backward, biases not counted)."""
    from moore_engine.sac import SAC

    agent = SAC(OBS, ACTION, batch=BATCH, generator=torch.Generator().manual_seed(0))
    batch, noise = _rows(BATCH), torch.Generator().manual_seed(1)
    actor, critic = _products(ACTOR_SIZES), _products(CRITIC_SIZES)
    first_actor, first_critic = 2 * OBS * 256, 2 * (OBS + ACTION) * 256
    forward = 2 * actor + 6 * critic
    backward = (2 * actor - first_actor) + 2 * (2 * critic - first_critic) + 2 * critic
    return _rate(lambda: agent.update(batch, noise), seconds), BATCH * (forward + backward)


def ensemble_rows(seconds: float) -> tuple[float, float]:
    """Rows of a model fit, each seen by all 7 members, minibatches of 256: a forward and a backward pass."""
    from moore_engine.dynamics import Dynamics

    model = Dynamics(OBS, ACTION, networks=MEMBERS, generator=torch.Generator().manual_seed(0))
    inputs, targets = model.examples(_rows(MEMBERS * BATCH).view(MEMBERS, BATCH, -1))
    flop = MEMBERS * (3 * _products(MODEL_SIZES) - 2 * MODEL_SIZES[0] * MODEL_SIZES[1])
    return BATCH * _rate(lambda: model.ensemble.train_step(inputs, targets), seconds), flop


def rollout_transitions(seconds: float) -> tuple[float, float]:
    """Transitions of penalised rollouts: 7 members, penalty, the policy's sample, H = 5."""
    from moore_engine.buffers import Layout
    from moore_engine.dynamics import Dynamics
    from moore_engine.rollout import rollout
    from moore_engine.sac import SAC
    from moore_engine.terminations import never

    draws = torch.Generator().manual_seed(0)
    model = Dynamics(OBS, ACTION, networks=MEMBERS, generator=draws)
    agent, starts = SAC(OBS, ACTION, generator=draws), torch.randn(5120, OBS)

    def once() -> None:
        rollout(model, lambda obs: agent.act(obs, draws), starts, length=5, penalty_coef=1.0, termination=never,
                layout=Layout(OBS, ACTION), generator=draws)  # fmt: skip

    return 5 * len(starts) * _rate(once, seconds), MEMBERS * _products(MODEL_SIZES) + _products(ACTOR_SIZES)


def sampled_rows(seconds: float) -> tuple[float, float]:
    """Rows drawn by priority from 400 000 offline and 50 000 online rows and gathered, 256 at a time."""
    from moore_engine.buffers import Layout, ReplayTable
    from moore_engine.samplers import StratumSampler

    replay = ReplayTable(Layout(OBS, ACTION), _rows(400_000), 50_000)
    sampler, draws, out = StratumSampler("priority", 1.0), torch.Generator().manual_seed(0), _rows(BATCH)
    sampler.begin_epoch(50)
    replay.n_on = 50_000

    def once() -> None:
        replay.gather(sampler.draw(BATCH, replay.n_off, replay.n_on, draws), out=out)

    return BATCH * _rate(once, seconds), 0.0


def data_loading(_: float) -> tuple[float, float]:
    """Seconds to load a 400 000-row HDF5 file (gzip, float64 observations) of hopper's sizes, checks included."""
    import numpy as np

    from moore_engine.data.d4rl import load, write_d4rl

    count, rng = 400_000, np.random.default_rng(0)
    obs = np.round(rng.normal(size=(count + 1, OBS)), 4)
    flags = np.arange(1, count + 1) % 500 == 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.hdf5"
        write_d4rl(path, observations=obs[:-1], actions=np.clip(rng.normal(size=(count, ACTION)), -1, 1),
                   next_observations=obs[1:], rewards=rng.normal(size=count), terminals=flags & False,
                   timeouts=flags, task="")  # fmt: skip
        began = time.perf_counter()
        bound = np.ones(ACTION, np.float32)
        load(path, task="", obs_dim=OBS, action_dim=ACTION, low=-bound, high=bound)
        return time.perf_counter() - began, 0.0


def checkpoint_writing(_: float) -> tuple[float, float]:
    """Seconds to write a checkpoint of the paper's hopper preset: D_model of 2 million rows, 100 000 online rows."""
    return _checkpoint()[0], 0.0


def checkpoint_reading(_: float) -> tuple[float, float]:
    """Seconds to read that checkpoint back, every file's sha256 checked."""
    return _checkpoint()[1], 0.0


def _checkpoint() -> tuple[float, float]:
    from moore_engine import checkpoint
    from moore_engine.dynamics import Dynamics
    from moore_engine.rundir import RunDir
    from moore_engine.sac import SAC

    draws = torch.Generator().manual_seed(0)
    state = {
        "dynamics": Dynamics(OBS, ACTION, networks=MEMBERS, generator=draws).state_dict(),
        "sac": SAC(OBS, ACTION, generator=draws).state_dict(),
        "model_rows": {"rows": _rows(2_000_000)},
        "replay": {"online": _rows(100_000)},
    }
    with tempfile.TemporaryDirectory() as folder:
        run = RunDir(folder)
        run.make()
        began = time.perf_counter()
        saved = checkpoint.save(run, state, step=0)
        written = time.perf_counter()
        checkpoint.load(saved)
        return written - began, time.perf_counter() - written


MEASURES: list[tuple[str, str, Callable[[float], tuple[float, float]]]] = [
    ("sac updates", "updates/s", sac_updates),
    ("ensemble rows", "rows/s", ensemble_rows),
    ("rollout transitions", "transitions/s", rollout_transitions),
    ("sampled rows", "rows/s", sampled_rows),
    ("data loading", "s", data_loading),
    ("checkpoint", "s", checkpoint_writing),
    ("resume", "s", checkpoint_reading),
]


def _rate(body: Callable[[], None], seconds: float) -> float:
    """Calls a second, the best fifth of `seconds` after a warm-up."""
    for _ in range(3):
        body()
    best = 0.0
    for _ in range(5):
        count, began = 0, time.perf_counter()
        while (spent := time.perf_counter() - began) < seconds / 5 or count == 0:
            body()
            count += 1
        best = max(best, count / spent)
    return best


def _rows(count: int) -> torch.Tensor:
    rows = torch.randn(count, 2 * OBS + ACTION + 2, generator=torch.Generator().manual_seed(count))
    rows[:, -1] = 0.0
    return rows


def _products(sizes: list[int]) -> float:
    """Floating-point operations of one row's forward pass."""
    return 2.0 * sum(a * b for a, b in pairwise(sizes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
