"""Run directories with whole curves, the same ones every time, in whatever state a test asks for."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any

from moore_engine import rundir
from moore_engine.rundir import RunDir, write_json
from tests.tui.made_runs import beat_at, dead_identity, line, make_run

BEGAN = 1_800_000_000.0
"""2027-01-15 08:00 UTC."""
OFFLINE, ONLINE, UPDATES, STEPS = 8, 12, 1000, 100
"""Epochs of either stage, updates of an epoch, environment steps of an online one."""
EPOCH_S = 60.0


def rich_run(
    folder: Path, name: str = "hopper-s0", /, *, state: str = "done", epochs: int = OFFLINE + ONLINE, gain: float = 1.0,
    age: int = 0, **sections: dict[str, Any]
) -> RunDir:  # fmt: skip
    """A run that has come through `epochs` epochs of both stages; its returns rise with `gain`.

    Of several the one with the least `age` is the newest. `sections` are values of its configuration.
    """
    sizes = {"epochs": OFFLINE, "updates_per_epoch": UPDATES}
    online = {"epochs": ONLINE, "steps_per_epoch": STEPS, "updates_per_step": UPDATES // STEPS}
    run = make_run(
        folder,
        name,
        **{
            "data": {"path": "bundled:quickstart", "task": "Hopper-v5", **sections.pop("data", {})},
            "offline": {**sizes, **sections.pop("offline", {})},
            "online": {**online, **sections.pop("online", {})},
            "run": {"name": name, "seed": int(name[-1]) if name[-1].isdigit() else 0, **sections.pop("run", {})},
            **sections,
        },
    )
    began = BEGAN if state not in LIVE else time.time() - epochs * EPOCH_S
    found = events(epochs, gain, began)
    if state == "done":
        found.append(at(found, "end", state="done", exit=0))
    run.events.write_bytes(b"".join(map(line, found)))
    (run.log / "attempt-1.log").write_text(LOG)
    (run.checkpoints / f"ckpt-{found[-1]['update']}").mkdir(parents=True)
    os.utime(run.config, (BEGAN - age, BEGAN - age))
    STATES[state](run, {key: found[-1][key] for key in ("stage", "epoch", "update", "env_step", "t")})
    return run


LOG = "loading bundled:quickstart\n2 envs made\nUserWarning: a made-up warning\n"


def events(epochs: int, gain: float, began: float) -> list[dict[str, Any]]:
    """The events of that many epochs: nothing in them is drawn at random."""
    found = [
        event([], began, "offline", 1, 0, 0, "run", algo="moore", task="Hopper-v5", dataset="bundled:quickstart",
              sha256="0" * 64, seed=0, config_sha256="0" * 64, resumed_seq=0, versions={}, cpu="made", resumed_from="",
              branched_from="", rows=1000, data_return_mean=300.0)
    ]  # fmt: skip
    for epoch in range(1, min(epochs, OFFLINE) + 1):
        offline_epoch(found, began, epoch, gain)
    if epochs > OFFLINE:
        t = began + OFFLINE * EPOCH_S
        found.append(event(found, t, "online", 1, OFFLINE * UPDATES, 0, "stage", **{"from": "offline", "to": "online"}))
        for number in range(1, 5):
            value = 1000.0 * gain + 10 * number
            found.append(evaluation(found, t, "online", 1, OFFLINE * UPDATES, 0, value, baseline=number))
    for epoch in range(1, epochs - OFFLINE + 1):
        online_epoch(found, began + OFFLINE * EPOCH_S, epoch, gain)
    return found


def offline_epoch(found: list[dict[str, Any]], began: float, epoch: int, gain: float) -> None:
    for part in (0.25, 0.5, 0.75, 1.0):
        x = epoch - 1 + part
        where = began + x * EPOCH_S, "offline", epoch, round(x * UPDATES), 0
        found.append(loss(found, where, 2.0 / (1 + x), x))
        found.append(uncertainty(found, where, 2.0 * math.exp(-x / 12)))
    where = began + epoch * EPOCH_S, "offline", epoch, epoch * UPDATES, 0
    if epoch == 1:
        found += [model(found, where, 0.08), share(found, where, 0)]
    found.append(evaluation(found, *where, gain * (1000.0 - 800.0 * math.exp(-epoch / 2.5))))
    found.append(speed(found, where, 0.0, (OFFLINE + ONLINE - epoch) * EPOCH_S))
    found.append(event(found, *where, "ckpt", path=f"ckpt-{epoch * UPDATES}", bytes=1_840_000, seconds=0.5))


def online_epoch(found: list[dict[str, Any]], began: float, epoch: int, gain: float) -> None:
    for part in (0.5, 1.0):
        x = epoch - 1 + part
        where = began + x * EPOCH_S, "online", epoch, round((OFFLINE + x) * UPDATES), round(x * STEPS)
        found += [model(found, where, 0.06 * math.exp(-x / 6)), share(found, where, x)]
        found.append(uncertainty(found, where, 1.5 * math.exp(-x / 5)))
        found.append(loss(found, where, 0.5 + 0.1 * (epoch % 3), OFFLINE + x))
    where = began + epoch * EPOCH_S, "online", epoch, (OFFLINE + epoch) * UPDATES, epoch * STEPS
    dip = 250.0 * math.exp(-((epoch - 2) ** 2) / 2)
    found.append(evaluation(found, *where, gain * (1000.0 + 2000.0 * (1 - math.exp(-epoch / 5)) - dip)))
    found.append(speed(found, where, 1.7, (ONLINE - epoch) * EPOCH_S))


def event(
    before: list[dict[str, Any]], t: float, stage: str, epoch: int, update: int, env_step: int, kind: str, **fields: Any
) -> dict[str, Any]:
    where = {"stage": stage, "epoch": epoch, "update": update, "env_step": env_step}
    return {"v": 1, "seq": len(before) + 1, "att": 1, "t": t, **where, "k": kind, **fields}


def at(found: list[dict[str, Any]], kind: str, **fields: Any) -> dict[str, Any]:
    """One more event where the last one was."""
    last = found[-1]
    return event(found, *(last[key] for key in ("t", "stage", "epoch", "update", "env_step")), kind, **fields)


Where = tuple[float, str, int, int, int]


def evaluation(found: list[dict[str, Any]], *where: Any, baseline: int = 0) -> dict[str, Any]:
    *place, value = where
    returns = [value + spread for spread in (-80.0, -20.0, 0.0, 30.0, 70.0)]
    more = {"baseline": baseline} if baseline else {}
    return event(found, *place, "eval", score=value / 32.0, return_mean=value, return_std=50.2, returns=returns,
                 length_mean=500.0, **more)  # fmt: skip


def share(found: list[dict[str, Any]], where: Where, epoch: float) -> dict[str, Any]:
    n_on, priority = round(epoch * STEPS), 1.0 / max(1.0, epoch)
    p_off = 1000 * priority / (1000 * priority + n_on)
    return event(found, *where, "share", p_off=p_off, p_off_sampled=min(1.0, p_off + 0.02), priority_off=priority,
                 n_off=1000, n_on=n_on, shift=0.1 / max(1.0, epoch))  # fmt: skip


def uncertainty(found: list[dict[str, Any]], where: Where, mean: float) -> dict[str, Any]:
    return event(found, *where, "unc", mean=mean, p20=0.5 * mean, p80=1.6 * mean, reward_raw=1.0, reward_penalised=0.5)


def loss(found: list[dict[str, Any]], where: Where, q: float, x: float) -> dict[str, Any]:
    return event(found, *where, "loss", q=q, actor=-10.0 - 2.0 * x, temperature=0.5 * math.exp(-x / 8), entropy=-2.5,
                 q_mean=10.0 + 2.0 * x)  # fmt: skip


def model(found: list[dict[str, Any]], where: Where, holdout: float) -> dict[str, Any]:
    return event(found, *where, "model", holdout=[holdout * (1 + n / 10) for n in range(7)], elites=[0, 1, 2, 3, 4],
                 epochs=12, updates=480, capped=False, ess=1000.0)  # fmt: skip


def speed(found: list[dict[str, Any]], where: Where, steps: float, eta: float) -> dict[str, Any]:
    phases = {"update": 0.61, "evaluate": 0.2, "fit": 0.12, "rollout": 0.07}
    return event(found, *where, "perf", env_steps_per_s=steps, updates_per_s=16.7, phases=phases, rss_mb=372,
                 eta_s=round(eta) + 30, doing="update")  # fmt: skip


def _alive(run: RunDir, place: dict[str, Any], status: str = "training", **fields: Any) -> None:
    """This process stands for trainer and keeper."""
    me = rundir.this_process()
    write_json(run.state, {"v": 1, "attempt": 1, "identity": me, "paused": False, "status": status, **place, **fields})
    write_json(run.keeper, {"v": 1, "identity": me, "status": "running", "restarts": 0, "attempts": []})
    beat_at(run, 0.0, 3600.0)


def _paused(run: RunDir, place: dict[str, Any]) -> None:
    _alive(run, place, "paused", paused=True)


def _stalled(run: RunDir, place: dict[str, Any]) -> None:
    _alive(run, place)
    beat_at(run, 340.0, 10.0)


def _unkept(run: RunDir, place: dict[str, Any]) -> None:
    _alive(run, place)
    run.keeper.unlink()


def _ended(run: RunDir, place: dict[str, Any], status: str, exit: int) -> None:
    body = {"v": 1, "attempt": 1, "identity": dead_identity(), "paused": False, "status": status, "exit": exit, **place}
    write_json(run.state, body)


def _crashed(run: RunDir, place: dict[str, Any]) -> None:
    _died(run, place, status="given up", why="two attempts died at the same step")


def _restarting(run: RunDir, place: dict[str, Any]) -> None:
    policy = {"max_restarts": 5, "backoff_s": 1.0, "backoff_cap_s": 60.0}
    _died(run, place, status="restarting", restarts=1, next_start=time.time() + 40.0, policy=policy)


def _died(run: RunDir, place: dict[str, Any], **keeper: Any) -> None:
    """The trainer died of SIGSEGV."""
    write_json(run.state, {"v": 1, "attempt": 1, "identity": dead_identity(), "status": "training", **place})
    attempt = {"n": 1, "identity": dead_identity(), "started": place["t"] - 60.0, "ended": place["t"], "exit": None,
               "signal": 11, "killed": False}  # fmt: skip
    write_json(run.keeper, {"v": 1, "identity": rundir.this_process(), "attempts": [attempt], **keeper})


def _lost(run: RunDir, place: dict[str, Any]) -> None:
    elsewhere = {**dead_identity(), "host": "node07", "boot": "another"}
    write_json(run.state, {"v": 1, "attempt": 1, "identity": elsewhere, "status": "training", **place})
    beat_at(run, 7200.0, 10.0)


LIVE = ("live", "paused", "stalled", "unkept")
STATES = {
    "live": _alive,
    "paused": _paused,
    "stalled": _stalled,
    "unkept": _unkept,
    "crashed": _crashed,
    "restarting": _restarting,
    "lost": _lost,
    "interrupted": lambda run, place: _ended(run, place, "stopped", rundir.EXIT_STOPPED),
    "done": lambda run, place: _ended(run, place, "done", 0),
}
"""What makes a run look so."""
