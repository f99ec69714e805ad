"""vLLM in a process and an environment of its own: its side, ours, and adapters for it."""
