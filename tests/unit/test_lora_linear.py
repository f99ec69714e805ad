"""The adapted linear layer that computes at once, against PEFT's own."""

import copy

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import Linear

from clearminds.model.lora_linear import LoraLinear, compute_at_once


class Layer(torch.nn.Module):
    """One linear layer, as a model that PEFT takes."""

    def __init__(self, bias):
        super().__init__()
        self.inner = torch.nn.Linear(24, 40, bias=bias)

    def forward(self, x):
        return self.inner(x)


def adapted(dtype=torch.float32, bias=False, **options):
    """PEFT's model with an adapter whose values are not 0, and one that computes at once."""
    torch.manual_seed(0)
    config = LoraConfig(r=4, lora_alpha=options.pop("alpha", 6), target_modules=["inner"], **options)
    theirs = get_peft_model(Layer(bias).to(dtype), config)
    for name, parameter in theirs.named_parameters():
        if "lora" in name:
            parameter.data = torch.randn(parameter.shape)
    ours = copy.deepcopy(theirs)
    compute_at_once(ours)
    return theirs.train(), ours.train()


def results(model, x, cast=None):
    """The output, and the gradients of the input and of the adapter."""
    model.zero_grad()
    x = x.clone().requires_grad_()
    with torch.autocast("cpu", cast or torch.bfloat16, enabled=cast is not None):
        output = model(x)
    output.float().square().sum().backward()
    return [output.detach(), x.grad, *(p.grad for p in model.parameters() if p.requires_grad)]


def error(found, exact):
    return float((found.double() - exact.double()).norm() / exact.double().norm())


X = torch.randn(3, 7, 24, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("options", [{}, {"use_rslora": True}])
def test_in_float32_it_is_pefts(bias, options):
    theirs, ours = adapted(bias=bias, **options)
    assert {type(m) for m in ours.modules()} & {Linear, LoraLinear} == {LoraLinear}
    for found, exact in zip(results(ours, X), results(theirs, X), strict=True):
        assert found.dtype == exact.dtype
        assert error(found, exact) < 1e-6


def test_in_bfloat16_it_is_closer_to_float32_than_pefts():
    exact = results(adapted(torch.bfloat16)[0].float(), X.bfloat16().float())
    theirs, ours = adapted(torch.bfloat16)
    errors = [
        [error(*pair) for pair in zip(results(model, X.bfloat16(), torch.bfloat16), exact, strict=True)]
        for model in (ours, theirs)
    ]
    for found, of_peft in zip(*errors, strict=True):
        assert found < 1.1 * of_peft
    assert sum(errors[0]) < sum(errors[1])


def test_dropout_is_on_the_adapters_input_alone():
    theirs, ours = adapted(lora_dropout=0.5)
    found, exact = [], []
    for n in range(20):
        for model, kept in ((theirs, exact), (ours, found)):
            torch.manual_seed(n)
            kept.append(results(model, X))
    for own, of_peft in zip(found, exact, strict=True):
        for pair in zip(own, of_peft, strict=True):
            assert error(*pair) < 1e-6
    assert not torch.equal(found[0][0], found[1][0])
    assert torch.equal(ours.eval()(X), ours(X))


def test_no_gradient_is_computed_of_an_input_that_needs_none():
    _, ours = adapted()
    ours(X).sum().backward()
    assert all(p.grad is not None for p in ours.parameters() if p.requires_grad)
    assert X.grad is None


@pytest.mark.parametrize("options", [{"use_dora": True}, {"lora_bias": True}])
def test_what_is_no_plain_lora_is_left_to_peft(options, monkeypatch):
    asked = []
    theirs, ours = adapted(bias=True, **options)
    forward = Linear.forward
    monkeypatch.setattr(Linear, "forward", lambda self, x: asked.append(type(self)) or forward(self, x))
    for found, exact in zip(results(ours, X), results(theirs, X), strict=True):
        assert torch.equal(found, exact)
    assert asked == [LoraLinear, Linear]


def test_it_can_be_switched_off_merged_and_taken_off():
    theirs, ours = adapted()
    with ours.disable_adapter(), theirs.disable_adapter():
        assert torch.equal(ours(X), theirs(X))
    assert torch.equal(ours.merge_and_unload()(X), theirs.merge_and_unload()(X))


def test_a_base_of_another_dtype_is_left_to_peft():
    theirs, ours = adapted(torch.bfloat16)
    assert torch.equal(ours(X.bfloat16()), theirs(X.bfloat16()))  # without autocast: products in float32
