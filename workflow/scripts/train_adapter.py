"""One adapter: fine-tuned on one arm's masks with one seed."""

from pathlib import Path

import _setup  # noqa: F401

from clearminds.files.digests import file_sha256
from clearminds.files.layout import checkpoints_of
from clearminds.files.tables import read_table
from clearminds.job.launch import Job, Output, launch
from clearminds.job.processes import rank, run_in_processes
from clearminds.model.fingerprints import fingerprints
from clearminds.model.load import load_model
from clearminds.model.throughput import throughput
from clearminds.stages.train_adapter import seeded, train
from clearminds.stages.training.adapter import add_adapter
from clearminds.stages.training.checkpoints import Checkpoints
from clearminds.stages.training.save_adapter import save


def main(job: Job, *, masks: Path, model: Path, adapter: Output) -> None:
    if (count := job.runtime.get("gpus", 0)) > 1 and rank() is None:
        job.cost |= run_in_processes(count, job.log)
        return
    facts, training = fingerprints(model), job.spec["training"]
    rows = read_table(masks, "MASKS", tokenizer=facts["tokenizer"])
    seeded(job.spec["seed"])
    spread = count if job.runtime.get("fsdp") else 1
    network = load_model(model.parent, dtype=training["dtype"], settings=job.spec["loading"], processes=spread)
    network = add_adapter(network, training, facts["base"])
    checkpoints = Checkpoints(checkpoints_of(adapter), job.provenance(**facts, masks=file_sha256(masks)))
    trainer, progress, resumed = train(network, rows, training, job.spec["seed"], job.runtime, checkpoints)
    job.cost |= {**throughput(progress, network, passes=4), "resumed_from_step": resumed}
    save(trainer, adapter, job.provenance(**facts), job.record())
    if trainer.is_world_process_zero():
        checkpoints.remove()  # only now that the adapter is in its place


launch(main)
