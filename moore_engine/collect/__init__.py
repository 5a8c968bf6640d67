"""Data sets of our own by D4RL's protocol (Fu et al. 2020): the collecting run, from its plan to its file."""
