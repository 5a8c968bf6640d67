"""Settings shared by all tests: one thread, no file of a user's own, a hypothesis profile without a clock."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import hypothesis
import pytest

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job, and all it starts, ignores it
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

hypothesis.settings.register_profile("default", deadline=None, derandomize=True, max_examples=50)
hypothesis.settings.load_profile("default")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No MOORE_ variable of the person running the tests reaches a test."""
    for name in list(os.environ):
        if name.startswith("MOORE_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def torch_as_it_was() -> Iterator[None]:
    """What a program of the engine fixes for its whole process does not reach the next test."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_grad_enabled(True)
        torch.use_deterministic_algorithms(False)
