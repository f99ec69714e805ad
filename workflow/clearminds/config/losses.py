"""The online rules of a variant's `loss:`, a model each: weights that depend on the model while it is trained, and
penalties. What they compute is in `model/losses/`."""

from typing import Annotated, Literal

from pydantic import Field

from clearminds.config.strict import Strict
from clearminds.config.values import Number


class Dft(Strict):
    """Each token counts by the model's own probability of it."""

    rule: Literal["dft"]


class ProFit(Strict):
    """Tokens count that the model gives at least this probability."""

    rule: Literal["profit"]
    threshold: Number = Field(0.1, ge=0, lt=1, description="least probability of a token that counts; 0: all count")


class Eaft(Strict):
    """Each token counts by the model's uncertainty there: (entropy of the 20 likeliest tokens / ln 20) ** alpha."""

    rule: Literal["eaft"]
    alpha: Number = Field(1.0, ge=0, description="0: all tokens count 1")


class Asft(Strict):
    """DFT, plus alpha * KL(base || model)."""

    rule: Literal["asft"]
    alpha: Number = Field(0.1, ge=0, description="factor of the KL; 0: dft")


class InfoSft(Strict):
    """Tokens of medium probability q count most: max(0, q * (c - ln(q / (1 - q))))."""

    rule: Literal["infosft"]
    c: Number = Field(
        description="tokens from probability 1 / (1 + exp(-c)) on do not count: .88 at 2, .95 at 3; the largest weight "
        "is 1 at 2"
    )


class Clip(Strict):
    """A token counts by p / p_base, until that reaches 1 + epsilon."""

    rule: Literal["clip"]
    epsilon: Number = Field(0.28, gt=0, description="how much likelier than under the base a token becomes by training")


class Kl(Strict):
    """The plain loss, plus beta * KL(model || base)."""

    rule: Literal["kl"]
    beta: Number = Field(ge=0, description="factor of the KL; 0: the plain loss")


class EkSft(Strict):
    """The tokens of each response of highest entropy or KL(model || base) do not count; both are regularised there."""

    rule: Literal["eksft"]
    top: Number = Field(0.2, ge=0, lt=1, description="share of a response's tokens, for each of the two")
    kl: Number = Field(0.05, ge=0, description="factor of the KL on the tokens of high KL")
    entropy: Number = Field(0.05, ge=0, description="factor of the entropy / ln(vocabulary) on those of high entropy")


Loss = Annotated[
    Dft | ProFit | Eaft | Asft | InfoSft | Clip | Kl | EkSft,
    Field(discriminator="rule"),
]
NEED_THE_BASE = ("asft", "clip", "kl", "eksft")  # of which the base is asked beside the model
