"""Rules that give every response token its weight in the loss: one module each, resolved by name (`plugins.load`)."""
