"""The command line of a launcher, parsed once, by the signature of its `main`.

    main(job, *, examples: Path, scores: list[Path], shard: str = "", masks: Output)

takes `--examples FILE --scores FILE FILE --masks FILE`, and beside these the options that every job has (`Arguments`).
"""

import argparse
import inspect
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NewType

from clearminds.errors import UserError
from clearminds.files.settings import parse, settings

Output = NewType("Output", Path)  # marks the arguments of a launcher that are its results
OUTPUT = (Output, Output | None)


@settings
class Running:
    """The keys of `--runtime` that every job reads.

    Attributes:
        gpus: devices of the job; 0: it runs on the CPU.
        reuse: whether a result is taken back where settings, code and inputs are what they were.
        attempt: which one this is of the run; more than 1 where Snakemake tries again.
    """

    gpus: int = 0
    reuse: bool = True
    attempt: int = 1


@dataclass(frozen=True)
class Arguments:
    """A parsed command line.

    Attributes:
        spec: settings that the result depends on, as JSON has them.
        settings: the same, parsed by the stage's class.
        code: fingerprint that the job was submitted with; empty for a job that is run by hand.
        runtime: those keys of `runtime` that the stage reads, parsed by its class; None where it reads none.
        running: the keys that every job reads.
        budgets: the keys of `runtime` by name, for messages that tell which one to lower.
        log: where its log is.
        memory: folder where jobs remember their runs; None: nothing is remembered.
        own: the keyword arguments of `main`.
        inputs, outputs: the files among these.
    """

    spec: dict
    settings: Any
    code: str
    runtime: Any
    running: Running
    budgets: dict
    log: Path
    memory: Path | None
    own: dict[str, Any]
    inputs: list[Path]
    outputs: list[Path]


def parse_arguments(
    stage: str,
    main: Callable[..., dict | None],
    settings_class: type,
    runtime_class: type | None = None,
    command: list[str] | None = None,
) -> Arguments:
    """Parse a command line; exits with a usage message where it is wrong.

    Args:
        stage: the rule's name.
        main: takes the job and, by keyword, its files; its results are annotated with `Output`.
        settings_class, runtime_class: the stage's, made by `files.settings.settings`.
        command: what to parse; the process's own unless given.
    """
    given = vars(_parser(stage, main).parse_args(command))
    common = {name: given.pop(name) for name in ("spec", "code", "log", "memory")}
    keys = given.pop("runtime")
    every = {key: value for key, value in keys.items() if key in Running.__dataclass_fields__}
    own = {key: value for key, value in keys.items() if key not in every}
    try:
        common |= {
            "settings": parse(settings_class, common["spec"], "--spec"),
            "runtime": parse(runtime_class, own, "--runtime") if runtime_class else None,
            "running": parse(Running, every, "--runtime"),
            "budgets": keys,
        }
    except UserError as error:
        sys.exit(f"error: {error}")
    inputs: list[Path] = []
    outputs: list[Path] = []
    for name, parameter in _own_parameters(main):
        if given[name] is None:
            continue
        if parameter.annotation in OUTPUT:
            outputs.append(given[name])
        elif parameter.annotation == Path:
            inputs.append(given[name])
        elif parameter.annotation == list[Path]:
            inputs += given[name]
    return Arguments(**common, own=given, inputs=inputs, outputs=outputs)


def _own_parameters(main: Callable[..., dict | None]) -> list[tuple[str, inspect.Parameter]]:
    return list(inspect.signature(main).parameters.items())[1:]  # the first one is the job


def _parser(stage: str, main: Callable[..., dict | None]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"{stage}.py", description=sys.modules[main.__module__].__doc__)
    parser.add_argument("--spec", type=_mapping, required=True, help="settings that the result depends on, as JSON")
    parser.add_argument("--code", default="", help="fingerprint that the job was submitted with")
    parser.add_argument("--runtime", type=_mapping, default={}, help="how to run, as JSON; no result depends on it")
    parser.add_argument("--log", type=Path, required=True, help="log file")
    parser.add_argument(
        "--memory", type=Path, help="folder where jobs remember their runs; none: nothing is remembered"
    )
    for name, parameter in _own_parameters(main):
        many = parameter.annotation == list[Path]
        optional = parameter.default is not inspect.Parameter.empty
        parser.add_argument(
            "--" + name.replace("_", "-"),
            type=Path if many or parameter.annotation in (Path, *OUTPUT) else parameter.annotation,
            nargs="*" if many else None,
            required=not optional,
            default=parameter.default if optional else None,
        )
    return parser


def _mapping(text: str) -> dict:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"not a JSON object: {text}")
    return value
