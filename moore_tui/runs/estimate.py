"""How long a run will take: the count of each of its parts times what one takes on this machine.

How many epochs a model fit needs is not known before, so that this is right within a factor of two, not to the minute.
"""

from __future__ import annotations

import json
import math
import os
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from moore_engine import config as configs
from moore_tui.runs import algorithms, engine

FIRST_FIT_EPOCHS, FIT_EPOCHS = 60, 8
"""Epochs after which a fit from scratch, and one that goes on from the last, usually stop improving."""
LONGEST = 1000
"""Steps of an episode where the task sets no limit."""


@dataclass(frozen=True)
class Pace:
    """Seconds of one update of each stage, one minibatch of a fit, one transition of a rollout, one action, one step."""

    update: float
    online_update: float
    minibatch: float
    transition: float
    action: float
    step: float
    limit: int = LONGEST


def measure(
    config: configs.Config,
    trust: Sequence[str] = (),
    started: Callable[[subprocess.Popen[str]], None] = lambda process: None,
) -> Pace | None:
    """Let the engine measure, which takes some seconds; None if it cannot.

    MOORE_PACE names another command; none is run where only the check is another one (MOORE_PREPARE).
    """
    named = os.environ.get("MOORE_PACE", "")
    if not named and os.environ.get("MOORE_PREPARE"):
        return None
    process = subprocess.Popen(
        shlex.split(named) or engine.command("pace"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env=engine.environment(),
    )
    started(process)
    out, _ = process.communicate(json.dumps({"config": configs.dumps(config), "trust": list(trust)}))
    try:
        found = dict(json.loads(out))
        return Pace(**{**found, "limit": found.get("limit") or LONGEST})
    except (ValueError, TypeError):
        return None


def sizes(config: configs.Config) -> str:
    """What a pace depends on."""
    keys = [
        key
        for key in configs.keys()
        if key.startswith(("model.", "sac.", "awac.", "cql.", "balanced."))
        or key in ("run.algo", "data.task", "run.device", "run.threads")
    ]
    return json.dumps([configs.get(config, key) for key in (*keys, "offline.rollout_length")])


def seconds(config: configs.Config, rows: int, pace: Pace) -> float:
    """Seconds from the start to the end of a run with `rows` rows of data; a branch skips the offline stage."""
    return sum(count * getattr(pace, part) for part, count in parts(config, rows, pace.limit).items())


def parts(config: configs.Config, rows: int, limit: int = LONGEST) -> Mapping[str, float]:
    """How often each part of a Pace is done in the run, at most."""
    off, on, evals, algo = config.offline, config.online, config.eval, config.run.algo
    planned = algorithms.stages(algo)
    rows = rows if "offline" in planned else 0
    offline_epochs = 0 if config.run.from_ or "offline" not in planned else off.epochs
    online_epochs = on.epochs if "online" in planned else 0
    steps, updates = online_epochs * on.steps_per_epoch, offline_epochs * off.updates_per_epoch
    episodes = evals.episodes * ((offline_epochs + online_epochs) // evals.every_epochs)
    episodes += evals.switch_episodes if steps and "offline" in planned else 0
    done = {
        "update": updates,
        "online_update": _online_updates(config, steps),
        "action": steps + episodes * limit / evals.episodes,
        "step": steps + episodes * limit,
    }
    if not algorithms.has_models(algo):
        return done
    fits = steps // on.model_every
    first = _first_fit(config, rows or on.model_every) if offline_epochs or not rows else 0
    return done | {
        "minibatch": first + fits * _later_fit(config, rows + steps / 2),
        "transition": updates // off.rollout_every * off.rollout_batch * off.rollout_length
        + fits * on.rollout_batch * _rollout_length(config),
    }


def _online_updates(config: configs.Config, steps: int) -> float:
    """Nothing is learned in the first steps where they are random or the frozen policy's; Balanced Replay's first
    epoch has as many updates as some of the others."""
    on = config.online
    first = config.balanced.first_epoch - 1 if config.run.algo == "balanced_replay" and steps else 0
    return on.updates_per_step * (max(0, steps - on.random_steps - on.warmup_steps) + first * on.steps_per_epoch)


def _rollout_length(config: configs.Config) -> float:
    """Mean over the online epochs, where it grows."""
    on = config.online
    if not on.rollout_growth:
        return on.rollout_length
    first, last, start, stop = on.rollout_growth
    shares = [(min(max(epoch, first), last) - first) / (last - first) for epoch in range(1, max(1, on.epochs) + 1)]
    return start + (stop - start) * sum(shares) / len(shares)


def _first_fit(config: configs.Config, rows: float) -> float:
    return _capped(config, rows, FIRST_FIT_EPOCHS + config.model.patience, config.model.max_updates)


def _later_fit(config: configs.Config, rows: float) -> float:
    cap = config.online.max_updates or config.model.max_updates
    return _capped(config, rows, FIT_EPOCHS + config.model.patience, cap)


def _capped(config: configs.Config, rows: float, epochs: int, updates: int) -> float:
    """Minibatches of a fit of so many epochs, within the configuration's limits."""
    model = config.model
    held = min(rows * model.holdout_ratio, model.holdout_max)
    found = min(epochs, model.max_epochs or epochs) * math.ceil(max(1.0, rows - held) / model.batch)
    return min(found, updates or found)
