"""A rule's wildcards, as what is written for them here takes them."""

from typing import Any, Protocol


class Wildcards(Protocol):
    """Snakemake's, or a namespace with the same names. Which there are differs by rule; most are texts."""

    def __getattribute__(self, name: str, /) -> Any:
        """The wildcard of this name."""
