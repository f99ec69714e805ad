"""What a profile leaves for its user to fill in: found before anything is submitted.

A scheduler would refuse each job by itself, or charge an account that happens to have the placeholder's name.
"""

from collections.abc import Mapping

from clearminds.errors import UserError

PLACEHOLDER = "SET_ME"


def refuse_placeholders(default: Mapping[str, str], by_rule: Mapping[str, Mapping[str, str]]) -> None:
    """Refuse to run while a resource of the profile is still its placeholder.

    Args:
        default: the profile's default-resources.
        by_rule: its set-resources.

    Raises:
        UserError: names every such key.
    """
    left = [f"default-resources: {name}" for name in _left(default)]
    rules: dict[str, list[str]] = {}
    for rule, resources in by_rule.items():
        for name in _left(resources):
            rules.setdefault(name, []).append(rule)
    left += [f"set-resources: {names[0]}: {resource}" for resource, names in rules.items()]
    if left:
        raise UserError(
            f"{', '.join(left)}: still {PLACEHOLDER}; write your cluster's values into the profile, as docs/cluster.md "
            "says; nothing was submitted"
        )


def _left(resources: Mapping[str, str]) -> list[str]:
    return [name for name, value in resources.items() if value == PLACEHOLDER]
