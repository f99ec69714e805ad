"""A model as a folder of safetensors, tokenizer and chat template, with hashes."""

from pathlib import Path

import _setup  # noqa: F401

from clearminds.fetch_model import fetch
from clearminds.launch import Job, launch, log
from clearminds.tables import write_json


def main(job: Job, *, model: Path) -> None:
    found = fetch(job.spec["source"], model.parent)
    log.info("%s: %.0f million parameters", found["base"], found["parameters"] / 1e6)
    write_json(model, {**job.provenance(), **found})


launch(main)
