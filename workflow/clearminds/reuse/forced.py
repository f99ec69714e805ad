"""What a run was told to compute whatever is there: `--forcerun`, `--force` and `--forceall` of Snakemake.

Snakemake's jobs do not learn why they run, those on a cluster's node least of all, so it is written down for them.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from clearminds.files.tables import write_json
from clearminds.reuse.job_memory import read_record

FORCED = Path(".snakemake/clearminds.forced.json")
ALL = "*"
STAGE_OF = {"generate_shard": "generate_responses", "score_shard": "score_token_perplexity"}  # of rules named otherwise


def remember(targets: Iterable[str]) -> None:
    """Write down what the run that begins is to compute. Args: rules and files; `ALL` among them stands for all."""
    write_json(FORCED, {"targets": sorted(targets)})


def is_forced(stage: str, outputs: Iterable[Path]) -> bool:
    """Whether the run that goes on was told to compute a job. Args: its stage and its declared results."""
    targets = (read_record(FORCED) or {}).get("targets", [])
    names = {ALL, stage, *map(os.path.normpath, outputs)}
    return any(STAGE_OF.get(target, os.path.normpath(target)) in names for target in targets)
