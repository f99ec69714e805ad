"""Which tokens of one real answer each weight rule keeps: the lines of docs/rules.md.

    PYTHONPATH=workflow .venv/bin/python benchmarks/rules_shown.py [--model FOLDER] [--example N] [--folder F]

Runs a study of the demo's model (or of a model's folder) whose target is grade-school word problems of reasoning-gym,
as far as its masks: a variant per rule, of which the first is trained, as two rules compare with it. Then prints how
one example's answer begins, once per variant: a masked token as dots, and of rules that give weights between 0 and 1
their tenths below. What a rule took from the scores is printed too. With `--folder` the study's results stay there.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl
import yaml

from clearminds.checkout import CONFIG, ROOT, SNAKEFILE
from clearminds.config.study import Study
from clearminds.files.layout import Layout
from clearminds.files.study_files import mask_rows
from clearminds.files.tables import read_provenance
from clearminds.run.specs import Specs

STM = {"rule": "perplexity", "tau": "2.5"}
RULES = {
    "all": {"rule": "all"},
    "perplexity": STM,
    "perplexity-auto": {"rule": "perplexity", "tau": "auto"},
    "band": {"rule": "band", "tau_low": "1.1", "tau_high": "20"},
    "budget": {"rule": "budget", "keep": 60},
    "budget-set": {"rule": "budget", "keep": 60, "per": "set"},
    "random": {"rule": "random", "like": "perplexity"},
    "lowest": {"rule": "lowest", "like": "perplexity"},
    "rank": {"rule": "rank", "top": 1},
    "entropy": {"rule": "entropy", "at_most": 1},
    "class": {"rule": "class", "mask": ["numbers"]},
    "combine": {"rule": "combine", "how": "or", "of": [STM, {"rule": "rank", "top": 1}]},
    "soft": {"rule": "soft", "temperature": "median"},
    "excess": {"rule": "excess", "keep": 60, "reference": {"variant": "all"}},
    "dpf": {"rule": "dpf", "reference": {"variant": "all"}},
    "info": {"rule": "info", "c": 2},
    "expression": {"rule": "expression", "formula": "where(entropy < 1.5, 1, exp(logprob))"},
}
TASK = "problems"


def study(model: Path | None) -> dict:
    """The study's config. Args: folder of a model; None: the demo's."""
    demo = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    task = {"kind": "reasoning_gym", "generator": "gsm_symbolic", "splits": {"train": 24, "test": 1}, "seed": 7}
    return {
        "study": "rules-shown",
        "models": {"model": {"path": str(model.absolute())}} if model else demo["models"],
        "tasks": {TASK: {**task, "reference": "answer_cot", "verifier": "unverified", "evaluate": "likelihood"}},
        "targets": [TASK],
        "suites": {"all": [TASK]},
        "match": {"sources": ["reference"]},
        "variants": {name: {"responses": "reference", "weights": rule} for name, rule in RULES.items()},
        "seeds": [0],
    }


def shown(folder: Path, config: dict, number: int, characters: int) -> list[str]:
    """Lines per variant. Args: where the study ran; its config; number of the example; how long a line is."""
    layout, names = Layout.of(config["study"], folder), Specs(Study.model_validate(config)).names
    model = names["models"][0]
    scores = pl.read_parquet(layout.scores.path(**_of(model)))
    example = scores["example_id"].unique(maintain_order=True)[number]
    tokens = scores.filter(example_id=example)["token"].to_list()
    first = pl.read_parquet(layout.sequences.path(**_of(model))).filter(example_id=example)["n_prompt"][0]
    lines = []
    for row in mask_rows({**names, "results": layout.results}):
        weights = pl.read_parquet(row["path"]).filter(example_id=example)["weights"][0].to_list()
        found = _lines(tokens, weights[first : first + len(tokens)], characters)
        counts = read_provenance(row["path"])["masks"]
        lines += [f"{name:16}{line}" for name, line in zip((row["variant"], ""), found, strict=False)]
        lines += [f"{'':16}kept {counts['kept']} of {counts['tokens']} {counts.get('fitted', '')}"]
    return lines


def _of(model: str) -> dict[str, str]:
    return {"scorer": model, "model": model, "task": TASK, "split": "train", "source": "reference"}


def _lines(tokens: list[str], weights: list[float], characters: int) -> list[str]:
    """The answer's beginning, and where weights lie between 0 and 1 their tenths below; X: 1 or more."""
    between = any(weight not in (0, 1) for weight in weights)
    text, tenths = "", ""
    for token, weight in zip(tokens, weights, strict=True):
        shown = token.replace("\n", "⏎")
        text += shown if weight else re.sub(r"\S", "·", shown)
        # below the first character that is not a blank
        digit = "X" if weight >= 1 else str(int(10 * weight))
        tenths += (" " * (len(shown) - len(shown.lstrip())) + digit).ljust(len(shown))
    return [text[:characters], *([tenths[:characters].rstrip()] if between else [])]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--example", type=int, default=0)
    parser.add_argument("--characters", type=int, default=92)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder, config = given.folder or Path(temporary), study(given.model)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder.absolute() / "study.yaml"
        file.write_text(yaml.safe_dump(config), encoding="utf-8")
        snakemake = [sys.executable, "-m", "snakemake", "-s", str(SNAKEFILE), "--cores", "1", "masks"]
        subprocess.run([*snakemake, "--configfile", str(file), "-d", str(folder)], check=True, cwd=ROOT)
        print("\n".join(shown(folder, config, given.example, given.characters)))


if __name__ == "__main__":
    main()
