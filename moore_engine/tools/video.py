"""One episode of a policy as a video file, rendered off screen."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from moore_engine.tools.loading import Loaded


class VideoError(Exception):
    """A video that cannot be made here; the message is one sentence."""


def record(loaded: Loaded, path: Path, seed: int) -> Path:
    """Write one episode, reset with `seed`, at the task's own frame rate; the suffix (mp4, gif) chooses the format.

    Off-screen rendering needs EGL or OSMesa; MUJOCO_GL chooses. Raises VideoError.
    """
    try:
        import imageio.v3 as iio
    except ImportError:
        raise VideoError("video needs the package's extra: pip install 'moore-console[video]'.") from None
    os.environ.setdefault("MUJOCO_GL", "egl")
    import gymnasium as gym

    path = path.expanduser()
    if path.suffix not in (".mp4", ".gif"):
        raise VideoError(f"{path} must end in .mp4 or .gif.")
    frames = []
    try:
        env = gym.make(loaded.settings.data.task, render_mode="rgb_array", disable_env_checker=True)
        obs, _ = env.reset(seed=seed)
        frames.append(np.asarray(env.render()))
        ended = False
        while not ended:
            action = loaded.sac.act(torch.as_tensor(obs, dtype=torch.float32).reshape(1, -1), None)[0].numpy()
            scaled = loaded.low + (action + 1) / 2 * (loaded.high - loaded.low)
            obs, _, terminated, truncated, _ = env.step(scaled)
            frames.append(np.asarray(env.render()))
            ended = terminated or truncated
        rate = env.metadata.get("render_fps", 30)
        env.close()
    except Exception as error:  # the renderers raise their own, unrelated kinds
        raise VideoError(
            f"nothing could be rendered off screen ({error}): install EGL or OSMesa and set MUJOCO_GL=egl or osmesa."
        ) from None
    path.parent.mkdir(parents=True, exist_ok=True)
    iio.imwrite(path, frames, **({"duration": 1000 / rate} if path.suffix == ".gif" else {"fps": rate}))
    return path
