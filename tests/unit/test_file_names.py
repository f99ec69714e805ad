"""Studies two of whose results would be one file."""

import pytest
from demo_study import demo

from clearminds.errors import UserError
from clearminds.run.specs import Specs


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"sources/rephrase.sequences": {"kind": "rephrase"}},
            "sources: rephrase.sequences: its files would have the names of others: source rephrase of split train and "
            "source rephrase.sequences of split train both write train.rephrase.sequences; rename one of them",
        ),
        (
            {"sources/rephrase.shard1of2": {"kind": "rephrase"}},
            "sources: rephrase.shard1of2: its files would have the names of others: ",
        ),
        (
            {"sources/own": {"kind": "rephrase"}, "sources/b.own": {"kind": "rephrase"}, "tasks/gcd/splits/test.b": 4},
            "sources: own: its files would have the names of others: source b.own of split test and source own of "
            "split test.b both write test.b.own; rename one of them",
        ),
        ({"variants/x.draw0": {"responses": "reference"}}, "variants: x.draw0: .draw and a number end the masks"),
    ],
)
def test_a_study_whose_files_cannot_be_told_apart_is_refused(changes, message):
    with pytest.raises(UserError) as caught:
        Specs(demo(changes))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("name", ["my.own", "sequences", "x.sequences", "x.shard1of2", "train.parquet"])
def test_a_source_may_have_dots_where_its_files_are_told_apart(name):
    assert name in Specs(demo({f"sources/{name}": {"kind": "rephrase"}})).study.sources


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"tasks/sums/verifier": "nubmer"},
            "tasks: sums: verifier: 'nubmer' is not one of exact, math, number, reasoning_gym, unverified; "
            "did you mean number?",
        ),
        (
            {"tasks/gcd/reference": "wordings"},
            "tasks: gcd: reference: wordings: generator: 'gcd' is not one of chain_sum",
        ),
    ],
)
def test_a_plugin_that_does_not_exist_is_refused_with_the_config(changes, message):
    with pytest.raises(UserError) as caught:
        Specs(demo(changes))
    assert str(caught.value) == message
