"""Online rules against autograd on the whole block of float32 logits, token by token: the same value and the same
gradients, whatever a step is cut into; and what each becomes where its setting switches it off."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from small_training import training
from tiny import tiny_model_folder
from transformers import AutoModelForCausalLM

from clearminds.checkout import PLUGINS
from clearminds.model.losses.rule import Tokens
from clearminds.model.losses.terms import TERMS
from clearminds.model.token_statistics import token_statistics
from clearminds.model.weighted_loss import WeightedBatch, weighted_token_loss
from clearminds.plugins.load import load, names
from clearminds.stages.training.adapter import add_adapter, trained_parameters

# of every rule, settings at which it does something
SETTINGS = {
    "asft": {"alpha": 0.3},
    "clip": {"epsilon": 0.28},
    "dft": {},
    "eaft": {"alpha": 1.5},
    "eksft": {"top": 0.4, "kl": 0.2, "entropy": 0.7},
    "infosft": {"c": 2.0},
    "kl": {"beta": 0.5},
    "profit": {"threshold": 0.002},
}
OFF = {
    "asft": ({"alpha": 0.0}, "dft"),
    "eaft": ({"alpha": 0.0}, None),
    "eksft": ({"top": 0.0, "kl": 1.0, "entropy": 1.0}, None),
    "kl": ({"beta": 0.0}, None),
    "profit": ({"threshold": 0.0}, None),
}


def rule(name):
    return load("losses", name).RULE


@pytest.fixture(scope="module", params=["llama", "gemma2"])
def model(request, tmp_path_factory):
    """A model with an adapter that moves its predictions; its head's outputs are capped in one of the two."""
    folder = tiny_model_folder(tmp_path_factory.mktemp("tiny") / request.param, request.param)
    return adapted(folder)


def adapted(folder, size=0.15, **changed):
    model = add_adapter(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), training(**changed), "o/n")
    torch.manual_seed(1)
    for parameter in trained_parameters(model).values():
        parameter.data += torch.randn_like(parameter) * size
    return model.train()


def rows_of(lengths, seed=0):
    """Rows of unequal length with weights of 0, 1 and between; the first third, a prompt, has none."""
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for n in lengths:
        weights = torch.rand(n - n // 3, generator=generator).mul(2).round(decimals=1)
        weights *= torch.rand(n - n // 3, generator=generator) > 0.3
        ids = torch.randint(3, 300, (n,), generator=generator).tolist()
        rows.append({"input_ids": ids, "weights": [0.0] * (n // 3) + weights.tolist()})
    return rows


ROWS = [*rows_of([12, 30, 7, 21, 9]), {"input_ids": [5, 6, 7], "weights": [0.0, 0.0, 0.0]}]
TOTAL = sum(sum(row["weights"]) for row in ROWS)


def naive(model, rows, name, chosen):
    """Row by row, without padding, from the logits of every position, each token by itself."""
    loss = 0.0
    for row in rows:
        ids = torch.tensor([row["input_ids"]])
        now = model(input_ids=ids).logits[0].float().log_softmax(-1)
        with torch.no_grad(), model.disable_adapter():
            base = model(input_ids=ids).logits[0].float().log_softmax(-1)
        at = [t for t in range(1, len(row["weights"])) if row["weights"][t]]
        entropies = [float(-(now[t - 1].exp() * now[t - 1]).sum()) for t in at]
        kls = [float((now[t - 1].exp() * (now[t - 1] - base[t - 1])).sum()) for t in at]
        for n, t in enumerate(at):
            p, q = now[t - 1], base[t - 1]
            nll, prob = -p[ids[0, t]], p[ids[0, t]].exp().item()
            kl, kl_of_base = (p.exp() * (p - q)).sum(), (q.exp() * (q - p)).sum()
            top = p.exp().detach().sort(descending=True).values[:20]
            top = top / top.sum()

            def highest(values, n=n):
                return sum(v > values[n] for v in values) < int(len(values) * chosen["top"])

            if name == "dft":
                value = prob * nll
            elif name == "profit":
                value = nll if prob >= chosen["threshold"] else 0 * nll
            elif name == "eaft":
                value = (-(top * top.log()).sum().item() / math.log(20)) ** chosen["alpha"] * nll
            elif name == "asft":
                value = prob * nll + chosen["alpha"] * kl_of_base
            elif name == "kl":
                value = nll + chosen["beta"] * kl
            elif name == "infosft":
                value = max(0.0, prob * (chosen["c"] - math.log(prob / (1 - prob)))) * nll
            elif name == "clip":
                ratio = prob / q[ids[0, t]].exp().item()
                value = (ratio if ratio < 1 + chosen["epsilon"] else 0.0) * nll
            elif name == "eksft":
                far, unsure = highest(kls), highest(entropies)
                value = 0 * nll if far or unsure else nll
                value = value + far * chosen["kl"] * kl
                value = value + unsure * chosen["entropy"] * (p.exp() * p).sum() / math.log(300)
            loss = loss + row["weights"][t] * value
    return loss / TOTAL


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return [p.grad.clone() for p in trained_parameters(model).values()]


def assert_close(found, expected, atol=2e-5):
    scale = max(1.0, max(float(e.abs().max()) for e in expected))
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=atol * scale)


def test_every_rule_there_is_is_tested_here():
    assert names("losses") == sorted(SETTINGS)
    assert PLUGINS["losses"] == "clearminds.model.losses"


@pytest.mark.parametrize("chunk", [1, 7, 256])
@pytest.mark.parametrize("name", SETTINGS)
def test_value_and_gradients_are_those_of_the_whole_block_of_logits(model, name, chunk):
    expected = naive(model, ROWS, name, SETTINGS[name])
    found = rule(name)(model, WeightedBatch.of(ROWS), TOTAL, SETTINGS[name], chunk)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert_close(gradients(model, found), gradients(model, expected))
    plain = weighted_token_loss(model, WeightedBatch.of(ROWS), TOTAL)
    assert abs(found.item() - plain.item()) > 1e-3, "the rule does something"


@pytest.mark.parametrize("parts", [[[0], [1], [2], [3], [4], [5]], [[5, 0, 3], [1, 2, 4]], [[4, 3, 2, 1], [0, 5]]])
@pytest.mark.parametrize("name", SETTINGS)
def test_the_parts_of_a_step_sum_to_the_whole(model, name, parts):
    whole = rule(name)(model, WeightedBatch.of(ROWS), TOTAL, SETTINGS[name])
    expected = gradients(model, whole)
    model.zero_grad()
    sums = 0.0
    for part in parts:
        loss = rule(name)(model, WeightedBatch.of([ROWS[i] for i in part]), TOTAL, SETTINGS[name], 5)
        loss.backward()
        sums += loss.item()
    assert sums == pytest.approx(whole.item(), rel=1e-5, abs=1e-6)
    assert_close([p.grad for p in trained_parameters(model).values()], expected)


@pytest.mark.parametrize("name", OFF)
def test_a_rule_that_is_switched_off_is_the_plain_loss_or_the_one_it_extends(model, name):
    chosen, other = OFF[name]
    batch = WeightedBatch.of(ROWS)
    found = rule(name)(model, batch, TOTAL, chosen)
    expected = rule(other)(model, batch, TOTAL, {}) if other else weighted_token_loss(model, batch, TOTAL)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert_close(gradients(model, found), gradients(model, expected))


@pytest.mark.parametrize("name", ["clip", "kl"])
def test_before_its_first_step_a_model_is_its_base_and_the_loss_the_plain_one(tmp_path, name):
    fresh = adapted(tiny_model_folder(tmp_path / "tiny"), size=0.0)
    batch = WeightedBatch.of(ROWS)
    found = rule(name)(fresh, batch, TOTAL, SETTINGS[name])
    expected = weighted_token_loss(fresh, batch, TOTAL)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
    assert_close(gradients(fresh, found), gradients(fresh, expected))


@pytest.mark.parametrize("name", ["kl", "asft"])
def test_a_step_against_the_gradient_of_a_penalty_brings_the_model_back_to_its_base(model, name):
    """The sign, whatever the formula: with a factor that drowns the rest, the distance to the base falls."""
    key, distance = {"kl": ("beta", "kl"), "asft": ("alpha", "kl_of_base")}[name]
    state = {name: p.detach().clone() for name, p in trained_parameters(model).items()}

    def far():
        found = []
        for row in ROWS[:5]:
            ids = torch.tensor([row["input_ids"]])
            with torch.no_grad():
                now = model(input_ids=ids).logits[0].log_softmax(-1)
                with model.disable_adapter():
                    base = model(input_ids=ids).logits[0].log_softmax(-1)
            found.append(TERMS[distance](now, base, ids[0]).mean().item())
        return sum(found)

    before = far()
    step = gradients(model, rule(name)(model, WeightedBatch.of(ROWS), TOTAL, {key: 1e4}))
    norm = torch.stack([g.norm() for g in step]).norm()
    with torch.no_grad():
        for parameter, gradient in zip(trained_parameters(model).values(), step, strict=True):
            parameter -= 0.05 * gradient / norm
    after = far()
    with torch.no_grad():
        for key, parameter in trained_parameters(model).items():
            parameter.copy_(state[key])
    assert 0 < after < before


def test_only_the_logits_of_kept_tokens_are_computed_of_the_model_and_of_its_base(model):
    kept = sum(weight != 0 for row in ROWS for weight in row["weights"])
    seen = []
    hook = model.get_output_embeddings().register_forward_hook(lambda module, args, output: seen.append(output.shape))
    rule("dft")(model, WeightedBatch.of(ROWS), TOTAL, {})
    rule("kl")(model, WeightedBatch.of(ROWS), TOTAL, {"beta": 0.1})
    hook.remove()
    assert [tuple(shape) for shape in seen] == [(kept, 300)] * 3


@pytest.mark.parametrize("name", SETTINGS)
def test_a_batch_without_weight_gives_no_loss_and_no_gradient(model, name):
    loss = rule(name)(model, WeightedBatch.of(ROWS[5:]), torch.finfo(torch.float32).tiny, SETTINGS[name])
    assert loss.item() == 0
    assert all(not gradient.any() for gradient in gradients(model, loss))


def test_the_base_is_asked_without_dropout_and_leaves_the_model_in_training(tmp_path):
    model = adapted(tiny_model_folder(tmp_path / "tiny"), size=0.0, dropout=0.5)
    loss = rule("kl")(model, WeightedBatch.of(ROWS), TOTAL, {"beta": 100.0})
    # a fresh adapter is the base whatever its dropout: its second factor is 0
    torch.testing.assert_close(loss, weighted_token_loss(model, WeightedBatch.of(ROWS), TOTAL), rtol=1e-6, atol=1e-6)
    assert all(module.training for module in model.modules())
    assert all(parameter.requires_grad for name, parameter in model.named_parameters() if "lora_" in name)


def test_the_terms_are_the_columns_of_the_score_tables():
    torch.manual_seed(0)
    logits, targets = torch.randn(40, 300) * 4, torch.randint(300, (40,))
    logprob, entropy, top20, *_ = token_statistics(logits, targets).unbind(1)
    now = logits.log_softmax(-1)
    for name, expected in {"nll": -logprob, "entropy": entropy, "entropy_top20": top20}.items():
        torch.testing.assert_close(TERMS[name](now, now, targets), expected, rtol=1e-5, atol=1e-5)


NLL = st.lists(st.floats(0, 120), min_size=1, max_size=20)


def tokens(nll, **terms):
    given = {"nll": nll, **terms}
    values = {name: torch.tensor(value, dtype=torch.float32) for name, value in given.items()}
    return Tokens(values, torch.zeros(len(nll), dtype=torch.long), 300)


@given(NLL, st.floats(0, 3), st.floats(-3, 5))
@hypothesis_settings(deadline=None)
def test_weights_are_finite_and_in_their_range_for_every_probability(nll, alpha, c):
    entropies = [min(value, math.log(20)) for value in nll]
    found = {
        "dft": load("losses", "dft").coefficients(tokens(nll), {}),
        "eaft": load("losses", "eaft").coefficients(tokens(nll, entropy_top20=entropies), {"alpha": alpha}),
        "profit": load("losses", "profit").coefficients(tokens(nll), {"threshold": 0.1}),
        "infosft": load("losses", "infosft").coefficients(tokens(nll), {"c": c}),
        "clip": load("losses", "clip").coefficients(tokens(nll, base_nll=nll[::-1]), {"epsilon": 0.28}),
    }
    for name, given_to in found.items():
        weights = given_to["nll"]
        assert torch.isfinite(weights).all() and (weights >= 0).all(), name
        assert name == "infosft" or (weights <= (1.28 if name == "clip" else 1 + 1e-6)).all(), name


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=1, max_size=12), st.floats(0, 1))
@hypothesis_settings(deadline=None)
def test_eksft_leaves_out_the_highest_of_each_response_the_earlier_of_equal_ones(values, share):
    module = load("losses", "eksft")
    many, example = values + values[::-1], [0] * len(values) + [2] * len(values)
    chosen = module._highest(torch.tensor(many), torch.tensor(example), share).tolist()
    for part in (slice(0, len(values)), slice(len(values), None)):
        ranked = sorted(range(len(values)), key=lambda i, part=part: (-many[part][i], i))[: int(len(values) * share)]
        assert [n for n, hit in enumerate(chosen[part]) if hit] == sorted(ranked)
