"""The full-screen console on a pseudo-terminal whose cells a test can read."""

from __future__ import annotations

import codecs
import fcntl
import os
import signal
import struct
import termios
from collections.abc import Mapping

import pyte

from tests.tui.console_process import Console, Terminal, wait_for


class ScreenTerminal(Terminal):
    """`moore-console` with `words` on a terminal of `columns` x `lines` cells."""

    def __init__(
        self, console: Console, *words: str, columns: int = 80, lines: int = 24, env: Mapping[str, str] | None = None
    ) -> None:
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.Stream(self.screen)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._size = columns, lines
        self.bytes = 0
        console.env |= {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **(env or {})}
        super().__init__(console, *words)

    def _opened(self) -> None:
        self.resize(*self._size)

    def resize(self, columns: int, lines: int) -> None:
        """As a terminal emulator does when its window is dragged."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.screen.resize(lines, columns)

    def text(self) -> str:
        """The cells as lines of text."""
        self._read()
        return "\n".join(self.screen.display)

    def until(self, *texts: str) -> str:
        """Wait for every text to stand on the screen; the screen then."""
        try:
            wait_for(lambda: all(text in self.text() for text in texts), f"{texts} on the screen")
        except AssertionError as error:
            raise AssertionError(f"{error}:\n{self.text()}") from None
        return self.text()

    def until_gone(self, text: str) -> str:
        """Wait for a text to stand on the screen no more; the screen then."""
        wait_for(lambda: text not in self.text(), f"{text!r} to go")
        return self.text()

    def end(self) -> None:
        """Kill the console if it still lives."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _take(self, data: bytes) -> None:
        self.bytes += len(data)
        text = self._decoder.decode(data)
        self.seen += text
        self._stream.feed(text)
