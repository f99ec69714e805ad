"""Saving a trained adapter: PEFT's files, a model card, the history of the loss, what the run cost, and
`adapter.json` with the hashes of the files that the adapter consists of."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from huggingface_hub import ModelCard, ModelCardData
from transformers import Trainer

from clearminds.files.digests import file_sha256
from clearminds.files.tables import atomic_path, write_json
from clearminds.stages.training.adapter import history, trained_parameters
from clearminds.stages.training.checkpoints import disk_errors

CARD = """---
{metadata}
---

# {title}

A {adapter} adapter of `{base}`, trained by clearminds on the loss weights that `masks.spec` below describes.

- loss: weighted mean of token losses over kept tokens
- seed: {seed}
- training: `{training}`
- made with: `{libraries}`
"""


def save(trainer: Trainer, adapter_json: Path, provenance: dict, run: dict) -> None:
    """Write the adapter's folder under another name and rename it: `adapter.json` in its place says that it is whole.

    Of several processes the first one writes.

    Args:
        trainer: after training; its model has the adapter.
        adapter_json: the file to declare; its folder is replaced.
        provenance: spec, code and fingerprints, from the job.
        run: what the training cost.
    """
    if not trainer.is_world_process_zero():
        return
    folder, fresh = adapter_json.parent, adapter_json.parent.with_name(f".{adapter_json.parent.name}.tmp")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    with disk_errors(fresh):
        adapter = trainer.accelerator.unwrap_model(trainer.model)
        adapter.save_pretrained(fresh, state_dict=trained_parameters(adapter))
    _in_order(fresh / "adapter_config.json")
    (fresh / "README.md").write_text(_card(provenance, run, "/".join(folder.parts[-3:])), encoding="utf-8")
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


def _card(provenance: dict, run: dict, title: str) -> str:
    base, spec = provenance["base"], provenance["spec"]
    # the hub refuses a base that is not a repository id, such as a local folder
    on_hub = base.count("/") == 1 and not base.startswith(("/", "."))
    metadata = ModelCardData(
        base_model=base if on_hub else None,
        library_name="peft",
        pipeline_tag="text-generation",
        tags=["clearminds", "lora"],
    )
    card = CARD.format(
        metadata=metadata.to_yaml(),
        title=title,
        adapter=spec["training"]["adapter"],
        base=base,
        seed=spec["seed"],
        training=json.dumps(spec["training"], sort_keys=True),
        libraries=json.dumps(run["versions"], sort_keys=True),
    )
    return ModelCard(card).content
