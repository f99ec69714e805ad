"""How a plan is put into words: differences of settings and code, causes of a job, and the lines of a plan."""

import json
import shlex
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearminds.commands import explain as module
from clearminds.commands.explain import Planned, after, code_changed, explain, main, own_causes
from clearminds.errors import UserError
from clearminds.files.digests import canonical, file_sha256
from clearminds.reuse import stage_code as stages
from clearminds.reuse.differences import differences
from clearminds.run import dry_run

STM = {"responses": "reference", "weights": {"rule": "perplexity", "tau": "2.5"}, "draw": None}
SAID = {"clearminds.stages.build_masks:count": "1", "clearminds.plugins.weights.perplexity:weights": "2"}
CODE = {"code": "c", "definitions": SAID}
EDITED = {"code": "d", "definitions": {**SAID, "clearminds.stages.build_masks:count": "9"}}
OTHERS = "Input files updated by another job: results/s/examples/sums/train.parquet"


def masks(**changes: object) -> Planned:
    """A planned job as it is when nothing changed."""
    made = Planned(
        rule="build_masks",
        stage="build_masks",
        name="tiny/sums/stm-2.5",
        wildcards={},
        reason="",
        spec=STM,
        runtime={},
        inputs=("results/s/examples/sums/train.parquet",),
        outputs=("results/s/masks/tiny/sums/stm-2.5.parquet",),
        memory=Path("results/s/.jobs/masks/tiny/sums/.stm-2.5.parquet"),
        record={
            "spec": canonical(STM),
            **CODE,
            "inputs": {"results/s/examples/sums/train.parquet": "1"},
            "outputs": {},
        },
    )
    return replace(made, **changes)


@pytest.fixture
def folder(tmp_path):
    """A working directory with the job's result, as its record has it."""
    [output] = masks().outputs
    (tmp_path / output).parent.mkdir(parents=True)
    (tmp_path / output).write_text("made")
    return tmp_path


def made(folder, **changes: object) -> Planned:
    """A job whose result is in a folder, whole."""
    job = masks(**changes)
    outputs = {path: file_sha256(folder / path) for path in job.outputs if (folder / path).exists()}
    return replace(job, record={**job.record, "outputs": outputs})


def causes(job: Planned, folder, *, now: dict = CODE, forced: bool = False, follows: bool = False) -> list[str]:
    return own_causes(job, now, folder, forced, follows)


# --- differences ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ({"weights": {"tau": "2.5"}}, {"weights": {"tau": "3"}}, ["weights: tau 2.5 -> 3"]),
        ({"seed": 0}, {"seed": 1}, ["seed 0 -> 1"]),
        ({"draw": None}, {"draw": 0}, ["draw null -> 0"]),
        ({"on": True}, {"on": 1}, ["on true -> 1"]),
        ({"tau": "3"}, {"tau": 3}, ['tau "3" -> 3']),
        ({"text": ""}, {"text": " a"}, ['text "" -> " a"']),
        ({}, {"limit": 5}, ["limit added (5)"]),
        ({"limit": 5}, {}, ["limit removed (5)"]),
        ({}, {"like": {"rule": "all"}}, ["like added"]),
        ({"match": ["a"]}, {"match": ["a", "b"]}, ["match: b added"]),
        ({"match": ["a", "b"]}, {"match": ["b"]}, ["match: a removed"]),
        ({"match": ["a", "b"]}, {"match": ["b", "a"]}, ["match in another order"]),
        ({"seeds": [0, 1]}, {"seeds": [0, 2]}, ["seeds: 2 added", "seeds: 1 removed"]),
        ({"n": ["a"]}, {"n": ["a", "a"]}, ['n ["a"] -> ["a", "a"]']),
        ({"n": 1}, {"n": [1]}, ["n 1 -> [1]"]),
        (
            {"tasks": [{"name": "gcd", "verifier": "exact"}]},
            {"tasks": [{"name": "gcd", "verifier": "number"}, {"name": "lcm"}]},
            ["tasks: lcm added", "tasks: gcd: verifier exact -> number"],
        ),
        ({"a": 1, "b": 2}, {"a": 2, "b": 1}, ["a 1 -> 2", "b 2 -> 1"]),
        ({"a": [[1], {"x": 1}]}, {"a": [[1], {"x": 2}]}, ['a: {"x": 2} added', 'a: {"x": 1} removed']),
    ],
)
def test_differences_are_worded(old, new, words):
    assert differences(old, new) == words


def test_long_values_are_cut():
    [words] = differences({"text": "a" * 500}, {"text": "b\n" * 500})
    assert len(words) < 160 and "\n" not in words
    assert differences({"text": "a" * 500}, {"text": "a" * 501}) == ["text changed"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(max_size=2), VALUES, max_size=3), st.dictionaries(st.text(max_size=2), VALUES, max_size=3)
)
def test_specs_that_differ_have_differences_in_words_and_equal_ones_have_none(old, new):
    assert differences(old, json.loads(json.dumps(old))) == []
    assert bool(differences(old, new)) == (canonical(old) != canonical(new))


def test_changed_definitions_are_named():
    assert code_changed(CODE, CODE, False) == []
    assert code_changed(CODE, EDITED, False) == ["code of clearminds.stages.build_masks.count changed"]
    more = {"code": "d", "definitions": {"clearminds.stages.build_masks:count": "1", "clearminds.new:f": "3"}}
    assert code_changed(CODE, more, False) == [
        "code of clearminds.new.f added",
        "code of clearminds.plugins.weights.perplexity.weights left out",
    ]
    assert code_changed(CODE, more, True) == []  # another rule has other code


def test_a_definition_that_moved_is_no_change_of_its_own():
    moved = {"code": "d", "definitions": {"clearminds.other:count": "1", **dict([list(SAID.items())[1]])}}
    assert code_changed(CODE, moved, False) == ["what its code refers to changed"]


def test_a_record_from_before_definitions_were_recorded_tells_what_it_can():
    old = {"code": "d", "modules": {"clearminds.stages.build_masks": "1"}}
    assert code_changed(old, CODE, False) == ["code changed since records told which definition"]


def test_many_changed_definitions_are_counted():
    old, new = ({"code": value, "definitions": {f"m:{n}": f"{value}{n}" for n in range(9)}} for value in "12")
    assert code_changed(old, new, False) == ["code of m.0, m.1, m.2, 6 more changed"]


# --- causes of a job --------------------------------------------------------------------------------------------------


def test_changed_settings_and_code_are_causes(folder):
    job = made(folder, spec={**STM, "weights": {**STM["weights"], "tau": "3"}}, reason="Params have changed since ...")
    assert causes(job, folder) == ["weights: tau 2.5 -> 3"]
    code = "code of clearminds.stages.build_masks.count changed"
    assert causes(job, folder, now=EDITED) == ["weights: tau 2.5 -> 3", code]
    assert causes(made(folder), folder, now=EDITED) == [code]


def test_a_job_that_never_ran_is_new(tmp_path):
    assert causes(masks(record=None), tmp_path) == ["new"]


def test_a_result_that_is_gone_is_missing(tmp_path):
    assert causes(masks(), tmp_path) == ["result missing"]


def test_a_result_of_unknown_origin_has_no_record(folder):
    assert causes(masks(record=None), folder) == ["no record of how it was made"]


def test_an_altered_result_is_named(folder):
    job = made(folder, reason="Params have changed since last execution: Union of ...")
    [output] = job.outputs
    (folder / output).write_text("altered")
    assert causes(job, folder) == [f"{output}: is not what its job made (edited or damaged)"]


def test_a_changed_input_is_named(folder):
    reason = "Updated input files: results/s/examples/sums/train.parquet; Set of input files has changed"
    assert causes(made(folder, reason=reason), folder) == ["input results/s/examples/sums/train.parquet changed"]


def test_other_input_files_are_named(folder):
    reason = "Set of input files has changed since last execution"
    job = made(folder, reason=reason, inputs=("a.parquet",))
    assert causes(job, folder) == ["inputs: a.parquet added", "inputs: results/s/examples/sums/train.parquet removed"]


def test_what_a_kill_left_is_interrupted_and_what_the_user_forces_is_forced(folder):
    job = made(folder, reason="Forced execution")
    assert causes(job, folder) == ["interrupted"]
    assert causes(job, folder, forced=True) == ["forced"]


def test_a_job_that_follows_others_needs_no_cause_of_its_own(folder):
    assert causes(made(folder, reason=OTHERS), folder, follows=True) == []


def test_a_reason_that_nothing_explains_is_given_as_it_is(folder):
    assert causes(made(folder, reason="A reason of Snakemake"), folder) == ["A reason of Snakemake"]
    params = made(folder, reason="Params have changed since last execution: Union of ...")
    assert causes(params, folder) == ["Snakemake's own record of it differs"]


# --- the lines of a plan ----------------------------------------------------------------------------------------------


def test_two_jobs_are_named_and_more_are_counted():
    jobs = [masks(name=f"tiny/sums/{n}") for n in range(3)]
    assert after([]) == []
    assert after(jobs[:1]) == ["after build_masks tiny/sums/0"]
    assert after(jobs[:2]) == ["after build_masks tiny/sums/0 and build_masks tiny/sums/1"]
    assert after([*jobs, masks(stage="summarise", name="summary")]) == ["after 3 build_masks jobs, 1 summarise job"]


@pytest.fixture
def no_code(monkeypatch):
    monkeypatch.setattr(stages, "parts", lambda stage, spec: SAID)
    monkeypatch.setattr(stages, "fingerprint", lambda stage, spec: "c")


def chain(folder, **training: object) -> list[Planned]:
    """A mask whose tau changed, and the training that follows."""
    above = made(folder, spec={**STM, "weights": {**STM["weights"], "tau": "3"}})
    below = masks(stage="train_adapter", name="tiny/sums/stm-2.5/seed0", inputs=above.outputs, **training)
    return [above, below]


def test_a_plan_has_a_line_per_job_and_counts(folder, no_code):
    [output] = masks().outputs
    first, second = chain(folder, outputs=(output,))
    second = replace(second, outputs=("adapter.json",), record=None)
    assert explain([first, second], folder) == [
        "build_masks tiny/sums/stm-2.5: weights: tau 2.5 -> 3",
        "train_adapter tiny/sums/stm-2.5/seed0: new; after build_masks tiny/sums/stm-2.5",
        "2 jobs: 1 build_masks, 1 train_adapter",
    ]


@pytest.mark.parametrize(("runtime", "told"), [({}, True), ({"reuse": True}, True), ({"reuse": False}, False)])
def test_what_may_be_taken_back_is_told_where_it_may(folder, no_code, runtime, told):
    (folder / "adapter.json").write_text("{}")
    lines = explain(chain(folder, outputs=("adapter.json",), runtime=runtime, reason=OTHERS), folder)
    assert lines[1] == "train_adapter tiny/sums/stm-2.5/seed0: after build_masks tiny/sums/stm-2.5"
    assert ("takes its former result back" in lines[-1]) is told


def test_many_causes_are_cut(folder, no_code):
    spec = {**STM, **{f"key{n}": n for n in range(9)}}
    [line, _] = explain([made(folder, spec=spec)], folder)
    assert line.endswith("key0 added (0); key1 added (1); key2 added (2); 6 more")


def test_an_empty_plan_is_nothing_to_do():
    assert explain([]) == ["nothing to do"]


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["masks/tiny/sums/.stm-2.5.parquet", "build_masks/tiny/sums/stm-2.5"])
def test_a_logged_job_is_read(tmp_path, place):
    command = ["python", "build_masks.py", "--spec", canonical(STM), "--code", "c", "--runtime", '{"reuse":true}']
    command += [
        "--memory",
        "results/s/.jobs",
        "--log",
        "logs/s/build_masks/tiny/sums/stm-2.5.log",
        "--scores",
        "a",
        "b",
    ]
    memory = tmp_path / "results/s/.jobs" / place
    memory.mkdir(parents=True)
    (memory / "record.json").write_text('{"rule": "build_masks"}')
    record = SimpleNamespace(
        rule_name="build_masks",
        wildcards={"model": "tiny"},
        reason="because",
        shellcmd=shlex.join(command),
        input=["a", "b", "a"],
        output=["results/s/masks/tiny/sums/stm-2.5.parquet"],
    )
    job = dry_run._planned(record, tmp_path)
    assert (job.title, job.spec, job.runtime) == ("build_masks tiny/sums/stm-2.5", STM, {"reuse": True})
    assert (job.inputs, job.outputs, job.record) == (("a", "b"), tuple(record.output), {"rule": "build_masks"})
    assert replace(job, stage="report", name="report").title == "report"


def test_a_shard_is_a_job_of_the_stage_that_it_shares_in(tmp_path):
    log = "logs/s/score_token_perplexity/tiny/tiny/sums/train.reference.shard1of2.log"
    command = ["python", "workflow/scripts/score_token_perplexity.py", "--spec", "{}", "--runtime", "{}"]
    record = SimpleNamespace(
        rule_name="score_shard",
        wildcards={"shard": "1of2"},
        reason="because",
        shellcmd=shlex.join([*command, "--memory", "results/s/.jobs", "--log", log]),
        input=[],
        output=["mark"],
    )
    job = dry_run._planned(record, tmp_path)
    assert (job.rule, job.stage, job.name) == (
        "score_shard",
        "score_token_perplexity",
        "tiny/tiny/sums/train.reference.shard1of2",
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--directory", "/no/such/folder"], "--directory: /no/such/folder is not a folder"),
        (["--snakefile", "/other/Snakefile"], "/other/Snakefile is of another checkout"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_one_line(arguments, words):
    with pytest.raises(UserError, match=words) as error:
        main(arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("others", "forced"), [([], False), (["--cores", "1"], False), (["--forceall"], True), (["-R", "report"], True)]
)
def test_targets_and_other_arguments_go_to_snakemake(monkeypatch, capsys, tmp_path, others, forced):
    seen = {}

    def plan(arguments, directory):
        seen.update(arguments=arguments, directory=directory)
        return []

    monkeypatch.setattr(module, "plan", plan)
    monkeypatch.setattr(module, "explain", lambda jobs, directory, forced: [f"forced: {forced}"])
    main(["--configfile", "study.yaml", "--directory", str(tmp_path), *others])
    assert seen == {"arguments": ["--configfile", "study.yaml", *others], "directory": tmp_path.resolve()}
    assert capsys.readouterr().out == f"forced: {forced}\n"
