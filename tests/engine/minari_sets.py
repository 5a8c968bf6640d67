"""Small Minari sets of Pendulum-v1, by the minari package itself, and what its own loop over episodes reads of them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moore_engine.data import minari
from moore_engine.data.minari_write import Rows
from moore_engine.data.transitions import Transitions

TASK = "Pendulum-v1"
SIZES: dict[str, Any] = {"task": TASK, "obs_dim": 3, "action_dim": 1, "low": [-2.0], "high": [2.0]}
ID = "pendulum/made-v0"

Episode = dict[str, Any]


def episode(steps: int, seed: int, *, terminated: bool = False, truncated: bool = True, **changes: Any) -> Episode:
    """Random numbers in the shape of an episode; its last row has the flags asked for."""
    rng = np.random.default_rng(seed)
    last = np.arange(steps) == steps - 1
    return {
        "observations": rng.uniform(-1, 1, (steps + 1, 3)),
        "actions": rng.uniform(-2, 2, (steps, 1)).astype(np.float32),
        "rewards": rng.normal(size=steps),
        "terminations": last & terminated,
        "truncations": last & truncated,
        "infos": None,
    } | changes


def episodes(count: int = 12, steps: int = 40) -> list[Episode]:
    return [episode(steps + each, each) for each in range(count)]


def make(made: list[Episode], dataset_id: str = ID, env: str | None = TASK, **options: Any) -> Path:
    """The set as `minari.create_dataset_from_buffers` writes it; its data folder."""
    import minari as package
    from minari.data_collector import EpisodeBuffer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        buffers = [EpisodeBuffer(**each) for each in made]
        written = package.create_dataset_from_buffers(dataset_id, buffers, env=env, **options)
    return Path(written.spec.data_path)


def plain(dataset_id: str = ID) -> NDArray[np.float32]:
    """The table as the obvious loop over `iterate_episodes` gives it, actions in the task's units."""
    import minari as package

    rows = []
    for each in package.load_dataset(dataset_id).iterate_episodes():
        obs = each.observations.astype(np.float32)
        flags = (each.rewards, each.terminations)
        rows.append(np.column_stack([obs[:-1], each.actions, obs[1:], *(flag.astype(np.float32) for flag in flags)]))
    return np.concatenate(rows)


def read(dataset_id: str = ID, **changes: Any) -> Transitions:
    return minari.load(dataset_id, **{**SIZES, "termination": never_ends, **changes})


def never_ends(obs: Any, action: Any, next_obs: Any) -> Any:
    return next_obs[:, 0] > 1e30


def rows(lengths: tuple[int, ...] = (120, 80, 200), seed: int = 0, dtype: Any = np.float32) -> Rows:
    """Episodes of these lengths, the second of which is terminal, with simulator states in the infos."""
    rng, n = np.random.default_rng(seed), sum(lengths)
    stream = rng.uniform(-1, 1, (n + len(lengths), 3)).astype(dtype)
    last = np.cumsum(lengths) - 1
    heads = np.concatenate([np.arange(length) + start for start, length in zip(starts(lengths), lengths, strict=True)])
    terminals, timeouts = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    timeouts[last] = True
    if len(last) > 1:
        terminals[last[1]], timeouts[last[1]] = True, False
    return Rows(
        observations=stream[heads],
        actions=rng.uniform(-2, 2, (n, 1)).astype(dtype),
        next_observations=stream[heads + 1],
        rewards=rng.normal(size=n).astype(dtype),
        terminals=terminals,
        timeouts=timeouts,
        infos={"qpos": rng.normal(size=(n, 2)), "action_log_probs": rng.normal(size=n).astype(np.float32)},
    )


def starts(lengths: tuple[int, ...]) -> list[int]:
    """First observations of episodes that hold one more observation than steps."""
    return [int(start) for start in np.concatenate([[0], np.cumsum(np.array(lengths) + 1)[:-1]])]


def metadata(data: Path, **changes: Any) -> None:
    """Change keys of a set's metadata; None takes a key away."""
    path = data / "metadata.json"
    found = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in found.items() if value is not None}))
