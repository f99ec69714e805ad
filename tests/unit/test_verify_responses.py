"""The table of verdicts: order, cut responses, and verifiers that fail."""

import importlib
import sys
from types import ModuleType
from typing import ClassVar

import pyarrow as pa
import pytest

from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.plugins.load import load
from clearminds.stages.verify_responses import SANDBOX, judge_all, verify

EXAMPLES = [
    {"example_id": key, "messages": [{"role": "user", "content": "?"}], "reference": "", "answer": answer, "meta": "{}"}
    for key, answer in [("a", "1"), ("b", "2")]
]


def response(key, sample, text, finish_reason="stop"):
    return {
        "example_id": key,
        "sample": sample,
        "response": text,
        "token_ids": None,
        "n_tokens": 1,
        "finish_reason": finish_reason,
        "seed": None,
    }


RESPONSES = [
    response("b", 0, "2"),
    response("a", 0, "2"),
    response("a", 1, "it is 1.", "reference"),
    response("b", 1, "2", "length"),
]


def test_rows_are_in_the_responses_order():
    rows = verify(RESPONSES, EXAMPLES, "number", "rlimits")
    assert [(row["example_id"], row["sample"], row["verdict"]) for row in rows] == [
        ("b", 0, "correct"),
        ("a", 0, "incorrect"),
        ("a", 1, "correct"),
        ("b", 1, "format_error"),
    ]
    assert rows[3]["detail"] == "cut at the length limit"


def test_tables_and_lists_give_the_same_rows_and_fit_the_contract():
    responses = pa.Table.from_pylist(RESPONSES, schema=contracts.RESPONSES.schema)
    examples = pa.Table.from_pylist(EXAMPLES, schema=contracts.EXAMPLES.schema)
    rows = verify(responses, examples, "number", "rlimits")
    assert rows == verify(RESPONSES, EXAMPLES, "number", "rlimits")
    assert pa.Table.from_pylist(rows, schema=contracts.VERDICTS.schema).to_pylist() == rows


def test_an_exception_in_a_verifier_is_a_verdict(monkeypatch):
    def broken(*args, **options):
        raise ZeroDivisionError("on\ntwo lines")

    monkeypatch.setattr(load("verifiers", "number"), "verify", broken)
    rows = verify(RESPONSES[:1], EXAMPLES, "number", "rlimits")
    assert (rows[0]["verdict"], rows[0]["detail"]) == ("error", "ZeroDivisionError: on two lines")


def test_a_generator_that_does_not_exist_is_a_verdict():
    examples = [{**EXAMPLES[0], "meta": '{"generator": "nope", "entry": {"answer": "1"}}'}]
    assert verify([response("a", 0, "2")], examples, "reasoning_gym", "rlimits")[0]["verdict"] == "error"


def test_a_response_without_example_is_named():
    with pytest.raises(UserError, match="'c' is not among"):
        verify([response("c", 0, "1")], EXAMPLES, "number", "rlimits")


# --- verifiers that need a sandbox ------------------------------------------------------------------------------------


class FakeSandbox:
    """Notes how it is opened; what it judges is right where the response says so."""

    opened: ClassVar[list] = []

    def __init__(self, isolation):
        self.isolation = isolation

    def __enter__(self):
        self.opened.append(self.isolation)
        return self

    def __exit__(self, *error):
        self.opened.append("closed")


@pytest.fixture
def programs(monkeypatch):
    """A verifier with `verify_many`, and a sandbox that is none."""
    module, sandbox = ModuleType("programs"), ModuleType("sandbox")

    def verify_many(asked, sandbox):
        if "break" in [response for response, _, _ in asked]:
            raise UserError("the sandbox broke")
        if "bad" in [response for response, _, _ in asked]:
            raise ZeroDivisionError("bad")
        return [("correct" if response == "right" else "incorrect", "a\nb") for response, _, _ in asked]

    module.verify_many, sandbox.Sandbox, FakeSandbox.opened = verify_many, FakeSandbox, []
    monkeypatch.setitem(sys.modules, SANDBOX, sandbox)
    return module


def test_a_sandbox_is_opened_once_for_all_and_only_where_it_is_needed(programs):
    asked = [(text, EXAMPLES[0], False) for text in ("right", "wrong", "right")]
    assert [verdict for verdict, _ in judge_all(programs, asked, "rlimits")] == ["correct", "incorrect", "correct"]
    assert FakeSandbox.opened == ["rlimits", "closed"]
    assert judge_all(programs, [], "rlimits") == []
    assert judge_all(load("verifiers", "number"), [("1", EXAMPLES[0], True)], "rlimits")[0][0] == "correct"
    assert FakeSandbox.opened == ["rlimits", "closed"]


def test_one_that_fails_spoils_no_other(programs):
    asked = [(text, EXAMPLES[0], False) for text in ("right", "bad", "wrong")]
    assert judge_all(programs, asked, "rlimits") == [
        ("correct", "a b"),
        ("error", "ZeroDivisionError: bad"),
        ("incorrect", "a b"),
    ]


def test_a_broken_sandbox_is_an_error_of_the_run(programs):
    with pytest.raises(UserError, match="the sandbox broke"):
        judge_all(programs, [("right", EXAMPLES[0], False), ("break", EXAMPLES[0], False)], "rlimits")
    assert FakeSandbox.opened[-1] == "closed"


def test_the_sandbox_is_where_it_is_looked_for():
    assert hasattr(importlib.import_module(SANDBOX), "Sandbox")
