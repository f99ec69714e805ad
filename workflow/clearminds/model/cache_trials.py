"""Whether a model gives with a cache what it gives without: told apart from its own rounding, which it shows where the
same tokens run in another way that is surely right."""

from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

import torch

from clearminds.model.causal_model import CausalModel

FLOAT32 = 1e-3  # nats; in float32 a wrong cache is off by far more
MOST = 0.5  # nats that no rounding explains
ROUNDINGS = 32  # nats, in units of a dtype's rounding, that a model of many layers moves anyway: in bfloat16 a quarter
NOISES = 4  # nor from so many times the noise, which is known from a few numbers only
TRIED = 32  # tokens of a trial, and of its padding
STRIDE = 7919  # a prime, so that ids which are made up differ

_counts_places: WeakKeyDictionary[torch.nn.Module, bool] = WeakKeyDictionary()


def within_noise(off: float, dtype: torch.dtype, noise: Callable[[], float]) -> bool:
    """Whether a difference is rounding.

    Args:
        off: nats by which the log-probability of a token differs; of many tokens the root mean square, as the largest
            is mostly chance. NaN is no rounding.
        dtype: of the model's weights.
        noise: the same between two ways that are both right; called only if it decides, and never in float32.
    """
    if dtype in (torch.float32, torch.float64):
        return off <= FLOAT32
    if off <= ROUNDINGS * torch.finfo(dtype).eps:
        return True
    return off <= MOST and off <= NOISES * noise()


def counts_places(model: CausalModel, tokens: Sequence[int]) -> bool:
    """Whether masked padding between two parts of a text changes what the model gives, as it does with ALiBi by place.

    Tried once for each model, with padding of more tokens than a batch often has.

    Args:
        model: causal language model in evaluation mode, whose cache is keys and values of tokens.
        tokens: ids of some text; what they are short of a trial is filled up with other ids, as equal ones show little.
    """
    if model not in _counts_places:
        others = [(STRIDE * n) % model.config.get_text_config().vocab_size for n in range(TRIED)]
        text = [*tokens, *others][:TRIED]
        whole, near, far = _last(model, text), _last(model, text, 0), _last(model, text, TRIED)
        dtype = next(model.parameters()).dtype
        _counts_places[model] = not within_noise(_apart(far, whole), dtype, lambda: _apart(near, whole))
    return _counts_places[model]


@torch.inference_mode()
def _last(model: CausalModel, text: list[int], padding: int | None = None) -> torch.Tensor:
    """Log-probabilities behind a text, [vocabulary]. Args: padding: tokens between its halves, which run one after the
    other; None: it runs whole."""
    device = next(model.parameters()).device
    ids = torch.tensor([text], device=device)
    if padding is None:
        return model(input_ids=ids, use_cache=False).logits[0, -1].float().log_softmax(-1)
    half = len(text) // 2
    cache = model(input_ids=ids[:, :half], use_cache=True).past_key_values
    mask = torch.ones(1, len(text) + padding, dtype=torch.long, device=device)
    mask[:, half : half + padding] = 0
    output = model(
        input_ids=torch.cat([ids.new_zeros(1, padding), ids[:, half:]], dim=1),
        attention_mask=mask,
        position_ids=(mask.cumsum(-1) - 1)[:, half:],
        past_key_values=cache,
        use_cache=True,
    )
    return output.logits[0, -1].float().log_softmax(-1)


def _apart(left: torch.Tensor, right: torch.Tensor) -> float:
    """Root mean square of a difference, of the tokens that neither excludes."""
    there = left.isfinite() | right.isfinite() | left.isnan() | right.isnan()
    return float((left - right)[there].square().mean().sqrt())
