"""Imported first by every launcher: finds the package, guards the job, takes its GPUs, and keeps libraries quiet."""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# bars draw with control characters; a stage reports its progress in plain lines instead
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from clearminds.errors import UserError
from clearminds.job import guard
from clearminds.job.devices import take_devices

guard.watch()


def _asked_gpus() -> int:
    """`gpus` of --runtime: read here, since devices are chosen before torch is imported."""
    given = dict(zip(sys.argv, sys.argv[1:], strict=False)).get("--runtime", "{}")
    try:
        return int(json.loads(given).get("gpus", 0))
    except ValueError:
        return 0  # the launcher's own parser will say what is wrong with it


try:
    take_devices(_asked_gpus())
except UserError as error:
    sys.exit(f"error: {error}")
