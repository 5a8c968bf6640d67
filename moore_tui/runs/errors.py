"""What can go wrong between a console and a run; every message is one sentence, every class has its exit code.

ConsoleError            1
|-- RunNotFound         3   no such run
|-- BadRunName          2   a name that cannot be a folder's, is taken, or fits several runs
|-- RunIsLive           4   the run is running (or its keeper is at work)
|-- LostContact         5   the trainer is dead, silent, or on a host that cannot be reached from here
|-- Refused             1   the trainer answered no
|-- CheckRefused        2   the engine's check of a run to be found its data, task or settings wanting
|-- CheckFailed         1   that check itself broke
`-- LaunchFailed        1   the keeper or the trainer did not start
"""

from __future__ import annotations

from moore_engine import rundir


class ConsoleError(Exception):
    """Base of all; `exit_code` is what a command leaves with."""

    exit_code = rundir.EXIT_FAILED


class RunNotFound(ConsoleError):
    exit_code = rundir.EXIT_NO_RUN


class BadRunName(ConsoleError):
    exit_code = rundir.EXIT_USAGE


class RunIsLive(ConsoleError):
    exit_code = rundir.EXIT_RUNNING


class LostContact(ConsoleError):
    exit_code = rundir.EXIT_LOST


class Refused(ConsoleError):
    exit_code = rundir.EXIT_FAILED


class CheckRefused(ConsoleError):
    exit_code = rundir.EXIT_USAGE


class CheckFailed(ConsoleError):
    exit_code = rundir.EXIT_FAILED


class LaunchFailed(ConsoleError):
    exit_code = rundir.EXIT_FAILED
