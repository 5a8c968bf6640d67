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
from moore_tui.runs import engine

FIRST_FIT_EPOCHS, FIT_EPOCHS = 60, 8
"""Epochs after which a fit from scratch, and one that goes on from the last, usually stop improving."""
LONGEST = 1000
"""Steps of an episode where the task sets no limit."""


@dataclass(frozen=True)
class Pace:
    """Seconds of one SAC update, one minibatch of a fit, one transition of a rollout, one action, one step."""

    update: float
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
        if key.startswith(("model.", "sac.")) or key in ("data.task", "run.device", "run.threads")
    ]
    return json.dumps([configs.get(config, key) for key in (*keys, "offline.rollout_length")])


def seconds(config: configs.Config, rows: int, pace: Pace) -> float:
    """Seconds from the start to the end of a run with `rows` rows of data; a branch skips the offline stage."""
    return sum(count * getattr(pace, part) for part, count in parts(config, rows, pace.limit).items())


def parts(config: configs.Config, rows: int, limit: int = LONGEST) -> Mapping[str, float]:
    """How often each part of a Pace is done in the run, at most."""
    off, on, evals = config.offline, config.online, config.eval
    steps = on.epochs * on.steps_per_epoch if config.run.algo == "moore" else 0
    updates = 0 if config.run.from_ else off.epochs * off.updates_per_epoch
    offline_epochs = 0 if config.run.from_ else off.epochs
    fits = steps // on.model_every
    episodes = evals.episodes * ((offline_epochs + (on.epochs if steps else 0)) // evals.every_epochs)
    episodes += evals.switch_episodes if steps else 0
    return {
        "update": updates + steps * on.updates_per_step,
        "minibatch": (_first_fit(config, rows) if offline_epochs else 0) + fits * _later_fit(config, rows + steps / 2),
        "transition": updates // off.rollout_every * off.rollout_batch * off.rollout_length
        + fits * on.rollout_batch * on.rollout_length,
        "action": steps + episodes * limit / evals.episodes,
        "step": steps + episodes * limit,
    }


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
