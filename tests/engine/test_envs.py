"""Env: bounds, errors and trust, and states that continue bit for bit."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from moore_engine.env_state import pack_generator, unpack_generator
from moore_engine.envs import Env, TaskError

WALKERS = ("Hopper", "Walker2d", "HalfCheetah", "Ant", "Humanoid", "Swimmer")
OTHERS = ("InvertedPendulum", "InvertedDoublePendulum", "Reacher")
BY_STATE = [f"{family}-{v}" for family in WALKERS + OTHERS for v in ("v4", "v5")] + ["Pusher-v5", "Pendulum-v1"]
BY_REPLAY = ["MountainCarContinuous-v0"]


def trace(env: Env, steps: int, seed: int) -> list[bytes]:
    """What `steps` steps of random actions with resets give, reward and flags included, and the generators after."""
    rng = np.random.default_rng(seed)
    seen = []
    for _ in range(steps):
        obs, reward, terminated, truncated = env.step(rng.uniform(-1, 1, env.action_dim).astype(np.float32))
        seen.append(obs.tobytes() + np.float64(reward).tobytes() + bytes([terminated, truncated]))
        if terminated or truncated:
            seen.append(env.reset().tobytes())
    seen.append(env._env.action_space.sample().tobytes())
    return seen


def wander(task: str, seed: int, steps: int) -> Env:
    env = Env(task, seed)
    env.reset()
    trace(env, steps, seed)
    return env


@pytest.mark.parametrize("task", BY_STATE + BY_REPLAY)
def test_a_restored_environment_continues_bit_for_bit(task):
    rng = np.random.default_rng(7)
    for seed in range(2):
        env = wander(task, seed, int(rng.integers(1, 120)))
        saved = env.state_dict()
        expected = trace(env, 300, seed + 100)
        fresh = Env(task, seed + 50)
        fresh.reset()
        trace(fresh, 17, 3)
        fresh.load_state_dict(saved)
        assert fresh.obs.tobytes() == saved["obs"].tobytes()
        assert trace(fresh, 300, seed + 100) == expected
        assert fresh.exact


def test_states_restored_in_a_fresh_process_continue_bit_for_bit(tmp_path):
    expected = {}
    for task in BY_STATE + BY_REPLAY:
        env = wander(task, 1, 37)
        (tmp_path / f"{task}.json").write_text(json.dumps(to_json(env.state_dict())))
        expected[task] = [item.hex() for item in trace(env, 300, 9)]
    script = "import sys; from tests.engine.test_envs import continue_all; continue_all(sys.argv[1])"
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, cwd=Path(__file__).parents[2])
    assert json.loads((tmp_path / "continued").read_text()) == expected


def continue_all(folder: str) -> None:
    """In the fresh process: continue every saved state."""
    continued = {}
    for path in Path(folder).glob("*.json"):
        env = Env(path.stem, 1234)
        env.load_state_dict(from_json(json.loads(path.read_text())))
        continued[path.stem] = [item.hex() for item in trace(env, 300, 9)]
    (Path(folder) / "continued").write_text(json.dumps(continued))


def to_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return {"dtype": str(value.dtype), "shape": value.shape, "b": base64.b64encode(value.tobytes()).decode()}
    return value


def from_json(value: Any) -> Any:
    if isinstance(value, dict) and "dtype" in value:
        return np.frombuffer(base64.b64decode(value["b"]), value["dtype"]).reshape(value["shape"])
    if isinstance(value, dict):
        return {key: from_json(item) for key, item in value.items()}
    return value


def test_a_state_saved_on_the_last_step_before_the_time_limit_still_meets_it():
    env = Env("Pendulum-v1", 0)
    env.reset()
    for _ in range(199):
        env.step(np.zeros(1, np.float32))
    fresh = Env("Pendulum-v1", 1)
    fresh.load_state_dict(env.state_dict())
    assert fresh.step(np.zeros(1, np.float32))[2:] == (False, True)


@pytest.mark.parametrize("task", ["Hopper-v5", "MountainCarContinuous-v0"])
def test_a_state_saved_before_the_first_reset_still_starts_with_the_seed(task):
    env = Env(task, 3)
    fresh = Env(task, 4)
    fresh.load_state_dict(env.state_dict())
    assert fresh.reset().tobytes() == env.reset().tobytes()


def test_a_replay_that_meets_other_observations_is_not_exact():
    env = wander("MountainCarContinuous-v0", 0, 30)
    saved = env.state_dict()
    saved["env"]["actions"] = saved["env"]["actions"] * 0.5
    fresh = Env("MountainCarContinuous-v0", 0)
    fresh.load_state_dict(saved)
    assert not fresh.exact
    again = Env("MountainCarContinuous-v0", 0)
    again.load_state_dict(fresh.state_dict())
    assert not again.exact


def test_the_state_of_another_task_is_refused():
    env = wander("Hopper-v5", 0, 3)
    with pytest.raises(TaskError, match="Hopper-v5"):
        Env("Hopper-v4", 0).load_state_dict(env.state_dict())


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.MT19937, np.random.Philox])
def test_a_generator_survives_json(kind):
    generator = np.random.Generator(kind(5))
    generator.standard_normal(3)
    packed = json.loads(json.dumps(pack_generator(generator)))
    expected = generator.integers(0, 2**32, 8, dtype=np.uint32)
    other = np.random.Generator(kind(6))
    unpack_generator(other, packed)
    assert (other.integers(0, 2**32, 8, dtype=np.uint32) == expected).all()


def test_actions_are_scaled_from_plus_minus_one_to_the_tasks_bounds():
    env = Env("InvertedPendulum-v5", 0)
    assert env.low.tolist() == [-3.0] and env.high.tolist() == [3.0]
    assert [env.to_task_units(np.float32([a])).item() for a in (-1, 0, 0.5, 1)] == [-3.0, 0.0, 1.5, 3.0]
    env.reset(seed=0)
    by_env = env.step(np.float32([0.5]))[0]
    raw = gym.make("InvertedPendulum-v5")
    raw.reset(seed=0)
    assert by_env.tobytes() == raw.step(np.float32([1.5]))[0].astype(np.float32).tobytes()


def test_an_action_never_leaves_the_bounds_by_rounding():
    env = Env("Humanoid-v5", 0)
    for value in (-1.0, 1.0, np.nextafter(np.float32(1), np.float32(2))):
        scaled = env.to_task_units(np.full(17, value, np.float32))
        assert (scaled >= env.low).all() and (scaled <= env.high).all()


def test_an_action_that_is_not_finite_is_an_error():
    env = Env("Hopper-v5", 0)
    env.reset()
    with pytest.raises(FloatingPointError, match="Hopper-v5"):
        env.step(np.float32([0, np.nan, 0]))


def test_observations_are_flat_float32_of_their_own():
    env = Env("Hopper-v5", 0)
    first = env.reset()
    kept = first.copy()
    env.step(np.zeros(3, np.float32))
    assert first.dtype == np.float32 and first.shape == (11,) == (env.obs_dim,)
    assert (first == kept).all()


def test_a_shorter_time_limit_is_kept():
    env = Env("Hopper-v5", 0, max_episode_steps=4)
    env.reset()
    assert [env.step(np.zeros(3, np.float32))[3] for _ in range(4)] == [False, False, False, True]


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        ("Hoper-v4", "unknown task 'Hoper-v4'; did you mean 'Hopper-v4'?"),
        ("Ant-v9", "did you mean 'Ant-v5'?"),
        ("Hopper", "did you mean 'Hopper-v5'?"),
        ("Hopper-v3", "cannot be made here.*did you mean 'Hopper-v5'?"),
        ("CartPole-v1", "Discrete actions"),
        ("FrozenLake-v1", "Discrete observations"),
        ("json:Hopper-v5", "--trust-code json:Hopper-v5"),
    ],
)
def test_a_task_that_cannot_be_used_is_one_sentence(task, sentence):
    with pytest.raises(TaskError, match=sentence) as caught:
        Env(task, 0)
    assert "\n" not in str(caught.value)


class Foreign(gym.Env):
    """A task from outside Gymnasium whose reset remembers how many went before."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (2, 2))

    def __init__(self, bound: float = 2.0):
        self.action_space = gym.spaces.Box(-bound, bound, (1, 1))
        self.resets = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.resets += 1
        self.position = np.full((2, 2), self.resets, np.float64)
        return self.position.copy(), {}

    def step(self, action):
        self.position = self.position + float(action[0, 0]) + self.np_random.standard_normal((2, 2))
        return self.position.copy(), 1.0, False, False, {}


@pytest.fixture
def foreign():
    gym.register("test/Foreign-v0", entry_point=f"{__name__}:Foreign", max_episode_steps=20)
    gym.register("test/Unbounded-v0", entry_point=f"{__name__}:Foreign", kwargs={"bound": np.inf})
    yield "test/Foreign-v0"
    for name in ("test/Foreign-v0", "test/Unbounded-v0"):
        del gym.registry[name]


def test_a_task_from_outside_gymnasium_needs_trust(foreign):
    with pytest.raises(TaskError, match="--trust-code test/Foreign-v0"):
        Env(foreign, 0)
    with pytest.raises(TaskError, match="--trust-code"):
        Env(foreign, 0, trust_code={"test/Other-v0"})
    env = Env(foreign, 0, trust_code={foreign})
    assert env.reset().shape == (4,)


def test_unbounded_actions_are_one_sentence(foreign):
    with pytest.raises(TaskError, match="unbounded actions"):
        Env("test/Unbounded-v0", 0, trust_code={"test/Unbounded-v0"})


def test_a_foreign_task_is_exact_in_its_first_episode_and_says_so_when_it_is_not(foreign):
    for resets, exact in ((1, True), (2, False)):
        env = Env(foreign, 0, trust_code={foreign})
        for _ in range(resets):
            env.reset()
        trace(env, 5, 0)
        fresh = Env(foreign, 1, trust_code={foreign})
        fresh.load_state_dict(env.state_dict())
        assert fresh.exact is exact


def test_making_any_task_prints_nothing_and_leaves_no_log_file(tmp_path):
    script = (
        "from moore_engine.envs import Env\n"
        "import numpy as np\n"
        "for task in ('HalfCheetah-v4', 'Hopper-v4', 'Ant-v4'):\n"
        "    env = Env(task, 0); env.reset(); env.step(np.zeros(env.action_dim, np.float32))\n"
    )
    environ = {"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []
