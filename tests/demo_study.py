"""The demo's study, changes of it, and wildcards of one job of it."""

import copy
from pathlib import Path
from types import SimpleNamespace

import yaml

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "config.yaml"
DEMO = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
MODEL = "smollm2-135m-q4"
WILDCARDS = SimpleNamespace(
    model=MODEL,
    scorer=MODEL,
    task="sums",
    split="train",
    source="self_output",
    target="sums",
    variant="stm-2.5",
    draw="",
    seed="0",
    suite="small",
)


def study_with(changes: dict[str, object]) -> dict:
    """The demo study with some keys, named by their path with slashes, set anew; `...` takes a key out."""
    study = copy.deepcopy(DEMO)
    for path, value in changes.items():
        *above, key = path.split("/")
        block = study
        for part in above:
            block = block[part]
        if value is ...:
            del block[key]
        else:
            block[key] = value
    return study
