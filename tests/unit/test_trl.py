"""The exported labels in another trainer's hands: TRL's SFTTrainer comes to this trainer's losses, step by step."""

import json

import datasets
import pytest
import torch
from small_training import masks, runtime, training
from tiny import tiny_model_folder
from transformers import AutoModelForCausalLM, AutoTokenizer

from clearminds.commands.exporting.training_set import save, training_set
from clearminds.stages.training.adapter import add_adapter, history
from clearminds.stages.training.checkpoints import Checkpoints
from clearminds.stages.training.trainer import seeded, train

trl = pytest.importorskip("trl", reason="TRL is not installed; `make setup-test` installs it")

pytestmark = pytest.mark.slow

SEED = 3


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_model_folder(tmp_path_factory.mktemp("tiny") / "llama")


def fresh(base, settings):
    """A model with a new adapter, the same for both trainers."""
    seeded(SEED)
    return add_adapter(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), settings, "owner/name")


def ours(base, folder, table, settings):
    trainer, *_ = train(fresh(base, settings), table, settings, SEED, runtime(), Checkpoints(folder, {}))
    return history(trainer)


def theirs(base, folder, rows, settings):
    arguments = trl.SFTConfig(
        output_dir=str(folder),
        per_device_train_batch_size=settings.batch_examples,
        num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.scheduler,
        warmup_steps=settings.warmup_steps,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        seed=SEED,
        data_seed=SEED,
        max_length=None,  # the export holds nothing longer than the study allows
        bf16=False,
        gradient_checkpointing=False,
        use_cpu=True,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
    )
    tokenizer = AutoTokenizer.from_pretrained(base)
    trainer = trl.SFTTrainer(fresh(base, settings), arguments, train_dataset=rows, processing_class=tokenizer)
    trainer.train()
    return history(trainer)


def test_trl_comes_to_this_trainers_losses_on_the_exported_labels(base, tmp_path):
    table, settings = masks(12), training(epochs=2)
    save(training_set(table), tmp_path, "ab" * 32)
    rows = datasets.load_from_disk(str(tmp_path / "dataset"))
    expected = ours(base, tmp_path / "ours", table, settings)
    found = theirs(base, tmp_path / "theirs", rows, settings)
    assert len(found) == len(expected) == 6
    for key in ("loss", "learning_rate", "grad_norm"):
        assert [row[key] for row in found] == pytest.approx([row[key] for row in expected], rel=1e-5), json.dumps(found)
    assert expected[-1]["loss"] < expected[0]["loss"], "something was learned"
