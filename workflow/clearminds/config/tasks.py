"""The tasks of config.yaml, one model a kind: where examples come from, how answers are judged and what is measured."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from clearminds.config.origins import DataCommit, DataRepository
from clearminds.config.strict import Id, Positive, Strict
from clearminds.config.values import DataFile, Seed, Settings, Text

# the default is null, which is in no spec: the token itself is what the string of one is without the key
SpecialTokens = Annotated[
    Literal["refuse", "keep", "as_text"] | None, AfterValidator(lambda name: None if name == "keep" else name)
]


class _Task(Strict):
    normalise: Literal["default", "none"] = Field(
        "default", description="line ends, trailing blanks and Unicode of all texts"
    )
    evaluate: Literal["accuracy", "likelihood", "drift"] = Field(
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
    verifier: Id = "unverified"


class EverydayPromptsTask(_Task):
    """Everyday requests to a chat assistant, without references."""

    kind: Literal["everyday_prompts"]
    splits: dict[Id, Positive] = Field(min_length=1)
    verifier: Id = "unverified"


class FileSplit(Strict):
    """A split in a file."""

    path: DataFile = Field(description="of the file; ~ and $VARIABLES are filled in")
    limit: Positive | None = None


class Columns(Strict):
    """Which column of a file or data set holds what."""

    messages: Text | None = None
    prompt: Text | None = None
    response: Text | None = None
    answer: Text | None = None
    id: Text | None = None


class FileTask(_Task):
    """Your own data: JSONL or Parquet with messages, or with prompt and response."""

    kind: Literal["file"]
    splits: dict[Id, DataFile | FileSplit] = Field(min_length=1)
    columns: Columns = Columns()
    prompt_only: bool = Field(False, description="examples without responses, to be evaluated or asked only")
    verifier: Id = "exact"


class HubTask(_Task):
    """A data set of the hub."""

    kind: Literal["hub"]
    hub: DataRepository = Field(description="owner/name of the data set, or a folder")
    config: str | None = None
    revision: DataCommit | None = Field(None, description="commit of the hub repository, its full hash")
    splits: dict[Id, Text] = Field(min_length=1, description="ours: theirs, such as train: train[:500]")
    columns: Columns = Columns()
    prompt_only: bool = Field(False, description="examples without responses, to be evaluated or asked only")
    verifier: Id = "exact"


Task = Annotated[
    ReasoningGymTask | HumanEvalTask | EverydayPromptsTask | FileTask | HubTask, Field(discriminator="kind")
]
