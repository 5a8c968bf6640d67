"""From a run directory to a training that can go on: data, task, device, and the newest whole checkpoint."""

from __future__ import annotations

import os
import platform
import random
import time
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from moore_engine import checkpoint, config
from moore_engine.buffers import Layout
from moore_engine.config import Config
from moore_engine.data.catalogue import MINARI, minari_dir
from moore_engine.data.source import DataError, load, present
from moore_engine.data.transitions import Transitions
from moore_engine.envs import Env, TaskError
from moore_engine.phases import Counts
from moore_engine.rundir import RunDir
from moore_engine.session import LONG_S, Session, Subject, resume_point
from moore_engine.terminations import TerminationError, for_task
from moore_engine.training import Training
from moore_engine.trust import TrustError

PACKAGES = ("torch", "gymnasium", "mujoco", "numpy", "safetensors")


class StartError(Exception):
    """A run that cannot start with what there is now; the message is one sentence."""


class Resumable(Subject, Protocol):
    """A subject that can be put back into a saved state; see `take_up`."""

    config: Config

    @property
    def counters(self) -> Counts: ...
    def configure(self, config: Config) -> None: ...
    def load_state_dict(self, state: dict[str, Any], *, branch: bool = False) -> None: ...
    def exact(self) -> bool: ...


def start(session: Session) -> Training:
    """Build the training of a session's run, load its newest checkpoint, and announce the attempt.

    Raises StartError for a missing or changed data set, an unknown task, or an unusable device.
    """
    settings = session.config
    fix_arithmetic(int(settings.run.threads))
    trust = trusted()
    try:
        data = load_data(settings, trust)
        termination = for_task(settings.data.task, settings.data.termination or None, trust)
        training = Training(settings, data, termination, device(settings), trust)
    except (DataError, TaskError, TerminationError, TrustError) as error:
        raise StartError(str(error)) from None
    mean = float(np.mean(data.returns)) if len(data.returns) else None
    take_up(
        session, training, dataset=settings.data.path, sha256=data.sha256, rows=int(data.table.shape[0]),
        data_return_mean=mean,
    )  # fmt: skip
    _extend(session, training)
    return training


def take_up(session: Session, subject: Resumable, **facts: Any) -> None:
    """Load the newest checkpoint (or the branch's) into `subject`, hand it to the session, announce the attempt.

    `facts` go into the `run` event. Raises StartError for a state that does not fit.
    """
    session.beat(LONG_S)
    saved, state, warnings = resume_point(session.run)
    source = ""
    if saved is None and session.config.run.from_:
        saved_elsewhere, state = branch_point(session.config)
        source = str(saved_elsewhere.path)
    if state is not None:
        try:
            subject.load_state_dict(state, branch=bool(source))
        except (KeyError, ValueError, TypeError) as error:
            raise StartError(
                f"the saved state is not of this version of the engine or of these sizes: {error}."
            ) from None
    session.made_with, session.saved = made_with(), saved
    session.adopt(subject)
    if session.settle(subject.counters.phase):
        subject.configure(session.config)
    announce(session, saved, source, facts)
    for what in warnings + _differences(saved) + inexact(subject):
        session.emit("warn", what=what)


def load_data(settings: Config, trust: frozenset[str]) -> Transitions:
    """The run's data set, checked against the sha256 that was frozen with the run; no rows where it has none."""
    if not settings.data.path:
        env = Env(settings.data.task, 0, trust_code=trust)
        env.close()
        return Transitions.none(Layout(env.obs_dim, env.action_dim))
    if not present(settings.data.path):
        raise StartError(
            f"there is no data set {settings.data.path} any more: point to it with `moore-console resume RUN --data "
            f"PATH`{_minari_folder(settings.data.path)}."
        )
    env = Env(settings.data.task, 0, trust_code=trust)
    data = load(settings.data.path, task=settings.data.task, obs_dim=env.obs_dim, action_dim=env.action_dim,
                low=env.low, high=env.high, checks=False)  # fmt: skip
    env.close()
    if settings.data.sha256 and data.sha256 != settings.data.sha256:
        raise StartError(
            f"{settings.data.path} is not the data set this run began with (sha256 {data.sha256[:12]}..., "
            f"expected {settings.data.sha256[:12]}...): point to it with `moore-console resume RUN --data PATH`."
        )
    return data


def _minari_folder(path: str) -> str:
    return f", or set MINARI_DATASETS_PATH, now {minari_dir()}" if path.startswith(MINARI) else ""


def device(settings: Config) -> torch.device:
    """The device that `run.device` names; auto takes a GPU where PyTorch sees one. Raises StartError."""
    wanted, there = settings.run.device, torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise StartError("run.device is cuda, but PyTorch sees no GPU here: choose run.device=cpu or auto.")
    return torch.device("cuda" if wanted != "cpu" and there else "cpu")


def fix_arithmetic(threads: int) -> None:
    """Everything that makes two runs of the same state give the same bits; and numbers below 1e-38 are zero.

    Weight decay leaves such numbers of weights without a gradient, and they slow every product they are in.
    """
    torch.set_flush_denormal(True)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.set_grad_enabled(False)
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


def trusted() -> frozenset[str]:
    """Names whose code may be imported on this start, from MOORE_TRUST_CODE (never from the run's own files)."""
    return frozenset(name for name in os.environ.get("MOORE_TRUST_CODE", "").split(",") if name)


def branch_point(settings: Config) -> tuple[checkpoint.Checkpoint, dict[str, Any]]:
    """The other run's state that `run.from` names as PATH@CHECKPOINT#DIGEST. Raises StartError."""
    where, _, digest = settings.run.from_.partition("#")
    path, _, name = where.rpartition("@")
    try:
        found = checkpoint.find(RunDir(Path(path)), name)
        if digest and found.digest() != digest:
            raise StartError(f"{where} has changed since this run was made from it: its digest is another one.")
        return found, checkpoint.load(found)
    except checkpoint.CheckpointError as error:
        raise StartError(f"run.from = {settings.run.from_}: {error}") from None


def announce(session: Session, saved: checkpoint.Checkpoint | None, source: str, facts: dict[str, Any]) -> None:
    """The attempt's `run` event; events after `resumed_seq` and before it belong to a dead attempt."""
    settings = session.config
    session.emit(
        "run",
        algo=settings.run.algo,
        task=settings.data.task,
        seed=settings.run.seed,
        config_sha256=config.sha256(settings),
        resumed_seq=0 if saved is None else saved.manifest["seq"],
        versions=versions(),
        cpu=cpu(),
        resumed_from="" if saved is None else saved.path.name,
        branched_from=source or settings.run.from_,
        **facts,
    )


def versions() -> dict[str, str]:
    """Installed versions of what decides a run's bits."""
    return {name: metadata.version(name) for name in PACKAGES} | {"python": platform.python_version()}


def cpu() -> str:
    """The processor's model name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def inexact(subject: Resumable) -> list[str]:
    """A warning if an environment's state could not be restored exactly."""
    if subject.exact():
        return []
    return [f"not exact: {subject.config.data.task} could not be put back into its saved state"]


def _differences(saved: checkpoint.Checkpoint | None) -> list[str]:
    """Warnings for a checkpoint made with other versions or on another processor."""
    if saved is None:
        return []
    then = saved.manifest.get("made_with", {})
    now = made_with()
    return [
        f"not exact: the checkpoint was made with {name} {then[name]}, this is {now[name]}"
        for name in now
        if name in then and then[name] != now[name]
    ]


def made_with() -> dict[str, str]:
    """What a checkpoint's manifest says of where it was made."""
    return versions() | {"cpu": cpu(), "threads": str(torch.get_num_threads())}


def _extend(session: Session, training: Training) -> None:
    """A finished run takes what it was asked to change, now or in an attempt that died, before the loop looks at it."""
    if training.counters.finished:
        session.look(time.monotonic())
        if session.settle(training.counters.phase + 1):
            training.configure(session.config)
