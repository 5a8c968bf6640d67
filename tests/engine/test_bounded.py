"""The bound on memory holds inside its block only, alone, nested, across threads and after an error."""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from moore_engine.data import bounded
from moore_engine.data.bounded import bounded_memory, widen

MIB = 1 << 20


def limits() -> tuple[int, int]:
    return resource.getrlimit(resource.RLIMIT_DATA)


@pytest.fixture(autouse=True)
def unchanged() -> Iterator[None]:
    before = limits()
    yield
    assert limits() == before


def test_inside_the_block_only_what_is_allowed_can_be_had() -> None:
    with bounded_memory(64 * MIB):
        assert np.ones(4 * MIB).nbytes == 32 * MIB
        with pytest.raises(MemoryError):
            np.ones(16 * MIB)
    assert np.ones(16 * MIB).nbytes == 128 * MIB


def test_an_error_inside_ends_the_bound() -> None:
    with pytest.raises(ZeroDivisionError), bounded_memory(64 * MIB):
        raise ZeroDivisionError


def test_blocks_inside_one_another_add_up_and_end_one_by_one() -> None:
    with bounded_memory(64 * MIB):
        outer = limits()
        with bounded_memory(256 * MIB):
            assert limits()[0] == outer[0] + 256 * MIB
            assert np.ones(16 * MIB).nbytes == 128 * MIB
        assert limits() == outer
        with pytest.raises(MemoryError):
            np.ones(16 * MIB)


def test_a_block_that_is_widened_allows_more_until_it_ends() -> None:
    with bounded_memory(64 * MIB):
        outer = limits()
        with bounded_memory(16 * MIB):
            widen(48 * MIB)
            widen(MIB)
            assert limits()[0] == outer[0] + 65 * MIB
        assert limits() == outer
        widen(128 * MIB)
        assert np.ones(16 * MIB).nbytes == 128 * MIB


def test_a_thread_widens_its_own_block_and_outside_of_any_nothing_is_bounded() -> None:
    before = limits()
    widen(MIB)
    assert limits() == before
    with bounded_memory(64 * MIB):
        inside = limits()
        other = threading.Thread(target=widen, args=(MIB,))
        other.start()
        other.join()
        assert limits() == inside


def test_blocks_of_several_threads_end_in_any_order() -> None:
    before, entered, leave = limits(), threading.Barrier(3), [threading.Event(), threading.Event()]

    def hold(number: int) -> None:
        with bounded_memory((1 + number) * 512 * MIB):
            entered.wait(10)
            leave[number].wait(10)

    threads = [threading.Thread(target=hold, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    entered.wait(10)
    both = limits()[0]
    leave[0].set()
    threads[0].join()
    assert limits()[0] == both - 512 * MIB, "the second one's bound holds on"
    leave[1].set()
    threads[1].join()
    assert limits() == before


def test_a_limit_that_was_set_from_outside_is_never_raised() -> None:
    before = limits()
    low = (bounded._data_size() or 0) + 512 * MIB
    resource.setrlimit(resource.RLIMIT_DATA, (low, before[1]))
    try:
        with bounded_memory(1 << 50):
            assert limits()[0] == low
        assert limits()[0] == low
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def test_where_the_system_tells_no_sizes_nothing_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "_data_size", lambda: None)
    before = limits()
    with bounded_memory(1):
        assert limits() == before
