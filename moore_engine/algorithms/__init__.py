"""One short file an algorithm; adding one is its file, a preset and a line in this table."""

from moore_engine.algorithms.moore import MOORe
from moore_engine.algorithms.mopo import MOPO

ALGORITHMS: dict[str, type[MOPO]] = {"mopo": MOPO, "moore": MOORe}
