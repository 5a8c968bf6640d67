"""Random streams: every phase of a run draws from a generator derived from (seed, phase, counter).

A stream is a pure function of its key, so a resumed run draws what the uninterrupted one would have drawn.
"""

from __future__ import annotations

import hashlib

import torch


def stream_seed(seed: int, *key: str | int) -> int:
    """A 63-bit seed for the stream `key` of run `seed`: the first 8 bytes of BLAKE2b over both."""
    text = "/".join([str(seed), *map(str, key)]).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def generator(seed: int, *key: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh generator on `device` at the start of the stream `key`."""
    return torch.Generator(device=device).manual_seed(stream_seed(seed, *key))
