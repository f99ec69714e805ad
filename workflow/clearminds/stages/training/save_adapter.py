"""Saving what was trained: PEFT's files of an adapter or those of a model, a model card, the history of the loss, what
the run cost, and `adapter.json` with the kind and the hashes of the files that it consists of."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from clearminds.files.digests import file_sha256
from clearminds.files.layout import held_out_of
from clearminds.files.tables import atomic_path, write_json
from clearminds.plugins.load import load, names
from clearminds.stages.training.adapter import history, save_trained
from clearminds.stages.training.checkpoints import disk_errors
from clearminds.stages.training.held_out import write_curve
from clearminds.stages.training.trainer import WeightedTrainer


def save(
    trainer: WeightedTrainer, adapter_json: Path, provenance: dict, run: dict, card: str, base: Path | None = None
) -> None:
    """Write the adapter's or model's folder under another name and rename it: `adapter.json` says that it is whole.

    Of several processes the first one writes.

    Args:
        trainer: after training; its model has the adapter.
        adapter_json: the file to declare; its folder is replaced.
        provenance: spec, code and fingerprints, from the job.
        run: what the training cost.
        card: the text of its model card.
        base: the base's folder; a whole model gets its tokenizer from there.
    """
    if not trainer.is_world_process_zero():
        return
    folder, fresh = adapter_json.parent, adapter_json.parent.with_name(f".{adapter_json.parent.name}.tmp")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    with disk_errors(fresh):
        save_trained(trainer.accelerator.unwrap_model(trainer.model), fresh)
    kind = provenance["spec"]["training"]["adapter"]
    if kind in names("kinds"):
        load("kinds", kind).finish(fresh, trainer.first, base)
    if (config := fresh / "adapter_config.json").exists():
        _in_order(config)
    (fresh / "README.md").write_text(card, encoding="utf-8")
    with atomic_path(fresh / "history.parquet") as temporary:
        pq.write_table(pa.Table.from_pylist(history(trainer)), temporary)
    for file in fresh.iterdir():
        file.chmod(0o644)
    declared = sorted(file.name for file in fresh.iterdir() if file.suffix in (".safetensors", ".json", ".jinja"))
    files = {name: file_sha256(fresh / name) for name in declared}
    write_json(fresh / "run.json", run)
    curve = held_out_of(fresh / adapter_json.name)
    # beside `files`, which are the weights: what reads those need not care for a curve
    taken = {"held_out": file_sha256(curve)} if write_curve(curve, trainer.state.log_history) else {}
    write_json(fresh / adapter_json.name, {"kind": kind, "files": files, **taken, **provenance})
    # what says that the old folder is whole goes first; killed from here to the rename, the checkpoints are still there
    adapter_json.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def _in_order(config: Path) -> None:
    """Sort the lists of PEFT's config, which were sets: their order, and so the file, would differ in every process."""
    found = json.loads(config.read_text(encoding="utf-8"))
    lists = {key: sorted(value) for key, value in found.items() if isinstance(value, list)}
    write_json(config, {**found, **lists})
