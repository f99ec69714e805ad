"""What a rehearsal tries of a study, and which jobs wait for it: those that will run anyway (`rules/rehearse.smk`)."""

import json
from pathlib import Path

from clearminds.config.replay import replayed
from clearminds.config.study import Study
from clearminds.files.digests import canonical
from clearminds.files.layout import Artefact, Layout
from clearminds.files.settings import chosen
from clearminds.reuse.job_memory import find_record
from clearminds.stages import rehearse
from clearminds.stages.source_names import source_names


def rehearsal_spec(study: Study, tasks: dict[str, dict], loading: dict) -> dict:
    """The `spec` of a rehearsal.

    Args:
        study: the study.
        tasks: those that are evaluated, by name, as specs of evaluations have them.
        loading: of the model.
    """
    blocks = {canonical(chosen(rehearse.Block, study.training_keys(name))) for name in study.variants}
    policies = {name: source.when_none_accepted for name, source in study.sources.items()}
    used = {
        name
        for variant in study.variants.values()
        for name in source_names(study.match.sources, variant.responses, policies)
    }
    also = {task: sources for task, sources in sorted(replayed(study).items()) if task not in study.targets}
    trained = sorted([*study.targets, *also])
    chosen_of = {name: study.tasks[name].special_tokens for name in trained}
    special = {name: value for name, value in chosen_of.items() if value is not None}
    return {
        "targets": sorted(study.targets),
        "references": "reference" in used,
        "sources": sorted({study.sources[name].kind or name for name in used - {"reference"}}),
        "trainings": [json.loads(text) for text in sorted(blocks)],
        "max_length": study.training.max_length,
        "verifiers": {name: study.tasks[name].verifier for name in trained},
        "tasks": [tasks[name] for name in sorted(tasks)],
        "split": study.evaluation.split,
        "evaluation": chosen(rehearse.Evaluation, dict(study.evaluation)),
        "dtype": study.scoring.dtype,
        "loading": loading,
        **({"special_tokens": special} if special else {}),
        **(
            {"replayed": {task: [_kind(study, name) for name in names] for task, names in also.items()}} if also else {}
        ),
    }


def _kind(study: Study, source: str) -> str:
    return source if source == "reference" else study.sources[source].kind or source


def is_as_made_now(layout: Layout, kind: Artefact, wildcards: dict[str, str], spec: str, code: str) -> bool:
    """Whether a result is there and its job remembers the settings and the code of now. Its inputs are not looked at.

    Args:
        layout: of the study's files.
        kind: of the result.
        wildcards: of its path.
        spec, code: of the params that its job would be called with.
    """
    path = Path(kind.path(**wildcards))
    if not path.exists():
        return False
    record = find_record(Path(layout.jobs), path, kind.stage, kind.name.format(**wildcards))
    return record is not None and (record.get("spec"), record.get("code")) == (spec, code)
