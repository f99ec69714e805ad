"""Parts of building masks."""
