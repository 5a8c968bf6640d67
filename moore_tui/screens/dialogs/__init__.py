"""Small questions over a screen. Each is pushed with `push_screen`, fits 80x24, needs no mouse; escape says no."""

from __future__ import annotations

from moore_tui.screens.dialogs.ask import Ask
from moore_tui.screens.dialogs.choose import Choose
from moore_tui.screens.dialogs.confirm import Confirm, ConfirmName

__all__ = ["Ask", "Choose", "Confirm", "ConfirmName"]
