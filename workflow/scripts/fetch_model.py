"""A model as a folder of safetensors, tokenizer and chat template, with hashes."""

from pathlib import Path

import _setup  # noqa: F401

from clearminds.files.tables import write_json
from clearminds.files.user_path import located
from clearminds.job.launch import Job, Output, launch, log
from clearminds.stages.fetch_model import Settings, fetch


def main(job: Job[Settings, None], *, model: Output) -> None:
    found = fetch(job.settings.source, model.parent)
    log.info("%s: %.0f million parameters", found["base"], found["parameters"] / 1e6)
    write_json(model, {**job.provenance(), **found})


def template_file(settings: Settings) -> list[Path]:
    file = settings.source.chat_template.file
    return [located(file)] if file and located(file).is_file() else []


# the files behind a path, and a hub, are not input files
launch(main, Settings, also_reads=template_file, reuse=False, unused=("scipy",))
