"""Imported first by every launcher: finds the package, turns libraries' progress bars off, spares the garbage
collector work, and guards the job.

A launcher imports what needs torch, transformers, peft, datasets or lm_eval inside its `main`: that runs after `launch`
has chosen the job's GPUs, and a job that takes its result back or is refused imports none of them.
"""

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

from clearminds.job import imported

imported.watch()

from clearminds.collector import collect_less  # noqa: E402
from clearminds.job import guard  # noqa: E402

collect_less()
guard.watch()
