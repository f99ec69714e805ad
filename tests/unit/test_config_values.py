"""How values of a study are read: numbers as YAML or the command line gives them, and places on disk."""

from pathlib import Path

import pytest
from demo_study import CONFIG, DEMO, demo, study_with

from clearminds.commands.store_stats import given_store
from clearminds.config.load import load_study
from clearminds.errors import UserError
from clearminds.run.specs import Specs


@pytest.mark.parametrize(("given", "read"), [(2, 2.0), (2.5, 2.5), ("2e0", 2.0), ("25e-1", 2.5)])
def test_a_number_may_be_whole_or_have_an_exponent(load, given, read):
    epochs = load(study_with({"training/epochs": given})).training.epochs
    assert epochs == read and isinstance(epochs, float)


def test_a_number_written_in_another_way_is_the_same_in_every_spec(load):
    assert load(study_with({"training/epochs": "3e0"})) == load(study_with({"training/epochs": 3})) == load(DEMO)


@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_a_seed_has_32_bits(load, seed):
    study = load(study_with({"seeds": [seed], "sources/everyday/seed": seed, "tasks/gcd/seed": seed}))
    assert study.seeds == [study.sources["everyday"].seed] == [study.tasks["gcd"].seed] == [seed]


@pytest.mark.parametrize("seed", [-1, 2**32])
@pytest.mark.parametrize("path", ["sources/everyday/seed", "tasks/gcd/seed"])
def test_no_other_seed_is_taken(refusal, path, seed):
    assert refusal(study_with({path: seed})).endswith(f", not {seed}")


# --- the command line -------------------------------------------------------------------------------------------------


def test_numbers_that_config_gives_as_texts_are_read():
    """Snakemake reads `--config 'seeds=[1, 2]'` as a list of texts."""
    runtime = {"gpus": "2", "fsdp": "true", "part_seconds": "1e1", "store": "7"}
    given = {
        **DEMO,
        "seeds": ["1", "2"],
        "runtime": runtime,
        "sources": {**DEMO["sources"], "mine": {"kind": "rephrase", "samples": "3"}},
    }
    study = load_study([CONFIG], given)
    assert (study.seeds, study.runtime.gpus, study.runtime.fsdp) == ([1, 2], 2, True)
    assert (study.runtime.part_seconds, study.runtime.store, study.sources["mine"].samples) == (10.0, "7", 3)
    assert given["seeds"] == ["1", "2"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": ["1", "x"]}, "seeds: 1: a whole number is needed, not 'x'"),
        ({"seeds": ["1", "["]}, "seeds: 1: a whole number is needed, not '['"),
        ({"seeds": ["1", "1"]}, "seeds: 1 appears twice; take one out"),
        ({"seeds": ["-1"]}, "seeds: 0: input should be greater than or equal to 0, not -1"),
        ({"runtime": {"gpus": "-1"}}, "runtime: gpus: input should be greater than or equal to 0, not -1"),
        ({"runtime": {"gpus": "1.5"}}, "runtime: gpus: a whole number or auto is needed, not 1.5"),
        ({"runtime": {"gpus": {"x": "1"}}}, "runtime: gpus: a whole number or auto is needed, not {'x': '1'}"),
    ],
)
def test_what_config_gives_is_checked_like_a_file(changes, message):
    with pytest.raises(UserError) as caught:
        load_study([CONFIG], {**DEMO, **changes})
    assert str(caught.value) == f"{CONFIG}: {message}"


def test_texts_of_a_file_stay_texts_beside_those_of_the_command_line(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text(CONFIG.read_text(encoding="utf-8").replace("rank: 16", "rank: '16'"), encoding="utf-8")
    given = {**study_with({"training/rank": "16"}), "seeds": ["1"]}
    with pytest.raises(UserError, match="training: rank: a whole number is needed, not '16'; write it without quotes"):
        load_study([file], given)


# --- places on disk ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("~/store", "/home/me/store"),
        ("~", "/home/me"),
        ("$TEAM/store", "/project/team/store"),
        ("${TEAM}/$PART/store", "/project/team/a b/store"),
        ("$HOMEWARD/store", "/home/me/x/store"),
        ("results/~store", "results/~store"),
        ("a$", "a$"),
    ],
)
@pytest.mark.parametrize("key", ["store", "vllm_python"])
def test_a_home_and_variables_are_filled_in(load, monkeypatch, key, given, read):
    variables = {"HOME": "/home/me", "TEAM": "/project/team", "PART": "a b", "HOMEWARD": "~/x"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert getattr(load(study_with({f"runtime/{key}": given})).runtime, key) == read


def test_jobs_and_commands_get_the_same_store(tmp_path, monkeypatch):
    monkeypatch.setenv("TEAM", "/project/team")
    file = tmp_path / "study.yaml"
    file.write_text(CONFIG.read_text(encoding="utf-8").replace("runtime: {", "runtime: {store: $TEAM/s, "), "utf-8")
    how = Specs(load_study([file])).launch("score_token_perplexity")["how"]
    assert '"store":"/project/team/s"' in how(None, 1)
    assert given_store("store_stats", "", ["--configfile", str(file)]) == Path("/project/team/s")


@pytest.mark.parametrize("store", ["results/store", "results/storage", "results/demo-store", ".", "results", "/x/demo"])
def test_a_store_beside_the_study_is_taken(store):
    assert Specs(demo({"runtime/store": store}))


@pytest.mark.parametrize(
    ("study", "store", "message"),
    [
        ("demo", "results/demo/store", "runtime: store: results/demo/store is inside the study's own folder "),
        ("demo", "{here}/results/demo/s", "runtime: store: {here}/results/demo/s is inside the study's own folder "),
        ("demo", "results/DEMO", "runtime: store: results/DEMO is inside the study's own folder results/demo; give it"),
        ("scores", "results", "study: scores: its folder results/scores is where stores of responses and scores are; "),
        ("store", "elsewhere", "study: store: its folder results/store is where stores of responses and scores are; "),
    ],
)
def test_a_store_and_results_do_not_mix(study, store, message):
    with pytest.raises(UserError) as caught:
        Specs(demo({"study": study, "runtime/store": store.format(here=Path.cwd())}))
    assert str(caught.value).startswith(message.format(here=Path.cwd()))
