"""The console: launches, supervises, watches and controls training runs."""
