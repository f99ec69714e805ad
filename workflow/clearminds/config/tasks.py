"""The tasks of config.yaml, one model a kind: where examples come from, how answers are judged and what is measured."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from clearminds.config.origins import DataCommit, DataRepository
from clearminds.config.strict import Id, Positive, Strict
from clearminds.config.template import Template
from clearminds.config.values import DataFile, Seed, Settings, Text
from clearminds.config.wording import short

# the default is null, which is in no spec: the token itself is what the string of one is without the key
SpecialTokens = Annotated[
    Literal["refuse", "keep", "as_text"] | None, AfterValidator(lambda name: None if name == "keep" else name)
]


class _Task(Strict):
    preset: Id | None = Field(None, description="the preset that the block was made from")
    normalise: Literal["default", "none"] = Field(
        "default", description="line ends, trailing blanks and Unicode of all texts"
    )
    evaluate: Literal["accuracy", "choice", "likelihood", "drift"] = Field(
        "accuracy", description="what an evaluation of it measures"
    )
    answers: str | None = Field(None, description="for drift: the source whose samples are the base's own answers")
    special_tokens: SpecialTokens = Field(
        None,
        description="a special token's string in its texts: keep (the default): the token itself; as_text; refuse",
    )


class ReasoningGymTask(_Task):
    """A generator of reasoning-gym; splits never share operands."""

    kind: Literal["reasoning_gym"]
    generator: Text
    parameters: Settings = Field({}, description="settings of the generator")
    splits: dict[Id, Positive] = Field(min_length=1)
    seed: Seed = 0
    reference: Text = Field("answer", description="wordings (the project's), answer, or a key of the item's metadata")
    verifier: Id = "reasoning_gym"


class HumanEvalTask(_Task):
    """HumanEval's problems with their canonical solutions."""

    kind: Literal["human_eval"]
    splits: dict[Id, Positive] = Field(min_length=1)
    template: Template | None = None
    verifier: Id = "unverified"


class EverydayPromptsTask(_Task):
    """Everyday requests to a chat assistant, without references."""

    kind: Literal["everyday_prompts"]
    splits: dict[Id, Positive] = Field(min_length=1)
    verifier: Id = "unverified"


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
    limit: Positive | None = None
    part: Part | None = Field(None, description="of a folder: the split's name there; of its rows, such as train[:500]")
    name: Text | None = Field(None, description="of a folder: the data set's name, of files such as NAME-train.parquet")
    config: Text | None = Field(None, description="of a folder: the configuration's name, where a folder is named so")


class Columns(Strict):
    """Which column of a file or data set holds what."""

    messages: Text | None = None
    prompt: Text | None = None
    response: Text | None = None
    answer: Text | None = None
    id: Text | None = None


class _OfRows(_Task):
    """What is read from rows of a data set: by names of columns, or by a template."""

    columns: Columns = Columns()
    template: Template | None = None
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
    splits: dict[Id, DataFile | FileSplit] = Field(min_length=1)
    databases: DataFile | dict[Id, DataFile] | None = Field(
        None, description="folder of the SQLite files NAME/NAME.sqlite of a template's database, or one for each split"
    )
    verifier: Id = "exact"


class HubTask(_OfRows):
    """A data set of the hub."""

    kind: Literal["hub"]
    hub: DataRepository = Field(description="owner/name of the data set, or a folder")
    config: str | None = None
    revision: DataCommit | None = Field(None, description="commit of the hub repository, its full hash")
    splits: dict[Id, Text] = Field(min_length=1, description="ours: theirs, such as train: train[:500]")
    verifier: Id = "exact"


class LmEvalTask(Strict):
    """A task of lm-evaluation-harness, with its own prompts and metrics; it can be evaluated and nothing else."""

    preset: Id | None = Field(None, description="the preset that the block was made from")
    kind: Literal["lm_eval"]
    name: Text = Field(pattern=r"^[^\s,:]+$", description="of a task or a group of tasks of the harness")

    # what the other kinds have as keys
    evaluate: ClassVar[str] = "lm_eval"
    splits: ClassVar[Mapping[str, object]] = {}
    verifier: ClassVar[None] = None
    answers: ClassVar[None] = None
    special_tokens: ClassVar[None] = None


Task = Annotated[
    ReasoningGymTask | HumanEvalTask | EverydayPromptsTask | FileTask | HubTask | LmEvalTask,
    Field(discriminator="kind"),
]
