"""This machine's float32 matrix-multiply rate: the yardstick of every speed."""

from __future__ import annotations

import time

import torch


def matmul_gflops(threads: int, seconds: float = 2.0, size: int = 1024, device: str = "cpu") -> float:
    """Best rate of `size` x `size` float32 products within `seconds`, in GFLOP/s (2 size^3 operations each)."""
    torch.set_num_threads(threads)
    a, b = torch.randn(size, size, device=device), torch.randn(size, size, device=device)
    out, best = torch.empty(size, size, device=device), float("inf")
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        began = time.perf_counter()
        for _ in range(5):
            torch.mm(a, b, out=out)
        if device != "cpu":
            torch.cuda.synchronize()
        best = min(best, (time.perf_counter() - began) / 5)
    return 2 * size**3 / best / 1e9
