"""Where a task's examples come from: one module for each kind, resolved by name (`plugins.load`)."""
