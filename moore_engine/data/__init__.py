"""Data sets in, as one contiguous float32 table."""
