"""The k-th smallest by counting bits: what sorting finds, however the values are put into blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearminds.plugins.order_statistics import count, kth_smallest, median
from clearminds.plugins.scores import BASE, Scores

FLOATS = st.floats(width=32, allow_nan=False)


def blocks(values, sizes):
    parts = np.split(np.asarray(values, np.float32), np.cumsum(sizes)[np.cumsum(sizes) < len(values)])
    return [Scores({BASE: {"logprob": part}}, np.array([0, len(part)]), [("e", 0)]) for part in parts]


@given(st.lists(FLOATS, min_size=1, max_size=50), st.data())
def test_it_is_the_one_that_sorting_finds(values, data):
    k = data.draw(st.integers(min_value=1, max_value=len(values)))
    parts = blocks(values, data.draw(st.lists(st.integers(min_value=1, max_value=9), max_size=5)))
    assert count(parts) == len(values)
    assert kth_smallest(lambda scores: scores["logprob"], parts, k) == np.sort(np.asarray(values, np.float32))[k - 1]
    lower = np.sort(np.asarray(values, np.float32))[(len(values) - 1) // 2]
    assert median(lambda scores: scores["logprob"], parts) == lower


@pytest.mark.parametrize("values", [[-np.inf, np.inf, 0.0], [-0.0, 0.0, 1e-45], [3e38, -3e38, 1.0]])
def test_extreme_values_are_in_order(values):
    found = [kth_smallest(lambda scores: scores["logprob"], blocks(values, [2]), k) for k in (1, 2, 3)]
    assert found == np.sort(np.asarray(values, np.float32)).tolist()
