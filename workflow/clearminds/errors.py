"""The exceptions a user is meant to see, and the words of others in one line.

What is decided by an error is decided by its class and its attributes.
"""


class UserError(Exception):
    """A mistake that the user can fix.

    Its message is one line: the file, row or key; what was found; what is allowed; what to do next.
    Launchers and the Snakefile print it without a traceback and exit with a code other than 0.

    Attributes:
        retry_is_pointless: whether the same job on the same device would fail in the same way.
    """

    retry_is_pointless = False


class OutOfMemory(UserError):
    """There was too little memory.

    Args:
        message: one line.
        on_gpu: whether a GPU's memory ran out. A retry gets a GPU of the same size, but more of the host's memory.
    """

    def __init__(self, message: str, *, on_gpu: bool):
        super().__init__(message)
        self.on_gpu = self.retry_is_pointless = on_gpu


class NoNumbers(UserError):
    """What a model gives is NaN or infinite.

    Args:
        what: in words, beginning with the model's name.
        row: which of the texts that were asked for; None: one that the caller does not know by its number.
    """

    retry_is_pointless = True

    def __init__(self, what: str, row: int | None = None):
        super().__init__(f"{what}; use bfloat16 or float32 in place of float16, and check the adapter, if there is one")
        self.row = row


def one_line(error: BaseException, limit: int = 300, *, named: bool = False) -> str:
    """What a library's error says, in one line.

    Args:
        error: whose text may have many lines.
        limit: most characters.
        named: whether its class is named too, where the text alone would say little.
    """
    text = f"{type(error).__name__}: {error}" if named else str(error)
    return " ".join(text.split())[:limit]
