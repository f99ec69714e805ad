"""Parts of evaluating one model on a suite."""
