"""Wordings: short reference answers and prompts, written as people write them."""
