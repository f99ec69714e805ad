"""Links within the page, which its script follows: to flipped items and to the tokens of a variant."""

from urllib.parse import quote, urlencode

from clearminds.report.flips import Flips


def flip_link(model: str, target: str, variant: str, task: str, way: str = "") -> str:
    """To the flipped items of a variant and task. Args: way: lost or gained; empty: both."""
    asked = {"target": f"{model}, trained on {target}", "variant": variant, "task": task, "way": way}
    return _link("flips", asked)


def token_link(model: str, target: str, variant: str) -> str:
    """To the training tokens as a variant's mask has them."""
    return _link("tokens", {"target": f"{model}, {target}", "variant": variant})


def flipped_items(flips: Flips) -> set[tuple[str, str, str, str]]:
    """Model, target, variant and task of which the page has flipped items."""
    return {(flip.model, flip.target, flip.variant, flip.eval_task) for flip in flips.shown}


def _link(section: str, asked: dict[str, str]) -> str:
    return f"#{section}?{urlencode({key: value for key, value in asked.items() if value}, quote_via=quote)}"
