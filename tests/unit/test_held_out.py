"""The loss on held-out references: what it is, when it is taken, that it changes no training, and where it is left."""

import json

import pyarrow.parquet as pq
import pytest
import torch
from demo_study import study_with
from small_training import TRAINING, masks, runtime, training
from tiny import tiny_model_folder
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.files.digests import file_sha256
from clearminds.files.layout import held_out_of
from clearminds.files.tables import write_table
from clearminds.stages.analyses.convergence import analyse
from clearminds.stages.training.adapter import add_adapter, history
from clearminds.stages.training.checkpoints import Checkpoints
from clearminds.stages.training.held_out import curve, held_out_loss, held_out_rows
from clearminds.stages.training.save_adapter import save
from clearminds.stages.training.trainer import seeded, train

SEQUENCES = [[5, 6, 7, 8, 9, 3], [10, 11, 12, 13]]
RESPONSES = [3, 1]  # tokens; two come before, and what is left over comes behind


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_model_folder(tmp_path_factory.mktemp("tiny") / "llama")


@pytest.fixture
def rows(tmp_path):
    key = [{"example_id": f"e{n}", "sample": 0} for n in range(2)]
    sequences = [{**one, "input_ids": ids, "n_prompt": 2} for one, ids in zip(key, SEQUENCES, strict=True)]
    blank = dict.fromkeys(contracts.TOKEN_SCORES.schema.names)
    scores = [
        {**blank, **one, "position": p, "logprob": -1.0}
        for one, n in zip(key, RESPONSES, strict=True)
        for p in range(n)
    ]
    write_table(tmp_path / "sequences", sequences, contracts.SEQUENCES, {})
    write_table(tmp_path / "scores", scores, contracts.TOKEN_SCORES, {})
    return held_out_rows(tmp_path / "scores", tmp_path / "sequences")


def run(base, tmp_path, rows=None, **changed):
    chosen = training(**changed)
    seeded(0)
    model = add_adapter(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), chosen, "owner/name", "c0ffee")
    return train(model, masks(), chosen, 0, runtime(), Checkpoints(tmp_path / "checkpoints", {}), held_out=rows)[0]


def by_hand(model) -> float:
    """The mean loss over all response tokens, of whole logits."""
    losses = []
    for ids, n in zip(SEQUENCES, RESPONSES, strict=True):
        tokens = torch.tensor([ids])
        logits = model(input_ids=tokens).logits[0, 1 : 1 + n]
        losses.append(cross_entropy(logits, tokens[0, 2 : 2 + n], reduction="none"))
    return torch.cat(losses).mean().item()


@pytest.mark.parametrize("batch_tokens", [1, 100])
def test_it_is_the_mean_over_all_response_tokens(base, rows, batch_tokens):
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).train()
    found = held_out_loss(model, rows, batch_tokens, torch.device("cpu"))
    assert found == pytest.approx(by_hand(model), rel=1e-5)
    assert model.training  # as it was


def test_it_is_taken_before_the_first_step_every_so_many_and_after_the_last(base, tmp_path, rows):
    trainer = run(base, tmp_path, rows, validation_every=4, dropout=0.5)
    points = curve(trainer.state.log_history)
    assert [point["step"] for point in points] == [0, 4, 6] and {point["tokens"] for point in points} == {4}
    untouched = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    assert points[0]["loss"] == pytest.approx(by_hand(untouched), rel=1e-5)
    assert points[-1]["loss"] == pytest.approx(by_hand(trainer.model.eval()), rel=1e-5)
    assert points[-1]["loss"] != points[0]["loss"]


def test_a_training_is_the_same_with_and_without_it(base, tmp_path, rows):
    plain = run(base, tmp_path, dropout=0.5)
    taken = run(base, tmp_path, rows, validation_every=1, dropout=0.5)
    assert history(taken) == history(plain) and not curve(plain.state.log_history)
    others = dict(plain.model.named_parameters())
    assert all(torch.equal(value, others[name]) for name, value in taken.model.named_parameters())


def test_the_curve_is_left_beside_the_adapter_and_read_from_there(base, tmp_path, rows):
    trainer = run(base, tmp_path, rows, validation_every=3)
    adapter = tmp_path / "seed0" / "adapter.json"
    save(trainer, adapter, {"spec": {"training": TRAINING}}, {}, "card")
    facts = json.loads(adapter.read_text())
    assert facts["held_out"] == file_sha256(held_out_of(adapter)) and held_out_of(adapter).name not in facts["files"]
    assert pq.read_table(held_out_of(adapter)).to_pylist() == curve(trainer.state.log_history)
    found = analyse({"adapters": [{"variant": "v", "seed": 0, "path": str(adapter)}]})
    assert [(row["variant"], row["seed"], row["step"]) for row in found] == [("v", 0, step) for step in (0, 3, 6)]
    assert set(found[0]) == set(contracts.CONVERGENCE.schema.names)
    save(run(base, tmp_path), adapter, {"spec": {"training": TRAINING}}, {}, "card")
    assert "held_out" not in json.loads(adapter.read_text()) and not held_out_of(adapter).exists()


def test_no_conversation_is_named(tmp_path):
    for name, contract in (("q", contracts.SEQUENCES), ("s", contracts.TOKEN_SCORES)):
        write_table(tmp_path / name, [], contract, {})
    with pytest.raises(UserError, match="q: holds no conversation; give the split validation more items"):
        held_out_rows(tmp_path / "s", tmp_path / "q")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"training/validation_every": 5, "tasks/sums/splits": {"train": 8, "test": 4}},
            "tasks: sums: splits: validation is missing, whose loss is asked for by training: validation_every; "
            "found: train, test",
        ),
        (
            {"analyses": ["nll", "convergence"]},
            "analyses: convergence shows the loss on a validation split; set training: validation_every: STEPS, or "
            "take convergence out",
        ),
        ({"analyses": ["nll", "nll"]}, "analyses: 'nll' appears twice; take one out"),
        ({"analyses": []}, "analyses: at least one entry is needed, not []"),
        ({"analyses": ["nil"]}, "analyses: 0: 'nil' is not one of weight_change, masks"),
    ],
)
def test_what_a_study_cannot_analyse_is_refused(refusal, changes, message):
    assert refusal(study_with(changes)).startswith(message)
