"""What this project relies on in the installed transformers and accelerate without their documentation."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_training import masks, training
from tiny import ARCHITECTURES, tiny_model_folder
from transformers import AutoModelForCausalLM, PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from clearminds.model.transformers_compat import use_one_device, weights_are_spread
from clearminds.model.weighted_loss import weighted_token_loss
from clearminds.stages.training.adapter import add_adapter, trained_parameters
from clearminds.stages.training.trainer import COUNTED, WeightedTrainer

WEIGHTED = {"batch_tokens": 4096, "token_loss": weighted_token_loss, "counted": COUNTED[None]}

WORKFLOW = Path(__file__).parents[2] / "workflow"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_model_folder(tmp_path_factory.mktemp("tiny") / "llama")


@pytest.fixture
def model(folder):
    return add_adapter(AutoModelForCausalLM.from_pretrained(folder), training(), "owner/name")


def arguments(folder, **options):
    return TrainingArguments(output_dir=str(folder), use_cpu=True, report_to="none", disable_tqdm=True, **options)


def test_a_trainer_that_sees_many_gpus_takes_one(tmp_path):
    given = arguments(tmp_path, per_device_train_batch_size=4)
    given._n_gpu = 8  # what the Trainer counts by itself on such a machine
    assert (given.n_gpu, given.train_batch_size) == (8, 32)
    use_one_device(given)
    assert (given.n_gpu, given.train_batch_size) == (1, 4)


def test_a_trainer_without_gpus_takes_none(tmp_path):
    given = arguments(tmp_path)
    given._n_gpu = 0
    use_one_device(given)
    assert given.n_gpu == 0


def test_a_whole_model_is_not_spread(model, tmp_path):
    assert weights_are_spread(Trainer(model, arguments(tmp_path))) is False


SPREAD = """
import sys
sys.path.insert(0, {workflow!r})
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments
from transformers.distributed import DistributedConfig
from clearminds.model.transformers_compat import weights_are_spread
model = AutoModelForCausalLM.from_pretrained({folder!r}, distributed_config=DistributedConfig(fsdp_size=2))
model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear"))
trainer = Trainer(model, TrainingArguments({out!r}, use_cpu=True, report_to="none", save_strategy="no"))
print("SPREAD", weights_are_spread(trainer), flush=True)
trainer.accelerator.end_training()
"""


@pytest.mark.slow
def test_a_model_under_its_adapter_that_two_processes_share_is_spread(folder, tmp_path):
    script = tmp_path / "spread.py"
    script.write_text(SPREAD.format(workflow=str(WORKFLOW), folder=str(folder), out=str(tmp_path)))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.count("SPREAD True") == 2, done.stderr[-3000:]


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_logits_to_keep_takes_a_mask_of_positions(architecture, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(tiny_model_folder(tmp_path / architecture, architecture)).eval()
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(3, 300, (3, 12), generator=generator)
    attention = torch.ones_like(ids)
    attention[1, 9:] = 0
    keep = (torch.rand(ids.shape, generator=generator) < 0.4) & (attention == 1)
    with torch.no_grad():
        whole = model(input_ids=ids, attention_mask=attention).logits
        kept = model(input_ids=ids, attention_mask=attention, logits_to_keep=keep).logits
    assert kept.reshape(-1, whole.shape[-1]).shape == (int(keep.sum()), whole.shape[-1])
    torch.testing.assert_close(kept.reshape(-1, whole.shape[-1]), whole[keep], rtol=1e-4, atol=1e-4)


READ = ["input_ids", "weights", "n_response"]  # of the columns of masks, what a training reads


class SaveAfterEachStep(TrainerCallback):
    def on_step_end(self, args, state, control, **_):
        control.should_save = True


def test_a_callback_s_checkpoints_come_from_save_model_and_the_printer_can_be_removed(model, tmp_path, capsys):
    given = arguments(tmp_path, per_device_train_batch_size=4, save_strategy="no", max_steps=1, logging_steps=1)
    data = masks().select(READ).to_pylist()
    given.remove_unused_columns = False
    callbacks = [SaveAfterEachStep()]
    trainer = WeightedTrainer(model, given, train_dataset=data, callbacks=callbacks, **WEIGHTED)
    assert [type(one) for one in trainer.callback_handler.callbacks].count(PrinterCallback) == 1
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    assert "loss" not in capsys.readouterr().out
    saved = load_file(tmp_path / "checkpoint-1" / "adapter_model.safetensors")
    assert len(saved) == len(trained_parameters(model)) > 0
    assert (tmp_path / "checkpoint-1" / "optimizer.pt").exists()


def test_the_end_of_an_epoch_is_known_in_its_last_step(model, tmp_path):
    ends = []

    class Watched(WeightedTrainer):
        def training_step(self, model, inputs, num_items_in_batch=None):
            ends.append(self.accelerator.gradient_state.end_of_dataloader)
            return super().training_step(model, inputs, num_items_in_batch)

    data = masks(10).select(READ).to_pylist()
    given = arguments(tmp_path, per_device_train_batch_size=4, num_train_epochs=2, save_strategy="no")
    given.remove_unused_columns = False
    Watched(model, given, train_dataset=data, **WEIGHTED).train()
    assert ends == [False, False, True] * 2
