"""The loss weights of one variant: matched examples, token ids, and a weight per token by its rule."""

from pathlib import Path

import _setup  # noqa: F401

from clearminds.files import contracts
from clearminds.files.tables import read_table
from clearminds.job.launch import Job, Output, launch, log
from clearminds.stages.build_masks import Settings, other_tables, plan_examples, source_tables, write_masks


def main(
    job: Job[Settings, None],
    *,
    task: str,
    examples: Path,
    verdicts: list[Path],
    sequences: list[Path],
    scores: list[Path],
    other_scores: list[Path],
    masks: Output,
) -> None:
    tables = source_tables(job.settings, verdicts, sequences, scores)
    example_ids = read_table(examples, contracts.EXAMPLES)["example_id"].to_pylist()
    chosen, counts = plan_examples(job.settings, tables, example_ids)
    others = other_tables(job.settings, other_scores)
    found = write_masks(masks, task, job.settings, tables, chosen, job.provenance(counts=counts), others)
    log.info("%(matched)d of %(examples)d examples matched, %(missing)d of them missing here", counts)
    log.info("%(kept)d of %(tokens)d response tokens kept; %(all_masked)d examples all masked", found)


launch(main, Settings)
