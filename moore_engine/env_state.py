"""Saving and restoring a Gymnasium environment exactly, as numpy arrays and JSON values.

MuJoCo tasks by `mj_getState(mjSTATE_INTEGRATION)`, Pendulum by its two variables; any other task by restoring the
generator to where it stood at the episode's reset and taking the episode's actions again, observations checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import wrappers
from gymnasium.envs.classic_control.pendulum import PendulumEnv
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

# Body and site positions that rewards read before the first sub-step: they lag qpos, so they cannot be recomputed.
_LAGGING = ("xpos", "xipos", "site_xpos")
# What the environment objects carry from reset to reset beside MuJoCo's data.
_CARRIED = ("goal", "goal_pos", "cylinder_pos", "init_qpos", "state", "last_u")


class StateKeeper:
    """Saves and restores `env`, a wrapped Gymnasium environment; told of every reset and step.

    `kind` is "mujoco", "pendulum" or "replay".
    """

    def __init__(self, env: gym.Env):
        self._env = env
        self._limit = time_limit(env)
        self.kind = _kind(env)
        self._at_reset: dict[str, Any] = {}
        self._started = False
        self._actions: list[Float32] = []
        self._digest = hashlib.blake2b(digest_size=16)

    def before_reset(self, seed: int | None) -> None:
        if self.kind == "replay":
            self._at_reset = {"seed": seed, "generators": self._generators()}

    def after_reset(self, obs: Float32) -> None:
        self._started = True
        if self.kind == "replay":
            self._actions = []
            self._digest = hashlib.blake2b(obs.tobytes(), digest_size=16)

    def after_step(self, action: Float32, obs: Float32) -> None:
        if self.kind == "replay":
            self._actions.append(np.array(action, np.float32).reshape(-1))
            self._digest.update(obs.tobytes())

    def save(self) -> dict[str, Any]:
        """The state as numpy arrays and JSON values; before the first reset only the generators matter."""
        state: dict[str, Any] = {"kind": self.kind, "started": self._started, "generators": self._generators()}
        if not self._started:
            return state
        if self.kind == "replay":
            actions = np.stack(self._actions) if self._actions else np.zeros((0, 0), np.float32)
            return state | {"at_reset": self._at_reset, "actions": actions, "digest": self._digest.hexdigest()}
        state["elapsed"] = None if self._limit is None else self._limit._elapsed_steps
        state["carried"] = self._carried()
        if self.kind == "mujoco":
            state["mujoco"] = _save_mujoco(self._env.unwrapped)
        return state

    def restore(self, state: dict[str, Any], step: Callable[[Float32], Float32]) -> bool:
        """Put `env` into `state`; False if a replay did not meet the saved observations. `step` takes one action."""
        if state["kind"] != self.kind:
            raise ValueError(f"the saved environment was kept by {state['kind']!r}, this one is by {self.kind!r}")
        self._started = bool(state["started"])
        if not self._started:
            self._set_generators(state["generators"])
            return True
        if self.kind == "replay":
            return self._replay(state, step)
        self._env.reset(seed=0)
        if self.kind == "mujoco":
            _load_mujoco(self._env.unwrapped, state["mujoco"])
        for name, value in state["carried"].items():
            setattr(self._env.unwrapped, name, value.copy() if isinstance(value, np.ndarray) else value)
        if self._limit is not None:
            self._limit._elapsed_steps = state["elapsed"]
        self._set_generators(state["generators"])
        return True

    def _replay(self, state: dict[str, Any], step: Callable[[Float32], Float32]) -> bool:
        self._set_generators(state["at_reset"]["generators"])
        self.before_reset(state["at_reset"]["seed"])
        raw, _ = self._env.reset(seed=state["at_reset"]["seed"])
        self.after_reset(np.array(raw, np.float32).reshape(-1))
        for action in state["actions"]:
            self.after_step(action, step(action))
        same_generator = self._generators()["env"] == state["generators"]["env"]
        self._set_generators(state["generators"])
        return same_generator and self._digest.hexdigest() == state["digest"]

    def _generators(self) -> dict[str, Any]:
        unwrapped = self._env.unwrapped
        own = None if unwrapped._np_random is None else pack_generator(unwrapped._np_random)
        return {"env": own, "action_space": pack_generator(self._env.action_space.np_random)}

    def _set_generators(self, packed: dict[str, Any]) -> None:
        if packed["env"] is not None:
            unpack_generator(self._env.unwrapped.np_random, packed["env"])
        unpack_generator(self._env.action_space.np_random, packed["action_space"])

    def _carried(self) -> dict[str, Any]:
        found = {name: vars(self._env.unwrapped)[name] for name in _CARRIED if name in vars(self._env.unwrapped)}
        return {name: value if value is None else np.array(value) for name, value in found.items()}


def time_limit(env: gym.Env) -> wrappers.TimeLimit | None:
    """The TimeLimit wrapper around `env`, or None."""
    return next((layer for layer in _layers(env) if isinstance(layer, wrappers.TimeLimit)), None)


def pack_generator(generator: np.random.Generator) -> dict[str, Any]:
    """A NumPy generator's state as JSON values; integers beyond 2^53 become {"int": "decimal"}."""
    return _pack(generator.bit_generator.state)


def unpack_generator(generator: np.random.Generator, packed: dict[str, Any]) -> None:
    """Set `generator` to a state made by `pack_generator`. Raises ValueError for another kind of generator."""
    generator.bit_generator.state = _unpack(packed)


def _pack(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _pack(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return [int(item) for item in value]
    if isinstance(value, int) and abs(value) >= 2**53:
        return {"int": str(value)}
    return value


def _unpack(value: Any) -> Any:
    if isinstance(value, dict):
        return int(value["int"]) if set(value) == {"int"} else {key: _unpack(item) for key, item in value.items()}
    return value


def _layers(env: gym.Env) -> list[gym.Env]:
    layers = [env]
    while isinstance(layers[-1], gym.Wrapper):
        layers.append(layers[-1].env)
    return layers


def _kind(env: gym.Env) -> str:
    """By state only what is known inside out: Gymnasium's own classes under its own stateless wrappers."""
    *outer, inner = _layers(env)
    plain = (wrappers.TimeLimit, wrappers.OrderEnforcing, wrappers.PassiveEnvChecker)
    if all(type(layer) in plain for layer in outer):
        if type(inner) is PendulumEnv:
            return "pendulum"
        if type(inner).__module__.startswith("gymnasium.envs.mujoco."):
            return "mujoco"
    return "replay"


def _save_mujoco(env: Any) -> dict[str, Any]:
    import mujoco

    signature = int(mujoco.mjtState.mjSTATE_INTEGRATION)
    integration = np.empty(mujoco.mj_stateSize(env.model, signature), np.float64)
    mujoco.mj_getState(env.model, env.data, integration, signature)
    return {"integration": integration, **{name: getattr(env.data, name).copy() for name in _LAGGING}}


def _load_mujoco(env: Any, saved: dict[str, Any]) -> None:
    import mujoco

    mujoco.mj_resetData(env.model, env.data)
    mujoco.mj_setState(env.model, env.data, saved["integration"], int(mujoco.mjtState.mjSTATE_INTEGRATION))
    for name in _LAGGING:
        getattr(env.data, name)[:] = saved[name]
