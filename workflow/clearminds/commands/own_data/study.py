"""The study that `score` and `mask` run: one file, one model, one rule. Nothing of it is trained or evaluated."""

import re
from pathlib import Path
from typing import Any

TASK = "data"


def study_of(
    data: Path, columns: dict[str, str], model: str, origin: dict[str, Any], *, weights: dict[str, Any], **more: Any
) -> dict[str, Any]:
    """A study as its YAML has it, with one variant, named after its rule.

    Args:
        data: the file of examples.
        columns: its columns, by what they are of `tasks: columns`.
        model: id of the model.
        origin: its block.
        weights: the rule.
        more: `dtype` of scoring, `max_length` in tokens, and the `runtime` block.
    """
    return {
        "study": f"scored-{as_id(data.stem)}",
        "models": {model: origin},
        "tasks": {
            TASK: {
                "kind": "file",
                "splits": {"train": str(data)},
                "columns": columns,
                "verifier": "unverified",
                "evaluate": "likelihood",
            }
        },
        "targets": [TASK],
        "suites": {"own": [TASK]},
        "match": {"sources": ["reference"]},
        "variants": {rule_id(weights): {"responses": "reference", "weights": weights}},
        "scoring": {"dtype": more["dtype"]},
        "training": {"max_length": more["max_length"]},
        "evaluation": {"split": "train"},
        "seeds": [0],
        # it would try trainings and evaluations that never come
        "runtime": {**more["runtime"], "rehearse": False},
    }


def rule_id(weights: dict[str, Any]) -> str:
    """The id of the variant of a rule, such as perplexity-2.5."""
    return as_id("-".join(map(str, weights.values())))


def as_id(text: str) -> str:
    """A text as an id of a study: letters, digits, `.`, `_` and `-`, a letter or digit first."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("._-")[:60] or "unnamed"
