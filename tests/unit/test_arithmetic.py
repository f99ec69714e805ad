"""What the store keeps is what the version of its arithmetic says: no number changes while its version stays."""

from pathlib import Path

import numpy as np
import pytest
from golden.arithmetic import ARITHMETICS, results
from golden.record import COMMAND, recorded, rounded

from clearminds.files.contracts import STATISTICS

ROOT = Path(__file__).parents[2]
RANK = STATISTICS.index("rank")


def of_version(name):
    """The golden results of an arithmetic's present version."""
    module = ARITHMETICS[name]
    found = recorded().get(name, {}).get(str(module.ARITHMETIC))
    file = Path(module.__file__).relative_to(ROOT)
    assert found is not None, f"no golden values of ARITHMETIC {module.ARITHMETIC} of {file}; record them: {COMMAND}"
    return found


def advice(name):
    file = Path(ARITHMETICS[name].__file__).relative_to(ROOT)
    return (
        f"results of the arithmetic changed: raise ARITHMETIC in {file} and record the golden values with `{COMMAND}`, "
        "or undo the change"
    )


@pytest.mark.parametrize("name", ARITHMETICS)
def test_the_present_version_has_golden_values(name):
    assert of_version(name)


def test_scores_are_those_of_their_version(tmp_path):
    found, golden = results("scores", tmp_path / "model"), of_version("scores")
    message = advice("scores")
    assert found["token_statistics"].keys() == golden["token_statistics"].keys(), message
    for case, expected in golden["token_statistics"].items():
        rows, expected = np.array(found["token_statistics"][case]), np.array(expected)
        np.testing.assert_allclose(rows, expected, rtol=1e-6, atol=1e-5, err_msg=f"{message}: {case}")
        assert (rows[:, RANK] == expected[:, RANK]).all(), f"{message}: {case}"
    rows, expected = np.array(found["score_batch"]), np.array(golden["score_batch"])
    np.testing.assert_allclose(rows[:, :RANK], expected[:, :RANK], rtol=0, atol=1e-4, err_msg=message)
    # machines order what is closer than rounding as they like
    apart = np.array(golden["distances"]) > 1e-3
    assert apart.mean() > 0.9 and (rows[apart, RANK] == expected[apart, RANK]).all(), message


@pytest.mark.parametrize("name", ["samples", "vllm"])
def test_responses_are_those_of_their_version(tmp_path, name):
    found, golden = rounded(results(name, tmp_path / "model")), of_version(name)
    assert found == golden, advice(name)


def test_fixed_inputs_reach_what_an_arithmetic_does():
    scores, samples = of_version("scores"), of_version("samples")
    lengths = {len(row) for rows in samples["generate_batch"].values() for row in rows}
    assert min(lengths) < 16 and max(lengths) == 24, "some end in the first round of new tokens, and some are cut"
    assert len({tuple(row) for row in samples["generate_batch"]["1.0, 0.95"]}) == 6, "samples differ"
    ranks = [row[RANK] for row in scores["score_batch"]]
    assert min(ranks) < 20 < max(ranks)
    assert {len(row) < 128 for rows in samples["nucleus"].values() for row in rows} == {True, False}
