"""From a run directory to a collection that goes to its end."""

from __future__ import annotations

from moore_engine.collect.collection import Collection
from moore_engine.collect.deliver import FILE, deliver, destination
from moore_engine.collect.loop import collect
from moore_engine.config import ConfigError
from moore_engine.envs import TaskError
from moore_engine.session import Session
from moore_engine.start import StartError, fix_arithmetic, take_up, trusted


def run(session: Session) -> None:
    """Build the collection of a session's run, take it up from its newest checkpoint, and run it to the end.

    Raises StartError for a task that cannot be used or a state that does not fit.
    """
    settings, folder = session.config, session.run.path
    fix_arithmetic(int(settings.run.threads))
    try:
        collection = Collection(settings, trusted())
    except (TaskError, ConfigError) as error:
        raise StartError(str(error)) from None
    where = destination(settings) or str(folder / FILE)
    take_up(session, collection, dataset=where, sha256="", collects=settings.collect.kind)
    session.tick()
    collect(collection, session, lambda done, tick: deliver(done, folder, tick))
