"""What can be added by name: task kinds, sources, verifiers, weight rules, wordings."""
