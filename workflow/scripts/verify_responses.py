"""A verdict on every response, by the task's verifier."""

from collections import Counter
from pathlib import Path

import _setup  # noqa: F401

from clearminds.files import contracts
from clearminds.files.tables import read_table, write_table
from clearminds.job.launch import Job, Output, launch, log
from clearminds.stages.verify_responses import Runtime, Settings, sandbox_used, verify


def main(job: Job[Settings, Runtime], *, examples: Path, responses: Path, verdicts: Output) -> None:
    rows = verify(
        read_table(responses, contracts.RESPONSES).to_pylist(),
        read_table(examples, contracts.EXAMPLES).to_pylist(),
        job.settings.verifier,
        job.runtime.sandbox,
    )
    counts = Counter(row["verdict"] for row in rows)
    log.info("%s", ", ".join(f"{n} {verdict}" for verdict, n in counts.most_common()))
    facts = job.provenance(counts=counts, **sandbox_used([job.settings.verifier], job.runtime.sandbox))
    write_table(verdicts, rows, contracts.VERDICTS, facts)


launch(main, Settings, Runtime)
