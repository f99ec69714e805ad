"""Refusing a study whose rule for weights has settings that only the rule itself can judge, such as a formula."""

from clearminds.config.study import Study
from clearminds.config.weights import rules_of
from clearminds.errors import UserError
from clearminds.plugins.load import load


def refuse_wrong_rules(study: Study) -> None:
    """Ask each rule that has a `check` for its own settings.

    Raises:
        UserError: names the variant and what is wrong.
    """
    for name, variant in study.variants.items():
        mixed = rules_of(variant.replay.weights) if variant.replay else ()
        for rule in (*rules_of(variant.weights), *mixed):
            check = getattr(load("weights", rule.rule), "check", None)
            try:
                if check:
                    check(rule.model_dump(exclude_none=True))
            except ValueError as error:
                raise UserError(f"variants: {name}: weights: {rule.rule}: {error}") from None
