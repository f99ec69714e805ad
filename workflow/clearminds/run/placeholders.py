"""What a profile leaves for its user to fill in: found before anything is submitted.

A scheduler would refuse each job by itself, or charge an account that happens to have the placeholder's name. Used by
the Snakefile.
"""

from collections.abc import Mapping
from typing import Protocol

from clearminds.errors import UserError

PLACEHOLDER = "SET_ME"


class Settings(Protocol):
    """What is asked of Snakemake's `workflow.resource_settings`."""

    default_resources: Mapping | None
    overwrite_resources: Mapping[str, Mapping]


def refuse_placeholders(settings: Settings) -> None:
    """Refuse to run while a resource of the profile is still its placeholder.

    Raises:
        UserError: names every such key.
    """
    left = [f"default-resources: {name}" for name in _left(settings.default_resources or {})]
    rules: dict[str, list[str]] = {}
    for rule, resources in settings.overwrite_resources.items():
        for name in _left(resources):
            rules.setdefault(name, []).append(rule)
    left += [f"set-resources: {names[0]}: {resource}" for resource, names in rules.items()]
    if left:
        raise UserError(
            f"{', '.join(left)}: still {PLACEHOLDER}; write your cluster's values into the profile, as docs/cluster.md "
            "says; nothing was submitted"
        )


def _left(resources: Mapping) -> list[str]:
    return [name for name, value in resources.items() if str(getattr(value, "raw", value)) == PLACEHOLDER]
