"""Data sets of our own by D4RL's protocol: the whole replay buffer of a SAC agent up to a step (Fu et al. 2020).

`python -m moore_engine.collect --task TASK --steps N --out FILE` writes an HDF5 file that the data loader reads.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from moore_engine.buffers import Layout
from moore_engine.data.write import write_d4rl
from moore_engine.envs import Env, TaskError
from moore_engine.sac import SAC
from moore_engine.streams import generator, stream_seed

Arrays = dict[str, NDArray[Any]]
Progress = Callable[[int, float], None]


def collect(
    task: str,
    steps: int,
    *,
    random_steps: int,
    seed: int,
    sac: dict[str, Any] | None = None,
    updates_per_step: int = 1,
    progress: Progress = lambda step, ret: None,
    trust_code: Collection[str] = (),
) -> Arrays:
    """Train SAC in `task` for `steps` steps, the first `random_steps` by uniform actions, and return its replay buffer.

    `sac` are SAC's keyword arguments (target_entropy is -action_dim unless given); `progress(step, return)` is called
    at each episode's end. Arrays of n = `steps` rows in D4RL's names: observations, next_observations (n, obs_dim),
    actions (n, action_dim) in the task's units, rewards (n,) float32, terminals, timeouts (n,) bool (the last row is
    cut, so it times out unless it ends), and for MuJoCo tasks qpos, qvel float64, the simulator's state at
    `observations`. `random_steps >= steps` is D4RL's random set, made without any training. Raises ValueError.
    """
    if steps < 1 or random_steps < 0 or updates_per_step < 0:
        raise ValueError("steps must be at least 1, random_steps and updates_per_step at least 0")
    env = Env(task, stream_seed(seed, "collect", "env"), trust_code=trust_code)
    agent = _Agent(env, seed, steps, sac or {})
    recorder = _Recorder(steps)
    obs, episode_return = env.reset(), 0.0
    for step in range(steps):
        action = agent.random_action() if step < random_steps else agent.act(obs)
        physics = env.physics()
        next_obs, reward, terminal, truncated = env.step(action)
        agent.store(step, obs, action, next_obs, reward, terminal)
        cut = (truncated or step == steps - 1) and not terminal
        recorder.add(obs, env.to_task_units(action).reshape(-1), next_obs, reward, terminal, cut, physics)
        if random_steps <= step + 1 < steps:
            for _ in range(updates_per_step):
                agent.update(step + 1)
        obs, episode_return = next_obs, episode_return + reward
        if terminal or truncated:
            progress(step + 1, episode_return)
            obs, episode_return = env.reset(), 0.0
    env.close()
    return recorder.arrays()


def episode_returns(arrays: Arrays) -> NDArray[np.float64]:
    """Undiscounted return of every episode, in order."""
    ends = np.flatnonzero(arrays["terminals"] | arrays["timeouts"])
    totals = np.cumsum(arrays["rewards"], dtype=np.float64)[ends]
    return np.diff(totals, prepend=0.0)


class _Agent:
    """SAC with its own replay rows and random streams."""

    def __init__(self, env: Env, seed: int, capacity: int, options: dict[str, Any]):
        layout = Layout(env.obs_dim, env.action_dim)
        self._rows = torch.zeros(capacity, layout.width)
        options = {"target_entropy": -float(env.action_dim)} | options
        self._sac = SAC(env.obs_dim, env.action_dim, generator=generator(seed, "collect", "init"), **options)
        self._uniform = generator(seed, "collect", "random")
        self._noise = generator(seed, "collect", "act")
        self._draws = generator(seed, "collect", "updates")
        self._action_dim = env.action_dim

    def random_action(self) -> NDArray[np.float32]:
        return (2 * torch.rand(self._action_dim, generator=self._uniform) - 1).numpy()

    def act(self, obs: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._sac.act(torch.from_numpy(obs)[None], self._noise)[0].numpy()

    def store(
        self,
        index: int,
        obs: NDArray[np.float32],
        action: NDArray[np.float32],
        next_obs: NDArray[np.float32],
        reward: float,
        terminal: bool,
    ) -> None:
        row = np.concatenate([obs, action, next_obs, np.array([reward, terminal], np.float32)])
        self._rows[index] = torch.from_numpy(row)

    def update(self, filled: int) -> None:
        index = torch.randint(filled, (self._sac.batch,), generator=self._draws)
        self._sac.update(self._rows[index], self._draws)


class _Recorder:
    """Collects a run's transitions row by row under D4RL's names."""

    def __init__(self, steps: int):
        self._steps = steps
        self._columns: Arrays = {}
        self._filled = 0

    def add(
        self,
        obs: NDArray[np.float32],
        action: NDArray[np.float32],
        next_obs: NDArray[np.float32],
        reward: float,
        terminal: bool,
        timeout: bool,
        physics: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
    ) -> None:
        row: dict[str, Any] = {
            "observations": obs,
            "actions": action,
            "next_observations": next_obs,
            "rewards": np.float32(reward),
            "terminals": np.bool_(terminal),
            "timeouts": np.bool_(timeout),
        }
        if physics is not None:
            row |= {"qpos": physics[0], "qvel": physics[1]}
        for name, value in row.items():
            if name not in self._columns:
                self._columns[name] = np.zeros((self._steps, *np.shape(value)), value.dtype)
            self._columns[name][self._filled] = value
        self._filled += 1

    def arrays(self) -> Arrays:
        return self._columns


def main(argv: Sequence[str] | None = None) -> int:
    """The command; exits with 2 on a usage error or a task that cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m moore_engine.collect", description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--task", required=True, help="Gymnasium task")
    add("--steps", type=int, required=True, help="rows of the data set")
    add("--random-steps", type=int, default=1000, help="uniform actions at the start (default 1000)")
    add("--updates-per-step", type=int, default=1, help="SAC updates after each further step (default 1)")
    add("--hidden", type=int, nargs="+", default=[256, 256], help="units of SAC's hidden layers (default 256 256)")
    add("--lr", type=float, default=3e-4, help="all of SAC's learning rates (default 3e-4)")
    add("--seed", type=int, default=0, help="seed of every random stream (default 0)")
    add("--ref-min", type=float, help="return that scores 0, stored in the file")
    add("--ref-max", type=float, help="return that scores 100, stored in the file")
    add("--trust-code", action="append", default=[], metavar="TASK", help="allow a task from outside Gymnasium")
    add("--out", type=Path, required=True, help="HDF5 file to write")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    try:
        arrays = collect(
            args.task,
            args.steps,
            random_steps=args.random_steps,
            seed=args.seed,
            updates_per_step=args.updates_per_step,
            sac={
                "hidden": args.hidden,
                "actor_lr": args.lr,
                "critic_lr": args.lr,
                "temperature_lr": args.lr,
            },
            progress=lambda step, ret: _say(f"step {step}: episode return {ret:.1f}"),
            trust_code=args.trust_code,
        )
    except (TaskError, ValueError) as error:
        parser.error(str(error))
    refs = {"ref_min": args.ref_min, "ref_max": args.ref_max}
    made_by = f"SAC replay, first {args.random_steps} of {args.steps} steps uniform, seed {args.seed}"
    attrs = {"made_by": made_by} | {name: value for name, value in refs.items() if value is not None}
    write_d4rl(args.out, **arrays, task=args.task, attrs=attrs)
    returns = episode_returns(arrays)
    _say(
        f"{args.out}: {args.steps} rows, {len(returns)} episodes, return mean {returns.mean():.1f}, "
        f"from {returns.min():.1f} to {returns.max():.1f}"
    )
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
