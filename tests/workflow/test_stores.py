"""What was computed once is never computed again: other variants, another folder, more samples, more examples.

Forward passes are counted by the jobs themselves: `computed` in their run records.
"""

import copy
import json
import shutil

import pytest

from clearminds.files.digests import digest
from clearminds.reuse.store import usage

from .conftest import PREPARED, Workflow

pytestmark = pytest.mark.slow
COSTLY = ("generate_responses", "score_token_perplexity")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store shared by the studies of this module, as on a cluster."""
    return tmp_path_factory.mktemp("shared") / "store"


@pytest.fixture(scope="module")
def study(finished, store):
    config = finished.config
    config["runtime"] = {"store": str(store)}
    return config


@pytest.fixture(scope="module")
def first(tmp_path_factory, finished, study):
    return rerun(finished, tmp_path_factory.mktemp("first"), copy.deepcopy(study), "scores", "masks")


def counts(workflow, stage, source):
    """What the store was asked for by the jobs of a stage and a source: asked, hits, computed."""
    logs = (workflow.folder / "logs").glob(f"*/{stage}/**/*.{source}.run.json")
    # copying references asks for nothing
    found = [record["store"] for log in logs if "store" in (record := json.loads(log.read_text()))]
    return {key: sum(one[key] for one in found) for key in ("asked", "hits", "computed")}


def rerun(finished, folder, study, *targets) -> Workflow:
    """Run a study that begins with the finished one's examples, model and rehearsal. Args: folder: its own."""
    workflow = finished.begin(folder, PREPARED)
    workflow.config = study
    done = workflow.run(*targets)
    assert done.returncode == 0, done.stdout[-4000:]
    return workflow


def tables(workflow):
    """The bytes of the columns of each response and score table."""
    from clearminds.files.tables import read_provenance

    found = {}
    for path in sorted((workflow.folder / "results").glob("*/*/**/train.*.parquet")):
        if "responses" in path.parts or "scores" in path.parts:
            found[path.name, path.parents[1].name] = (path.read_bytes(), read_provenance(path)["code"])
    return found


def test_the_first_study_computes_each_once(first):
    for stage in COSTLY:
        found = counts(first, stage, "self_output")
        assert found["asked"] == found["computed"] <= 16 and found["hits"] == 0
    assert counts(first, "score_token_perplexity", "reference")["computed"] == 8


def test_another_study_with_other_variants_computes_nothing(first, finished, study, tmp_path):
    other = copy.deepcopy(study)
    other["study"] = "other"
    other["variants"] = {"stm-50": {"responses": "reference", "weights": {"rule": "perplexity", "tau": "50"}}}
    workflow = rerun(finished, tmp_path, other, "scores", "masks")
    for stage, source in ((COSTLY[0], "self_output"), (COSTLY[1], "self_output"), (COSTLY[1], "reference")):
        found = counts(workflow, stage, source)
        assert found["computed"] == 0 and found["hits"] == found["asked"] == counts(first, stage, source)["asked"]


def test_the_same_study_in_another_folder_computes_nothing_and_has_the_same_tables(first, finished, study, tmp_path):
    workflow = rerun(finished, tmp_path, copy.deepcopy(study), "scores")
    assert sum(counts(workflow, stage, "*")["computed"] for stage in COSTLY) == 0
    assert tables(workflow) == tables(first) and tables(first)


def test_a_study_computes_nothing_of_what_is_stored_under_a_fingerprint_of_former_code(
    first, finished, study, store, tmp_path
):
    former = tmp_path / "store"
    codes = {"scores": "709f99b7a34acabbdff812bbc5f30bbc", "responses": "708e20eb23aa2f7e19fae4538424adaf"}
    for file in store.glob("*/*/about.json"):
        about = json.loads(file.read_text())
        del about["arithmetic"]
        kind, old = file.parents[1].name, {**about, "code": codes[file.parents[1].name]}
        namespace = shutil.copytree(file.parent, former / kind / digest(old)[:16])
        (namespace / "about.json").write_text(json.dumps(old))
    before = set(former.rglob("*.parquet"))
    assert before
    other = copy.deepcopy(study)
    other["runtime"]["store"] = str(former)
    workflow = rerun(finished, tmp_path / "study", other, "scores")
    assert sum(counts(workflow, stage, "*")["computed"] for stage in COSTLY) == 0
    assert tables(workflow) == tables(first) and tables(first)
    assert set(former.rglob("*.parquet")) == before


def test_more_samples_compute_only_the_new_ones(first, finished, study, tmp_path):
    more = copy.deepcopy(study)
    more["sources"]["self_output"]["samples"] = 4
    workflow = rerun(finished, tmp_path, more, "scores")
    found = counts(workflow, "generate_responses", "self_output")
    assert (found["asked"], found["hits"], found["computed"]) == (32, 16, 16)
    before = counts(first, "score_token_perplexity", "self_output")["asked"]
    after = counts(workflow, "score_token_perplexity", "self_output")
    assert after["hits"] == before and after["asked"] == before + after["computed"]
    assert counts(workflow, "score_token_perplexity", "reference")["computed"] == 0


def test_more_examples_compute_only_the_new_ones(first, finished, study, tmp_path):
    more = copy.deepcopy(study)
    more["tasks"]["sums"]["splits"]["train"] = 12
    workflow = rerun(finished, tmp_path, more, "scores")
    found = counts(workflow, "score_token_perplexity", "reference")
    assert (found["asked"], found["hits"], found["computed"]) == (12, 8, 4)
    assert counts(workflow, "generate_responses", "self_output")["computed"] == 8


def test_a_damaged_part_is_computed_again_and_the_tables_are_the_same(first, finished, study, store, tmp_path):
    parts = sorted((store / "scores").glob("*/*.parquet"))
    content = bytearray(parts[0].read_bytes())
    content[len(content) // 2] ^= 1
    parts[0].write_bytes(content)
    workflow = rerun(finished, tmp_path, copy.deepcopy(study), "scores")
    assert sum(counts(workflow, "score_token_perplexity", s)["computed"] for s in ("reference", "self_output")) > 0
    assert parts[0].with_suffix(".damaged").is_file()
    logs = "".join(log.read_text() for log in (workflow.folder / "logs").rglob("*.log"))
    assert f"{parts[0]} is damaged" in logs
    assert tables(workflow).keys() == tables(first).keys()


def test_the_store_knows_how_often_it_was_of_use(first, store):
    assert usage(store)["responses"]["hits"] > 0


@pytest.mark.parametrize("shards", [2, 3])
def test_shards_fill_the_store_with_the_same_tables(tmp_path, finished, unsharded, shards):
    config = finished.config
    config["runtime"] = {"shards": shards, "batch_tokens": 128, "generate_tokens": 128}
    workflow = rerun(finished, tmp_path, config, "scores")
    assert tables(workflow) == tables(unsharded) and tables(workflow)
    for stage, source in zip(COSTLY, ("self_output", "reference"), strict=True):
        shares = [counts(workflow, stage, f"{source}.shard{n}of{shards}")["computed"] for n in range(1, shards + 1)]
        assert sum(shares) == counts(unsharded, stage, source)["computed"]
        assert sum(share > 0 for share in shares) > 1  # the work was shared
        assert counts(workflow, stage, source)["computed"] == 0
    assert not list((workflow.folder / "results" / "tiny").glob("[a-z]*/**/*.shard*of*"))
    # done is done, whatever the number
    workflow.config["runtime"]["shards"] = 5
    assert "Nothing to be done" in workflow.run("scores", "--dry-run").stdout


@pytest.fixture(scope="module")
def unsharded(tmp_path_factory, finished):
    config = finished.config
    config["runtime"] = {"batch_tokens": 128, "generate_tokens": 128}
    return rerun(finished, tmp_path_factory.mktemp("unsharded"), config, "scores")
