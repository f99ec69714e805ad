"""The demo's study, and wildcards of one job of it: for tests of what jobs ask for and cost."""

from pathlib import Path
from types import SimpleNamespace

import yaml

ROOT = Path(__file__).parents[1]
DEMO = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
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
