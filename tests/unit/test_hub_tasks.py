"""Tasks from the hub: what comes from a pinned revision, from the cache and from a folder, and how errors are named."""

import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from local_hub import COMMIT, OTHER, local_hub
from task_rows import CHAT, PAIR, questions

DATA = b'{"question": "q1", "reply": "r1"}\n{"question": "q2", "reply": ""}\n'
LOAD = """
import json, sys
from clearminds.errors import UserError
from clearminds.plugins.task_kinds import hub
for spec in json.loads(sys.argv[1]):
    try:
        print(json.dumps(hub.load(spec, "train")))
    except UserError as error:
        print(json.dumps(str(error)))
"""


@pytest.fixture(scope="module")
def load_from_hub(tmp_path_factory):
    """Loads specs from data sets me/data and me/gated, all with one cache."""
    with local_hub("me/data", {"train.jsonl": DATA}, tmp_path_factory.mktemp("hf")) as run:
        yield lambda *specs, **environment: run(LOAD, specs, **environment)


def hub_spec(name: str = "me/data", part: str = "train[:1]", **keys) -> dict:
    splits = {"train": part, "test": None}
    return {"kind": "hub", "hub": name, "config": None, "revision": COMMIT, "splits": splits, "columns": PAIR, **keys}


@pytest.mark.slow
def test_hub(load_from_hub):
    rows, bad_row, bad_split, bad_config, bad_column, no_data, bad_revision, gated = load_from_hub(
        hub_spec(),
        hub_spec(part="train"),
        hub_spec(part="dev"),
        hub_spec(config="german"),
        hub_spec(columns={"messages": "chat"}),
        hub_spec("me/none"),
        hub_spec(revision=OTHER),
        hub_spec("me/gated"),
    )
    assert [(questions([row]), row["reference"], row["example_id"]) for row in rows] == [(["q1"], "r1", "train-00000")]
    assert bad_row.startswith("me/data train row 1: empty response")
    assert re.match(
        r"hub: cannot load me/data: Unknown split \"dev\".*train.*check config, splits and revision", bad_split
    )
    assert re.match("hub: cannot load me/data: BuilderConfig 'german' not found. Available.*default", bad_config)
    assert bad_column == "me/data train[:1]: no column 'chat'; found: question, reply"
    assert re.match("hub: Dataset 'me/none' doesn't exist .* needs HF_TOKEN$", no_data)
    assert bad_revision.startswith(f"hub: Revision '{OTHER}' doesn't exist for dataset 'me/data'")
    assert re.match("hub: Dataset 'me/gated' is a gated dataset .* needs HF_TOKEN$", gated)
    assert all(
        "\n" not in error for error in (bad_row, bad_split, bad_config, bad_column, no_data, bad_revision, gated)
    )


def test_hub_by_template(load_from_hub):
    template = {
        "prompt": "{{ question }}?",
        "response": "{{ reply }}",
        "id": "{{ question }}",
        "origin": "me/{{ question }}",
    }
    rows, missing, bad_row = load_from_hub(
        hub_spec(columns={}, template=template),
        hub_spec(columns={}, template={**template, "answer": "{{ short }}"}),
        hub_spec(part="train", columns={}, template=template),
    )
    assert [(questions([row]), row["reference"], row["example_id"]) for row in rows] == [(["q1?"], "r1", "train-q1")]
    assert rows[0]["meta"] == '{"origin": "me/q1"}'
    assert missing == "me/data train[:1]: no column 'short', which the template reads; found: question, reply"
    assert bad_row.startswith("me/data train row 1: empty response")


def test_hub_with_token(load_from_hub):
    [rows] = load_from_hub(hub_spec("me/gated"), HF_TOKEN="secret")
    assert questions(rows) == ["q1"]


@pytest.mark.slow
def test_hub_out_of_reach(load_from_hub):
    [online] = load_from_hub(hub_spec())
    cached, another, never_loaded = load_from_hub(
        hub_spec(), hub_spec(revision=OTHER), hub_spec("me/none"), HF_HUB_OFFLINE="1"
    )
    assert cached == online
    assert re.match(f"hub: out of reach, and the newest revision of me/data in the cache .* is not {OTHER}", another)
    assert re.match(
        "hub: cannot load me/none: .* go online, or set HF_HOME .* and HF_HUB_OFFLINE=1, or name a folder .* path: ",
        never_loaded,
    )


@pytest.mark.slow
def test_folder_instead_of_the_hub(load_from_hub, tmp_path, monkeypatch):
    monkeypatch.setenv("CHATS", str(tmp_path))
    folder = tmp_path / "chats"
    folder.mkdir()
    pq.write_table(pa.Table.from_pylist([{"messages": CHAT, "key": 5}]), folder / "train.parquet")
    columns = {"messages": "messages", "id": "key"}
    [rows] = load_from_hub(hub_spec(str(folder), "train", revision=None, columns=columns))
    assert load_from_hub(hub_spec("$CHATS/chats", "train", revision=None, columns=columns)) == [rows]
    assert rows == [
        {"example_id": "train-5", "messages": CHAT[:2], "reference": "a", "answer": "", "meta": "{}"},
    ]
