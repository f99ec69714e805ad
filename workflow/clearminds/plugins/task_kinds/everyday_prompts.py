"""Everyday prompts: what people ask an assistant, without references; drift from the base model is measured on them."""

from clearminds.checkout import PACKAGE
from clearminds.errors import UserError

PROMPTS = PACKAGE / "plugins" / "wordings" / "everyday_prompts.txt"  # one prompt on each line


def load(spec: dict, split: str) -> list[dict]:
    """The first prompts, as many as the split says, as rows of `contracts.EXAMPLES` with empty reference and answer.

    Raises:
        UserError: more than one split, or more prompts than there are.
    """
    if len(spec["splits"]) != 1:
        raise UserError(f"splits: everyday_prompts is one list, so it has one split; found {', '.join(spec['splits'])}")
    prompts = [line for line in PROMPTS.read_text(encoding="utf-8").splitlines() if line.strip()]
    asked = spec["splits"][split]
    if asked > len(prompts):
        raise UserError(f"there are {len(prompts)} everyday prompts; {asked} asked for")
    return [
        {
            "example_id": f"{split}-{position:05}",
            "messages": [{"role": "user", "content": prompt}],
            "reference": "",
            "answer": "",
            "meta": "{}",
        }
        for position, prompt in enumerate(prompts[:asked])
    ]
