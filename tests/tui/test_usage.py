"""What a process uses, from /proc."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from moore_tui.runs.usage import Meter, read
from tests.tui.made_runs import wait_for


def test_a_process_that_computes_uses_a_core() -> None:
    process = subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"])
    try:
        meter = Meter()
        first = wait_for(lambda: meter.look(process.pid, time.monotonic()), "the process")
        assert first.cores is None and first.rss_mb > 1.0
        before = read(process.pid)
        assert before is not None
        wait_for(lambda: (now := read(process.pid)) and now[1] >= before[1] + 0.05, "50 ms of work")
        usage = meter.look(process.pid, time.monotonic())
        assert usage is not None and usage.cores is not None and 0.0 < usage.cores < 1.5
    finally:
        process.kill()
        process.wait()


def test_a_process_that_is_gone_uses_nothing() -> None:
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    assert read(process.pid) is None
    assert Meter().look(process.pid, 1.0) is None


def test_another_process_begins_from_the_start() -> None:
    meter = Meter()
    assert meter.look(os.getpid(), 1.0) is not None
    assert (usage := meter.look(os.getpid(), 2.0)) is not None and usage.cores is not None
    assert (usage := meter.look(os.getppid(), 3.0)) is not None and usage.cores is None
