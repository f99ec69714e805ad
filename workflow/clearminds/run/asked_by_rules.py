"""Functions of wildcards that rules are given, each with its signature beside it.

Before each call Snakemake asks for the signature of what it calls, up to four times, some ten calls a job; Python works
it out anew each time, unless it is kept at `__signature__`. In a plan of 5,000 jobs that was an eighth of the time.
"""

import inspect
from collections.abc import Callable
from typing import TypeVar

F = TypeVar("F", bound=Callable)


def asked_by_rules(function: F) -> F:
    """Keep the signature of a function or method that is given to a rule. Returns: the function itself."""
    function.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]  # documented in `inspect`
    return function
