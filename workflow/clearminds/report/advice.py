"""Which variant to use, as the page says it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Advice:
    """The choice for one model and target, by the rule of `make best`.

    Attributes:
        variant: the one to use; None where none can be named.
        why: in sentences.
        runner_up: in sentences; empty where there is none.
        other: the variant that is the runner-up.
        loss: the largest loss of BWT that the rule accepts, in percent.
        others: what it would choose with other losses, in a sentence; empty where there is nothing to choose from.
    """

    model: str
    target: str
    variant: str | None
    why: str
    runner_up: str
    other: str | None
    loss: float
    others: str = ""
