"""The exported labels in another trainer's hands: TRL's SFTTrainer comes to this trainer's losses, step by step, by the
lines that docs/export.md shows."""

import functools
import json
import re

import pytest
import torch
from small_training import masks, runtime, training
from tiny import tiny_model_folder
from transformers import AutoModelForCausalLM

from clearminds.checkout import ROOT
from clearminds.commands.exporting.trained import put_tokenizer
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


def theirs(base, settings, monkeypatch):
    """The page's lines in the working directory, with the settings of this trainer, its adapter, and no bfloat16."""
    ours = {
        "per_device_train_batch_size": settings.batch_examples,
        "num_train_epochs": settings.epochs,
        "lr_scheduler_type": settings.scheduler,
        **{key: getattr(settings, key) for key in ("learning_rate", "warmup_steps", "weight_decay", "max_grad_norm")},
        **{"seed": SEED, "data_seed": SEED, "logging_steps": 1, "save_strategy": "no", "report_to": "none"},
        **{"bf16": False, "gradient_checkpointing": False, "use_cpu": True},
    }
    config = trl.SFTConfig
    monkeypatch.setattr(trl, "SFTConfig", lambda **shown: config(**{**shown, **ours}))
    [lines] = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs" / "export.md").read_text(), re.MULTILINE | re.DOTALL)
    changes = {
        'AutoModelForCausalLM.from_pretrained("BASE")': "fresh()",
        ", peft_config=adapter).train()": ")",
        "SFTTrainer(model,": "trainer = SFTTrainer(model,",
    }
    for shown, run in changes.items():
        assert lines.count(shown) == 1, shown
        lines = lines.replace(shown, run)
    names = {"fresh": functools.partial(fresh, base, settings)}
    exec(compile(lines, "docs/export.md", "exec"), names)
    names["trainer"].train()
    return history(names["trainer"])


def test_trl_comes_to_this_trainers_losses_on_the_exported_labels(base, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table, settings = masks(12), training(epochs=2)
    save(training_set(table), tmp_path / "taken", "ab" * 32)
    put_tokenizer(base, tmp_path / "taken" / "tokenizer", False)
    expected = ours(base, tmp_path / "ours", table, settings)
    found = theirs(base, settings, monkeypatch)
    assert len(found) == len(expected) == 6
    for key in ("loss", "learning_rate", "grad_norm"):
        assert [row[key] for row in found] == pytest.approx([row[key] for row in expected], rel=1e-5), json.dumps(found)
    assert expected[-1]["loss"] < expected[0]["loss"], "something was learned"
