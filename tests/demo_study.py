"""The demo's study, changes of it, its specs, and wildcards of one job of it."""

import copy
from pathlib import Path
from types import SimpleNamespace

import yaml

from clearminds.config.study import Study
from clearminds.reuse import stage_code as stages
from clearminds.run.specs import Specs

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
    analysis="masks",
)


def study_with(changes: dict[str, object]) -> dict:
    """The demo study with some keys, named by their path with slashes, set anew; `...` takes a key out."""
    study = copy.deepcopy(DEMO)
    for path, value in changes.items():
        *above, key = path.split("/")
        block = study
        for part in above:
            block = block.setdefault(part, {})
        if value is ...:
            del block[key]
        else:
            block[key] = value
    return study


def demo(changes: dict[str, object] | None = None) -> Study:
    """The demo study, changed as `study_with` does."""
    return Study.model_validate(study_with(changes or {}))


def spec(study: Study, stage: str, **wildcards: str) -> str:
    """The spec of one job of a stage. Args: wildcards: where they are not those above."""
    return _spec(Specs(study), stage, **wildcards)


def _spec(specs: Specs, stage: str, **wildcards: str) -> str:
    return specs.text(stage)(SimpleNamespace(**{**vars(WILDCARDS), **wildcards}))


def jobs(study: Study) -> dict[tuple, str]:
    """The specs of every kind of job of a study."""
    specs, found = Specs(study), {}
    for stage in stages.STAGES:
        for task in study.tasks:
            for variant in (study.given or {}) if stage == "take_adapter" else study.variants:
                for source in ("reference", *study.sources):
                    chosen = {"task": task, "variant": variant, "source": source}
                    split = "train" if task in study.targets else "test"
                    found[stage, task, variant, source] = _spec(specs, stage, **chosen, split=split)
    return found
