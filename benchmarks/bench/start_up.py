"""What a job spends before its first batch: the imports of each stage's launcher, by `-X importtime`."""

import re
import subprocess
import sys
from pathlib import Path

from measured import Measured, Places

ROOT = Path(__file__).parents[2]
# what the `main` of each launcher imports, as it stands there
IMPORTS = {
    "score": "clearminds.stages.score_token_perplexity clearminds.model.encode_responses "
    "clearminds.model.full_weights clearminds.model.load clearminds.model.score_sequences",
    "train": "clearminds.stages.train_adapter clearminds.stages.training.trainer clearminds.model.full_weights",
    "generate": "clearminds.stages.generate_responses clearminds.model.conversation clearminds.model.load "
    "clearminds.model.backends.transformers",
    "evaluate": "clearminds.stages.evaluate clearminds.stages.evaluation.accuracy clearminds.model.load",
    "masks": "clearminds.stages.build_masks",
    "summarise": "clearminds.stages.summarise",
}
LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|")


def own(stage: str, places: Places) -> Measured:
    """Seconds of one stage's imports, each module's own time added up."""
    command = "\n".join(f"import {name}" for name in IMPORTS[stage].split())
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", command],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT / "workflow",
    )
    seconds = sum(int(found) for found in LINE.findall(done.stderr)) / 1e6
    return Measured(1.0, seconds, seconds, 0.0)
