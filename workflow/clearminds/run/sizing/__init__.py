"""How large the jobs of a study are, and what they cost."""
