"""Verifiers of responses: one module per kind, resolved by name (`load_plugin`)."""
