"""Tasks from a data set on the Hugging Face hub, or in a folder of the same layout.

The access token is read from HF_TOKEN, the cache is below HF_HOME, and HF_HUB_OFFLINE=1 keeps to the cache, as always
with Hugging Face's libraries.
"""

import os
import re

import datasets
from datasets.exceptions import DatasetNotFoundError, DatasetsError

from clearminds.errors import UserError, one_line
from clearminds.files.user_path import located
from clearminds.plugins.task_kinds import rows

LOCAL = "or name a folder that has the files by path: of a preset, else as hub:"


def load(spec: dict, split: str) -> list[dict]:
    """The rows of one split, as rows of `contracts.EXAMPLES`.

    Args:
        spec: `hub` (owner/name), `config` (None for the only or default one), `revision` (a commit), `splits` (name to
            a split expression of `datasets`, such as "train[:100]"), and what `rows.examples` reads.
        split: a key of `splits`.

    Raises:
        UserError: the data set is not there, gated, or out of reach; or a row is bad (counted from 0 in its split).
    """
    source = f"{spec['hub']} {spec['splits'][split]}"
    if not spec.get("template"):
        rows.columns_of(spec)  # what is wrong with them is told before anything is fetched
    data = _download(spec, spec["splits"][split])
    columns = rows.columns_read(source, data.column_names, spec)
    tables = data.select_columns(columns).with_format("arrow").iter(batch_size=1000)
    return rows.examples(source, rows.table_records(source, tables), spec, split)


def _download(spec: dict, split: str) -> datasets.Dataset:
    folder, revision = located(spec["hub"]), spec.get("revision")
    name = str(folder) if folder.is_dir() else spec["hub"]
    try:
        data = datasets.load_dataset(name, name=spec.get("config"), split=split, revision=revision)
    except DatasetNotFoundError as error:
        raise UserError(f"hub: {error} Check name and revision; a private or gated data set needs HF_TOKEN") from error
    except (OSError, DatasetsError, ValueError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # a full or read-only disk, which no advice of ours would fix
        if isinstance(error, ConnectionError):
            advice = f"go online, or set HF_HOME to a cache that holds it and HF_HUB_OFFLINE=1, {LOCAL}"
        else:
            advice = "check config, splits and revision"
        raise UserError(f"hub: cannot load {name}: {one_line(error, 400)}; {advice}") from error
    _require_revision(data, name, revision)
    return data


def _require_revision(data: datasets.Dataset, name: str, revision: str | None) -> None:
    """Out of reach of the hub, `datasets` takes whatever revision it has in its cache; refuse another than ours."""
    folders = [os.path.dirname(file["filename"]) for file in data.cache_files]
    if os.path.isdir(name) or not re.fullmatch("[0-9a-f]{40}", revision or ""):
        return
    if folders and not any(revision in folder for folder in folders):
        raise UserError(
            f"hub: out of reach, and the newest revision of {name} in the cache ({folders[0]}) is not {revision}; "
            f"go online, or set HF_HOME to a cache that holds it, {LOCAL}"
        )
