"""What each step computes: one module a stage."""
