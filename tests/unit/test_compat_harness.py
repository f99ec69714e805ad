"""What `harness_compat` relies on, tried on the installed lm-evaluation-harness with a tiny random model."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.tasks import TaskManager
from tiny import tiny_model_folder
from transformers import AutoModelForCausalLM, AutoTokenizer

from clearminds.stages.evaluation.harness_compat import HookedModel, declared_to_run_code

QUESTIONS = ["What is 1 + 1?", "What?", "a number, then another number"]


class Seen(HookedModel):
    """Notes what its hooks are called with."""

    def __init__(self, folder: Path):
        self.rows: list[int] = []
        self.batches: list[tuple] = []
        super().__init__(
            pretrained=AutoModelForCausalLM.from_pretrained(folder).eval(),
            tokenizer=AutoTokenizer.from_pretrained(folder),
            batch_size=2,
            add_bos_token=False,
        )

    def scored(self, rows):
        self.rows.append(rows)

    def generate_batch(self, context, attention_mask, max_length, stop):
        self.batches.append((context, attention_mask, max_length, stop))
        return super().generate_batch(context, attention_mask, max_length, stop)


@pytest.fixture
def model(tmp_path):
    return Seen(tiny_model_folder(tmp_path / "model"))


def requests(kind, arguments):
    return [
        Instance(request_type=kind, doc={}, arguments=given, idx=0, metadata=("t", n, 1))
        for n, given in enumerate(arguments)
    ]


def test_every_generated_batch_goes_through_the_hook(model, capfd):
    settings = {"until": ["?"], "max_gen_toks": 5, "do_sample": True, "temperature": 0.7}
    answers = model.generate_until(
        requests("generate_until", [(q, dict(settings)) for q in QUESTIONS]), disable_tqdm=True
    )
    assert len(answers) == 3 and [len(context) for context, *_ in model.batches] == [2, 1]
    prompts = set()
    for context, mask, max_length, stop in model.batches:
        assert context.shape == mask.shape and max_length == context.shape[1] + 5 and "?" in stop
        assert (mask[:, -1] == 1).all(), "prompts are padded on the left"
        prompts |= {model.tokenizer.decode(row[keep.bool()]) for row, keep in zip(context, mask, strict=True)}
    assert prompts == set(QUESTIONS)
    assert not capfd.readouterr().err


def test_what_the_hook_returns_is_the_answer_cut_at_the_stop(model):
    def generate_batch(context, attention_mask, max_length, stop):
        new = torch.tensor([model.tokenizer.encode("a? b")] * len(context))
        return torch.cat([context, new], dim=1)

    model.generate_batch = generate_batch
    given = requests("generate_until", [("the answer is", {"until": ["?"], "max_gen_toks": 9})])
    assert model.generate_until(given, disable_tqdm=True) == ["a"]


def test_plain_generation_begins_with_the_prompt_and_stops_at_a_string(model):
    ids = model.tokenizer(["the answer is"], return_tensors="pt").input_ids
    options = {"do_sample": False, "eos_token_id": [0]}
    free = model.plain_generation(ids, torch.ones_like(ids), ids.shape[1] + 6, [], **options)
    assert free.shape[1] <= ids.shape[1] + 6 and torch.equal(free[:, : ids.shape[1]], ids)
    word = model.tokenizer.decode(free[0, ids.shape[1] : ids.shape[1] + 1])
    stopped = model.plain_generation(ids, torch.ones_like(ids), ids.shape[1] + 6, [word], **options)
    assert torch.equal(stopped, free[:, : ids.shape[1] + 1])


@pytest.mark.parametrize("method", ["loglikelihood", "loglikelihood_rolling"])
def test_every_forward_pass_is_counted_and_no_bar_is_drawn(model, method, capfd):
    given = [(q, " a") for q in QUESTIONS] if method == "loglikelihood" else [(q,) for q in QUESTIONS]
    found = getattr(model, method)(requests(method, given), disable_tqdm=True)
    assert len(found) == 3 and sum(model.rows) == 3 and max(model.rows) <= 2
    assert not capfd.readouterr().err


BAR = """
from lm_eval.api import task
list(task.tqdm(range(3), total=3))
print("done")
"""


@pytest.mark.slow
def test_the_bar_of_building_requests_obeys_the_environment():
    said = [
        subprocess.run(
            [sys.executable, "-c", BAR], env=os.environ | {"TQDM_DISABLE": off}, capture_output=True, text=True
        )
        for off in ("1", "")
    ]
    assert [one.stdout for one in said] == ["done\n"] * 2
    assert ["3/3" in one.stderr for one in said] == [False, True]


def test_a_task_that_runs_code_says_so_before_it_is_loaded(tmp_path):
    loaded = "raise SystemExit('the task was loaded')\n"
    (tmp_path / "evil.py").write_text(loaded)
    common = "doc_to_text: !function evil.text\noutput_type: generate_until\ndataset_path: x\n"
    (tmp_path / "plain.yaml").write_text("task: plain\n" + common)
    (tmp_path / "code.yaml").write_text("task: code\nunsafe_code: true\n" + common)
    (tmp_path / "child.yaml").write_text("include: code.yaml\ntask: child\n")
    manager = TaskManager(include_path=tmp_path, include_defaults=False)
    assert set(manager.all_tasks) >= {"plain", "code", "child"}
    assert [declared_to_run_code(manager, name) for name in ("plain", "code", "child")] == [False, True, True]
