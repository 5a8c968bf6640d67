"""A chunk of static, in-place work replayed as one CUDA graph on a GPU; on a CPU, the same call made plainly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class Captured:
    """Calling it does what `function()` does; on CUDA by replaying a graph recorded once, at construction.

    `function` must launch the same kernels on the same memory every time: no `.item()`, no branch on data, results
    left in static tensors. On CUDA it runs `warmup` times before it is recorded, so `tensors` must name everything
    it changes that matters later, and `generators` every generator it draws from: both are put back afterwards, and
    constructing leaves no trace. What it does in Python alone happens while recording and never in a replay.

    The graph holds on to these very tensors and generators. To start another random stream, reseed the generator
    (`manual_seed` or `set_state`): replays follow it; a new generator object would be ignored. Where
    `function` raises, construction raises.
    """

    def __init__(
        self,
        function: Callable[[], object],
        *,
        device: torch.device | str,
        tensors: Iterable[Tensor] = (),
        generators: Iterable[torch.Generator] = (),
        warmup: int = 3,
        cuda: Any = torch.cuda,
    ) -> None:
        self._replay: Callable[[], object] = function
        self.device = torch.device(device)
        if self.device.type == "cuda":
            with cuda.device(self.device):
                self._replay = _record(function, list(tensors), list(generators), warmup, cuda)

    def __call__(self) -> None:
        self._replay()


def _record(
    function: Callable[[], object], tensors: list[Tensor], generators: list[torch.Generator], warmup: int, cuda: Any
) -> Callable[[], object]:
    """Warm up on a side stream (libraries may not initialise while recording), undo that, then record."""
    contents = [tensor.clone() for tensor in tensors]
    states = [generator.get_state() for generator in generators]
    side = cuda.Stream()
    side.wait_stream(cuda.current_stream())
    try:
        with cuda.stream(side):
            for _ in range(warmup):
                function()
    finally:
        cuda.current_stream().wait_stream(side)
        for tensor, content in zip(tensors, contents, strict=True):
            tensor.copy_(content)
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)
    graph = cuda.CUDAGraph()
    for generator in generators:
        graph.register_generator_state(generator)
    with cuda.graph(graph):
        function()
    return graph.replay
