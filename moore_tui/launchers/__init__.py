"""Ways to start a run: on this host under a keeper, or on a cluster. All have one small protocol."""

from __future__ import annotations

from typing import Any, Protocol

from moore_engine.rundir import RunDir


class Launcher(Protocol):
    """Starts runs and returns; it supervises nothing itself."""

    def start(self, run: RunDir) -> dict[str, Any]:
        """See that `run` has a keeper at work, and with it a trainer; adopts a trainer that has lost its keeper.

        Returns the keeper's identity. Raises RunIsLive if a keeper is at work already, LaunchFailed.
        """
        ...
