"""How long a plan takes the texts of a study to be: by their characters, of what can be read on this machine."""

import copy
import json
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from demo_study import DEMO, MODEL, WILDCARDS

from clearminds.commands import plan
from clearminds.config.study import Study
from clearminds.run.sizing import texts
from clearminds.run.sizing.sizes import PROMPT, REFERENCE, Sizes
from clearminds.run.sizing.texts import TEMPLATE, Lengths
from clearminds.run.sizing.workload import Workloads

PAIRS = [{"prompt": "p" * 40, "response": "r" * 80}, {"prompt": "p" * 80, "response": "r" * 160}]
EXPECTED = Lengths(TEMPLATE + 15, 30)
TURNS = [
    {"role": "system", "content": "s" * 20},
    {"role": "user", "content": "u" * 20},
    {"role": "assistant", "content": "a" * 40},
]


def config(splits: dict, columns: dict, **keys: object) -> dict:
    """The demo, with a task in files in place of its target."""
    study = copy.deepcopy(DEMO)
    study["tasks"]["mine"] = {"kind": "file", "splits": splits, "columns": columns, **keys}
    return study


def sizes(folder: Path, study: dict) -> Sizes:
    return Sizes(Study.model_validate(study), folder / "results/demo", folder, read_texts=True)


def write(path: Path, rows: list) -> None:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=1)
    else:
        path.write_text("\n\n".join(json.dumps(row) for row in rows), encoding="utf-8")


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_the_characters_of_ones_own_file_are_counted(tmp_path, suffix):
    name = f"mine.{suffix}"
    write(tmp_path / name, [{"question": row["prompt"], "reply": row["response"], "other": "o" * 999} for row in PAIRS])
    splits = {"train": name, "test": {"path": name, "limit": 1}}
    found = sizes(tmp_path, config(splits, {"prompt": "question", "response": "reply"}))
    assert found.texts is not None and found.texts.lengths("mine", "train") == EXPECTED
    assert (found.prompt("mine", "test"), found.reference("mine", "test")) == (TEMPLATE + 10, 20)
    assert found.response_tokens(MODEL, "mine", "train", "reference") == 2 * 30
    assert f"gsm-symbolic-text, humaneval-text, chat-drift, {name}" in plan.assumed(found)[0]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_of_chat_turns_the_last_one_is_the_reference(tmp_path, suffix):
    write(tmp_path / f"mine.{suffix}", [{"messages": TURNS}])
    found = sizes(tmp_path, config({"train": f"mine.{suffix}"}, {"messages": "messages"}))
    assert (found.prompt("mine", "train"), found.reference("mine", "train")) == (TEMPLATE + 10, 10)


def test_a_text_in_parts_is_counted_whole(tmp_path):
    parts = [{"type": "text", "text": "u" * 8}, {"type": "text", "text": "u" * 12}]
    write(tmp_path / "mine.jsonl", [{"messages": [TURNS[0], {"role": "user", "content": parts}, TURNS[2]]}])
    found = sizes(tmp_path, config({"train": "mine.jsonl"}, {"messages": "messages"}))
    assert found.prompt("mine", "train") == TEMPLATE + 10


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_of_a_large_file_rows_from_its_beginning_to_its_end_are_read(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(texts, "READ", 10)
    name, rows = f"mine.{suffix}", [{"prompt": "p" * 4 * n, "response": "r"} for n in range(1, 101)]
    write(tmp_path / name, rows)
    read, means = [], texts._means
    monkeypatch.setattr(texts, "_means", lambda examples: read.append(len(examples)) or means(examples))
    found = sizes(tmp_path, config({"train": name}, {"prompt": "prompt", "response": "response"}))
    assert found.prompt("mine", "train") == pytest.approx(TEMPLATE + 50, abs=6)
    assert read == [10]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mine.jsonl", None),
        ("mine.jsonl", ""),
        ("mine.jsonl", "no JSON"),
        ("mine.jsonl", "[1]"),
        ("mine.jsonl", "1"),
        ("mine.jsonl", '{"prompt": "p"}'),
        ("mine.jsonl", '{"prompt": "p", "response": null}'),
        ("mine.parquet", "no Parquet"),
        ("mine.csv", "prompt,response"),
    ],
)
def test_of_data_that_a_run_refuses_the_lengths_are_assumed(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_text(content, encoding="utf-8")
    found = sizes(tmp_path, config({"train": name}, {"prompt": "prompt", "response": "response"}))
    assert (found.prompt("mine", "train"), found.reference("mine", "train")) == (PROMPT, REFERENCE)
    counted, rest, *_ = plan.assumed(found)
    assert name not in counted and rest == "elsewhere 256 tokens a prompt, 512 a reference"


def test_what_generators_make_is_counted_and_a_data_set_of_the_hub_once_it_is_prepared(tmp_path):
    study = copy.deepcopy(DEMO)
    study["tasks"]["far"] = {"kind": "hub", "hub": "me/far", "splits": {"test": "test"}, "verifier": "exact"}
    found = sizes(tmp_path, study)
    assert TEMPLATE < found.prompt("sums", "train") < TEMPLATE + 25  # such as: State the final answer: 4 + 28 =
    assert 4 < found.reference("sums", "train") < 30
    assert found.prompt("far", "test") == found.prompt("lm_eval:arc_easy", "test") == PROMPT
    prepared = Path(found.layout.examples.path(task="far", split="test"))
    prepared.parent.mkdir(parents=True)
    write(
        prepared,
        [{"messages": [{"role": "user", "content": row["prompt"]}], "reference": row["response"]} for row in PAIRS],
    )
    found = sizes(tmp_path, study)
    assert (found.prompt("far", "test"), found.reference("far", "test")) == (EXPECTED.prompt, EXPECTED.reference)
    assert not any("elsewhere" in said for said in plan.assumed(found))


def test_a_plan_for_the_demo_is_near_what_it_takes(tmp_path):
    # the run in docs/cost.md scored 63,671 tokens; samples that equal another one are scored once
    works = Workloads(Study.model_validate(DEMO), str(tmp_path), tmp_path, read_texts=True)
    jobs = [SimpleNamespace(**{**vars(WILDCARDS), "source": name}) for name in ("reference", "self_output", "rephrase")]
    assert 63_671 < sum(works.score_token_perplexity(job).read for job in jobs) < 2 * 63_671
    # a request of a cluster stays a little too much
    asked = Workloads(Study.model_validate(DEMO), str(tmp_path), tmp_path)
    assert asked.score_token_perplexity(WILDCARDS).read > 2 * works.score_token_perplexity(WILDCARDS).read
