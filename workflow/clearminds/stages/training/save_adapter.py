"""Saving a trained adapter: PEFT's files, a model card, the history of the loss, what the run cost, and
`adapter.json` with the hashes of the files that the adapter consists of."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from clearminds.files.digests import file_sha256
from clearminds.files.tables import atomic_path, write_json
from clearminds.stages.training.adapter import history, trained_parameters
from clearminds.stages.training.checkpoints import disk_errors
from clearminds.stages.training.pissa import as_lora
from clearminds.stages.training.trainer import WeightedTrainer


def save(trainer: WeightedTrainer, adapter_json: Path, provenance: dict, run: dict, card: str) -> None:
    """Write the adapter's folder under another name and rename it: `adapter.json` in its place says that it is whole.

    Of several processes the first one writes.

    Args:
        trainer: after training; its model has the adapter.
        adapter_json: the file to declare; its folder is replaced.
        provenance: spec, code and fingerprints, from the job.
        run: what the training cost.
        card: the text of its model card.
    """
    if not trainer.is_world_process_zero():
        return
    folder, fresh = adapter_json.parent, adapter_json.parent.with_name(f".{adapter_json.parent.name}.tmp")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    with disk_errors(fresh):
        adapter = trainer.accelerator.unwrap_model(trainer.model)
        # "auto" would ask the hub for the base's vocabulary; what is trained is in the state already
        adapter.save_pretrained(fresh, state_dict=trained_parameters(adapter), save_embedding_layers=False)
    if trainer.first is not None:
        as_lora(fresh, trainer.first)
    _in_order(fresh / "adapter_config.json")
    (fresh / "README.md").write_text(card, encoding="utf-8")
    with atomic_path(fresh / "history.parquet") as temporary:
        pq.write_table(pa.Table.from_pylist(history(trainer)), temporary)
    for file in fresh.iterdir():
        file.chmod(0o644)
    files = {name: file_sha256(fresh / name) for name in ("adapter_config.json", "adapter_model.safetensors")}
    write_json(fresh / "run.json", run)
    kind = provenance["spec"]["training"]["adapter"]
    write_json(fresh / adapter_json.name, {"kind": kind, "files": files, **provenance})
    # what says that the old folder is whole goes first; killed from here to the rename, the checkpoints are still there
    adapter_json.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def _in_order(config: Path) -> None:
    """Sort the lists of PEFT's config, which were sets: their order, and so the file, would differ in every process."""
    found = json.loads(config.read_text(encoding="utf-8"))
    lists = {key: sorted(value) for key, value in found.items() if isinstance(value, list)}
    write_json(config, {**found, **lists})
