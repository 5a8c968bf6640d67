"""Shared by the tests that run the trainer as a process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import trainer_runs as runs


@pytest.fixture(autouse=True)
def no_trainer_is_left() -> Iterator[None]:
    """Whatever a failed test left running is killed."""
    yield
    runs.stop_all()


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small InvertedPendulum-v4 set of uniform actions."""
    return runs.write_data(tmp_path_factory.mktemp("data") / "pendulum.hdf5")
