"""How many tokens the texts of a study's tasks have, by their characters: for plans, before anything is tokenised.

Read are tables that are there, the user's own files, and what generators make on this machine. A data set of the hub is
not asked, and data that a run would refuse are not either.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow.parquet as pq

from clearminds.config.study import Study
from clearminds.config.tasks import example_keys
from clearminds.errors import UserError
from clearminds.files.layout import Layout
from clearminds.files.user_path import located
from clearminds.plugins.load import load
from clearminds.plugins.task_kinds import rows
from clearminds.plugins.task_kinds.split_files import files_of, is_array, rows_of

PER_TOKEN = 4  # characters; fewer for digits, code and most languages but English
TEMPLATE = 32  # tokens that chat templates put around a prompt: roles, and a system prompt of their own
READ = 1000  # rows of a table or file
MADE = 50  # examples of a generator
TEXTS = ("messages", "prompt", "response")
EXCLUDED = ("evaluate", "answers", "verifier", "special_tokens", "preset")  # of a task: no text depends on them


@dataclass(frozen=True)
class Lengths:
    """Mean tokens of a split's texts.

    Attributes:
        prompt: with its chat template.
        reference: 0 where a task has none.
    """

    prompt: float
    reference: float


class Texts:
    """The texts of a study's tasks.

    Args:
        study: the study.
        layout: of its results.
        directory: where relative paths of the study's data start.
    """

    def __init__(self, study: Study, layout: Layout, directory: Path):
        self.study, self.layout, self.directory = study, layout, directory
        self._found: dict[tuple[str, str], Lengths | None] = {}

    def lengths(self, task: str, split: str) -> Lengths | None:
        """Of a split's texts; None where they are not there to be read."""
        if (task, split) not in self._found:
            try:
                self._found[task, split] = _means(self._examples(task, split))
            except (UserError, OSError, ValueError, RecursionError, NotImplementedError):  # of Arrow's errors, too
                self._found[task, split] = None
        return self._found[task, split]

    def counted(self) -> list[str]:
        """Whose characters are counted: files as the study names them, else tasks."""
        splits = [(name, split) for name, task in self.study.tasks.items() for split in task.splits]
        found = (self._named(*one) for one in splits if self.lengths(*one) is not None)
        return list(dict.fromkeys(found))

    def _named(self, task: str, split: str) -> str:
        block = self.study.tasks[task]
        return str(getattr(block.splits[split], "path", block.splits[split])) if block.kind == "file" else task

    def _examples(self, task: str, split: str) -> list[dict]:
        block = self.study.tasks[task]
        spec = example_keys(block)
        made = Path(self.layout.examples.path(task=task, split=split))
        if made.is_file():
            return list(_rows_of_table(made, ["messages", "reference"], None))
        if block.kind == "hub":
            return []
        if block.kind != "file":
            spec["splits"][split] = min(spec["splits"][split], MADE)
            return load("task_kinds", block.kind).load(spec, split)
        return _examples_of_files(_entry(block.splits[split], self.directory), spec, split)


def _means(examples: list[dict]) -> Lengths | None:
    if not examples:
        return None
    prompts = (sum(len(turn["content"]) for turn in example["messages"]) for example in examples)
    references = (len(example["reference"]) for example in examples)
    return Lengths(TEMPLATE + fmean(prompts) / PER_TOKEN, fmean(references) / PER_TOKEN)


def _entry(entry: Any, directory: Path) -> dict:
    """What the study says of a split's files, as `files_of` takes it."""
    said = {"path": entry} if isinstance(entry, str) else entry.model_dump()
    return {**said, "path": str(directory / located(said["path"]))}


def _examples_of_files(entry: dict, spec: dict, split: str) -> list[dict]:
    first, *others = files_of(entry)  # the shards of a split are as long as each other
    start, stop = rows_of(entry)
    limit = None if stop is None or others else stop - start
    part = "template" if spec.get("template") else "columns"
    named = spec["template"] if part == "template" else rows.columns_of(spec)
    spec = {**spec, part: {role: text for role, text in named.items() if role in TEXTS}}

    def records(read: Iterable[dict]) -> Iterator[rows.Record]:
        for row in read:
            rows.columns_read(str(first), row, spec)
            yield str(first), row

    if first.suffix == ".parquet":
        found = _rows_of_table(first, rows.columns_read(str(first), pq.read_schema(first).names, spec), limit)
    else:
        found = _rows_of_lines(first, limit)
    return rows.examples(str(first), records(found), spec, split)


def _rows_of_lines(path: Path, limit: int | None) -> Iterator[dict]:
    """Rows of a JSON Lines file or a JSON array, evenly spread over it."""
    if path.suffix == ".json" and is_array(path):
        items = json.loads(path.read_text(encoding="utf-8-sig"))[:limit]
        yield from items[:: max(1, -(-len(items) // READ))]
        return
    with open(path, "rb") as lines:
        there = sum(not line.isspace() for line in lines)
        wanted = min(there, limit or there)
        lines.seek(0)
        full = (line for line in lines if not line.isspace())
        for line in islice(full, 0, wanted, max(1, -(-wanted // READ))):
            row = json.loads(line.decode("utf-8-sig"))
            if not isinstance(row, dict):
                raise ValueError(f"{path}: a line is no object")
            yield row


def _rows_of_table(path: Path, columns: list[str], limit: int | None) -> Iterator[dict]:
    """Rows of a Parquet file: the first ones of row groups that are evenly spread over it."""
    with pq.ParquetFile(path) as table:
        starts, start = [], 0
        for group in range(table.num_row_groups):
            starts += [group] * (limit is None or start < limit)
            start += table.metadata.row_group(group).num_rows
        groups = starts[:: max(1, len(starts) // 10)]
        each = min(-(-READ // max(1, len(groups))), limit or READ)
        for group in groups:
            batches = table.iter_batches(each, row_groups=[group], columns=columns)
            for batch in islice(batches, 1):
                yield from batch.to_pylist()
