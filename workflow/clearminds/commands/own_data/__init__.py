"""Scores and masks of a file of somebody who has no study."""
