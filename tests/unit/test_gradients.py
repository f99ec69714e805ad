"""Norms of gradients of groups of tokens, against autograd on the whole logits of a tiny model."""

import math

import numpy as np
import pytest
import torch
from tiny import tiny_model_folder
from torch.nn.functional import cross_entropy

from clearminds.files import contracts
from clearminds.files.tables import write_table
from clearminds.model.load import load_model
from clearminds.model.loading import Loading
from clearminds.model.token_gradients import measured, token_groups
from clearminds.stages.measure_gradients import PERPLEXITIES, Runtime, Settings, measure_gradients, probe

LIMITS = (2.0, 100.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_model_folder(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture
def model(folder):
    return probe(load_model(folder, dtype="float32", loading=Loading()))


def conversations() -> list[dict]:
    """Of unequal length, with tokens of every group, and one token behind the response."""
    generator, rows = torch.Generator().manual_seed(0), []
    for n in range(3):
        length = 9 + 3 * n
        ids = torch.randint(3, 300, (length,), generator=generator).tolist()
        losses = 7 * torch.rand(length - 4, generator=generator)
        rows.append({"example_id": f"e{n}", "input_ids": ids, "n_prompt": 3, "logprobs": (-losses).tolist()})
    return rows


def by_autograd(model, rows: list[dict], limit: float) -> tuple[float, float, float]:
    """The three norms, of gradients on full logits, one conversation after the other."""
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    tokens = sum(len(row["logprobs"]) for row in rows)
    sums = [0.0, 0.0]
    for row in rows:
        ids, begin = torch.tensor([row["input_ids"]]), row["n_prompt"]
        n = len(row["logprobs"])
        logits = model(input_ids=ids).logits[0, begin - 1 : begin - 1 + n]
        losses = cross_entropy(logits, ids[0, begin : begin + n], reduction="none") / tokens
        above = torch.tensor(row["logprobs"]) < -math.log(limit)
        for part, of in enumerate((above, ~above)):
            found = torch.autograd.grad((losses * of).sum(), learning, retain_graph=True)
            sums[part] = sums[part] + torch.cat([gradient.flatten() for gradient in found])
    return tuple(float(vector.norm()) for vector in (sums[0] + sums[1], *sums))


@pytest.mark.parametrize("batch_tokens", [10, 1000])  # one conversation after the other, or all at once
def test_norms_are_those_of_autograd(model, batch_tokens):
    rows = conversations()
    found = measured(model, rows, LIMITS, batch_tokens)
    assert [row["perplexity"] for row in found] == list(LIMITS)
    for row in found:
        whole, above, rest = by_autograd(model, rows, row["perplexity"])
        assert whole > 0 and above > 0 and rest > 0
        assert row["norm"] == pytest.approx(whole, rel=1e-4)
        assert row["norm_above"] == pytest.approx(above, rel=1e-4)
        assert row["norm_rest"] == pytest.approx(rest, rel=1e-4)
        # by the law of cosines
        assert row["cosine"] == pytest.approx((whole**2 - above**2 - rest**2) / (2 * above * rest), abs=1e-3)
        losses = [-logprob for one in rows for logprob in one["logprobs"]]
        assert (row["tokens"], row["tokens_above"]) == (
            len(losses),
            sum(x > math.log(row["perplexity"]) for x in losses),
        )


def test_tokens_that_all_lie_below_give_no_gradient_above(model):
    rows = [{**row, "logprobs": [-0.1] * len(row["logprobs"])} for row in conversations()]
    [row] = measured(model, rows, [2.0], 1000)
    assert (row["tokens_above"], row["norm_above"], row["cosine"]) == (0, 0.0, None)
    assert row["norm"] == row["norm_rest"] > 0


def test_a_token_at_the_limit_is_below_it_as_in_masks():
    limit = math.exp(float(np.float32(1.5)))
    assert token_groups([-1.5, -np.nextafter(np.float32(1.5), np.float32(2)), -0.0], [limit]).tolist() == [0, 1, 0]


def test_only_the_second_factor_learns_and_the_base_is_as_it_was(folder, model):
    assert all(".lora_B." in name for name, p in model.named_parameters() if p.requires_grad)
    ids = torch.tensor([[5, 6, 7]])
    base = load_model(folder, dtype="float32", loading=Loading())
    assert torch.equal(model(input_ids=ids).logits, base(input_ids=ids).logits)


def test_the_stage_measures_the_first_examples_of_each_source(folder, tmp_path):
    key = [{"example_id": f"e{n}", "sample": sample} for n in range(9) for sample in range(2)]
    sequences = [{**one, "input_ids": [5, 6, 7, 8, 9], "n_prompt": 2} for one in key]
    blank = dict.fromkeys(contracts.TOKEN_SCORES.schema.names)
    scores = [
        {**blank, **one, "position": p, "logprob": -3.0 * p} for one in key for p in range(2)
    ]  # the last token is behind the response
    write_table(tmp_path / "q", sequences, contracts.SEQUENCES, {})
    write_table(tmp_path / "s", scores, contracts.TOKEN_SCORES, {})
    settings = Settings(["reference"], "float32", Loading())
    rows, cost = measure_gradients(folder, {"reference": (tmp_path / "s", tmp_path / "q")}, settings, Runtime(64))
    assert [(row["batch"], row["examples"]) for row in rows[:: len(PERPLEXITIES)]] == [(0, 8), (1, 1)]
    assert {(row["tokens"], row["tokens_above"]) for row in rows if row["perplexity"] == 10} == {(16, 8), (2, 1)}
    assert set(rows[0]) == set(contracts.GRADIENT_NORMS.schema.names) and cost["tokens"] == 9 * 5
