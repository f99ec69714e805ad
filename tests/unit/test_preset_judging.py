"""Presets judge their own references right, and wrong ones wrong, by the verifiers that they name."""

import json

import pytest
from real_rows import FOLDER, shared_rows
from test_presets import OWN, block, of_example

from clearminds.config.presets import load_preset
from clearminds.plugins.load import load, names
from clearminds.plugins.task_kinds import file, human_eval
from clearminds.sandbox.programs import Sandbox
from clearminds.stages.normalise import normalise_example


@pytest.mark.parametrize("name", OWN)
def test_the_verifier_of_a_preset_exists(name):
    assert load_preset(name).task["verifier"] in names("verifiers")


def judged(name: str, asked: list[tuple[str, dict, bool]]) -> list[str]:
    module = load("verifiers", load_preset(name).task["verifier"])
    if not hasattr(module, "verify_many"):
        return [module.verify(response, row, strict=strict)[0] for response, row, strict in asked]
    with Sandbox() as sandbox:
        return [verdict for verdict, _ in module.verify_many(asked, sandbox)]


WRONG = {
    "mbpp": "```python\ndef count_even(numbers):\n    return 0\n```",
    "mbpp_plus": "```python\ndef count_even(numbers):\n    return 0\n```",
    "humaneval": "```python\ndef double(number):\n    return 3\n```",
    "gsm8k": "#### 17",
    "math": r"\boxed{54}",
    "bird": "```sql\nSELECT COUNT(*) + 1 FROM loans\n```",
}


@pytest.mark.parametrize("name", OWN)
def test_the_reference_of_a_preset_s_example_is_right_and_another_is_wrong(name, tmp_path):
    by_letter = load_preset(name).by_measure
    row = of_example(name, tmp_path, **({"evaluate": "accuracy"} if by_letter else {}))
    wrong = WRONG.get(name) or f"Answer: {'B' if row['answer'] == 'A' else 'A'}"
    asked = [(text, row, strict) for text in (row["reference"], wrong, "I do not know.") for strict in (False, True)]
    assert judged(name, asked) == ["correct"] * 2 + ["incorrect"] * 2 + ["format_error"] * 2


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "validation"])
def test_every_program_of_mbpp_passes_its_tests(split):
    shared_rows(f"mbpp-{split}")
    rows = file.load(block("mbpp", path=str(FOLDER)), split)
    rows = [normalise_example(row)[0] for row in rows]
    verdicts = judged("mbpp", [(row["reference"], row, True) for row in rows])
    assert [row["example_id"] for row, verdict in zip(rows, verdicts, strict=True) if verdict != "correct"] == []


@pytest.mark.slow
def test_every_program_of_humaneval_passes_its_tests():
    rows = human_eval.load(block("humaneval"), "test")
    verdicts = judged("humaneval", [(row["reference"], row, True) for row in rows])
    assert [row["example_id"] for row, verdict in zip(rows, verdicts, strict=True) if verdict != "correct"] == []
    assert all(json.loads(row["meta"])["entry_point"] in row["reference"] for row in rows)
