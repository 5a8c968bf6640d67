"""`python -m moore_engine.tools.doctor`: does this machine have what training needs?"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from typing import Any

from moore_engine.tools.cli import answer


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="moore-console doctor")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    checks = [check() for check in (packages, processor, gpu, task, rendering, disk)]
    lines = [f"{'ok ' if each['ok'] else 'BAD'}  {each['what']:<10} {each['is']}" for each in checks]
    answer({"ok": all(each["ok"] for each in checks), "checks": checks}, options.json, "\n".join(lines))
    return 0 if all(each["ok"] for each in checks) else 1


def packages() -> dict[str, Any]:
    from moore_engine.start import versions

    return {
        "what": "packages",
        "ok": True,
        "is": ", ".join(f"{name} {version}" for name, version in versions().items()),
    }


def processor() -> dict[str, Any]:
    from moore_engine.start import cpu
    from moore_engine.tools.matmul import matmul_gflops

    cores = len(os.sched_getaffinity(0))
    rate = matmul_gflops(cores, seconds=1.0)
    return {"what": "processor", "ok": True, "is": f"{cores} cores, {cpu()}, {rate:.0f} GFLOP/s in float32 products"}


def gpu() -> dict[str, Any]:
    import torch

    if not torch.cuda.is_available():
        return {"what": "gpu", "ok": True, "is": "none: device = auto trains on the CPU"}
    free, whole = torch.cuda.mem_get_info()
    return {
        "what": "gpu",
        "ok": True,
        "is": f"{torch.cuda.get_device_name()}, {free / 2**30:.0f} of {whole / 2**30:.0f} GiB free",
    }


def task() -> dict[str, Any]:
    import numpy as np

    from moore_engine.envs import Env, TaskError

    try:
        env = Env("Hopper-v4", 0)
        env.reset()
        began = time.perf_counter()
        for _ in range(500):
            _, _, terminated, truncated = env.step(np.zeros(env.action_dim, np.float32))
            if terminated or truncated:
                env.reset()
        rate = 500 / (time.perf_counter() - began)
    except TaskError as error:
        return {"what": "mujoco", "ok": False, "is": str(error)}
    return {"what": "mujoco", "ok": True, "is": f"Hopper-v4 steps, {rate:.0f} a second"}


def rendering() -> dict[str, Any]:
    backend = os.environ.get("MUJOCO_GL", "")
    return {"what": "video", "ok": True, "is": f"MUJOCO_GL={backend or 'unset'}; unset, eval --video takes egl"}


def disk() -> dict[str, Any]:
    free = shutil.disk_usage(".").free / 2**30
    return {"what": "disk", "ok": free > 2, "is": f"{free:.0f} GiB free here"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
