"""What an online rule may know of a token, each in nats, from the log-probabilities of the model that is trained and of
its base: one number a token, with the gradient that it has.

Of the base, and of the entropy of the likeliest 20, only the value is of use, and no gradient is kept.
"""

from collections.abc import Callable

import torch

TOP = 20


def _nll(now: torch.Tensor, base: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return -now.gather(1, targets[:, None])[:, 0]


def _base_nll(now: torch.Tensor, base: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return _nll(base, base, targets)


def _entropy(now: torch.Tensor, base: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return -_weighted(now, now)


@torch.no_grad()
def _entropy_top20(now: torch.Tensor, base: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    top = now.topk(min(TOP, now.shape[1]), dim=1).values.log_softmax(-1)
    return -_weighted(top, top)


def _kl(now: torch.Tensor, base: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return _weighted(now, now - base)


def _kl_of_base(now: torch.Tensor, base: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return _weighted(base, base - now)


def _weighted(logprobs: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """The mean of values under a distribution."""
    return (logprobs.exp() * values).sum(1)


# by name: `nll` -log p of the token that came, `entropy` of the model, `entropy_top20` of its 20 likeliest tokens
# renormalised, `base_nll` -log p under the base, `kl` KL(model || base), `kl_of_base` KL(base || model)
TERMS: dict[str, Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "nll": _nll,
    "entropy": _entropy,
    "kl": _kl,
    "kl_of_base": _kl_of_base,
    "base_nll": _base_nll,
    "entropy_top20": _entropy_top20,
}
OF_THE_BASE = ("base_nll", "kl", "kl_of_base")
