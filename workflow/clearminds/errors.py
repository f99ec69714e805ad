"""The one exception a user is meant to see."""


class UserError(Exception):
    """A mistake that the user can mend.

    Its message is one line: the file, row or key; what was found; what is allowed; what to do next.
    Launchers and the Snakefile print it without a traceback and exit with a code other than 0.
    """


# how an error begins after which the same job on the same device would end alike: it is not tried again
OUT_OF_GPU_MEMORY = "out of memory on the GPU"
