"""A run as another process sees it, from what is on disk alone: see `commands/README.md`."""
