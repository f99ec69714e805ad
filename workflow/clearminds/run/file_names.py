"""Refusing a study two of whose results would be one file: ids may have dots, which also part the names of files."""

from clearminds.config.study import Study
from clearminds.errors import UserError
from clearminds.files.layout import Layout, same_file


def refuse_equal_files(study: Study) -> None:
    """Check that the files of sources, and of variants whose rule draws at random, are told apart.

    Raises:
        UserError: names the source or variant to rename.
    """
    splits = dict.fromkeys(split for task in study.tasks.values() for split in task.splits)
    if clash := same_file(splits, ["reference", *study.sources]):
        (split, source), (other_split, other_source), name = clash
        named = other_source if other_source != "reference" else source
        raise UserError(
            f"sources: {named}: its files would have the names of others: source {source} of split {split} and "
            f"source {other_source} of split {other_split} both write {name}; rename one of them"
        )
    for variant in study.variants:
        read = Layout.masks.parse(Layout.masks.path(model="m", target="t", variant=variant, draw=""))
        if read is None or read["variant"] != variant:
            raise UserError(
                f"variants: {variant}: .draw and a number end the masks of rules that draw at random; rename it"
            )
