"""A stranger's configuration is not code: 'pkg.module:function' is imported only where its name is trusted."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection
from typing import Any


class TrustError(ValueError):
    """A function that a configuration names is not trusted, or cannot be found; the message is one sentence."""


def load_function(key: str, name: str, trust_code: Collection[str]) -> Callable[..., Any]:
    """The function that `key` of a configuration names; its code runs only if `trust_code` holds that name.

    Raises TrustError.
    """
    if name not in trust_code:
        raise TrustError(f"{key} = {name!r} would run code; read that code, then start with --trust-code {name}")
    module, _, attribute = name.partition(":")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise TrustError(f"{key} = {name!r} is not an importable 'pkg.module:function'") from error
    if not callable(function):
        raise TrustError(f"{key} = {name!r} is not a function")
    return function
