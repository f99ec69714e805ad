"""Parts of fetching a model."""
