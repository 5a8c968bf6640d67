"""Short programs over the engine that the console runs as processes of their own: it never imports torch itself."""
