"""The console's screens: what fills the terminal, one module each."""
