"""What libraries raise when memory or disk runs out: the one place that tells their errors apart.

vLLM runs in a process of its own, which tells its own errors apart (`clearminds.model.vllm.engine`).
"""

import errno
import os
import sys
from pathlib import Path
from typing import Literal

Where = Literal["host", "gpu"]

CUDA_OUT_OF_MEMORY = 2  # cudaErrorMemoryAllocation of CUDA's runtime
# torch raises a plain RuntimeError here: nothing but its text tells it from any other error
PLAIN_ERRORS: dict[str, Where] = {
    "DefaultCPUAllocator: can't allocate memory": "host",
    "DefaultCPUAllocator: not enough memory": "host",
    "CUBLAS_STATUS_ALLOC_FAILED": "gpu",
}


def out_of_memory(error: BaseException) -> Where | None:
    """Whose memory ran out, the host's or a GPU's; None: it is another error."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return "host"
    torch = sys.modules.get("torch")  # not imported: a job that has not imported it raises none of its errors
    if torch is None or not isinstance(error, RuntimeError):
        return None
    if isinstance(error, torch.OutOfMemoryError):
        return "gpu"
    if isinstance(error, torch.AcceleratorError):
        return "gpu" if getattr(error, "error_code", None) == CUDA_OUT_OF_MEMORY else None
    return next((where for text, where in PLAIN_ERRORS.items() if text in str(error)), None)


def no_space(error: BaseException) -> bool:
    """Whether a disk, or the user's share of it, is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def no_access(error: BaseException) -> bool:
    """Whether a file may not be read or written."""
    return isinstance(error, OSError) and error.errno in (errno.EROFS, errno.EACCES)


def in_the_way(error: BaseException) -> Path | None:
    """The file that stands where a folder must be; None: it is another error."""
    if not isinstance(error, (NotADirectoryError, FileExistsError)) or error.filename2 or not error.filename:
        return None
    path = Path(os.fsdecode(error.filename))
    return next((place for place in (path, *path.parents) if place.is_file()), None)
