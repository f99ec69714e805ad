"""Where training responses come from: one module per kind of source, resolved by name (`plugins.load`)."""
