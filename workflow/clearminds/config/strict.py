"""What all blocks of config.yaml have in common: a model that refuses unknown keys, the types of names and counts."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Positive = Annotated[int, Field(gt=0, lt=2**31)]  # tables count tokens and items in 32 bits


class Strict(BaseModel):
    """A block of the config: unknown keys are refused, and values of another type than the key's."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
