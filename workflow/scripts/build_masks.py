"""The loss weights of one variant: matched examples, token ids, and a weight per token by its rule."""

from pathlib import Path

import _setup  # noqa: F401

from clearminds.files import contracts
from clearminds.files.tables import read_table
from clearminds.job.launch import Job, Output, launch, log
from clearminds.stages.build_masks import (
    Replayed,
    Settings,
    other_tables,
    plan_examples,
    source_tables,
    write_masks,
)
from clearminds.stages.masking.replay import replay_tables, replayed_examples


def main(
    job: Job[Settings, None],
    *,
    task: str,
    examples: Path,
    verdicts: list[Path],
    sequences: list[Path],
    scores: list[Path],
    other_scores: list[Path],
    replay_examples: list[Path],
    replay_verdicts: list[Path],
    replay_sequences: list[Path],
    replay_scores: list[Path],
    masks: Output,
) -> None:
    tables = source_tables(job.settings, verdicts, sequences, scores)
    example_ids = read_table(examples, contracts.EXAMPLES)["example_id"].to_pylist()
    chosen, counts = plan_examples(job.settings, tables, example_ids)
    others = other_tables(job.settings, other_scores)
    mixed = None
    if replay := job.settings.replay:
        given = replay_tables(replay, replay_verdicts, replay_sequences, replay_scores)
        ids = read_table(replay_examples[0], contracts.EXAMPLES)["example_id"].to_pylist()
        mixed = Replayed(replay, given, replayed_examples(replay, given, job.settings.max_length, ids, len(chosen)))
        log.info("%d examples of %s are replayed", len(mixed.chosen), replay.task)
    found = write_masks(masks, task, job.settings, tables, chosen, job.provenance(counts=counts), others, mixed)
    log.info("%(matched)d of %(examples)d examples matched, %(missing)d of them missing here", counts)
    log.info("%(kept)d of %(tokens)d response tokens kept; %(all_masked)d examples all masked", found)


launch(main, Settings)
