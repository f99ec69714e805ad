"""The reference answers of the examples: nothing is generated."""


def prompt(example: dict) -> None:
    """No prompt: the response is the example's reference."""
