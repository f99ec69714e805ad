"""Parts of collecting what the report shows."""
