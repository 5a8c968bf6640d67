"""Shared by the tests that run the trainer as a process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.engine import trainer_runs as runs


@pytest.fixture(autouse=True)
def no_trainer_is_left() -> Iterator[None]:
    """Whatever a failed test left running is killed."""
    yield
    runs.stop_all()


@pytest.fixture(autouse=True)
def small_numbers_are_numbers() -> Iterator[None]:
    """What fix_arithmetic turned off in this process is on again."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small InvertedPendulum-v4 set of uniform actions."""
    return runs.write_data(tmp_path_factory.mktemp("data") / "pendulum.hdf5")
