"""Refusing a study whose ids make names that no file can have."""

from pathlib import Path

from clearminds.config.study import Study
from clearminds.config.weights import tuned_of
from clearminds.config.wording import printable
from clearminds.errors import UserError
from clearminds.files.analysed_files import READS
from clearminds.files.layout import Layout, draw_of, memory_of, rank_log, run_record, tuned_scorer
from clearminds.run.refusals.file_names import ids_of

LONGEST = 255  # bytes of a file's name, nearly everywhere
TEMPORARY = "..4194304.tmp"  # what a name has around it while the file is written, with the largest process id
SHARD, RANK = "1000of1000", 999  # of the widest run that is thought of


def refuse_long_names(study: Study) -> None:
    """Check the names of the files and folders of every kind of result, with what a run puts around them.

    Raises:
        UserError: names the longest id among those that make such a name.
    """
    longest = _longest(study)
    ids = {wildcard: name for wildcard, (_, name) in longest.items()}
    seed = max(study.seeds)
    if any(tuned_of(variant.weights) for variant in study.variants.values()):
        ids["scorer"] = tuned_scorer(ids["model"], ids["target"], ids["variant"], seed)
    values = {**ids, "seed": seed, "draw": draw_of(seed), "shard": SHARD, "analysis": max(READS, key=len)}
    layout = Layout.of(study.study)
    found = []
    for kind in Layout.outputs():
        artefact = getattr(layout, kind)
        path, log = Path(artefact.path(**values)), Path(artefact.log_path(**values))
        record = run_record(rank_log(log, RANK))
        names = [*path.parts, *record.parts, memory_of(layout.jobs, path).name]
        names += [f"{path.name}{TEMPORARY}", f"{record.name}{TEMPORARY}"]
        used = [longest[wildcard] for wildcard in ids if f"{{{wildcard}}}" in artefact.template]
        found.append((max(map(len, names)), max([longest["study"], *used], key=lambda place: len(place[1]))))
    length, (where, name) = max(found)
    if length > LONGEST:
        raise UserError(
            f"{where}: {printable(name)} is too long: names of files of its results would have {length} characters and "
            f"may have {LONGEST}; shorten it, or ids that are used with it, by {length - LONGEST}"
        )


def _longest(study: Study) -> dict[str, tuple[str, str]]:
    """By wildcard, where its longest id is declared, and this id."""
    by_block = ids_of(study)
    found = {where: (where, max(names, key=len)) for where, names in by_block.items() if names}
    splits = [found[where] for where in found if where.endswith(": splits")]
    return {
        "study": ("study", study.study),
        "model": found["models"],
        "scorer": found["models"],
        "task": found["tasks"],
        "target": ("targets", max(study.targets, key=len)),
        "split": max(splits, key=lambda split: len(split[1])),
        "source": found["sources"],
        "suite": found["suites"],
        "variant": found["variants"],
    }
