"""Verifiers of responses: one module per kind, resolved by name (`plugins.load`)."""
