"""How long the parts of a run take here: `python -m moore_engine.tools.pace` with prepare's request on stdin.

Answer, in seconds: an "update" of the offline stage and an "online_update", a model fit's "minibatch", a "transition"
of a rollout (0 for algorithms without models), a policy's "action", an environment's "step"; and the "limit" of an
episode in steps, null without one. Measured at the configuration's own sizes, on its device, while whatever else runs
here goes on.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import msgspec

from moore_engine import config
from moore_engine.config import Config, ConfigError
from moore_engine.rundir import EXIT_USAGE
from moore_engine.tools.cli import FORESEEN

SECONDS = 0.25
"""For each part."""
STARTS = 1024
"""Rollout starts at a time, as on a CPU; D_model has room for no more."""
ROWS, ONLINE_ROWS = 2048, 256


def main() -> int:
    try:
        json.dump(pace(json.load(sys.stdin)), sys.stdout)
    except Exception as error:
        if not (isinstance(error, ConfigError) or type(error).__name__ in FORESEEN.values()):
            raise
        print(str(error), file=sys.stderr)
        return EXIT_USAGE
    return 0


def pace(request: dict[str, Any], seconds: float = SECONDS) -> dict[str, float | None]:
    """Measure each part for about so long. Raises what the engine raises for a task or device that cannot be used."""
    import torch

    from moore_engine.algorithms import algorithm
    from moore_engine.buffers import Layout, ReplayTable
    from moore_engine.envs import Env
    from moore_engine.schema import ALGORITHMS
    from moore_engine.start import device, fix_arithmetic
    from moore_engine.terminations import for_task

    settings, trust = _small(_parse(request["config"])), frozenset(request.get("trust", ()))
    place = device(settings)
    fix_arithmetic(settings.run.threads if isinstance(settings.run.threads, int) else torch.get_num_threads())
    env = Env(settings.data.task, 0, trust_code=trust)
    layout = Layout(env.obs_dim, env.action_dim)
    draws = torch.Generator().manual_seed(0)
    rows = torch.randn(ROWS, layout.width, generator=draws)
    rows[:, layout.action].clamp_(-1.0, 1.0)
    rows[:, layout.terminal] = 0.0
    termination = for_task(settings.data.task, settings.data.termination or None, trust)
    replay = ReplayTable(layout, rows, ONLINE_ROWS, place)
    models = ALGORITHMS[settings.run.algo].models
    algo: Any = algorithm("mopo" if models else settings.run.algo)(settings, replay, termination, place)

    def wait() -> None:
        if place.type == "cuda":
            torch.cuda.synchronize()

    def step() -> None:
        _, _, terminated, truncated = env.step(action)
        if terminated or truncated:
            env.reset()

    found: dict[str, float | None] = _of_models(algo, draws, seconds, wait) if models else dict.fromkeys(MODELS, 0.0)
    found["update"] = found["online_update"] = _seconds(algo.update, seconds, wait)
    if not models:
        algo.go_online()
        algo.begin_epoch(1)
        for row in rows[:ONLINE_ROWS]:
            replay.append(row)
            algo.after_step()
        found["online_update"] = _seconds(algo.update, seconds, wait)
    obs = torch.from_numpy(env.reset())[None].to(place)
    action = algo.act(obs, 0)[0].cpu().numpy()
    found["action"] = _seconds(lambda: algo.act(obs, 0), seconds, wait)
    found["step"] = _seconds(step, seconds, wait)
    env.close()
    return found | {"limit": env.max_episode_steps}


MODELS = ("minibatch", "transition")


def _of_models(algo: Any, draws: Any, seconds: float, wait: Callable[[], None]) -> dict[str, float | None]:
    """The parts that only algorithms with models have; afterwards there are rows to update from."""
    import torch

    algo.scale()
    model, length = algo.config.model, algo.config.offline.rollout_length
    index = torch.randint(ROWS, (model.networks * model.batch,), generator=draws).to(algo.device)

    def minibatch() -> None:
        picked = algo.replay.rows.index_select(0, index).view(model.networks, model.batch, -1)
        algo.dynamics.ensemble.train_step(*algo.dynamics.examples(picked))

    return {
        "transition": _seconds(lambda: algo.rollout(0, lambda: None), seconds, wait) / (STARTS * length),
        "minibatch": _seconds(minibatch, seconds, wait),
    }


def _small(settings: Config) -> Config:
    """The configuration with one chunk of rollouts and a D_model that holds no more."""
    offline = msgspec.structs.replace(
        settings.offline, updates_per_epoch=1, rollout_every=1, rollout_batch=STARTS, retain_epochs=1
    )
    return msgspec.structs.replace(settings, offline=offline)


def _parse(text: str) -> Config:
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(text)
        file.flush()
        return config.load(file.name)


def _seconds(body: Callable[[], Any], seconds: float, wait: Callable[[], None]) -> float:
    """Seconds a call, the fastest of a few stretches after one that warms up."""
    body()
    wait()
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        count, began = 0, time.perf_counter()
        while (spent := time.perf_counter() - began) < seconds / 5 or count == 0:
            body()
            wait()
            count += 1
        best = min(best, spent / count)
    return best


if __name__ == "__main__":
    sys.exit(main())
