"""The model's own wording of the reference: it is shown the question with its answer and writes the answer anew."""

TEMPLATE = """{question}

A correct answer is:
{reference}

Write this answer in your own words. Keep its result and do not mention that you were given an answer."""


def prompt(example: dict) -> list[dict]:
    """The example's turns, the last of them with the reference put under it."""
    *before, last = example["messages"]
    return [
        *before,
        {"role": "user", "content": TEMPLATE.format(question=last["content"], reference=example["reference"])},
    ]
