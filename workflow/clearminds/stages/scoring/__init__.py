"""Parts of scoring."""
