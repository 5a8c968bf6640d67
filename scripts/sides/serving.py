"""What both sides of scripts/compare_d3rlpy share: an agent behind lines of JSON on stdin and stdout, and its clocks.

Imported by two interpreters, so it needs torch, numpy and the standard library alone.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch

PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "aten::dot", "aten::mv", "aten::addmv")
POOL = 8
"""Batches drawn before updates are timed without their drawing."""


class Agent(Protocol):
    """An algorithm with its replay buffer. Actions are in [-1, 1]; arrays are float32, one row a state."""

    def draw(self) -> Any: ...

    def update(self, batch: Any) -> None: ...

    def best(self, obs: np.ndarray) -> np.ndarray: ...

    def act(self, obs: np.ndarray) -> np.ndarray: ...

    def add(self, row: dict[str, Any]) -> None: ...


def serve(algorithms: dict[str, Callable[[dict[str, Any], dict[str, np.ndarray]], Agent]]) -> None:
    """Answer requests until stdin ends. Whatever a library prints goes to stderr."""
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    agent: Agent | None = None
    for line in sys.stdin:
        request = json.loads(line)
        verb = request.pop("do")
        if verb == "make":
            torch.set_num_threads(request["threads"])
            rows = dict(np.load(request["rows"]))
            agent = algorithms[request["algo"]](request, rows)
            reply: dict[str, Any] = {"torch": torch.__version__}
        else:
            assert agent is not None
            reply = VERBS[verb](agent, **request)
        replies.write(json.dumps(reply) + "\n")


def learn(agent: Agent, updates: int) -> dict[str, Any]:
    """So many updates on batches of the agent's own drawing; CPU seconds of all threads and wall seconds."""
    return _clocked(lambda: [agent.update(agent.draw()) for _ in range(updates)])


def update_only(agent: Agent, updates: int) -> dict[str, Any]:
    """The same on batches drawn before the clock starts."""
    pool = [agent.draw() for _ in range(POOL)]
    return _clocked(lambda: [agent.update(pool[k % POOL]) for k in range(updates)])


def profile(agent: Agent, updates: int) -> dict[str, Any]:
    """Milliseconds an update by torch's profiler: in matrix products, in optimisers, in all; and ATen calls."""
    pool = [agent.draw() for _ in range(POOL)]
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
        clock = _clocked(lambda: [agent.update(pool[k % POOL]) for k in range(updates)])
    events = seen.key_averages()
    optimiser = sum(e.cpu_time_total for e in events if e.key.startswith("Optimizer.step") or "_fused_adam" in e.key)
    return {
        "products": sum(e.self_cpu_time_total for e in events if e.key in PRODUCTS) / updates / 1000,
        "optimiser": optimiser / updates / 1000,
        "all": 1000 * clock["wall"] / updates,
        "calls": sum(e.count for e in events if e.key.startswith("aten::")) / updates,
    }


def best(agent: Agent, obs: list[list[float]]) -> dict[str, Any]:
    return {"action": agent.best(np.asarray(obs, np.float32)).tolist()}


def act(agent: Agent, obs: list[list[float]]) -> dict[str, Any]:
    return {"action": agent.act(np.asarray(obs, np.float32)).tolist()}


def add(agent: Agent, row: dict[str, Any], updates: int) -> dict[str, Any]:
    """Store an online row (obs, action, next_obs, reward, terminal, end), then make so many updates."""
    agent.add(row)
    return learn(agent, updates)


VERBS: dict[str, Callable[..., dict[str, Any]]] = {
    "learn": learn, "update_only": update_only, "profile": profile, "best": best, "act": act, "add": add,
}  # fmt: skip


def _clocked(work: Callable[[], object]) -> dict[str, Any]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
