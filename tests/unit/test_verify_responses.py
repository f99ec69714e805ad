"""The table of verdicts: order, cut responses, and verifiers that fail."""

import pyarrow as pa
import pytest

from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.plugins.load import load
from clearminds.stages.verify_responses import verify

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
    rows = verify(RESPONSES, EXAMPLES, "number")
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
    rows = verify(responses, examples, "number")
    assert rows == verify(RESPONSES, EXAMPLES, "number")
    assert pa.Table.from_pylist(rows, schema=contracts.VERDICTS.schema).to_pylist() == rows


def test_an_exception_in_a_verifier_is_a_verdict(monkeypatch):
    def broken(*args, **options):
        raise ZeroDivisionError("on\ntwo lines")

    monkeypatch.setattr(load("verifiers", "number"), "verify", broken)
    rows = verify(RESPONSES[:1], EXAMPLES, "number")
    assert (rows[0]["verdict"], rows[0]["detail"]) == ("error", "ZeroDivisionError: on two lines")


def test_a_generator_that_does_not_exist_is_a_verdict():
    examples = [{**EXAMPLES[0], "meta": '{"generator": "nope", "entry": {"answer": "1"}}'}]
    assert verify([response("a", 0, "2")], examples, "reasoning_gym")[0]["verdict"] == "error"


def test_a_response_without_example_is_named():
    with pytest.raises(UserError, match="'c' is not among"):
        verify([response("c", 0, "1")], EXAMPLES, "number")
