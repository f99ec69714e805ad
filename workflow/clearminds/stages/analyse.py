"""One analysis of one model and target: a table made of what other stages have left."""

from typing import Any

from clearminds.files.settings import settings


@settings
class Settings:
    """What an analysis depends on.

    Attributes:
        analysis: a module of `stages/analyses`.
        names: of the one model and target, see `files.analysed_files`.
    """

    analysis: str
    names: dict[str, Any]
