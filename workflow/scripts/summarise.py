"""The result table and every comparison, each in four formats; and items that are in the training data too."""

from pathlib import Path

import _setup  # noqa: F401

from clearminds.files.contracts import EXAMPLES
from clearminds.files.study_files import evaluation_rows, seen_examples, task_kinds
from clearminds.files.tables import atomic_path, read_table, write_text
from clearminds.job.launch import Job, Output, launch, log
from clearminds.report.comparison_table import printed_comparisons
from clearminds.report.result_table import latex_table, markdown_table
from clearminds.report.text_table import LATEX, MARKDOWN
from clearminds.stages.summarise import Settings, tables


def main(
    job: Job[Settings, None],
    *,
    parquet: Output,
    csv: Output,
    md: Output,
    tex: Output,
    comparisons: Output,
    comparisons_csv: Output,
    comparisons_md: Output,
    comparisons_tex: Output,
    overlaps: Output,
) -> None:
    names = job.settings.names
    trained = {name: read_table(path, EXAMPLES).to_pylist() for name, path in seen_examples(names).items()}
    made = tables(evaluation_rows(names), task_kinds(job.settings.tasks), trained, names.get("seen"))
    write_text(csv, made.summary.write_csv())
    write_text(md, markdown_table(made.summary, made.comparisons))
    write_text(tex, latex_table(made.summary, made.comparisons))
    write_text(comparisons_csv, made.comparisons.write_csv())
    write_text(comparisons_md, printed_comparisons(made.comparisons, MARKDOWN))
    write_text(comparisons_tex, printed_comparisons(made.comparisons, LATEX))
    for path, table in ((overlaps, made.overlaps), (comparisons, made.comparisons), (parquet, made.summary)):
        with atomic_path(path) as temporary:
            table.write_parquet(temporary)
    log.info("%s, .csv, .md, .tex; %s, likewise; %s", parquet, comparisons, overlaps)


def reads(settings: Settings) -> list[Path]:
    evaluations = [Path(row["path"]) for row in evaluation_rows(settings.names)]
    return [*evaluations, *map(Path, seen_examples(settings.names).values())]


launch(main, Settings, also_reads=reads)
