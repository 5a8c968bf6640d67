"""Captured: straight through on the CPU; its warm-up, undo and record order against a stand-in for torch.cuda."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch

from moore_engine.capture import Captured
from moore_engine.sac import SAC


class FakeCuda:
    """Keeps a diary. Recording launches nothing, so what `function` did meanwhile is undone, as on a device."""

    def __init__(self, tensors: list[torch.Tensor], generators: list[torch.Generator]) -> None:
        self.diary: list[str] = []
        self.tensors, self.generators = tensors, generators
        self.recorded: list[Callable[[], None]] = []
        outer = self

        class Graph:
            def register_generator_state(self, generator: torch.Generator) -> None:
                outer.diary.append(f"register {outer.generators.index(generator)}")

            def replay(self) -> None:
                outer.diary.append("replay")

        class Stream:
            def __init__(self, name: str = "side") -> None:
                self.name = name

            def wait_stream(self, other: Any) -> None:
                outer.diary.append(f"{self.name} waits for {other.name}")

        self.CUDAGraph, self.Stream = Graph, Stream
        self.device = lambda device: nullcontext()
        self.current_stream = lambda: Stream("main")

    @contextmanager
    def stream(self, stream: Any) -> Iterator[None]:
        self.diary.append(f"enter {stream.name}")
        yield
        self.diary.append(f"leave {stream.name}")

    @contextmanager
    def graph(self, graph: Any) -> Iterator[None]:
        before = [t.clone() for t in self.tensors], [g.get_state() for g in self.generators]
        self.diary.append("record")
        yield
        for tensor, old in zip(self.tensors, before[0], strict=True):
            tensor.copy_(old)
        for generator, state in zip(self.generators, before[1], strict=True):
            generator.set_state(state)
        self.diary.append("recorded")


def learner() -> tuple[SAC, torch.Generator, Callable[[], None]]:
    sac = SAC(3, 1, hidden=(8,), batch=4, generator=torch.Generator().manual_seed(0))
    draw = torch.Generator().manual_seed(1)
    batch = torch.randn(sac.batch_shape, generator=draw)
    return sac, draw, lambda: sac.update(batch, draw)


def test_on_a_cpu_every_call_is_one_call_and_construction_is_none() -> None:
    calls: list[int] = []
    captured = Captured(lambda: calls.append(1), device="cpu")
    assert calls == []
    captured()
    captured()
    assert len(calls) == 2


def test_an_update_called_through_is_the_update_itself() -> None:
    (one, _, plain), (two, draw, function) = learner(), learner()
    captured = Captured(function, device="cpu", tensors=two.tensors().values(), generators=[draw])
    for _ in range(3):
        plain()
        captured()
    assert all(torch.equal(value, two.state_dict()[name]) for name, value in one.state_dict().items())


def test_warm_up_and_recording_leave_state_and_generators_as_they_were() -> None:
    sac, draw, function = learner()
    function()
    before, seed = sac.state_dict(), draw.get_state()
    cuda = FakeCuda(list(sac.tensors().values()), [draw])
    calls: list[int] = []

    def counted() -> None:
        function()
        calls.append(len(cuda.diary))
        cuda.diary.append("function")

    captured = Captured(counted, device="cuda", tensors=sac.tensors().values(), generators=[draw], warmup=2, cuda=cuda)
    assert len(calls) == 3
    assert all(torch.equal(value, before[name]) for name, value in sac.state_dict().items())
    assert torch.equal(draw.get_state(), seed)
    captured()
    assert len(calls) == 3, "a replay runs no Python"
    assert cuda.diary == [
        "side waits for main", "enter side", "function", "function", "leave side", "main waits for side",
        "register 0", "record", "function", "recorded", "replay",
    ]  # fmt: skip


def test_a_function_that_fails_in_warm_up_raises_with_the_state_put_back() -> None:
    value, draw = torch.zeros(2), torch.Generator().manual_seed(0)
    cuda = FakeCuda([value], [draw])

    def broken() -> None:
        value.normal_(generator=draw)
        raise RuntimeError("no kernel")

    seed = draw.get_state()
    with pytest.raises(RuntimeError, match="no kernel"):
        Captured(broken, device="cuda", tensors=[value], generators=[draw], cuda=cuda)
    assert not value.any()
    assert torch.equal(draw.get_state(), seed)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_replays_on_a_gpu_equal_plain_updates() -> None:
    results = []
    for wrap in (False, True):
        sac = SAC(3, 1, hidden=(8,), batch=4, device="cuda", generator=torch.Generator("cuda").manual_seed(0))
        draw = torch.Generator("cuda").manual_seed(1)
        batch = torch.randn(sac.batch_shape, generator=draw, device="cuda")

        def function(sac: SAC = sac, batch: torch.Tensor = batch, draw: torch.Generator = draw) -> None:
            sac.update(batch, draw)

        call = (
            Captured(function, device="cuda", tensors=sac.tensors().values(), generators=[draw]) if wrap else function
        )
        for k in range(5):
            draw.manual_seed(100 + k)
            call()
        results.append(sac.state_dict())
    for name, value in results[0].items():
        torch.testing.assert_close(results[1][name], value)
