"""Less work for Python's garbage collector while the libraries are imported, and none at the end of a process."""

import atexit
import gc

FULL_AFTER = 100  # collections of the middle generation, Python's own being 10


def collect_less() -> None:
    """Let this process search all objects for garbage less often, and not once more when it ends.

    Call it before the imports. Those of torch and transformers make some 600,000 objects that stay, which Python would
    search a score of times while they come and twice while the process ends: a fifth of the time of a short job, a
    third of that of a dry-run. What lived for a short time is collected as often as ever, so that garbage that holds
    tensors does not pile up.
    """
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, FULL_AFTER)
    # it runs after what libraries want done at the end, as they register that later
    atexit.register(gc.freeze)
