"""The model's own answers to the example's prompt."""


def prompt(example: dict) -> list[dict]:
    """The example's own turns."""
    return example["messages"]
