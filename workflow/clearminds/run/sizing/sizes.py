"""How large the models and tasks of a study are.

Counted where a table or `model.json` is there to be asked, as they are when Snakemake submits a job; before that taken
from the config and from names, or guessed.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from clearminds.config.presets import load_preset
from clearminds.config.study import Study
from clearminds.config.weights import draws
from clearminds.errors import UserError
from clearminds.files.layout import Layout, draw_of
from clearminds.files.user_path import located
from clearminds.plugins.task_kinds.split_files import files_of, is_array, rows_of
from clearminds.run.kept_layout import keep_kinds
from clearminds.run.sizing.texts import Lengths, Texts
from clearminds.run.wildcards import Wildcards

UNKNOWN_PARAMETERS = 8 * 10**9  # of a model whose name says nothing, until it is fetched
UNKNOWN_ITEMS = 10_000  # of a data set whose config says nothing, until it is prepared; and of an lm_eval: task
PROMPT = 256  # tokens of a prompt, until they are counted
REFERENCE = 512  # tokens of a reference, until they are counted
UNITS = {"k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}


class Sizes:
    """What is known of a study's models and tasks.

    Args:
        study: the study.
        results: its folder.
        directory: where relative paths of the study's data start; default: here.
        read_texts: whether texts are read for their lengths, as plans do; jobs ask for a little too much.
    """

    def __init__(self, study: Study, results: Path, directory: Path = Path(), *, read_texts: bool = False):
        self.study, self.layout, self.directory = study, keep_kinds(Layout(str(results))), directory
        self.training_of = cache(study.training_of)  # of a variant; what is put together is checked each time
        self.texts = Texts(study, self.layout, directory) if read_texts else None

    def size_guessed(self, model: str) -> bool:
        """Whether the parameters of a model are taken from its name, or worse."""
        return not self._model(model).is_file()

    def items_guessed(self, task: str, split: str) -> bool:
        """Whether the number of items of a split is still unknown."""
        return not self._examples(task, split).is_file() and self._said(task, split) is None

    def parameters(self, model: str) -> int:
        """Parameters of a model: from its `model.json`, else from its name, such as 135M or 8B."""
        counted = _of_version(_parameters, self._model(model))
        if counted is not None:
            return counted
        settings = self.study.models[model]
        return named_parameters(settings.hub, settings.file, settings.path, settings.pypi, model)

    def mask_tokens(self, wc: Wildcards) -> float:
        """Tokens of a variant's conversations."""
        variant = self.study.variants[wc.variant]
        draw = getattr(wc, "draw", "") or draw_of(wc.seed if draws(variant.weights) else None)
        masks = self.layout.masks.path(model=wc.model, target=wc.target, variant=wc.variant, draw=draw)
        if (counted := _of_version(_tokens, masks)) is not None:
            return counted
        items, longest = self.items(wc.target, "train"), self.training_of(wc.variant).max_length
        responses = self.response_tokens(wc.model, wc.target, "train", variant.responses)
        prompts = items * self.prompt(wc.target, "train")
        own = min(items * longest, prompts + responses / self.samples(variant.responses))
        return own / (1 - variant.replay.share) if variant.replay else own  # as if its examples were as long

    def items(self, task: str, split: str) -> int:
        """Items of a split: of its table, else as the config says."""
        prepared = _of_version(_rows, self._examples(task, split))
        if prepared is not None:
            return prepared
        said = self._said(task, split)
        return UNKNOWN_ITEMS if said is None else said

    def _said(self, task: str, split: str) -> int | None:
        """What the config says of a split's size, or the user's own file."""
        size = self.study.tasks[task].splits[split]
        if self.study.tasks[task].kind == "file":
            return _rows_of_files(size, self.directory)
        if isinstance(size, int):
            return size
        return _rows_of_expression(str(size), self._sizes(task))

    def _sizes(self, task: str) -> dict[str, int]:
        """Rows of the splits of a task's data set by their names there, where a preset tells."""
        block = self.study.tasks[task]
        if block.kind != "hub" or block.preset is None:
            return {}
        preset = load_preset(block.preset)
        return preset.sizes if preset.task.get("hub") == block.hub else {}  # a study may name another data set

    def response_tokens(self, model: str, task: str, split: str, source: str) -> float:
        """Tokens of a split's responses: counted once they are there, before that as many as they may have."""
        table = self.layout.responses.path(model=model, task=task, split=split, source=source)
        counted = _of_version(_response_tokens, table)
        if counted is not None:
            return counted
        longest = self.reference(task, split) if source == "reference" else self.study.sources[source].max_new_tokens
        return self.items(task, split) * self.samples(source) * longest

    def prompt(self, task: str, split: str) -> float:
        """Mean tokens of a split's prompts. Args: a task of the study, or one of lm_eval; its split."""
        lengths = self._lengths(task, split)
        return PROMPT if lengths is None else lengths.prompt

    def reference(self, task: str, split: str) -> float:
        """Mean tokens of a split's references."""
        lengths = self._lengths(task, split)
        return REFERENCE if lengths is None else lengths.reference

    def lengths_guessed(self, task: str, split: str) -> bool:
        """Whether nothing is known of a split's texts."""
        return self._lengths(task, split) is None

    def samples(self, source: str) -> int:
        """Responses per prompt."""
        return 1 if source == "reference" else self.study.sources[source].samples

    def _lengths(self, task: str, split: str) -> Lengths | None:
        block = self.study.tasks.get(task)
        return self.texts.lengths(task, split) if self.texts and block and split in block.splits else None

    def _model(self, model: str) -> Path:
        return Path(self.layout.model.path(model=model))

    def _examples(self, task: str, split: str) -> Path:
        return Path(self.layout.examples.path(task=task, split=split))


@lru_cache
def named_parameters(*names: str | None) -> int:
    """The number of parameters that the first name with a size gives: 135M, 0.5B, 8x7B; else `UNKNOWN_PARAMETERS`."""
    for name in filter(None, names):
        found = re.search(r"(?<![a-z0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?)([kmbt])(?![a-z0-9])", Path(name).name.lower())
        if found:
            experts, number, unit = found.groups()
            return round(int(experts or 1) * float(number) * UNITS[unit])
    return UNKNOWN_PARAMETERS


def _rows_of_expression(expression: str, sizes: Mapping[str, int]) -> int | None:
    """Rows of a split of a data set of the hub, such as train[:500]; None where nothing tells.

    Args:
        expression: of the split.
        sizes: of whole splits by name, as far as they are known.
    """
    parts = re.fullmatch(r"([^\[]+)(?:\[(\d*):(\d*)\])?", expression)
    if parts is None:
        return None
    name, start, stop = parts.groups()
    ends = [int(stop)] if stop else []
    ends += [sizes[name]] if name in sizes else []
    return max(min(ends) - int(start or 0), 0) if ends else None


def _rows_of_files(entry: Any, directory: Path) -> int | None:
    """Rows of a split of the user's own files, as far as the files or the study tell."""
    said = {"path": entry} if isinstance(entry, str) else entry.model_dump()
    start, stop = rows_of(said)
    counts: list[int | None]
    try:
        counts = [_rows_of_file(file) for file in files_of({**said, "path": str(directory / located(said["path"]))})]
    except UserError:
        counts = [None]
    known = [count for count in counts if count is not None]
    there = sum(known) if len(known) == len(counts) else None
    ends = [end for end in (stop, there) if end is not None]
    return max(0, min(ends) - start) if ends else None


def _rows_of_file(path: Path) -> int | None:
    """Rows of a user's file; None where it is not there or is none of ours."""
    return _of_version(_rows if path.suffix == ".parquet" else _lines, path)


def _of_version(counted: Callable[[str], int | None], file: str | Path) -> int | None:
    """What is counted of a file, once per version of it: a sweep's jobs ask thousands of times.

    Args:
        counted: takes the file's path.
        file: the path.

    Returns:
        None where the file is not there or cannot be counted.
    """
    try:
        found = os.stat(file)
    except OSError:
        return None
    return _counted(counted, str(file), found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=4096)
def _counted(counted: Callable[[str], int | None], file: str, changed: int, size: int) -> int | None:
    try:
        return counted(file)
    except (OSError, ValueError, KeyError):
        return None


def _parameters(model: str) -> int:
    return int(json.loads(Path(model).read_text(encoding="utf-8"))["parameters"])


def _lines(file: str) -> int:
    path = Path(file)
    if path.suffix == ".json" and is_array(path):
        return len(json.loads(path.read_text(encoding="utf-8-sig")))
    with open(path, "rb") as lines:
        return sum(not line.isspace() for line in lines)


def _rows(table: str) -> int:
    import pyarrow.parquet as pq

    return pq.read_metadata(table).num_rows


def _tokens(masks: str) -> int:
    """The conversations' tokens, which the file's footer counts as the values of a list column."""
    import pyarrow.parquet as pq

    metadata, total = pq.read_metadata(masks), 0
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        columns = map(group.column, range(group.num_columns))
        total += sum(c.num_values for c in columns if c.path_in_schema.startswith("input_ids."))
    return total


def _response_tokens(table: str) -> int:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    return pc.sum(pq.read_table(table, columns=["n_tokens"])["n_tokens"], min_count=0).as_py()
