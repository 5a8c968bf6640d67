"""Where a command is typed or found: the line that `:` opens, what was typed before, and the palette's list."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from textual.app import SystemCommand

from moore_tui.commands import COMMANDS, Command, Wrong, complete, execute
from moore_tui.widgets.command_line import CommandLine

if TYPE_CHECKING:
    from moore_tui.app import MooreConsole

KEPT = 50
"""Command lines that the next session finds."""


class Palette:
    """The same commands both ways."""

    def __init__(self, console: MooreConsole) -> None:
        self._console = console

    def open(self, value: str = "") -> None:
        """The command line, unless a dialog is in front or it is open already."""
        console, screen = self._console, self._console.framed
        if screen is not None and screen is console.screen and not screen.query(CommandLine):
            screen.mount(CommandLine(value, lambda line: complete(console, line), self._earlier()))

    def do(self, line: str) -> None:
        """Do what was typed, keep it for the next time, and tell what is wrong with it."""
        self._keep(line)
        try:
            if asking := execute(self._console, line):
                self._console.ask(asking)
        except Wrong as error:
            self._console.answer(str(error), "refused")

    def listed(self) -> Iterable[SystemCommand]:
        """What the palette offers: no steering that makes no sense now."""
        for command in COMMANDS:
            context, _, verb = command.key.partition(".")
            if context != "control" or self._console.steering.can(verb):
                yield SystemCommand(command.name, command.about, self._way(command))

    def _way(self, command: Command) -> Callable[[], None]:
        """One that needs a word more is typed on."""
        if command.takes and not command.takes.startswith("["):
            return lambda: self.open(f"{command.name} ")
        return lambda: self.do(command.name)

    def _earlier(self) -> list[str]:
        lines = self._console.settings.state().get("lines")
        return [str(line) for line in lines] if isinstance(lines, list) else []

    def _keep(self, line: str) -> None:
        lines = [each for each in self._earlier() if each != line]
        try:
            self._console.settings.keep_state(lines=[*lines, line][-KEPT:])
        except OSError:
            return  # a home that cannot be written is no reason not to do it
