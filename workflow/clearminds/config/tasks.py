"""The tasks of config.yaml, one model a kind: where examples come from, how answers are judged and what is measured."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from clearminds.config.origins import DataCommit, DataRepository
from clearminds.config.strict import Id, Positive, Strict
from clearminds.config.template import Template
from clearminds.config.values import DataFile, Number, Seed, Settings, Text
from clearminds.config.wording import short

# the default is null, which is in no spec: the token itself is what the string of one is without the key
SpecialTokens = Annotated[
    Literal["refuse", "keep", "as_text"] | None, AfterValidator(lambda name: None if name == "keep" else name)
]


# what an evaluation reads of a task; its examples do not depend on it
MEASURED = {"evaluate", "answers", "verifier", "special_tokens", "preset", "lead_in", "metric", "sampling", "tested_on"}
PROBLEMS = 164  # of HumanEval
CHOICES = 4  # of an item of a generator, where the study says no number
# descriptions of keys that several kinds have
JUDGE = "what judges responses and answers: a module of plugins/verifiers (docs/tasks.md)"
ROWS = "how a row becomes an example, as Jinja (docs/tasks.md)"


class Sampling(Strict):
    """Several answers to each item, each with a random stream of its own."""

    samples: int = Field(gt=0, lt=2**15, description="answers per item")
    temperature: Number = Field(0.8, gt=0, description="of the sampling")
    top_p: Number = Field(0.95, gt=0, le=1, description="share of probability that is sampled from; 1: all tokens")
    k: list[Positive] = Field([1], min_length=1, description="of pass@k: the chance that one of k samples is right")

    @model_validator(mode="after")
    def _enough(self) -> Sampling:
        if (most := max(self.k)) > self.samples:
            raise ValueError(f"k: {most} is more than the {self.samples} samples; raise samples, or lower k")
        if twice := next((k for n, k in enumerate(self.k) if k in self.k[:n]), None):
            raise ValueError(f"k: {twice} appears twice; take one out")
        return self


class _Task(Strict):
    preset: Id | None = Field(None, description="the preset that makes the block; null: it is written out")
    normalise: Literal["default", "none"] = Field(
        "default", description="line ends, trailing blanks and Unicode of all texts"
    )
    evaluate: Literal["accuracy", "choice", "likelihood", "drift"] = Field(
        "accuracy", description="what an evaluation of it measures"
    )
    answers: str | None = Field(None, description="for drift: the source whose samples are the base's own answers")
    tested_on: Id | None = Field(
        None, description="for targets: another task, whose score is this target's, in place of an own test split"
    )
    special_tokens: SpecialTokens = Field(
        None,
        description="a special token's string in its texts: keep (the default): the token itself; as_text; refuse",
    )
    lead_in: Text | None = Field(None, description="for choice: what the assistant's turn begins with")
    metric: Literal["acc", "acc_norm"] | None = Field(
        None, description="for choice: acc (the default), or acc_norm: log-likelihood per character"
    )
    sampling: Sampling | None = Field(None, description="for accuracy: several answers to each item, and pass@k")

    @model_validator(mode="after")
    def _of_its_measure(self) -> _Task:
        owners = {"lead_in": "choice", "metric": "choice", "choices": "choice", "sampling": "accuracy"}
        for key, owner in owners.items():
            if getattr(self, key, None) is not None and self.evaluate != owner:
                raise ValueError(f"{key} is a key of evaluate: {owner}, not of {self.evaluate}; take it out")
        return self


class ReasoningGymTask(_Task):
    """A generator of reasoning-gym; splits never share operands."""

    kind: Literal["reasoning_gym"]
    generator: Text = Field(description="its name in reasoning-gym")
    parameters: Settings = Field({}, description="settings of the generator")
    splits: dict[Id, Positive] = Field(min_length=1, description="items of each split")
    seed: Seed = Field(0, description="of the items and their wordings")
    reference: Text = Field("answer", description="wordings (the project's), answer, or a key of the item's metadata")
    choices: int | None = Field(
        None, ge=2, le=10, description="for choice: how many, the right one among them; default: 4"
    )
    verifier: Id = Field("reasoning_gym", description=JUDGE)


class HumanEvalTask(_Task):
    """HumanEval's problems with their canonical solutions."""

    kind: Literal["human_eval"]
    splits: dict[Id, Positive] = Field(min_length=1, description="items of each split")
    template: Template | None = Field(None, description=ROWS)
    verifier: Id = Field("unverified", description=JUDGE)

    @field_validator("splits")
    @classmethod
    def _there(cls, splits: dict[str, int]) -> dict[str, int]:
        if set(splits) != {"test"}:
            raise ValueError(f"HumanEval has the split test only; found {', '.join(splits)}")
        if splits["test"] > PROBLEMS:
            raise ValueError(f"test: HumanEval has {PROBLEMS} problems; {splits['test']} asked for")
        return splits


class EverydayPromptsTask(_Task):
    """Everyday requests to a chat assistant, without references."""

    kind: Literal["everyday_prompts"]
    splits: dict[Id, Positive] = Field(min_length=1, description="items of each split")
    verifier: Id = Field("unverified", description=JUDGE)


def _part(value: str) -> str:
    if not re.fullmatch(r"[^\[\]/\\]+(\[\d*:\d*\])?", value):
        raise ValueError(
            f"{short(value)} is not a split of files; write its name, and rows by number behind it, as in train[:500]"
        )
    return value


Part = Annotated[Text, AfterValidator(_part)]


class FileSplit(Strict):
    """A split in a file, or in the files of a folder."""

    path: DataFile = Field(description="of the file, or of a folder; ~ and $VARIABLES are filled in")
    limit: Positive | None = Field(None, description="most rows, the first ones; null: all")
    part: Part | None = Field(None, description="of a folder: the split's name there; of its rows, such as train[:500]")
    name: Text | None = Field(None, description="of a folder: the data set's name, of files such as NAME-train.parquet")
    config: Text | None = Field(None, description="of a folder: the configuration's name, where a folder is named so")


class Columns(Strict):
    """Which column of a file or data set holds what."""

    messages: Text | None = Field(None, description="chat turns, of which the last is the response")
    prompt: Text | None = Field(None, description="what is asked, where there are no messages")
    response: Text | None = Field(None, description="the reference, beside prompt")
    answer: Text | None = Field(None, description="what a verifier compares with")
    id: Text | None = Field(None, description="names the row in messages and tables; null: its place")


class _OfRows(_Task):
    """What is read from rows of a data set: by names of columns, or by a template."""

    columns: Columns = Field(Columns(), description="which column holds what; null: it has our name, if it is there")
    template: Template | None = Field(None, description=ROWS)
    prompt_only: bool = Field(False, description="examples without responses, to be evaluated or asked only")

    @model_validator(mode="after")
    def _one_of_both(self) -> _OfRows:
        if self.template and (named := [key for key, value in self.columns if value is not None]):
            raise ValueError(
                f"columns: {named[0]} cannot stand beside template, which reads columns itself; take one of them out"
            )
        return self


class FileTask(_OfRows):
    """Your own data: JSONL or Parquet with messages, or with prompt and response."""

    kind: Literal["file"]
    splits: dict[Id, DataFile | FileSplit] = Field(min_length=1, description="the file of each split")
    databases: DataFile | dict[Id, DataFile] | None = Field(
        None, description="folder of the SQLite files NAME/NAME.sqlite of a template's database, or one for each split"
    )
    verifier: Id = Field("exact", description=JUDGE)

    @model_validator(mode="after")
    def _has_databases(self) -> FileTask:
        if self.template and self.template.database and self.databases is None:
            raise ValueError(
                "databases: missing; the template names a database: name the folder that holds the files "
                "NAME/NAME.sqlite, or one for each split, as in "
                f"databases: {{{next(iter(self.splits))}: FOLDER}}"
            )
        return self


class HubTask(_OfRows):
    """A data set of the hub."""

    kind: Literal["hub"]
    hub: DataRepository = Field(description="owner/name of the data set, or a folder")
    config: str | None = Field(None, description="configuration of the data set, where it has several")
    revision: DataCommit | None = Field(None, description="commit of the hub repository, its full hash")
    splits: dict[Id, Text] = Field(min_length=1, description="ours: theirs, such as train: train[:500]")
    verifier: Id = Field("exact", description=JUDGE)


class LmEvalTask(Strict):
    """A task of lm-evaluation-harness, with its own prompts and metrics; it can be evaluated and nothing else."""

    preset: Id | None = Field(None, description="the preset that makes the block; null: it is written out")
    kind: Literal["lm_eval"]
    name: Text = Field(pattern=r"^[^\s,:]+$", description="of a task or a group of tasks of the harness")
    num_fewshot: Annotated[int, Field(ge=0)] | None = Field(
        None, description="examples before each item; null: as many as the harness' task has"
    )

    # what the other kinds have as keys
    evaluate: ClassVar[str] = "lm_eval"
    splits: ClassVar[Mapping[str, object]] = {}
    verifier: ClassVar[None] = None
    answers: ClassVar[None] = None
    special_tokens: ClassVar[None] = None
    lead_in: ClassVar[None] = None
    metric: ClassVar[None] = None
    sampling: ClassVar[None] = None
    tested_on: ClassVar[None] = None


Task = Annotated[
    ReasoningGymTask | HumanEvalTask | EverydayPromptsTask | FileTask | HubTask | LmEvalTask,
    Field(discriminator="kind"),
]


def of_split(keys: dict[str, Any], split: str) -> dict[str, Any]:
    """A task's block as one of its splits reads it: of databases named for each split this one's, null without one."""
    databases = keys.get("databases")
    return {**keys, "databases": databases.get(split)} if isinstance(databases, dict) else keys


def example_keys(task: Task) -> dict[str, Any]:
    """What the examples of a task depend on: its keys but for those that only an evaluation reads."""
    keys = task.model_dump(exclude=MEASURED, exclude_none=True)
    if isinstance(task, ReasoningGymTask) and task.evaluate == "choice":
        keys["choices"] = task.choices or CHOICES
    return keys
