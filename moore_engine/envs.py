"""One Gymnasium task as the engine sees it: actions in [-1, 1], observations flat float32, state that can be saved.

Only tasks registered by Gymnasium itself are made without a word of trust: any other id imports somebody's code.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Collection
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from moore_engine.env_state import StateKeeper, time_limit

Float32 = NDArray[np.float32]


class TaskError(ValueError):
    """A task that is unknown, untrusted, cannot be made here, or whose spaces the engine cannot use."""


class Env:
    """One environment of `task`; the caller resets it when an episode has ended.

    `obs_dim`, `action_dim`; `low`, `high` (action_dim,) float32 are the task's own action bounds; `max_episode_steps`
    is the time limit or None; `obs` (obs_dim,) float32 is the current observation. `exact` is False once a restored
    state could not be proven equal to the saved one. Raises TaskError.
    """

    def __init__(
        self,
        task: str,
        seed: int,
        *,
        max_episode_steps: int | None = None,
        trust_code: Collection[str] = (),
        render_mode: str | None = None,
    ):
        self.task = task
        self.seed = seed
        self._env = _make(task, trust_code, max_episode_steps=max_episode_steps, render_mode=render_mode)
        self.low, self.high = _bounds(task, self._env)
        self._centre = (self.high + self.low) / 2
        self._half_range = (self.high - self.low) / 2
        self.action_dim = int(self.low.size)
        self.obs_dim = int(np.prod(self._env.observation_space.shape or ()))
        self._action_shape = self._env.action_space.shape
        limit = time_limit(self._env)
        self.max_episode_steps: int | None = None if limit is None else limit._max_episode_steps
        self._env.action_space.seed(seed)
        self._keeper = StateKeeper(self._env)
        self._first_seed: int | None = seed
        self.exact = True
        self.obs: Float32 = np.zeros(self.obs_dim, np.float32)

    def reset(self, seed: int | None = None) -> Float32:
        """Start an episode and return its first observation (obs_dim,) float32.

        The first reset seeds the environment's generator with the constructor's seed unless `seed` is given; later
        ones continue the generator unless `seed` is given.
        """
        seed = self._first_seed if seed is None else seed
        self._first_seed = None
        self._keeper.before_reset(seed)
        raw, _ = self._env.reset(seed=seed)
        self.obs = _flat(raw)
        self._keeper.after_reset(self.obs)
        return self.obs

    def step(self, action: Float32) -> tuple[Float32, float, bool, bool]:
        """Take `action` (action_dim,) in [-1, 1]: (obs (obs_dim,) float32, reward, terminated, truncated).

        `truncated` is the time limit's, and may come with `terminated`. Raises FloatingPointError if the action is not
        finite: MuJoCo would silently restart its simulation.
        """
        raw, reward, terminated, truncated, _ = self._env.step(self.to_task_units(action))
        self.obs = _flat(raw)
        self._keeper.after_step(action, self.obs)
        return self.obs, float(reward), bool(terminated), bool(truncated)

    def to_task_units(self, action: Float32) -> Float32:
        """Scale `action` (action_dim,) from [-1, 1] to the task's bounds, float32 in the task's own shape."""
        return self.table_to_task_units(np.asarray(action, np.float32).reshape(1, -1)).reshape(self._action_shape)

    def table_to_task_units(self, actions: Float32) -> Float32:
        """The same for the rows of a table (n, action_dim) float32, which keeps its shape."""
        scaled = actions * self._half_range + self._centre
        if not np.isfinite(scaled).all():
            raise FloatingPointError(f"the action for {self.task} is not finite: {scaled.tolist()}")
        return np.minimum(np.maximum(scaled, self.low), self.high)

    @property
    def restores_by_state(self) -> bool:
        """True where a reset with a seed forgets everything before it and a state is restored without replaying."""
        return self._keeper.kind != "replay"

    def physics(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Copies of MuJoCo's (qpos, qvel), or None for other simulators."""
        data = getattr(self._env.unwrapped, "data", None)
        if data is None or not hasattr(data, "qpos"):
            return None
        return data.qpos.copy(), data.qvel.copy()

    def state_dict(self) -> dict[str, Any]:
        """Everything the next steps and resets depend on: numpy arrays and JSON values."""
        return {
            "task": self.task,
            "max_episode_steps": self.max_episode_steps,
            "first_seed": self._first_seed,
            "exact": self.exact,
            "obs": self.obs.copy(),
            "env": self._keeper.save(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state`, bit for bit where `exact` stays True. Raises TaskError for another task's state."""
        for key, own in (("task", self.task), ("max_episode_steps", self.max_episode_steps)):
            if state[key] != own:
                raise TaskError(f"the saved environment has {key} {state[key]!r}, this one {own!r}")
        self._first_seed = state["first_seed"]
        self.obs = np.array(state["obs"], np.float32)
        replayed_equal = self._keeper.restore(state["env"], self._replay_step)
        self.exact = bool(state["exact"]) and replayed_equal

    def _replay_step(self, action: Float32) -> Float32:
        return _flat(self._env.step(self.to_task_units(action))[0])

    def frame(self) -> NDArray[np.uint8]:
        """The picture of now, (height, width, 3), of an environment made with render_mode "rgb_array"."""
        return np.asarray(self._env.render(), np.uint8)

    @property
    def frames_per_s(self) -> float:
        """The task's own frame rate."""
        return float(self._env.metadata.get("render_fps", 30))

    def close(self) -> None:
        self._env.close()


def _flat(raw: Any) -> Float32:
    """The observation as a fresh flat float32 array."""
    return np.array(raw, np.float32).reshape(-1)


def _make(task: str, trust_code: Collection[str], **options: Any) -> gym.Env:
    if task not in trust_code:
        _require_gymnasium_own(task)
    _quiet_mujoco()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            given = {name: value for name, value in options.items() if value is not None}
            return gym.make(task, disable_env_checker=True, **given)
    except (gym.error.Error, ImportError) as error:
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise TaskError(f"task {task!r} cannot be made here: {reason}{_nearest(task, family_only=True)}") from error


def _require_gymnasium_own(task: str) -> None:
    """Refuse ids that would import code from outside Gymnasium, and ids nobody registered."""
    spec = gym.registry.get(task)
    if ":" in task or (spec is not None and not _is_gymnasium_own(spec.entry_point)):
        raise TaskError(
            f"task {task!r} runs code from outside Gymnasium; read that code, then start with --trust-code {task}"
        )
    if spec is None:
        raise TaskError(f"unknown task {task!r}{_nearest(task)}")


def _is_gymnasium_own(entry_point: Any) -> bool:
    module = entry_point.partition(":")[0] if isinstance(entry_point, str) else getattr(entry_point, "__module__", "")
    return module.split(".")[0] == "gymnasium"


def _nearest(task: str, family_only: bool = False) -> str:
    """'; did you mean ...?' naming the newest version of the task's family, else the nearest name; or nothing."""
    makeable = {name.lower(): name for name, spec in gym.registry.items() if isinstance(spec.entry_point, str)}
    makeable.pop(task.lower(), None)
    stem = task.lower().rpartition("-v")[0] or task.lower()
    close = sorted(name for name in makeable if name.rpartition("-v")[0] == stem)[-1:]
    if not close and not family_only:
        close = difflib.get_close_matches(task.lower(), makeable, n=1, cutoff=0.5)
    return f"; did you mean {makeable[close[0]]!r}?" if close else ""


def _bounds(task: str, env: gym.Env) -> tuple[Float32, Float32]:
    """The flat action bounds; raises TaskError unless both spaces are Box and every bound is finite."""
    for what, space in (("observations", env.observation_space), ("actions", env.action_space)):
        if not isinstance(space, spaces.Box):
            raise TaskError(
                f"task {task!r} has {type(space).__name__} {what}; the engine needs Box observations and Box actions"
            )
    assert isinstance(env.action_space, spaces.Box)
    low = env.action_space.low.astype(np.float32).reshape(-1)
    high = env.action_space.high.astype(np.float32).reshape(-1)
    if not (np.isfinite(low).all() and np.isfinite(high).all() and (low < high).all()):
        raise TaskError(f"task {task!r} has unbounded actions; the engine needs a finite low < high for every action")
    return low, high


def _quiet_mujoco() -> None:
    """Drop MuJoCo's warnings: by default each is printed and appended to MUJOCO_LOG.TXT in the working directory."""
    try:
        import mujoco
    except ImportError:
        return
    mujoco.set_mju_user_warning(lambda message: None)
