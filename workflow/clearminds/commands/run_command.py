"""How a command ends: what the user can fix in one line, and an exit code."""

import sys
from collections.abc import Callable

from clearminds.errors import UserError


def run_command(main: Callable[[], None]) -> None:
    """Run a command's `main`; what the user can fix, and Ctrl-C, end in one line and an exit code."""
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {error.filename or 'a file'}: {error.strerror or error}; fix that, then run again")
    except KeyboardInterrupt:
        sys.exit(130)
