"""Presets: each is a valid task, its example is rendered, and a study overrides what it says."""

import json
import re
from types import SimpleNamespace

import pyarrow as pa
import pytest
import yaml
from demo_study import WILDCARDS, demo, study_with

from clearminds.checkout import ROOT
from clearminds.commands.tasks import listed, make_database, shown
from clearminds.config.load import load_study
from clearminds.config.presets import expanded, load_preset, preset_names
from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.plugins.task_kinds import human_eval, rows
from clearminds.run.specs import Specs

HARNESS = ("mmlu", "ifeval")
OWN = [name for name in preset_names() if name not in HARNESS]
WANTED = {
    *("mbpp", "mbpp_plus", "humaneval", "gsm8k", "math", "arc_challenge", "arc_easy", "bird", "hellaswag"),
    *("winogrande", "truthfulqa_mc1", "mmlu", "ifeval"),
}


def block(name: str, **overrides: object) -> dict:
    return expanded({"x": {"preset": name, **overrides}})["x"]


def of_example(name: str, tmp_path, **overrides: object) -> dict:
    """A preset's own row as a row of `contracts.EXAMPLES`."""
    local = {"path": str(tmp_path)} if name == "bird" else {}
    preset = load_preset(name)
    for database, tables in preset.schemas.items():
        make_database(tmp_path, database, tables)
    spec = {**block(name, **local, **overrides), "databases": str(tmp_path)}
    [row] = rows.examples(name, [("row", preset.example)], spec, "test")
    return row


def test_these_presets_are_shipped():
    assert set(preset_names()) == WANTED


@pytest.mark.parametrize("name", sorted(WANTED))
def test_a_preset_is_a_task_that_can_be_evaluated(name, tmp_path):
    task = {"preset": name, **({"path": str(tmp_path), "databases": str(tmp_path)} if name == "bird" else {})}
    study = demo({"tasks/x": task, "suites/x": ["x"]})
    assert study.tasks["x"].preset == name
    preset = load_preset(name)
    assert (preset.licence and "http" in preset.source) or name == "humaneval"
    revision = preset.task.get("revision")
    assert (revision is None) == (preset.task["kind"] != "hub")
    for measure in preset.by_measure:
        assert demo({"tasks/x": {**task, "evaluate": measure}, "suites/x": ["x"]}).tasks["x"].evaluate == measure


@pytest.mark.parametrize("name", OWN)
def test_the_example_of_a_preset_is_rendered_and_listed(name, tmp_path):
    row = of_example(name, tmp_path)
    assert pa.Table.from_pylist([row], schema=contracts.EXAMPLES.schema).num_rows == 1
    assert [turn["role"] for turn in row["messages"]] == ["user"]
    prompt = row["messages"][0]["content"]
    assert prompt == prompt.strip() and row["reference"] == row["reference"].strip()
    assert not re.search(r"\{[{%#]|[}%#]\}|Undefined|None", prompt + row["reference"])
    first = prompt.splitlines()[0]
    assert f"{name}: {load_preset(name).about}\n    {first}\n" in listed(name)
    assert prompt in shown(name, load_preset(name), {}, "test")


@pytest.mark.parametrize("name", [name for name in OWN if load_preset(name).by_measure])
def test_a_choice_is_asked_for_by_text_or_by_letter(name, tmp_path):
    chosen, named = of_example(name, tmp_path / "a"), of_example(name, tmp_path / "b", evaluate="accuracy")
    meta = json.loads(chosen["meta"])
    assert meta["labels"] == ["A", "B", "C", "D"][: len(meta["choices"])]
    assert chosen["reference"] == meta["choices"][meta["gold"]]
    letter = meta["labels"][meta["gold"]]
    assert (chosen["answer"], named["answer"], named["reference"]) == (letter, letter, f"Answer: {letter}")
    assert named["meta"] == chosen["meta"]
    assert all(
        f"\n{label}) {text}\n" in named["messages"][0]["content"]
        for label, text in zip(meta["labels"], meta["choices"], strict=True)
    )


def test_the_programs_of_the_examples_pass_their_own_tests(tmp_path):
    for name in ("mbpp", "mbpp_plus", "humaneval"):
        row = of_example(name, tmp_path)
        [program] = re.findall(r"^```python\n(.*)\n```$", row["reference"], re.DOTALL)
        meta = json.loads(row["meta"])
        exec(compile(f"{meta.get('setup', '')}\n{program}\n{meta['tests']}", name, "exec"), {})
        broken = re.sub(r"return .*", "return None", program)
        with pytest.raises(AssertionError):
            exec(compile(f"{meta.get('setup', '')}\n{broken}\n{meta['tests']}", name, "exec"), {})


def test_the_right_answer_of_truthfulqa_is_not_always_the_first(tmp_path):
    example = load_preset("truthfulqa_mc1").example
    spec = block("truthfulqa_mc1")
    records = [("row", {**example, "question": f"{example['question']} ({number})"}) for number in range(60)]
    places = [json.loads(row["meta"])["gold"] for row in rows.examples("x", records, spec, "test")]
    assert {places.count(place) > 9 for place in (0, 1, 2)} == {True}


def test_a_test_split_without_labels_is_refused():
    for name, column in (("hellaswag", "label"), ("winogrande", "answer")):
        record = {**load_preset(name).example, column: ""}
        with pytest.raises(UserError, match=r"^row: .*gold"):
            rows.examples(name, [("row", record)], block(name), "test")


def test_all_problems_of_humaneval_are_rendered():
    problems = human_eval.load(block("humaneval"), "test")
    assert len(problems) == 164
    assert (problems[0]["example_id"], json.loads(problems[0]["meta"])["entry_point"]) == (
        "test-HumanEval/0",
        "has_close_elements",
    )
    for row in problems:
        [program] = re.findall(r"^```python\n(.*)\n```$", row["reference"], re.DOTALL)
        compile(program, row["example_id"], "exec")
        compile(json.loads(row["meta"])["tests"], row["example_id"], "exec")


# --- what a study overrides -------------------------------------------------------------------------------------------


def test_a_number_of_rows_is_the_first_ones_of_the_presets_split():
    assert block("gsm8k", splits={"test": 64})["splits"] == {"train": "train", "test": "test[:64]"}
    assert block("hellaswag", splits={"test": "64"})["splits"]["test"] == "validation[:64]"
    assert block("gsm8k", splits={"train": "train[100:200]"})["splits"]["train"] == "train[100:200]"
    assert block("humaneval", splits={"test": 3})["splits"] == {"test": 3}
    with pytest.raises(ValueError, match="splits: train: 375 rows are more than the 374 that there are"):
        block("mbpp", splits={"train": 375})
    assert block("mbpp", splits={"train": 374})["splits"]["train"] == "train[:374]"
    assert block("mbpp", splits={"train": 375}, path="/data")["splits"]["train"]["part"] == "train[:375]"
    with pytest.raises(ValueError, match="tasks: x: splits: test: 0 rows are none"):
        block("gsm8k", splits={"test": 0})


def test_any_key_is_overridden_and_a_null_takes_it_out():
    found = block("gsm8k", splits={"train": None}, template={"response": "#### {{ answer }}"}, verifier="number")
    preset = load_preset("gsm8k").task
    assert found["splits"] == {"test": "test"}
    assert found["template"] == {**preset["template"], "response": "#### {{ answer }}"}
    assert (found["verifier"], found["revision"]) == ("number", preset["revision"])
    assert "config" not in block("gsm8k", config=None)
    assert "revision" not in block("gsm8k", hub="me/mirror")
    assert block("gsm8k", hub="me/mirror", revision="a" * 40)["revision"] == "a" * 40


def test_numbers_that_the_command_line_gives_are_numbers(tmp_path):
    config = study_with({"tasks/x": {"preset": "gsm8k"}, "suites/x": ["x"]})
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(config))
    given = study_with(
        {
            "tasks/x": {"preset": "gsm8k", "splits": {"test": "64"}},
            "tasks/y": {"preset": "humaneval", "splits": {"test": "5"}},
        }
    )
    study = load_study([file], given)
    assert (study.tasks["x"].splits["test"], study.tasks["y"].splits["test"]) == ("test[:64]", 5)


def test_what_a_preset_is_called_is_in_no_spec_and_the_rest_is():
    study = demo({"tasks/x": {"preset": "gsm8k", "splits": {"test": 3}}, "suites/x": ["x"]})
    spelled = {key: value for key, value in block("gsm8k", splits={"test": 3}).items() if key != "preset"}
    job = SimpleNamespace(**{**vars(WILDCARDS), "task": "x", "split": "test"})
    texts = [
        Specs(one).text("prepare_task")(job)
        for one in (
            study,
            demo({"tasks/x": spelled, "suites/x": ["x"]}),
            demo({"tasks/x": {**spelled, "normalise": "none"}, "suites/x": ["x"]}),
        )
    ]
    assert texts[0] == texts[1] != texts[2]
    assert "preset" not in texts[0] and "licence" not in texts[0]


def test_a_local_copy_is_read_from_a_folder_or_a_file_a_split(tmp_path):
    found = block("gsm8k", path="data", splits={"test": 5})
    assert (found["kind"], "hub" in found, "revision" in found) == ("file", False, False)
    assert found["splits"]["test"] == {"path": "data", "part": "test[:5]", "name": "gsm8k", "config": "main"}
    found = block("gsm8k", path={"test": "a.jsonl"}, splits={"test": 5})
    assert found["splits"] == {"test": {"path": "a.jsonl", "part": "test[:5]"}}
    assert block("humaneval", path={"train": "a.jsonl", "test": "b.jsonl"})["splits"] == {
        "train": {"path": "a.jsonl", "part": "train"},
        "test": {"path": "b.jsonl", "part": "test[:164]"},
    }


def test_a_file_of_ones_own_may_be_a_split_that_the_preset_lacks():
    found = block("mbpp_plus", path={"train": "a.jsonl", "test": "b.jsonl"}, splits={"train": 100})
    assert found["splits"]["train"] == {"path": "a.jsonl", "part": "train[:100]"}
    assert block("gsm8k", splits={"validation": "train[:5]"})["splits"]["validation"] == "train[:5]"


@pytest.mark.parametrize("name", ["mbpp", "gsm8k", "math", "arc_easy", "hellaswag", "winogrande", "bird"])
def test_a_null_in_a_text_of_a_row_is_refused(name, tmp_path):
    preset = load_preset(name)
    for database, tables in preset.schemas.items():
        make_database(tmp_path, database, tables)
    spec = {**block(name, **({"path": "x"} if name == "bird" else {})), "databases": str(tmp_path)}
    texts = {
        "mbpp": ["text", "code"],
        "math": ["problem", "solution"],
        "hellaswag": ["ctx"],
        "winogrande": ["sentence"],
    }
    for column in texts.get(name, ["question"]):
        record = {**preset.example, column: None}
        with pytest.raises(UserError, match=rf"^row: template: \w+: .*'{column}' is empty \(null\)"):
            rows.examples(name, [("row", record)], spec, "test")


def test_a_hint_of_bird_may_be_null(tmp_path):
    preset = load_preset("bird")
    for database, tables in preset.schemas.items():
        make_database(tmp_path, database, tables)
    spec = {**block("bird", path="x"), "databases": str(tmp_path)}
    [row] = rows.examples("bird", [("row", {**preset.example, "evidence": None})], spec, "test")
    assert not re.search("Hint|None", row["messages"][0]["content"])


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"preset": "gms8k"}, r"preset: 'gms8k' is not one of arc_challenge, .*; did you mean gsm8k\?"),
        ({"preset": "MBPP"}, r"preset: 'MBPP' is not one of .*; did you mean mbpp\?"),
        (
            {"preset": "gsm8k", "splits": {"tst": 5}},
            r"splits: tst: 5 rows of which split\? a number belongs .* gsm8k has: train, test; did you mean test\?",
        ),
        ({"preset": "gsm8k", "path": "data", "splits": {"tst": "5"}}, r"splits: tst: 5 rows of which split\?"),
        ({"preset": "mmlu", "splits": {"test": 5}}, "splits: unknown key"),
        ({"preset": "gsm8k", "path": "data", "hub": "me/mirror"}, "path and hub cannot stand together: "),
        ({"preset": "gsm8k", "path": "data", "revision": "a" * 40}, "path and revision cannot stand together: "),
        ({"preset": "humaneval", "splits": {"test": 165}}, "splits: test: HumanEval has 164 problems; 165 asked for"),
        (
            {"preset": "humaneval", "splits": {"train": 5}},
            r"splits: train: 5 rows of which split\? a number belongs .* humaneval has: test",
        ),
        (
            {"kind": "human_eval", "splits": {"test": 5, "train": 5}},
            "splits: HumanEval has the split test only; found test, train",
        ),
        ({"preset": "bird", "path": "bird"}, "databases: missing; the template names a database: name the folder"),
        ({"preset": ["gsm8k"]}, r"preset: \['gsm8k'\] is not one of arc_challenge, "),
        (
            {"preset": "bird"},
            "path: missing; preset bird is read from files of yours: name their folder, or a file for",
        ),
        (
            {"preset": "gsm8k", "path": "test.jsonl"},
            r"path: 'test.jsonl' is one file; say which .*: \{test: test.jsonl\}",
        ),
        ({"preset": "mmlu", "path": "data"}, "path: preset mmlu is of kind lm_eval and reads no files; take it out"),
        ({"preset": "gsm8k", "splits": 3}, "splits: a block of keys belongs here, not 3"),
        ({"preset": "gsm8k", "templat": {}}, "templat: unknown key; did you mean template"),
        ({"preset": "gsm8k", "template": {"promt": "x"}}, "template: promt: unknown key; did you mean prompt"),
        ({"preset": "gsm8k", "columns": {"prompt": "q"}}, "columns: prompt cannot stand beside template"),
        (
            {"preset": "gsm8k", "path": "d", "splits": {"test": "test[:5%]"}},
            r"splits: test: part: 'test\[:5%\]' is not a",
        ),
        ({"preset": "gsm8k", "template": {"answer": None}}, "verifier: marked_number reads answer of an example; add"),
        ({"preset": "arc_easy", "template": {"gold": None}}, "template: choices: needs gold beside it"),
    ],
)
def test_a_wrong_preset_is_refused(refusal, task, message):
    said = refusal(study_with({"tasks/x": task, "suites/x": ["x"]}))
    assert re.match(f"tasks: x: {message}", said)


def test_a_task_of_the_harness_is_evaluated_only(refusal):
    study = {"tasks/x": {"preset": "mmlu"}, "suites/x": ["x"]}
    assert demo(study).tasks["x"].name == "mmlu"
    said = refusal(study_with({**study, "targets": ["sums", "x"]}))
    assert said.startswith("targets: x is a task of lm-evaluation-harness (kind: lm_eval), which can be evaluated only")
    said = refusal(study_with({"tasks/x": {"preset": "mmlu", "evaluate": "drift"}}))
    assert said.startswith("tasks: x: evaluate: unknown key")


def test_a_task_of_the_harness_is_evaluated_under_the_studys_name():
    tasks = {"tasks/x": {"preset": "mmlu"}, "tasks/y": {"preset": "mmlu", "num_fewshot": 5}}
    specs = Specs(demo({**tasks, "suites": {"s": ["sums", "x", "y", "lm_eval:arc_easy"]}}))
    job = SimpleNamespace(**{**vars(WILDCARDS), "suite": "s"})
    tasks = specs.evaluate_base(job)["tasks"]
    assert tasks[1:] == [
        {"name": "x", "evaluate": "lm_eval", "harness": "mmlu"},
        {"name": "y", "evaluate": "lm_eval", "harness": "mmlu", "num_fewshot": 5},
        {"name": "lm_eval:arc_easy", "evaluate": "lm_eval"},
    ]
    assert len(specs.inputs.suite_examples(job)) == 1


def test_a_preset_file_with_an_unknown_or_a_missing_key_is_named(tmp_path):
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"about": "a", "licens": "MIT", "source": "s", "task": {}}))
    with pytest.raises(UserError, match=r"mine\.yaml: licence: missing; add this key"):
        load_preset("mine", tmp_path)
    (tmp_path / "other.yaml").write_text(
        yaml.safe_dump({"about": "a", "licence": "MIT", "source": "s", "task": {}, "exampel": {}})
    )
    with pytest.raises(UserError, match=r"other\.yaml: exampel: unknown key; did you mean example\?"):
        load_preset("other", tmp_path)


def test_the_schema_of_editors_takes_a_preset_without_a_kind():
    import jsonschema

    schema = json.loads((ROOT / "workflow" / "schemas" / "config.schema.json").read_text(encoding="utf-8"))
    checker = jsonschema.Draft202012Validator(schema)
    assert checker.is_valid(study_with({"tasks/x": {"preset": "gsm8k", "splits": {"test": 3}}}))
    assert not checker.is_valid(study_with({"tasks/x": {"preset": "gms8k"}}))
    assert not checker.is_valid(study_with({"tasks/x": {"kind": "hubb"}}))
