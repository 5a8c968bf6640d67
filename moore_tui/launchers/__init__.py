"""Ways to start a keeper: one protocol."""
