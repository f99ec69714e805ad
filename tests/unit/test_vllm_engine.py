"""The real vLLM, its CPU build: in float32 it answers what transformers answers, with and without an adapter.

Needs `make setup-vllm`. One worker loads each model once, for all tests of it.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import datasets
import peft
import pytest
import torch
import yaml
from tiny import tiny_model_folder
from transformers import AutoTokenizer

from clearminds.checkout import ROOT
from clearminds.config.blocks import Runtime as Given
from clearminds.errors import UserError
from clearminds.files.settings import parse
from clearminds.model.backends import transformers, vllm
from clearminds.model.conversation import Chat
from clearminds.model.load import load_model
from clearminds.model.loading import Loading
from clearminds.model.streams import stream_seed
from clearminds.stages import fetch_model
from clearminds.stages.evaluate import Task
from clearminds.stages.evaluation import accuracy, lm_harness
from clearminds.stages.fetch_model import fetch
from clearminds.stages.generate_responses import Runtime, Source, generate, response_store

VLLM_PYTHON = Given().vllm_python

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / VLLM_PYTHON).is_file(), reason="no vLLM here; run `make setup-vllm`"),
]
SETTINGS = {"dtype": "float32", "loading": Loading(), "vllm_python": VLLM_PYTHON}
GREEDY = {"temperature": 0, "top_p": 1.0, "max_new_tokens": 40}
SAMPLED = {"temperature": 1.0, "top_p": 0.95, "max_new_tokens": 24}
RUNTIME = Runtime(store="", generate_tokens=200, part_seconds=60, vllm_python=VLLM_PYTHON)
QUESTIONS = (
    "What is 17 + 25?",
    "Name the capital of France.",
    "Write a haiku about rain.",
    "Explain gravity in one sentence.",
    "What is the greatest common divisor of 12 and 18? Answer with a number.",
)


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory) -> Path:
    """The model of the demo."""
    demo = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["models"]["smollm2-135m-q4"]
    folder = tmp_path_factory.mktemp("models") / "smollm2"
    fetch(parse(fetch_model.Origin, demo, "models"), folder)
    return folder


@pytest.fixture(scope="module")
def chat(smollm2) -> Chat:
    return Chat.from_folder(smollm2)


@pytest.fixture(scope="module")
def prompts(chat) -> list[list[int]]:
    return [chat.prompt_ids([{"role": "user", "content": question}]) for question in QUESTIONS]


@pytest.fixture(scope="module")
def served(smollm2):
    """The demo's model in vLLM."""
    with vllm.Sampler(smollm2, **SETTINGS) as sampler:
        yield sampler


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return tiny_model_folder(tmp_path_factory.mktemp("tiny") / "model", head_dim=32)


def adapter_of(model: Path, folder: Path, scale: float, **settings) -> Path:
    """An adapter that changes what its model says."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = load_model(model, dtype="float32", loading=Loading())
        config = peft.LoraConfig(target_modules="all-linear", r=4, lora_alpha=8, task_type="CAUSAL_LM", **settings)
        network = peft.get_peft_model(network, config)
        for name, weight in network.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=scale)
    network.save_pretrained(folder)
    return folder


def by_transformers(model: Path, ends, prompts: list[list[int]], adapter: Path | None = None) -> list[list[int]]:
    return transformers.Sampler(model, adapter=adapter, **SETTINGS)(ends, prompts, [0] * len(prompts), GREEDY)


# --- the demo's model -------------------------------------------------------------------------------------------------


def test_greedy_answers_are_those_of_transformers(served, smollm2, chat, prompts):
    ends = chat.end_of_turn_ids
    found = served(ends, prompts, [0] * len(prompts), GREEDY)
    assert found == by_transformers(smollm2, ends, prompts)
    stopped = [ids[-1] in ends for ids in found]
    assert any(stopped) and not all(stopped), "some end their turn, the end included, and some are cut"
    assert all(len(ids) == GREEDY["max_new_tokens"] for ids, end in zip(found, stopped, strict=True) if not end)


def test_a_sample_depends_on_its_prompt_and_seed_alone(served, chat, prompts):
    ends, seeds = chat.end_of_turn_ids, [stream_seed(prompt, 0, 0) for prompt in prompts]
    together = served(ends, prompts, seeds, SAMPLED)
    assert served(ends, prompts, seeds, SAMPLED) == together
    assert [served(ends, [p], [s], SAMPLED)[0] for p, s in zip(prompts, seeds, strict=True)] == together
    crowd = served(ends, [*prompts[::-1], *prompts * 3], [*seeds[::-1], *range(3 * len(prompts))], SAMPLED)
    assert crowd[: len(prompts)] == together[::-1]
    assert served(ends, prompts, [seed + 1 for seed in seeds], SAMPLED) != together


def test_tables_of_samples_come_out_of_a_store_of_their_own(served, chat, tmp_path):
    rows = [{"example_id": q, "messages": [{"role": "user", "content": q}], "reference": ""} for q in QUESTIONS[:3]]
    source = Source(kind="self_output", samples=2, seed=0, dtype="float32", backend="vllm", **SAMPLED)
    store = response_store(tmp_path, "weights", chat, source, Loading())
    few, _, counts = generate(store, served, chat, rows, source, RUNTIME)
    assert counts == {"asked": 6, "hits": 0, "computed": 6}
    more, larger = replace(source, samples=3), replace(RUNTIME, generate_tokens=9000)
    many, _, counts = generate(store, served, chat, rows, more, larger)
    assert [row for row in many if row["sample"] < 2] == few
    assert counts == {"asked": 9, "hits": 6, "computed": 3}
    assert len({tuple(row["token_ids"]) for row in many}) > 3
    plain = response_store(tmp_path, "weights", chat, replace(source, backend=None), Loading())
    assert not list(plain.parts()) and len(list(store.parts())) == 2


def test_what_it_cost_is_told(served):
    cost = served.cost()
    assert cost["tokens"] > 100 and cost["tokens_per_second"] > 1
    assert cost["vllm"]["version"].startswith("0.") and cost["vllm"]["device"] == "cpu"
    assert cost["vllm"]["peak_memory_bytes"] > 1e9 and cost["vllm"]["adapter"] is None


def test_an_adapter_is_a_lora_request_and_answers_as_in_transformers(smollm2, chat, prompts, tmp_path, caplog):
    adapter, ends = adapter_of(smollm2, tmp_path / "adapter", 0.02), chat.end_of_turn_ids
    expected = by_transformers(smollm2, ends, prompts, adapter)
    assert expected != by_transformers(smollm2, ends, prompts)
    with caplog.at_level(logging.INFO, "clearminds"), vllm.Sampler(smollm2, adapter=adapter, **SETTINGS) as sampler:
        assert sampler(ends, prompts, [0] * len(prompts), GREEDY) == expected
    assert "vLLM takes the adapter as a LoRA request" in caplog.messages
    assert sampler.cost()["vllm"]["adapter"] == "lora"


# --- a tiny one -------------------------------------------------------------------------------------------------------


def example(number: int) -> dict:
    messages = [{"role": "user", "content": f"What is {number} + 1?" + " Well?" * number}]
    return {"example_id": f"sums-{number}", "messages": messages, "reference": "3", "answer": "3", "meta": "{}"}


def test_an_adapter_that_it_cannot_take_is_merged_and_the_harness_gets_the_same_rows(
    tiny, tmp_path, caplog, monkeypatch
):
    """Project tasks, tasks that stop at a string, and log-likelihoods, which stay with transformers."""
    monkeypatch.setattr(datasets, "load_dataset", _hub)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    adapter = adapter_of(tiny, tmp_path / "adapter", 0.3, use_dora=True)
    tasks = [{"name": "lm_eval:arc_easy", "num_fewshot": None}, {"name": "lm_eval:gsm8k", "num_fewshot": 0}]
    asked = {"batch_size": 4, "system": None, "template_arguments": {}, "max_new_tokens": 12}
    own, items = [Task("sums", "accuracy", verifier="number")], {"sums": [example(n) for n in range(6)]}
    answers = {"max_new_tokens": 12, "batch_rows": 4, "isolation": "rlimits"}

    def rows(sampler=None, adapter=adapter):
        model, tokenizer = (
            load_model(tiny, dtype="float32", loading=Loading(), adapter=adapter),
            AutoTokenizer.from_pretrained(tiny),
        )
        found = lm_harness.evaluate(model, tokenizer, tasks, **asked, sampler=sampler)
        return found + accuracy.evaluate(model, Chat(tokenizer), own, items, **answers, sampler=sampler)

    expected = rows()
    assert {row["eval_task"] for row in expected} == {"sums", *(task["name"] for task in tasks)}
    with caplog.at_level(logging.INFO, "clearminds"), vllm.Sampler(tiny, adapter=adapter, **SETTINGS) as sampler:
        assert rows(sampler) == expected
    merged = [line for line in caplog.messages if line.startswith("the adapter is merged")]
    assert merged == ["the adapter is merged into a temporary copy of the model in float32: vLLM knows no DoRA"]
    assert sampler.cost()["vllm"]["adapter"] == "merged"
    assert not list(tmp_path.glob("clearminds-*")), "nothing temporary is left"
    assert rows(adapter=None) != expected


def _hub(path, name=None, **options):
    arc = {
        "question": ["Is it 1?", "Is it 2?"],
        "choices": [{"text": ["yes", "no"], "label": ["A", "B"]}] * 2,
        "answerKey": ["A", "B"],
    }
    gsm = {"question": ["1 + 1?", "2 + 2?"], "answer": ["1 + 1 = 2\n#### 2", "2 + 2 = 4\n#### 4"]}
    table = datasets.Dataset.from_dict(arc if "arc" in path else gsm)
    return datasets.DatasetDict({"train": table, "validation": table, "test": table})


def test_longer_prompts_get_room_up_to_what_the_model_takes(tiny):
    ends = Chat(AutoTokenizer.from_pretrained(tiny)).end_of_turn_ids
    with vllm.Sampler(tiny, **SETTINGS) as sampler:
        with pytest.raises(UserError, match="have up to 513 tokens, more than the model's 512; lower max_new_tokens"):
            sampler(ends, [[5] * 473], [0], GREEDY)
        assert sampler.engine is None, "nothing was started for it"


def test_a_build_for_another_kind_of_device_is_named(tiny):
    with (
        vllm.Sampler(tiny, **SETTINGS, gpus=1) as sampler,
        pytest.raises(
            UserError, match=r"vllm 0\.\S+ is built for CPUs, but runtime: gpus is 1; set it to 0, or let `make"
        ),
    ):
        sampler([], [[5, 6]], [0], GREEDY)


def test_more_memory_than_there_is_is_refused(tiny, monkeypatch):
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "99999")
    with (
        vllm.Sampler(tiny, **SETTINGS) as sampler,
        pytest.raises(
            UserError, match=r"too little of it, in vLLM \(.*change VLLM_CPU_KVCACHE_SPACE \(now 99999 GiB\); its own"
        ),
    ):
        sampler([], [[5, 6]], [0], GREEDY)


def test_an_engine_that_is_killed_ends_the_job_with_one_line(tiny):
    ends = Chat(AutoTokenizer.from_pretrained(tiny)).end_of_turn_ids
    with vllm.Sampler(tiny, **SETTINGS) as sampler:
        sampler(ends, [[5, 6]], [0], GREEDY)
        process = sampler.engine.process
        threading.Timer(0.5, process.kill).start()
        with pytest.raises(UserError, match=r"vLLM ended while generating \(SIGKILL, perhaps killed for lack of mem"):
            for _ in range(100):
                sampler([], [[5, 6]] * 200, list(range(200)), {**SAMPLED, "max_new_tokens": 400})
    assert process.returncode == -signal.SIGKILL


JOB = f"""
import sys
from pathlib import Path
from clearminds.model.loading import Loading
from clearminds.model.backends.vllm import Sampler
with Sampler(Path(sys.argv[1]), dtype="float32", loading=Loading(), vllm_python={VLLM_PYTHON!r}) as sampler:
    sampler([], [[5, 6]], [0], {{"temperature": 0, "max_new_tokens": 2}})
    print(sampler.engine.process.pid, flush=True)
    while True:
        sampler([], [[5, 6]] * 200, list(range(200)), {{"temperature": 1.0, "max_new_tokens": 400}})
"""


def test_nothing_of_it_outlives_a_killed_job(tiny):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    command = [sys.executable, "-c", JOB, str(tiny)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, start_new_session=True) as job:
        engine = int(job.stdout.readline())
        family = _session(job.pid)
        assert {job.pid, engine} <= family
        time.sleep(1)
        job.kill()
    end = time.monotonic() + 10
    while _session(job.pid) and time.monotonic() < end:
        time.sleep(0.1)
    assert not _session(job.pid)


def _session(leader: int) -> set[int]:
    """Processes of a session that are not dead."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().rpartition(") ")
        except OSError:
            continue
        if rest.split()[0] != "Z" and int(rest.split()[3]) == leader:
            found.add(int(name.split(" ")[0]))
    return found
