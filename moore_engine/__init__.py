"""The training engine: MOPO offline, MOORe online."""
