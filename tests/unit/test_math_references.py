"""Whether every reference solution of MATH is right by its own boxed answer."""

import pytest
from real_rows import shared_rows

from clearminds.plugins.boxed import boxed
from clearminds.plugins.verifiers.math import verify


# several boxes in one solution: the last one is the answer of MATH, also where math-verify reads them as one list
@pytest.mark.slow
@pytest.mark.parametrize("split", ["validation", pytest.param("test", marks=pytest.mark.slow)])
def test_every_reference_of_math_is_right(split):
    wrong = []
    for row in shared_rows(f"math-{split}"):
        example = {"answer": boxed(row["solution"])}
        verdicts = {verify(row["solution"], example, strict=strict)[0] for strict in (False, True)}
        if verdicts != {"correct"}:
            wrong.append((row["problem"], verdicts))
    assert not wrong
