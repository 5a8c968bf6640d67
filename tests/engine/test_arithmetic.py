"""What a trainer's process sets once, before it computes anything."""

from __future__ import annotations

import subprocess
import sys

TINY = """
import torch
from moore_engine.start import fix_arithmetic
fix_arithmetic(2)
tiny = torch.full((7, 256, 2000), 1e-40)
products = torch.bmm(tiny, torch.eye(2000).expand(7, -1, -1))
left = [int((each.view(torch.int32) != 0).sum()) for each in (tiny * 1.0, tiny.add(tiny), products)]
print(torch.get_num_threads(), left)
"""


def test_what_is_all_but_zero_is_zero_in_every_thread() -> None:
    """Weight decay leaves such numbers of weights without a gradient; products with them are slow."""
    done = subprocess.run([sys.executable, "-c", TINY], capture_output=True, text=True, check=True)
    assert done.stdout.split(maxsplit=1) == ["2", "[0, 0, 0]\n"]
