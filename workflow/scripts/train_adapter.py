"""One adapter: fine-tuned on one variant's masks with one seed."""

from pathlib import Path

import _setup  # noqa: F401

from clearminds.files import contracts
from clearminds.files.digests import file_sha256
from clearminds.files.layout import checkpoints_of
from clearminds.files.tables import library_versions, read_provenance, read_table
from clearminds.job.launch import Job, Output, launch
from clearminds.job.processes import rank, run_in_processes
from clearminds.model.fingerprints import adapter_files, fingerprints
from clearminds.stages.train_adapter import Material, Runtime, Settings, train_adapter
from clearminds.stages.training.length import counts_read


def main(
    job: Job[Settings, Runtime], *, masks: Path, model: Path, start: list[Path], held_out: list[Path], adapter: Output
) -> dict:
    if job.gpus > 1 and rank() is None:
        return run_in_processes(job.gpus, job.log)
    from clearminds.stages.training.amounts import amounts
    from clearminds.stages.training.base import Base
    from clearminds.stages.training.card import card
    from clearminds.stages.training.checkpoints import Checkpoints
    from clearminds.stages.training.held_out import held_out_rows
    from clearminds.stages.training.save_adapter import save

    facts, base = fingerprints(model), Base.of(model)
    rows, made = read_table(masks, contracts.MASKS, tokenizer=facts["tokenizer"]), read_provenance(masks)
    # before hours of training, so that nothing is left that could fail after them
    text = card(base, job.spec, made, library_versions(), adapter.parent)
    begun = start[0] if start else None  # a rule has no or one
    first = {"start": adapter_files(begun)} if begun else {}
    read = {"held_out": [file_sha256(path) for path in held_out]} if held_out else {}
    checkpoints = Checkpoints(
        checkpoints_of(adapter), job.provenance(**facts, masks=file_sha256(masks), **first, **read)
    )
    unseen = held_out_rows(*held_out) if held_out else None
    material = Material(base, rows, made["counts"], begun.parent if begun else None, unseen)
    trainer, cost = train_adapter(model.parent, material, job.settings, job.runtime, job.gpus, checkpoints)
    cost |= amounts(trainer, rows, adapter.parts[-4])
    save(trainer, adapter, job.provenance(**facts, **first), job.record(cost), text, model.parent)
    if trainer.is_world_process_zero():
        checkpoints.remove()  # only now that the adapter is in its place
    return cost


launch(
    main,
    Settings,
    Runtime,
    facts=lambda settings: counts_read(settings.length),
    unused=("datasets", "pandas", "scipy"),
)
