"""Runs with evaluations, uncertainties and errors as a test says, for the figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moore_engine.rundir import RunDir, write_json
from tests.tui.made_runs import dead_identity, line, make_run

SHA = "ab" * 32
VERSIONS = {"torch": "2.13.0", "gymnasium": "1.4.0", "mujoco": "4.0.0"}
Rollouts = Sequence[tuple[int, float, float, float]]
"""(env_step, mean, p20, p80) each."""


def figure_run(
    folder: Path,
    name: str,
    *,
    before: Sequence[float] = (10.0, 20.0, 30.0),
    frozen: Sequence[float] = (),
    after: Sequence[float] = (25.0, 40.0, 60.0, 80.0),
    steps: int = 1000,
    updates: int = 1000,
    unc: Rollouts = (),
    rue: Sequence[float] = (),
    task: str = "Hopper-v4",
    data: str = "hopper_medium-v2.hdf5",
    sha256: str = SHA,
    scored: bool = True,
    versions: dict[str, str] = VERSIONS,
    **sections: dict[str, Any],
) -> RunDir:
    """A finished run whose epochs were evaluated as `before` and `after` say; an offline epoch has `updates` updates
    and an online one `steps` environment steps. The frozen policy was evaluated at the switch as `frozen` says.
    """
    told = {"name": name, "seed": int(name[-1]) if name[-1].isdigit() else 0, **sections.pop("run", {})}
    run = make_run(folder, name, run=told, data={"path": data, "task": task, "sha256": sha256}, **sections)
    found: list[dict[str, Any]] = []

    def add(kind: str, stage: str, epoch: int, update: int, env_step: int, **fields: Any) -> None:
        place = {"stage": stage, "epoch": epoch, "update": update, "env_step": env_step}
        head = {"v": 1, "seq": len(found) + 1, "att": 1, "t": 1e9 + len(found)}
        found.append({**head, **place, "k": kind, **fields})

    def evaluate(stage: str, epoch: int, update: int, env_step: int, value: float, **fields: Any) -> None:
        add("eval", stage, epoch, update, env_step, score=value if scored else None, return_mean=10 * value,
            return_std=0.0, returns=[10 * value] * 2, length_mean=100.0, **fields)  # fmt: skip

    switch = len(before) * updates
    add("run", "offline" if before else "online", 1, 0, 0, algo=told.get("algo", "moore"), task=task, dataset=data,
        sha256=sha256, seed=told["seed"], config_sha256="", resumed_seq=0, versions=versions, cpu="made")  # fmt: skip
    for epoch, value in enumerate(before, 1):
        evaluate("offline", epoch, epoch * updates, 0, value)
    for number, value in enumerate(frozen, 1):
        evaluate("online", 1, switch, 0, value, baseline=number)
    for env_step, mean, p20, p80 in unc:
        add("unc", "online", 1 + env_step // steps, switch + env_step, env_step, mean=mean, p20=p20, p80=p80,
            reward_raw=1.0, reward_penalised=0.5)  # fmt: skip
    for epoch, value in enumerate(rue, 1):
        add("rue", "online", epoch, switch, epoch * steps, value=value, u_before=1.0, u_after=1.0, eta=1.0)
    for epoch, value in enumerate(after, 1):
        evaluate("online", epoch, switch + epoch * steps, epoch * steps, value)
    add("end", "online", len(after), switch, len(after) * steps, state="done", exit=0)
    run.events.write_bytes(b"".join(map(line, found)))
    over = {"v": 1, "attempt": 1, "identity": dead_identity(), "paused": False, "status": "done", "exit": 0}
    write_json(run.state, {**over, **{key: found[-1][key] for key in ("stage", "epoch", "update", "env_step", "t")}})
    return run
