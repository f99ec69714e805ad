"""Masks a file's tokens by a rule, without a study: `make mask DATA=my.jsonl MODEL=FOLDER RULE=perplexity TAU=2.5`.

    python -m clearminds.commands.mask DATA --model MODEL --rule perplexity --tau 2.5 --out FOLDER

Scores are those of `score`. The folder is an export as of `make export`, without an adapter: docs/export.md. Rules and
their settings are those of docs/rules.md, a setting as an option: tau_low is --tau-low.
"""

import argparse
from pathlib import Path
from typing import Any, get_origin

import yaml

from clearminds.commands.export import told
from clearminds.commands.exporting.artefacts import Exported
from clearminds.commands.exporting.folder import refuse_filled
from clearminds.commands.exporting.write import write
from clearminds.commands.own_data.run import own_study, parser
from clearminds.commands.own_data.study import TASK
from clearminds.commands.run_command import run_command
from clearminds.config.weights import RULES
from clearminds.config.wording import nearest, short
from clearminds.errors import UserError

# keys by which a rule asks for other variants or models, which only a study has
OF_A_STUDY = {"like", "reference"}
OFFERED = {name: rule for name, rule in RULES.items() if not OF_A_STUDY & set(rule.model_fields)}
SETTINGS = {key: field for rule in OFFERED.values() for key, field in rule.model_fields.items()}
del SETTINGS["rule"], SETTINGS["scorer"]


def main(arguments: list[str] | None = None) -> None:
    """Write the folder, and print where it is and what is in it.

    Args:
        arguments: of the command line; default: this process's.

    Raises:
        UserError: the file or the model is not there, the rule is unknown or its settings are wrong, or something is in
            the folder already.
    """
    given = options().parse_args(arguments)
    weights = rule_of(given)
    out = given.out and Path.cwd() / given.out  # meant from here
    if out:
        refuse_filled(out)
    own = own_study(given, weights)
    exported = Exported(own.specs, own.file, own.model, TASK, own.variant, own.specs.study.seeds[0])
    out = out or Path(own.specs.layout.exported.path(**exported.names))
    refuse_filled(out)
    own.make(str(exported.masks), given.cores)
    print(told(write(exported, out, trained=False), out))


def options() -> argparse.ArgumentParser:
    """The command line: that of `score`, and an option for each setting that a rule may have."""
    made = parser("mask", __doc__)
    made.add_argument("--rule", required=True, help=f"one of {', '.join(OFFERED)}")
    made.add_argument("--out", type=Path, help="a new folder; default: one among the results")
    for key in SETTINGS:
        made.add_argument(f"--{key.replace('_', '-')}", dest=f"setting_{key}", help="of a rule")
    return made


def rule_of(given: argparse.Namespace) -> dict[str, Any]:
    """The rule of a command line, as a study writes it. Raises: UserError: there is none of that name here."""
    if given.rule not in OFFERED:
        why = "compares with another variant or model and needs a study" if given.rule in RULES else "is no rule"
        known = ", ".join(OFFERED)
        raise UserError(f"--rule: {short(given.rule)} {why}; take one of {known}{nearest(given.rule, OFFERED)}")
    found = {key: getattr(given, f"setting_{key}") for key in SETTINGS}
    return {"rule": given.rule, **{key: _read(key, text) for key, text in found.items() if text is not None}}


def _read(key: str, text: str) -> Any:
    """A setting as YAML reads it, but for what is a text, such as tau; of a list its entries, with commas between."""
    kind = SETTINGS[key].annotation
    if kind is str:
        return text
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return value.split(",") if get_origin(kind) is list and isinstance(value, str) else value


if __name__ == "__main__":
    run_command(main)
