"""The one error of data sets, apart from everything that reads them, so that light tools need no torch for it."""

from __future__ import annotations


class DataError(ValueError):
    """A data set that cannot be used; the message is one sentence: what is wrong, where, and what to do."""
