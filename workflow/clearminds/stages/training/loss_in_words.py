"""What a training's loss was, for readers of its model card."""

from collections.abc import Callable
from typing import Any

# by rule of `model/losses`
RULES: dict[str, Callable[[dict[str, Any]], str]] = {
    "dft": lambda keys: "each of them times the model's own probability of it (DFT)",
    "profit": lambda keys: f"those that the model gives a probability of {keys['threshold']} or more (ProFit)",
    "eaft": lambda keys: f"each times (entropy of the 20 likeliest tokens / ln 20) ^ {keys['alpha']} (EAFT)",
    "asft": lambda keys: f"each times the model's own probability of it, plus {keys['alpha']} KL(base, model) (ASFT)",
    "infosft": lambda keys: (
        f"each times max(0, q ({keys['c']} - ln(q / (1 - q)))), q the model's probability (InfoSFT)"
    ),
    "clip": lambda keys: f"each times r = p / p of the base where r is below 1 + {keys['epsilon']}, else 0 (clipping)",
    "kl": lambda keys: f"each plus {keys['beta']} KL(model, base)",
    "eksft": lambda keys: (
        f"without the {100 * keys['top']:g} % of each response of highest entropy or KL(model, base), there plus "
        f"{keys['kl']} KL - {keys['entropy']} entropy / ln(vocabulary) (EKSFT)"
    ),
}
NORMALISERS = {"kept": "the number of tokens with a weight", "all": "the number of response tokens"}


def loss_in_words(training: dict[str, Any], tokens: str) -> str:
    """What the loss is taken over.

    Args:
        training: the settings of a training.
        tokens: the tokens that its masks keep, in words.
    """
    divided = NORMALISERS.get(training.get("normaliser") or "")
    over = f"sum over {tokens}, divided by {divided}" if divided else f"mean over {tokens}"
    rule = training.get("loss")
    return f"{over}; {RULES[rule['rule']](rule)}" if rule else over
