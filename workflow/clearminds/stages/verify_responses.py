"""Verdicts on responses: correct, incorrect, or what kept them from being either."""

from collections.abc import Callable

import pyarrow as pa

from clearminds.errors import UserError
from clearminds.files.settings import settings
from clearminds.plugins.load import load


@settings
class Settings:
    """What verdicts depend on: the task's verifier, a module of `plugins/verifiers`."""

    verifier: str


def verify(responses: pa.Table | list[dict], examples: pa.Table | list[dict], verifier: str) -> list[dict]:
    """Rows of the contract VERDICTS, one per response and in the responses' order.

    Args:
        responses: of the contract RESPONSES.
        examples: of the contract EXAMPLES; every response's example must be among them.
        verifier: the name of a module in `clearminds.plugins.verifiers`, which reads leniently here.

    Raises:
        UserError: there is no such verifier, or a response belongs to none of the examples.
    """
    check = load("verifiers", verifier).verify
    by_id = {example["example_id"]: example for example in _rows(examples)}
    verdicts = []
    for row in _rows(responses):
        if row["example_id"] not in by_id:
            raise UserError(
                f"responses: example {row['example_id']!r} is not among the task's examples; generate them again"
            )
        if row["finish_reason"] == "length":
            verdict, detail = "format_error", "cut at the length limit"
        else:
            verdict, detail = judge(check, row["response"], by_id[row["example_id"]])
        verdicts.append(
            {"example_id": row["example_id"], "sample": row["sample"], "verdict": verdict, "detail": detail}
        )
    return verdicts


def judge(check: Callable, response: str, example: dict, *, strict: bool = False) -> tuple[str, str]:
    """A verifier's verdict and one line of detail; whatever goes wrong inside it becomes the verdict "error"."""
    try:
        verdict, detail = check(response, example, strict=strict)
    except Exception as error:  # a verifier runs libraries on whatever a model wrote
        verdict, detail = "error", f"{type(error).__name__}: {error}"
    return verdict, " ".join(detail.split())[:300]


def _rows(table: pa.Table | list[dict]) -> list[dict]:
    return table.to_pylist() if isinstance(table, pa.Table) else table
