"""Trainings that are interrupted in this process: they go on from a checkpoint and end in the same bytes."""

import errno
import json
import os
import resource

import pytest
import torch
from small_training import TRAINING, masks, runtime, training
from tiny import tiny_model_folder
from transformers import AutoModelForCausalLM

from clearminds.stages.training import trainer
from clearminds.stages.training.adapter import add_adapter, history
from clearminds.stages.training.checkpoints import Checkpoints
from clearminds.stages.training.save_adapter import save
from clearminds.stages.training.trainer import WeightedTrainer, seeded, train

STEPS = 6  # 10 examples in steps of 4, two epochs: the first one ends with step 3
NEVER = 1e9  # seconds between checkpoints


class Interrupted(BaseException):
    """Stands for the kill: nothing in a training catches it."""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_model_folder(tmp_path_factory.mktemp("tiny") / "llama")


def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "v" / "checkpoints", {"code": "c0de"})


def run(base, kept, seconds=NEVER, **changed):
    """One run in a fresh process's state: (trainer, progress, step it went on from)."""
    chosen = training(**changed)
    seeded(0)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=getattr(torch, chosen.dtype))
    model = add_adapter(model, chosen, str(base))
    return train(model, masks(), chosen, 0, runtime(checkpoint_seconds=seconds), kept)


def interrupted(monkeypatch, base, kept, step, seconds=0, error=Interrupted, before=lambda: None, **changed):
    """A run that ends in the computation of `step`."""
    compute, taken = WeightedTrainer.training_step, []

    def dying(self, *args, **options):
        taken.append(1)
        if self.state.global_step + 1 == step:
            before()
            raise error
        return compute(self, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(WeightedTrainer, "training_step", dying)
        with pytest.raises(error):
            run(base, kept, seconds, **changed)
    return len(taken)


def result(trainer, folder):
    """The bytes of the saved adapter and the loss curve."""
    spec = {"training": TRAINING, "seed": 0}
    save(trainer, folder / "adapter.json", {"spec": spec, "base": "owner/name"}, {"versions": {}}, "")
    return (folder / "adapter_model.safetensors").read_bytes(), history(trainer)


@pytest.fixture(scope="module")
def undisturbed(base, tmp_path_factory):
    """The result of a run that is never interrupted and saves no checkpoint, made once for each setting."""
    made = {}

    def of(**changed):
        key = json.dumps(changed, sort_keys=True)
        if key not in made:
            folder = tmp_path_factory.mktemp("undisturbed")
            made[key] = result(run(base, checkpoints(folder), **changed)[0], folder / "adapter")
        return made[key]

    return of


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize("step", [2, 3, 5], ids=["in an epoch", "at an epoch's end", "in the last epoch"])
def test_a_resumed_run_ends_in_the_same_bytes(base, tmp_path, monkeypatch, undisturbed, dtype, dropout, step, caplog):
    settings = {"dtype": dtype, "dropout": dropout}
    assert interrupted(monkeypatch, base, checkpoints(tmp_path), step + 1, **settings) == step + 1
    caplog.clear()
    caplog.set_level("INFO", "clearminds")
    trainer, progress, resumed = run(base, checkpoints(tmp_path), **settings)
    assert resumed == step
    assert caplog.messages[0] == f"resumed at step {step} of {STEPS}"
    adapter, curve = result(trainer, tmp_path / "adapter")
    assert (adapter, curve) == undisturbed(**settings)
    assert [row["step"] for row in curve] == list(range(1, STEPS + 1))
    # the line says how much there is in all, the rate is this run's
    assert progress.line().startswith(f"{STEPS} of {STEPS} steps")
    lengths = [len(ids) for ids in masks()["input_ids"].to_pylist()]
    assert progress.tokens == trainer.tokens_seen < 2 * sum(lengths) * (STEPS - step + 1) / STEPS


def test_settings_change_the_bytes_that_are_compared(undisturbed):
    results = [undisturbed(dtype=dtype, dropout=p)[0] for dtype in ("float32", "bfloat16") for p in (0.0, 0.2)]
    assert len(set(results)) == 4


def test_dora_resumes_to_the_same_bytes_too(base, tmp_path, monkeypatch, undisturbed):
    settings = {"adapter": "dora", "dropout": 0.2, "dtype": "bfloat16"}
    interrupted(monkeypatch, base, checkpoints(tmp_path), 3, **settings)
    trainer, _, resumed = run(base, checkpoints(tmp_path), **settings)
    assert (resumed, result(trainer, tmp_path / "adapter")) == (2, undisturbed(**settings))


@pytest.mark.slow
def test_a_run_that_is_interrupted_at_every_step_ends_the_same(base, tmp_path, monkeypatch, undisturbed):
    for step in range(2, STEPS + 1):
        assert interrupted(monkeypatch, base, checkpoints(tmp_path), step, dropout=0.2) == 2
    trainer, _, resumed = run(base, checkpoints(tmp_path), dropout=0.2)
    assert (resumed, result(trainer, tmp_path / "adapter")) == (STEPS - 1, undisturbed(dropout=0.2))


def test_a_damaged_or_half_written_checkpoint_costs_an_interval_and_no_bit(base, tmp_path, monkeypatch, undisturbed):
    kept = checkpoints(tmp_path)
    interrupted(monkeypatch, base, kept, 6, dropout=0.2)
    assert sorted(path.name for path in kept.folder.glob("checkpoint-*")) == ["checkpoint-4", "checkpoint-5"]
    os.truncate(kept.folder / "checkpoint-5" / "adapter_model.safetensors", 500)
    interrupted(monkeypatch, base, kept, 6, NEVER, dropout=0.2)
    (kept.folder / "checkpoint-5").mkdir()
    trainer, _, resumed = run(base, checkpoints(tmp_path), dropout=0.2)
    assert (resumed, result(trainer, tmp_path / "adapter")) == (4, undisturbed(dropout=0.2))


def test_checkpoints_are_made_by_the_clock_and_never_after_the_last_step(base, tmp_path, monkeypatch):
    class Clock:
        now = 0.0

        def monotonic(self):
            return self.now

    clock, made = Clock(), []
    compute, mark = WeightedTrainer.training_step, Checkpoints.mark

    def slow(self, *args, **options):
        clock.now += 130
        return compute(self, *args, **options)

    def recorded(self, step):
        clock.now += 1000  # however long a save takes, the next one waits for a whole interval of training
        made.append(step)
        mark(self, step)

    monkeypatch.setattr(trainer, "time", clock)
    monkeypatch.setattr(WeightedTrainer, "training_step", slow)
    monkeypatch.setattr(Checkpoints, "mark", recorded)
    run(base, checkpoints(tmp_path / "1"), 300, epochs=4)
    assert made == [3, 6, 9]  # and not after 12
    made.clear()
    run(base, checkpoints(tmp_path / "2"), 0)
    assert made == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("too_large", ["README.md", "adapter_model.safetensors", "optimizer.pt"])
def test_a_full_disk_is_an_oserror_and_leaves_the_earlier_checkpoints(
    base, tmp_path, monkeypatch, undisturbed, too_large
):
    kept = checkpoints(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    compute = WeightedTrainer.training_step

    def filling(self, *args, **options):
        if self.state.global_step == 1:  # from now on no file may grow as large as this one: its write fails
            size = (kept.folder / "checkpoint-1" / too_large).stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size - 100, limits[1]))
        return compute(self, *args, **options)

    try:
        with monkeypatch.context() as patch, pytest.raises(OSError) as raised:
            patch.setattr(WeightedTrainer, "training_step", filling)
            run(base, kept, 0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert raised.value.errno == errno.EFBIG
    assert too_large == "README.md" or raised.value.filename == str(kept.folder)
    assert sorted(path.name for path in kept.folder.iterdir()) == ["checkpoint-1", "identity.json"]
    trainer, _, resumed = run(base, checkpoints(tmp_path))
    assert (resumed, result(trainer, tmp_path / "adapter")) == (1, undisturbed())
