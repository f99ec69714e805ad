"""The loss weights of one arm: matched examples, token ids, and a weight per token by the variant's rule."""

from collections import Counter
from pathlib import Path

import _setup  # noqa: F401

from clearminds.build_masks import plan_examples, source_tables, write_masks
from clearminds.launch import Job, Output, launch, log
from clearminds.tables import read_table


def main(
    job: Job,
    *,
    task: str,
    examples: Path,
    verdicts: list[Path],
    sequences: list[Path],
    scores: list[Path],
    masks: Output,
) -> None:
    tables = source_tables(verdicts, sequences, scores)
    example_ids = read_table(examples, "EXAMPLES")["example_id"].to_pylist()
    arm, counts = plan_examples(job.spec, tables, example_ids)
    found: Counter = write_masks(masks, task, job.spec, tables, arm, job.provenance(counts=counts))
    log.info(
        "%d of %d examples matched, %d of them missing here", counts["matched"], counts["examples"], counts["missing"]
    )
    log.info(
        "%d of %d response tokens kept; %d examples all masked", found["kept"], found["tokens"], found["all_masked"]
    )


launch(main)
