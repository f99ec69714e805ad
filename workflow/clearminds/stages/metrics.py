"""What fine-tuning gained on the target task and lost on the others: TI and BWT, and scores from log-probabilities.

All changes are relative and in percent, as defined in arXiv 2501.14315.
"""

import math
from collections.abc import Mapping
from typing import Any

from clearminds.errors import UserError


def target_improvement(after: float, base: float) -> float:
    """TI = 100 * (S_after / S_base - 1), in percent, from scores of one task before and after fine-tuning.

    Raises:
        UserError: the base score is 0, so that no relative change exists.
    """
    if base == 0:
        raise UserError(
            "the base model's score is 0, so a relative change is undefined; choose a task it can do at times"
        )
    return 100 * (after / base - 1)


def backward_transfer(after: Mapping[str, float | Any], base: Mapping[str, float | Any]) -> float:
    """BWT = 100 * mean over the non-target tasks of (S_after / S_base - 1), in percent; every task weighs the same.

    Args:
        after: score per non-target task after fine-tuning; Any stands for None, which is refused.
        base: score per non-target task of the base model.

    Raises:
        UserError: there is no task, a task has no score on one side (a blank is not a 0), or a base score is 0.
    """
    tasks = sorted(after.keys() | base.keys())
    if not tasks:
        raise UserError("BWT needs at least one task besides the target; add one to a suite")
    for task in tasks:
        for side, scores in (("the fine-tuned", after), ("the base", base)):
            if scores.get(task) is None:
                raise UserError(
                    f"task {task}: no score of {side} model, and BWT counts no blank as 0; evaluate it on both"
                )
        if base[task] == 0:
            raise UserError(
                f"task {task}: the base model's score is 0, so BWT is undefined; choose a task it can do at times"
            )
    return math.fsum(target_improvement(after[task], base[task]) for task in tasks) / len(tasks)


def likelihood_score(nll_sum: float, n_tokens: int) -> float:
    """S = exp(-sum NLL / sum tokens): the probability of a reference token, geometric mean over all of them.

    Args:
        nll_sum: negative log-likelihood in nats, summed over the tokens of all items.
        n_tokens: how many tokens those are.
    """
    return _exp_of_minus_mean(nll_sum, n_tokens)


def drift_score(kl_sum: float, n_tokens: int) -> float:
    """S = exp(-mean KL): 1 where the fine-tuned model predicts as the base does, towards 0 the further it moved.

    Args:
        kl_sum: Kullback-Leibler divergence in nats, summed over the tokens of all items.
        n_tokens: how many tokens those are.
    """
    return _exp_of_minus_mean(kl_sum, n_tokens)


def _exp_of_minus_mean(total: float, n_tokens: int) -> float:
    if n_tokens < 1:
        raise UserError(f"a mean over tokens needs at least one, but n_tokens is {n_tokens}")
    return math.exp(-total / n_tokens)


def pass_at_k(samples: int, right: int, k: int) -> float:
    """The chance that one of k samples is right, estimated without bias: 1 - C(n - c, k) / C(n, k) (arXiv 2107.03374).

    Args:
        samples: n, how many were drawn.
        right: c, how many of them are right.
        k: at most `samples`.
    """
    return 1 - math.comb(samples - right, k) / math.comb(samples, k)
