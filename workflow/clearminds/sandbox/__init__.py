"""How programs of models run: in a sandbox, or not at all."""
