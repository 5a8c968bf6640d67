"""The loop of a collection: act, update, close the epoch, and at the end deliver the set.

Every decision reads the counters alone, so the loop goes on from any state saved at a tick.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moore_engine.collect.collection import Collection
from moore_engine.phases import LOSS_EVERY, Desk, begin, end, evaluate

Deliver = Callable[[Collection, Callable[[], None]], dict[str, Any]]
"""Writes the set of a collection, ticking; the facts that end its `data` events."""


def collect(run: Collection, desk: Desk, deliver: Deliver) -> None:
    """Run from wherever the counters stand to the end; what is left needs no rows."""
    c = run.counters
    while not c.finished:
        if c.next == "act":
            act(run, desk)
        elif c.next == "update":
            updates(run, desk)
        elif c.next == "close":
            close_epoch(run, desk)
        else:
            begin(run, desk, "deliver")
            facts = deliver(run, desk.tick)
            end(run)
            desk.emit("data", **run.told(), **facts)
            c.finished = True
            desk.save(drop=run.row_parts(), keep=1)
        desk.tick()


def act(run: Collection, desk: Desk) -> None:
    """One environment step of the part's policy, kept with the simulator's state before it."""
    c = run.counters
    begin(run, desk, "act")
    env, trail = run.place
    if (c.learned if run.learns else c.step) == 0:
        env.reset()
    obs, physics = env.obs, env.physics() if trail is run.recorded else None
    action = run.action(obs)
    next_obs, reward, terminal, truncated = env.step(action)
    trail.add(obs, action, next_obs, reward, terminal, truncated, physics)
    c.whole = terminal or truncated
    if c.whole:
        env.reset()
    c.env_step += 1
    c.step += 1
    c.epoch_step += 1
    c.learned += run.learns
    c.next = "update" if run.learns and c.learned >= run.config.collect.random_steps else after_step(run)
    end(run)


def updates(run: Collection, desk: Desk) -> None:
    """The step's SAC updates."""
    c = run.counters
    if begin(run, desk, "update"):
        c.owed = run.config.online.updates_per_step
    while c.owed:
        run.update()
        c.update += 1
        c.owed -= 1
        if c.update % LOSS_EVERY == 0:
            desk.emit("loss", **run.sac.metrics())
        if c.owed:
            desk.tick()
    end(run)
    c.next = after_step(run)


def after_step(run: Collection) -> str:
    """What follows a step and its updates; the last episode of a part that does not learn belongs to its last epoch."""
    c = run.counters
    full = c.epoch_step >= run.config.online.steps_per_epoch and (run.learns or c.step < run.part.steps)
    return "close" if full or run.part_over() else "act"


def close_epoch(run: Collection, desk: Desk) -> None:
    """Evaluate SAC where that is due, end the part where it is over, save where that is due."""
    c = run.counters
    if not c.closing:
        begin(run, desk, "end")
        end(run)
        c.closing = True
        c.to_evaluate = run.learns and (run.part_over() or c.epoch % run.config.eval.every_epochs == 0)
        c.to_save = c.epoch % run.config.checkpoint.every_epochs == 0
    if c.to_evaluate:
        c.evaluated = evaluate(run, desk).mean
        c.to_evaluate = False
        judge(run)
    if run.part.recorded:
        desk.emit("data", **run.told())
    save, c.to_save, c.closing, c.next = c.to_save, False, False, "act"
    if run.part_over():
        end_part(run, desk)
        save = True
    c.epoch += 1
    c.epoch_step = 0
    if save:
        desk.save()


def judge(run: Collection) -> None:
    """Whether the evaluation just made reaches the target that SAC is trained to."""
    c, target = run.counters, run.target()
    if run.part.to_target and target is not None and c.evaluated is not None and c.evaluated >= target:
        c.reached = c.evaluated


def end_part(run: Collection, desk: Desk) -> None:
    """From one part to the next that has anything to do, or to the delivery."""
    c, target = run.counters, run.target()
    if run.part.to_target:
        c.medium_at = c.learned
        if c.reached is None and target is not None:
            desk.emit("warn", what=f"no evaluation reached the target return {target:g} in {c.learned} steps "
                                   f"(the last was {c.evaluated:.1f}): the set is of what there was")  # fmt: skip
    if run.part.recorded:
        c.cuts += run.recorded.cut()
    c.part += 1
    c.step, c.whole = 0, False
    if c.part < len(run.parts) and run.learns and run.part_over():
        c.part += 1
    c.next = "deliver" if c.part == len(run.parts) else "act"
