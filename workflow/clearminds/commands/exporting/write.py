"""Writes an export, from stored results alone."""

from pathlib import Path

from clearminds.commands.exporting.artefacts import Exported
from clearminds.commands.exporting.card import card, facts
from clearminds.commands.exporting.folder import fresh
from clearminds.commands.exporting.trained import TOKENIZER, put_merged, put_tokenizer, put_trained
from clearminds.commands.exporting.training_set import counts, save, training_set
from clearminds.files import contracts
from clearminds.files.digests import file_sha256
from clearminds.files.settings import parse
from clearminds.files.tables import content_sha256, read_table, write_json, write_text
from clearminds.model.fingerprints import fingerprints
from clearminds.model.loading import Loading


def write(exported: Exported, out: Path, *, trained: bool = True, merged: bool = False) -> dict:
    """Write a variant's training set, its adapter and a README.

    Args:
        exported: whose.
        out: a folder that is new or empty.
        trained: whether the adapter, or the model where all weights were trained, is in it.
        merged: whether the adapter is merged into the base's weights.

    Returns:
        the facts of its `export.json`.

    Raises:
        UserError: a result is missing, damaged or made by other settings, or something is in the folder.
    """
    masks = exported.mask_facts()
    adapter = exported.adapter_facts() if trained else None
    base, spec = exported.base.parent, exported.specs.study.models[exported.model]
    rows = read_table(exported.masks, contracts.MASKS, tokenizer=fingerprints(exported.base)["tokenizer"])
    content = content_sha256(exported.masks)
    with fresh(out) as folder:
        save(training_set(rows), folder, content)
        put_tokenizer(base, folder / TOKENIZER, spec.trust_remote_code)
        if adapter and merged:
            loading = parse(Loading, adapter["spec"]["loading"], str(exported.adapter))
            put_merged(exported.adapter.parent, base, folder, adapter["spec"]["training"]["dtype"], loading)
        elif adapter:
            put_trained(exported.adapter.parent, folder)
        names = {key: value for key, value in exported.names.items() if key != "draw"}
        found = facts({"study": exported.specs.study.study, **names}, masks, counts(rows), adapter)
        found |= {"content": content}
        write_text(folder / "README.md", card(found, folder))
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        found |= {"files": {str(path.relative_to(folder)): file_sha256(path) for path in files}}
        write_json(folder / "export.json", found)
    return found
