"""The keys of a replay: hold it, go on, another place, another speed. Without a replay they say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from moore_tui.app import MooreConsole
    from moore_tui.runs.replay import Replay


class Player:
    """Steers the console's feed, if that is a replay."""

    def __init__(self, console: MooreConsole) -> None:
        self._console = console

    @property
    def replay(self) -> Replay | None:
        """The run that is played again."""
        return cast("Replay", self._console.feed) if self._console.options.replay else None

    @property
    def held(self) -> bool:
        return self.replay is not None and self.replay.paused

    def note(self) -> str:
        """What the header says of it; empty without a replay."""
        replay = self.replay
        if replay is None:
            return ""
        return f"replay {replay.speed:g}x" + (" over" if replay.done else " held" if replay.paused else "")

    def hold(self) -> None:
        """Stop the playing, or let it go on."""
        if replay := self._playing():
            replay.paused = not replay.paused
            self._changed()

    def seek(self, share: float) -> None:
        """Go to a place, 0 to 1."""
        if replay := self._playing():
            replay.seek(min(1.0, max(0.0, share)))
            self._changed()

    def move(self, by: float) -> None:
        """Go on or back by a share of the run."""
        if replay := self._playing():
            self.seek(replay.place + by)

    def hurry(self, speed: float) -> None:
        """Play so many times faster than it happened."""
        if speed <= 0:
            self._console.answer("a replay's speed is a number above 0", "refused")
        elif replay := self._playing():
            replay.speed = speed
            self._changed()

    def _playing(self) -> Replay | None:
        if self.replay is None:
            self._console.answer("no run is replayed here; moore-console replay RUN does", "refused")
        return self.replay

    def _changed(self) -> None:
        self._console.nudge()
        self._console.show_facts()
