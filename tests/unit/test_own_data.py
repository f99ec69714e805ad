"""`make score` and `make mask`: what a command line becomes before the workflow runs, and what it is refused for."""

import json
from pathlib import Path
from unittest.mock import Mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from demo_study import CONFIG, MODEL

from clearminds.commands import mask, score
from clearminds.commands.own_data import run
from clearminds.commands.own_data.columns import CONVERSATION, PAIR, columns_of
from clearminds.commands.own_data.models import model_of
from clearminds.commands.own_data.study import as_id
from clearminds.config.load import load_study
from clearminds.config.weights import RULES, AllTokens
from clearminds.errors import UserError
from clearminds.plugins.load import names

COMMIT = "c" * 40
ROW = {"prompt": "What is 2 + 3?", "response": "5"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, with a file and a model's folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my rows.jsonl").write_text(json.dumps(ROW) + "\n")
    (tmp_path / "tiny").mkdir()
    return tmp_path


def mask_study(*arguments: str) -> dict:
    """The study that a command line of `mask` becomes, as it is written for the run."""
    given = mask.options().parse_args(["my rows.jsonl", "--model", "tiny", *arguments])
    return yaml.safe_load(run.own_study(given, mask.rule_of(given)).file.read_text(encoding="utf-8"))


# --- the study --------------------------------------------------------------------------------------------------------


def test_a_command_line_becomes_a_study_that_any_other_command_takes(folder):
    study = mask_study("--rule", "perplexity", "--tau", "2.5", "--max-length", "99", "--store", "/s")
    file = Path("results/scored-my-rows/study.yaml")
    assert yaml.safe_load(file.read_text()) == study
    read = load_study([file])
    assert [(name, one.weights.model_dump()) for name, one in read.variants.items()] == [
        ("perplexity-2.5", {"rule": "perplexity", "tau": "2.5", "scorer": None})
    ]
    assert read.models["tiny"].path == str(folder / "tiny")
    assert (read.training.max_length, read.runtime.store, read.runtime.rehearse) == (99, "/s", False)
    assert read.tasks["data"].columns.model_dump(exclude_none=True) == PAIR
    assert read.tasks["data"].splits == {"train": "my rows.jsonl"}


def test_a_run_elsewhere_finds_the_file_where_the_command_was_given(folder):
    Path("run").mkdir()
    study = mask_study("--rule", "all", "--directory", "run")
    assert Path.cwd() == folder / "run"
    assert Path(study["tasks"]["data"]["splits"]["train"]).samefile(folder / "my rows.jsonl")


@pytest.mark.parametrize(
    ("arguments", "weights"),
    [
        (["--rule", "all"], {"rule": "all"}),
        (["--rule", "perplexity", "--tau", "auto"], {"rule": "perplexity", "tau": "auto"}),
        (["--rule", "band", "--tau-low", "1", "--tau-high", "9"], {"rule": "band", "tau_low": "1", "tau_high": "9"}),
        (["--rule", "budget", "--keep", "50", "--per", "set"], {"rule": "budget", "keep": 50, "per": "set"}),
        (["--rule", "soft", "--temperature", "median"], {"rule": "soft", "temperature": "median"}),
        (["--rule", "class", "--mask", "numbers,words"], {"rule": "class", "mask": ["numbers", "words"]}),
        (["--rule", "expression", "--formula", "0.5"], {"rule": "expression", "formula": "0.5"}),
        (
            ["--rule", "combine", "--how", "and", "--of", "[{rule: rank, top: 1}, {rule: all}]"],
            {"rule": "combine", "how": "and", "of": [{"rule": "rank", "top": 1}, {"rule": "all"}]},
        ),
    ],
)
def test_settings_of_a_rule_are_options(folder, arguments, weights):
    [variant] = mask_study(*arguments)["variants"].values()
    assert variant == {"responses": "reference", "weights": weights}


def test_every_rule_is_offered_but_for_those_that_compare_with_others():
    assert RULES.keys() == set(names("weights")) and RULES["all"] is AllTokens
    assert RULES.keys() - mask.OFFERED.keys() == {"random", "lowest", "excess", "dpf"}


@pytest.mark.parametrize("text", ["a b", "ü", "-x-", "", "x" * 99, "where(entropy < 1, 1, 0)", "2.5"])
def test_any_text_becomes_an_id(folder, text):
    demo = yaml.safe_load(CONFIG.read_text())
    assert load_study([], {**demo, "study": as_id(text)}).study == as_id(text)


# --- the model --------------------------------------------------------------------------------------------------------


def test_a_model_of_the_study_brings_its_settings_and_how_it_runs():
    study = load_study([CONFIG])
    name, origin, runtime = model_of(MODEL, None, None)
    assert name == MODEL and type(study.models[MODEL]).model_validate(origin) == study.models[MODEL]
    assert type(study.runtime).model_validate(runtime) == study.runtime


def test_a_model_is_a_folder_or_of_the_hub(folder):
    assert model_of("tiny", None, None) == ("tiny", {"path": str(folder / "tiny")}, {})
    at_commit = ("m", {"hub": "me/m", "revision": COMMIT}, {})
    assert model_of("me/m", COMMIT, None) == model_of(f"me/m@{COMMIT}", None, None) == at_commit


# --- the columns ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        (json.dumps(ROW), PAIR),
        ("\n" + json.dumps({"messages": [], **ROW}), CONVERSATION),
        (json.dumps([ROW]), PAIR),
        ('{"other": 1}', CONVERSATION),  # which the task's own reader misses by name
        ("no json", CONVERSATION),
        ("", CONVERSATION),
    ],
)
def test_columns_are_known_by_their_usual_names(tmp_path, text, columns):
    (tmp_path / "rows.json").write_text(text)
    assert columns_of(tmp_path / "rows.json", None) == columns


def test_columns_of_parquet_are_known_and_others_are_named(tmp_path):
    pq.write_table(pa.Table.from_pylist([ROW]), tmp_path / "rows.parquet")
    assert columns_of(tmp_path / "rows.parquet", None) == PAIR
    assert columns_of(tmp_path / "x", "prompt=q,response=a") == {"prompt": "q", "response": "a"}
    with pytest.raises(UserError, match="'prompt' is not OURS=THEIRS"):
        columns_of(tmp_path / "x", "prompt")


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--rule", "perplexty"], "--rule: 'perplexty' is no rule; take one of all, .*; did you mean perplexity?"),
        (
            ["--rule", "random"],
            "--rule: 'random' compares with another variant or model and needs a study; take one of",
        ),
        (["--rule", "perplexity"], "^--rule perplexity: tau: missing; add this key$"),
        (
            ["--rule", "perplexity", "--tau", "0.5"],
            "^--rule perplexity: tau: tau is a perplexity and so at least 1, not 0.5$",
        ),
        (["--rule", "all", "--tau", "2.5"], "^--rule all: tau: unknown key"),
        (["--rule", "all", "--dtype", "int8"], "^scoring: dtype: 'int8' is not one of float32"),
        (["--rule", "all", "--columns", "prompts=q"], "^tasks: data: columns: prompts: unknown key; did you mean"),
        (["--rule", "all", "--model", "none"], "--model: 'none' is no folder here, no model of .*config.yaml"),
        (["--rule", "all", "--model", ""], "--model: '' is no folder here"),
        (["--rule", "all", "--model", "me/m"], "--model: me/m: no such folder here; of the hub, add --revision"),
        (["--rule", "all", "--model", "me/m@main"], "^models: m: revision: "),
        (["--rule", "all", "--directory", "none"], "--directory: none is not a folder"),
        (["--rule", "all", "--out", "tiny"], "tiny: something is there already"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(folder, monkeypatch, arguments, match):
    (folder / "tiny" / "config.json").touch()
    monkeypatch.setattr(run.Own, "make", lambda *_: pytest.fail("it ran"))
    with pytest.raises(UserError, match=match):
        mask.main(["my rows.jsonl", "--model", "tiny", *arguments])


@pytest.mark.parametrize(
    ("ends", "code"), [([0], 0), ([1], 1), ([KeyboardInterrupt, 1], 1), ([KeyboardInterrupt, 0], 130)]
)
def test_ctrl_c_leaves_the_run_time_to_end_its_jobs(ends, code):
    run_ends = Mock(side_effect=ends)
    assert run._waited(run_ends) == code
    assert run_ends.call_count == len(ends)


@pytest.mark.parametrize("command", [score, mask])
def test_a_file_that_is_not_there_is_named(folder, command):
    rule = ["--rule", "all"] if command is mask else []
    with pytest.raises(UserError, match=r"my\.jsonl: no such file"):
        command.main(["my.jsonl", "--model", "tiny", *rule])
