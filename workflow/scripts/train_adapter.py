"""One adapter: fine-tuned on one arm's masks with one seed."""

import tempfile
from pathlib import Path

import _setup  # noqa: F401

from clearminds.launch import Job, launch
from clearminds.model_identity import fingerprints
from clearminds.models import load_model
from clearminds.save_adapter import save
from clearminds.tables import read_table
from clearminds.throughput import throughput
from clearminds.train_adapter import add_adapter, seeded, train


def main(job: Job, *, masks: Path, model: Path, adapter: Path) -> None:
    facts, training = fingerprints(model), job.spec["training"]
    rows = read_table(masks, "MASKS", tokenizer=facts["tokenizer"])
    seeded(job.spec["seed"])
    network = load_model(model.parent, dtype=training["dtype"], settings=job.spec["loading"])
    network = add_adapter(network, training, facts["base"])
    with tempfile.TemporaryDirectory() as scratch:
        trainer, progress = train(network, rows, training, job.spec["seed"], job.runtime, Path(scratch))
    job.cost |= throughput(progress, network, passes=4)
    save(trainer, adapter, job.provenance(**facts), job.record())


launch(main)
