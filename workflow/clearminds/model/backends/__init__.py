"""What samples responses from a model: one module per backend, resolved by name (`plugins.load`)."""
