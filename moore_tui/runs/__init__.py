"""UI-free core of both front ends: reading runs, posting requests, naming processes."""
