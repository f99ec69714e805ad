"""Verdicts on responses: correct, incorrect, or what kept them from being either."""

import importlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from types import ModuleType

import pyarrow as pa

from clearminds.errors import UserError
from clearminds.files.settings import settings
from clearminds.plugins.load import load

# named, not imported: what runs programs is part of the code of those jobs alone whose verifier runs any
SANDBOX = "clearminds.sandbox.programs"
Asked = tuple[str, dict, bool]  # a response, its example, and whether it is read strictly


@settings
class Settings:
    """What verdicts depend on: the task's verifier, a module of `plugins/verifiers`."""

    verifier: str


@settings
class Runtime:
    """How it runs: `sandbox`, what keeps programs apart from this machine, as of `Sandbox`."""

    sandbox: str


def verify(
    responses: pa.Table | list[dict], examples: pa.Table | list[dict], verifier: str, isolation: str
) -> list[dict]:
    """Rows of the contract VERDICTS, one per response and in the responses' order.

    Args:
        responses: of the contract RESPONSES.
        examples: of the contract EXAMPLES; every response's example must be among them.
        verifier: the name of a module in `clearminds.plugins.verifiers`, which reads leniently here.
        isolation: as of `judge_all`.

    Raises:
        UserError: there is no such verifier, or a response belongs to none of the examples; or as of `judge_all`.
    """
    by_id = {example["example_id"]: example for example in _rows(examples)}
    rows, asked = _rows(responses), []
    for row in rows:
        if row["example_id"] not in by_id:
            raise UserError(
                f"responses: example {row['example_id']!r} is not among the task's examples; generate them again"
            )
        if row["finish_reason"] != "length":
            asked.append((row["response"], by_id[row["example_id"]], False))
    said = iter(judge_all(load("verifiers", verifier), asked, isolation))
    verdicts = []
    for row in rows:
        verdict, detail = (
            ("format_error", "cut at the length limit") if row["finish_reason"] == "length" else next(said)
        )
        verdicts.append(
            {"example_id": row["example_id"], "sample": row["sample"], "verdict": verdict, "detail": detail}
        )
    return verdicts


def judge_all(verifier: ModuleType, asked: Sequence[Asked], isolation: str) -> list[tuple[str, str]]:
    """A verdict and one line of detail for each response; whatever goes wrong with one becomes its verdict "error".

    Args:
        verifier: a module of `plugins/verifiers`.
        asked: the responses.
        isolation: of programs, for verifiers that run any: bubblewrap, apptainer or rlimits.

    Raises:
        UserError: the sandbox is not there, or broke: an error of the run, which says nothing of any response.
    """
    if not asked:
        return []
    if not hasattr(verifier, "verify_many"):
        return [
            _judged(partial(verifier.verify, response, example, strict=strict)) for response, example, strict in asked
        ]
    with importlib.import_module(SANDBOX).Sandbox(isolation) as sandbox:
        try:
            found = [_one_line(*said) for said in verifier.verify_many(list(asked), sandbox)]
        except UserError:
            raise
        except Exception:  # one of them, which is to spoil no other
            found = [_judged(partial(_alone, verifier, one, sandbox)) for one in asked]
    if len(found) != len(asked):
        raise ValueError(f"{verifier.__name__}: {len(found)} verdicts on {len(asked)} responses")
    return found


def sandbox_used(verifiers: Iterable[str | None], isolation: str) -> dict[str, str]:
    """What provenance says of the programs that were run: `sandbox`, or nothing where none were.

    Args:
        verifiers: names of modules in `clearminds.plugins.verifiers`; None: one that is not asked for.
        isolation: as of `judge_all`.
    """
    ran = any(hasattr(load("verifiers", name), "verify_many") for name in set(verifiers) if name)
    return {"sandbox": isolation} if ran else {}


def _alone(verifier: ModuleType, one: Asked, sandbox: object) -> tuple[str, str]:
    return verifier.verify_many([one], sandbox)[0]


def _judged(judge: Callable[[], tuple[str, str]]) -> tuple[str, str]:
    try:
        return _one_line(*judge())
    except UserError:
        raise
    except Exception as error:  # a verifier runs libraries on whatever a model wrote
        return _one_line("error", f"{type(error).__name__}: {error}")


def _one_line(verdict: str, detail: str) -> tuple[str, str]:
    return verdict, " ".join(detail.split())[:300]


def _rows(table: pa.Table | list[dict]) -> list[dict]:
    return table.to_pylist() if isinstance(table, pa.Table) else table
