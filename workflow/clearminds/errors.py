"""The one exception a user is meant to see."""


class UserError(Exception):
    """A mistake that the user can mend.

    Its message is one line: the file, row or key; what was found; what is allowed; what to do next.
    Launchers and the Snakefile print it without a traceback and exit with a code other than 0.
    """
