"""One episode of a policy as a video file, rendered off screen."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from moore_engine.envs import Env
from moore_engine.start import trusted

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
    path = path.expanduser()
    if path.suffix not in (".mp4", ".gif"):
        raise VideoError(f"{path} must end in .mp4 or .gif.")
    os.environ.setdefault("MUJOCO_GL", "egl")
    try:
        env = Env(loaded.settings.data.task, seed, trust_code=trusted(), render_mode="rgb_array")
        env.reset()
        frames, ended = [env.frame()], False
        while not ended:
            action = loaded.policy.best(torch.from_numpy(env.obs).to(loaded.policy.device).unsqueeze(0))[0]
            _, _, terminated, truncated = env.step(action.cpu().numpy())
            frames.append(env.frame())
            ended = terminated or truncated
        rate = env.frames_per_s
        env.close()
    except Exception as error:  # the renderers raise their own, unrelated kinds
        raise VideoError(
            f"nothing could be rendered off screen ({error}): install EGL or OSMesa and set MUJOCO_GL=egl or osmesa."
        ) from None
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = np.stack(frames)
    if path.suffix == ".gif":
        iio.imwrite(path, pictures, duration=1000 / rate)
    else:
        iio.imwrite(path, pictures, fps=rate)
    return path
