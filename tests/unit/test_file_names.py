"""Studies two of whose results would be one file."""

import copy
import os
import re
from pathlib import Path

import pytest
from demo_study import DEMO, demo, study_with

from clearminds.config.study import Study
from clearminds.errors import UserError
from clearminds.files.layout import Layout, memory_of, rank_log, run_record
from clearminds.plugins.load import names
from clearminds.run.specs import Specs


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"sources/rephrase.sequences": {"kind": "rephrase"}},
            "sources: rephrase.sequences: its files would have the names of others: source rephrase of split train and "
            "source rephrase.sequences of split train both write train.rephrase.sequences; rename one of them",
        ),
        (
            {"sources/rephrase.shard1of2": {"kind": "rephrase"}},
            "sources: rephrase.shard1of2: its files would have the names of others: ",
        ),
        (
            {"sources/own": {"kind": "rephrase"}, "sources/b.own": {"kind": "rephrase"}, "tasks/gcd/splits/test.b": 4},
            "sources: own: its files would have the names of others: source b.own of split test and source own of "
            "split test.b both write test.b.own; rename one of them",
        ),
        ({"variants/x.draw0": {"responses": "reference"}}, "variants: x.draw0: .draw and a number end the masks"),
    ],
)
def test_a_study_whose_files_cannot_be_told_apart_is_refused(changes, message):
    with pytest.raises(UserError) as caught:
        Specs(demo(changes))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("name", ["my.own", "sequences", "x.sequences", "x.shard1of2", "train.parquet"])
def test_a_source_may_have_dots_where_its_files_are_told_apart(name):
    assert name in Specs(demo({f"sources/{name}": {"kind": "rephrase"}})).study.sources


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"tasks/sums/verifier": "nubmer"},
            f"tasks: sums: verifier: 'nubmer' is not one of {', '.join(names('verifiers'))}; did you mean number?",
        ),
        (
            {"tasks/gcd/reference": "wordings"},
            "tasks: gcd: reference: wordings: generator: 'gcd' is not one of chain_sum",
        ),
    ],
)
def test_a_plugin_that_does_not_exist_is_refused_with_the_config(changes, message):
    with pytest.raises(UserError) as caught:
        Specs(demo(changes))
    assert str(caught.value) == message


@pytest.mark.parametrize("split", ["a{b}.jsonl", {"path": "{x}/a.jsonl", "limit": 3}])
def test_a_file_with_braces_is_refused_which_snakemake_would_take_for_wildcards(refusal, split):
    path = "splits: test: path" if isinstance(split, dict) else "splits: test"
    found = split["path"] if isinstance(split, dict) else split
    assert refusal(study_with({"tasks/mine": {"kind": "file", "splits": {"test": split}}})) == (
        f"tasks: mine: {path}: {found!r} has braces, which Snakemake takes for wildcards; rename the file"
    )


# --- capitals and lengths ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"models/SMOLLM2-135m-q4": {"path": "x"}}, "models: SMOLLM2-135m-q4 and smollm2-135m-q4 differ in capitals"),
        ({"tasks/GCD": {"kind": "human_eval", "splits": {"test": 1}}}, "tasks: GCD and gcd differ in capitals only, "),
        ({"tasks/gcd/splits": {"test": 1, "Test": 1}}, "tasks: gcd: splits: Test and test differ in capitals only, "),
    ],
)
def test_ids_that_differ_in_capitals_only_are_refused(changes, message):
    with pytest.raises(UserError) as caught:
        Specs(demo(changes))
    assert str(caught.value).startswith(message)


def test_splits_of_different_tasks_may_differ_in_capitals_only():
    splits = {"test": 1, "Train": 1}
    assert Specs(demo({"tasks/gcd/splits": splits})).study.tasks["gcd"].splits == splits


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("study", None),
        ("models", "scores"),
        ("targets", "evaluation"),
        ("sources", "sequences"),
        ("variants", "adapter"),
        ("splits", "sequences"),
        ("suites", "evaluation"),
    ],
)
def test_an_id_is_taken_as_long_as_a_disk_takes_its_names(place, kind, tmp_path):
    """With the longest id, the names of a result and of what a run puts beside it are made on this disk."""
    assert refused(place, 255 if place == "study" else 100) is None
    length = max(n for n in range(100, 256) if refused(place, n) is None)
    words = refused(place, length + 1)
    assert re.match(rf"{'tasks' if place == 'targets' else place}: xxx|tasks: gcd: {place}: xxx", words)
    assert words.endswith("would have 256 characters and may have 255; shorten it, or ids that are used with it, by 1")
    assert refused(place, length + 7).endswith("by 7")
    if kind is not None:
        for path in names(place, length, kind):
            (tmp_path / path.name).touch()


def named(place: str, length: int) -> dict:
    """The demo with one more id, of x only."""
    name, study = "x" * length, copy.deepcopy(DEMO)
    if place == "study":
        study["study"] = name
    elif place == "splits":
        study["tasks"]["gcd"]["splits"][name] = 1
    elif place == "targets":
        study["tasks"][name], study["targets"] = study["tasks"]["sums"], [name]
    elif place == "suites":
        study["suites"][name] = ["lm_eval:x"]
    else:
        study[place][name] = {
            **next(iter(study[place].values())),
            **({"kind": "rephrase"} if place == "sources" else {}),
        }
    return study


def refused(place: str, length: int) -> str | None:
    try:
        Specs(Study.model_validate(named(place, length)))
    except UserError as error:
        return str(error)
    return None


def names(place: str, length: int, kind: str) -> list[Path]:
    """The file of a result with the longest ids, its folders and its log, both while they are written, its memory."""
    study = Study.model_validate(named(place, length))
    ids = {"study": study.study, "target": study.targets[0], "seed": "0"}
    ids |= {key: max(getattr(study, f"{key}s"), key=len) for key in ("model", "task", "source", "suite", "variant")}
    ids |= {"scorer": ids["model"], "split": max((s for t in study.tasks.values() for s in t.splits), key=len)}
    layout = Layout.of(study.study)
    artefact = getattr(layout, kind)
    path, log = Path(artefact.path(**ids)), Path(artefact.log_path(**ids))
    writing = [file.with_name(f".{file.name}.{os.getpid()}.tmp") for file in (path, run_record(rank_log(log, 1)))]
    return [*path.parents[:-1], path, log, *writing, memory_of(layout.jobs, path)]
