"""Parts of training one adapter."""
