"""The weighted token loss against autograd on the whole block of logits: the same value and the same gradients, however
a step is split, and nothing at all where no token counts."""

import copy

import pytest
import torch
from tiny import tiny_model_folder
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

from clearminds.model.weighted_loss import WeightedBatch, weighted_token_loss


@pytest.fixture(scope="module", params=["llama", "gemma2"])
def model(request, tmp_path_factory):
    folder = tiny_model_folder(tmp_path_factory.mktemp("tiny") / request.param, request.param)
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def rows_of(lengths, weight, seed=0):
    """Rows whose weights `weight(generator, n)` gives; the first third of each, a prompt, has none."""
    generator = torch.Generator().manual_seed(seed)
    return [
        {
            "input_ids": torch.randint(3, 300, (n,), generator=generator).tolist(),
            "weights": [0.0] * (n // 3) + weight(generator, n - n // 3).tolist(),
        }
        for n in lengths
    ]


def fractional(generator, n):
    values = torch.rand(n, generator=generator) * 2
    return values * (torch.rand(n, generator=generator) > 0.4)


def binary(generator, n):
    return (torch.rand(n, generator=generator) > 0.4).float()


def naive(model, rows):
    """Row by row, without padding, from the logits of every position: sum of weight * -log p, and sum of weight."""
    loss, total = 0.0, 0.0
    for row in rows:
        logprobs = model(input_ids=torch.tensor([row["input_ids"]])).logits[0].float().log_softmax(-1)
        for position in range(1, len(row["input_ids"])):
            loss = loss - row["weights"][position] * logprobs[position - 1, row["input_ids"][position]]
        total += sum(row["weights"])
    return loss, total


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return [p.grad.clone() for p in model.parameters()]


def assert_close(found, expected, atol=1e-5):
    scale = max(1.0, max(float(e.abs().max()) for e in expected))
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=atol * scale)


def test_loss_and_gradients_are_those_of_the_whole_block_of_logits(model):
    rows = rows_of([12, 30, 7, 21], fractional)
    expected, total = naive(model, rows)
    found = weighted_token_loss(model, WeightedBatch.of(rows), total)
    torch.testing.assert_close(found, expected / total, rtol=1e-5, atol=1e-6)
    assert_close(gradients(model, found), gradients(model, expected / total))


def test_weights_of_zero_and_one_are_cross_entropy_on_labels(model):
    rows = rows_of([12, 30, 7], binary)
    batch = WeightedBatch.of(rows)
    labels = batch.input_ids.masked_fill(batch.weights == 0, -100)
    logits = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
    expected = cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    found = weighted_token_loss(model, batch, batch.weights.sum())
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert_close(gradients(model, found), gradients(model, expected))


def test_twice_the_weight_of_one_token_adds_its_loss_once_more(model):
    [row] = rows_of([10], lambda generator, n: torch.ones(n))
    heavier = copy.deepcopy(row)
    heavier["weights"][7] = 2.0
    alone = {**row, "weights": [0.0] * 7 + [1.0] + [0.0] * 2}
    plain, twice, once = (weighted_token_loss(model, WeightedBatch.of([r]), 1.0) for r in (row, heavier, alone))
    torch.testing.assert_close(twice, plain + once, rtol=1e-5, atol=1e-5)
    assert once > 0.01


def test_a_batch_without_weight_gives_no_loss_and_no_gradient(model):
    rows = rows_of([9, 5], lambda generator, n: torch.zeros(n))
    loss = weighted_token_loss(model, WeightedBatch.of(rows), torch.finfo(torch.float32).tiny)
    assert loss.item() == 0
    assert all(not gradient.any() for gradient in gradients(model, loss))


@pytest.mark.parametrize("parts", [[[0], [1], [2], [3], [4]], [[0, 3], [1, 2, 4]], [[4, 3, 2, 1], [0]]])
def test_the_parts_of_a_step_sum_to_the_whole(model, parts):
    rows = rows_of([12, 30, 7, 21, 9], fractional) + rows_of([8], lambda generator, n: torch.zeros(n))
    parts = [*parts, [5]]
    total = sum(sum(row["weights"]) for row in rows)
    whole = weighted_token_loss(model, WeightedBatch.of(rows), total)
    expected = gradients(model, whole)
    model.zero_grad()
    sums = 0.0
    for part in parts:
        loss = weighted_token_loss(model, WeightedBatch.of([rows[i] for i in part]), total)
        loss.backward()
        sums += loss.item()
    assert sums == pytest.approx(whole.item(), rel=1e-5)
    assert_close([p.grad for p in model.parameters()], expected)


def test_padding_has_no_weight():
    batch = WeightedBatch.of(
        [{"input_ids": [5, 6, 7], "weights": [0.0, 0.5, 1.0]}, {"input_ids": [8], "weights": [0.25]}]
    )
    assert batch.weights.dtype == torch.float32
    assert batch.weights.tolist() == [[0, 0.5, 1], [0.25, 0, 0]]
    assert batch.attention_mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch.input_ids.tolist() == [[5, 6, 7], [8, 0, 0]]


def test_only_the_logits_of_counted_tokens_are_computed(model):
    rows = rows_of([12, 30], binary)
    counted = int(sum(sum(row["weights"]) for row in rows))
    seen = []
    hook = model.get_output_embeddings().register_forward_hook(lambda module, args, output: seen.append(output.shape))
    weighted_token_loss(model, WeightedBatch.of(rows), 1.0)
    hook.remove()
    assert [tuple(shape) for shape in seen] == [(counted, 300)]
