"""Checkpoints: which of them count, when they are made, and that a training that was killed ends in the same bytes."""

import errno
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors import SafetensorError
from tiny import tiny_model_folder
from transformers import AutoModelForCausalLM

from clearminds import contracts, train_adapter
from clearminds.checkpoints import KEEP, MARKER, Checkpoints, disk_errors
from clearminds.save_adapter import save
from clearminds.tables import write_table
from clearminds.train_adapter import WeightedTrainer, add_adapter, history, seeded, train

LAUNCHER = Path(__file__).parents[2] / "workflow" / "scripts" / "train_adapter.py"
TRAINING = {
    "adapter": "lora",
    "rank": 2,
    "alpha": 4,
    "dropout": 0.0,
    "target_modules": "all-linear",
    "learning_rate": 0.005,
    "scheduler": "cosine",
    "warmup_steps": 1,
    "weight_decay": 0.01,
    "max_grad_norm": 1.0,
    "epochs": 2,
    "batch_examples": 4,
    "dtype": "float32",
}
STEPS = 6  # 10 examples in steps of 4, two epochs: the first one ends with step 3
IDENTITY = {"spec": {"tau": "2.5"}, "code": "c0de", "masks": "5ha", "model": "m0de1"}
NEVER = 1e9


# --- the folder, without a training ---------------------------------------------------------------------------------


def checkpoints(tmp_path, **changed):
    return Checkpoints(tmp_path / "m" / "t" / "v" / "seed0" / "adapter.json", IDENTITY | changed)


def written(folder, step):
    """What the Trainer leaves of a checkpoint, in small."""
    checkpoint = folder / f"checkpoint-{step}"
    (checkpoint / "deeper").mkdir(parents=True)
    (checkpoint / "optimizer.pt").write_bytes(bytes(1000))
    (checkpoint / "deeper" / "adapter.safetensors").write_text(f"step {step}")
    return checkpoint


@pytest.fixture
def two(tmp_path):
    """A folder with two whole checkpoints."""
    kept = checkpoints(tmp_path)
    kept.open()
    for step in (9, 10):  # by name, 10 would come first
        written(kept.folder, step)
        kept.mark(step)
    return kept


def test_the_folder_stands_beside_the_adapters_own_and_says_what_is_trained(tmp_path):
    kept = checkpoints(tmp_path)
    assert kept.open() is None
    assert kept.folder == tmp_path / "m" / "t" / "v" / ".seed0.checkpoints"
    text = (kept.folder / "identity.json").read_text()
    assert json.loads(text).items() >= (IDENTITY | {"processes": 1}).items()
    other_order = Checkpoints(tmp_path / "m" / "t" / "v" / "seed0" / "adapter.json", dict(reversed(IDENTITY.items())))
    other_order.open()
    assert (kept.folder / "identity.json").read_text() == text
    kept.remove()
    assert list(kept.folder.parent.iterdir()) == []


def test_the_newest_whole_checkpoint_counts(two, tmp_path, caplog):
    caplog.set_level("INFO", "clearminds")
    assert checkpoints(tmp_path).open() == two.folder / "checkpoint-10"
    assert caplog.messages == []


def test_two_whole_checkpoints_are_kept(two):
    for step in (11, 12, 13):
        written(two.folder, step)
        two.mark(step)
    assert sorted(path.name for path in two.folder.glob("checkpoint-*")) == ["checkpoint-12", "checkpoint-13"]
    assert KEEP == 2


@pytest.mark.parametrize("changed", [{"spec": {"tau": "3"}}, {"code": "c1de"}, {"masks": "0ther"}, {"model": "n"}])
def test_checkpoints_of_another_training_are_not_gone_on_from(two, tmp_path, changed, caplog):
    caplog.set_level("INFO", "clearminds")
    assert checkpoints(tmp_path, **changed).open() is None
    assert not list(two.folder.glob("checkpoint-*"))
    key = next(iter(changed))
    assert caplog.messages == [f"2 checkpoints of another training (other {key}): starting anew"]
    assert checkpoints(tmp_path).open() is None, "what is gone stays gone"


def test_another_number_of_processes_starts_anew(two, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", "clearminds")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert checkpoints(tmp_path).open() is None
    assert "other processes" in caplog.text


@pytest.mark.parametrize("left", [None, "", '{"spec": '])
def test_checkpoints_of_unknown_origin_are_not_gone_on_from(two, tmp_path, left):
    identity = two.folder / "identity.json"
    identity.unlink() if left is None else identity.write_text(left)
    assert checkpoints(tmp_path).open() is None
    assert not list(two.folder.glob("checkpoint-*"))


def test_a_half_written_checkpoint_is_removed(two, tmp_path, caplog):
    caplog.set_level("INFO", "clearminds")
    half = written(two.folder, 11)
    assert checkpoints(tmp_path).open() == two.folder / "checkpoint-10"
    assert not half.exists()
    assert caplog.messages == ["checkpoint-11 was half-written: removed"]


def truncate(checkpoint):
    os.truncate(checkpoint / "optimizer.pt", 999)


def zero(checkpoint):
    (checkpoint / "deeper" / "adapter.safetensors").write_bytes(bytes(7))


def lose(checkpoint):
    (checkpoint / "optimizer.pt").unlink()


def empty_marker(checkpoint):
    (checkpoint / MARKER).write_text("")


@pytest.mark.parametrize("damage", [truncate, zero, lose, empty_marker])
def test_a_damaged_checkpoint_falls_back_to_the_one_before_and_then_to_the_beginning(two, tmp_path, damage, caplog):
    damage(two.folder / "checkpoint-10")
    assert checkpoints(tmp_path).open() == two.folder / "checkpoint-9"
    assert caplog.messages[0].startswith("checkpoint-10 is damaged (")
    damage(two.folder / "checkpoint-9")
    assert checkpoints(tmp_path).open() is None
    assert not list(two.folder.glob("checkpoint-*"))


def test_a_full_disk_is_told_as_one_whoever_writes(tmp_path, monkeypatch):
    with pytest.raises(OSError) as raised, disk_errors(tmp_path):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(tmp_path))
    torchs = RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598")
    with pytest.raises(RuntimeError, match="unexpected pos"), disk_errors(tmp_path):  # there is room: another reason
        raise torchs
    assert not list(tmp_path.iterdir())
    with pytest.raises(RuntimeError, match="CUDA"), disk_errors(tmp_path / "nowhere"):  # nothing that was written
        raise RuntimeError("CUDA error")

    def full(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError) as raised, disk_errors(tmp_path):
        raise torchs
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(tmp_path))


# --- trainings in this process, interrupted by an exception ---------------------------------------------------------


class Interrupted(BaseException):
    """Stands for the kill: nothing in a training catches it."""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_model_folder(tmp_path_factory.mktemp("tiny") / "llama")


def masks(n=10):
    """The contract MASKS: n examples of unequal length."""
    generator = torch.Generator().manual_seed(0)
    rows = []
    for i in range(n):
        length = int(torch.randint(6, 24, (), generator=generator))
        kept = (torch.rand(length - 3, generator=generator) < 0.6).float().tolist()
        rows.append(
            {
                "task": "t",
                "source": "s",
                "example_id": f"e{i}",
                "sample": 0,
                "input_ids": torch.randint(3, 300, (length,), generator=generator).tolist(),
                "weights": [0.0, 0.0, *kept, 0.0],
                "n_kept": int(sum(kept)),
                "n_response": length - 3,
            }
        )
    return pa.Table.from_pylist(rows, schema=contracts.MASKS)


def run(base, kept, seconds=NEVER, **changed):
    """One run in a fresh process's state: (trainer, progress, step it went on from)."""
    training = TRAINING | changed
    seeded(0)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=getattr(torch, training["dtype"]))
    model = add_adapter(model, training, str(base))
    return train(model, masks(), training, 0, {"batch_tokens": 60, "checkpoint_seconds": seconds}, kept)


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
    save(trainer, folder / "adapter.json", {"spec": spec, "base": "owner/name"}, {"versions": {}})
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

    monkeypatch.setattr(train_adapter, "time", clock)
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


# --- the launcher in a process of its own, killed for good ----------------------------------------------------------

DIE = "import os, signal\ndef die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)\n"
IN_A_STEP = """
from clearminds.train_adapter import WeightedTrainer
compute = WeightedTrainer.training_step
def step(self, *args):
    return die() if self.state.global_step == 2 else compute(self, *args)
WeightedTrainer.training_step = step
"""
IN_A_SAVE = """
import torch
write = torch.save
def half(value, path, *args, **options):
    write(value, path, *args, **options)
    if "checkpoint-4" in str(path):
        os.truncate(path, os.path.getsize(path) // 2)
        die()
torch.save = half
"""
BEFORE_THE_MARK = """
from clearminds.checkpoints import Checkpoints
mark = Checkpoints.mark
Checkpoints.mark = lambda self, step: die() if step == 5 else mark(self, step)
"""
BEFORE_THE_RENAME = """
from pathlib import Path
Path.rename = die
"""
BEFORE_THE_REMOVAL = """
from clearminds.checkpoints import Checkpoints
Checkpoints.remove = die
"""
# where it is killed, and the newest whole checkpoint that this leaves
KILLS = [
    (IN_A_STEP, 2),
    (IN_A_SAVE, 3),
    (BEFORE_THE_MARK, 4),
    (BEFORE_THE_RENAME, 5),
    (BEFORE_THE_REMOVAL, 5),
]


def launch(folder, base, seconds, first="", kill_from=None, **changed):
    """Run the launcher below `folder` after the code `first`; SIGKILL it once a checkpoint of that step is whole.

    Returns:
        its exit code, and what it printed.
    """
    table = folder / "masks.parquet"
    if not table.exists():
        write_table(table, masks(), "MASKS", {"tokenizer": "t"})
        facts = {"base": "owner/name", "model": "m", "tokenizer": "t", "chat_template": "c"}
        (base / "model.json").write_text(json.dumps(facts))
    loading = {"attn_implementation": None, "quantization": None, "trust_remote_code": False}
    spec = {"training": TRAINING | changed, "seed": 0, "loading": loading}
    runtime = {"batch_tokens": 60, "checkpoint_seconds": seconds}
    options = {"masks": table, "model": base / "model.json", "adapter": folder / "v" / "seed0" / "adapter.json"}
    options |= {"log": folder / "seed0.log", "spec": json.dumps(spec), "runtime": json.dumps(runtime)}
    arguments = [str(text) for name, value in options.items() for text in (f"--{name}", value)]
    code = f"import runpy, sys\n{first}\nsys.argv[0] = sys.argv[1]\ndel sys.argv[1]\nrunpy.run_path(sys.argv[0])"
    path = [str(LAUNCHER.parent), *sys.path]
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(LAUNCHER), *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path), "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while kill_from and process.poll() is None:
        if max(whole(folder), default=0) >= kill_from:
            process.kill()
    printed = process.communicate(timeout=300)[0]
    return process.returncode, printed


def made(folder):
    adapter = folder / "v" / "seed0"
    curve = pq.read_table(adapter / "history.parquet").to_pylist()
    return (adapter / "adapter_model.safetensors").read_bytes(), curve


def whole(folder):
    return sorted(int(path.parent.name.split("-")[1]) for path in folder.glob(f"v/.seed0.checkpoints/*/{MARKER}"))


@pytest.mark.slow
def test_a_job_that_is_killed_wherever_it_hurts_ends_in_the_same_adapter(base, tmp_path):
    code, printed = launch(tmp_path / "undisturbed", base, NEVER, dropout=0.2)
    assert code == 0, printed
    folder = tmp_path / "killed"
    adapter = folder / "v" / "seed0" / "adapter.json"
    for n, (where, left) in enumerate(KILLS):
        code, printed = launch(folder, base, 0, DIE + where, dropout=0.2)
        assert code == -9, printed
        assert whole(folder)[-1] == left, printed
        assert (f"resumed at step {KILLS[n - 1][1]} of 6" in printed) == (n > 0), printed
        assert adapter.exists() == (where is BEFORE_THE_REMOVAL)
    assert made(folder) == made(tmp_path / "undisturbed")
    code, printed = launch(folder, base, 0, dropout=0.2)
    assert code == 0, printed
    assert made(folder) == made(tmp_path / "undisturbed")
    assert [path.name for path in adapter.parent.parent.iterdir()] == ["seed0"], "nothing is left beside it"
    for record in (adapter.parent / "run.json", folder / "seed0.run.json"):
        assert json.loads(record.read_text())["resumed_from_step"] == 5
    code, printed = launch(folder, base, 0, DIE + IN_A_STEP, learning_rate=0.001)
    assert code == -9 and whole(folder) == [1, 2], printed
    code, printed = launch(folder, base, NEVER, dropout=0.2)
    assert "2 checkpoints of another training (other spec): starting anew" in printed
    assert made(folder) == made(tmp_path / "undisturbed")


@pytest.mark.slow
def test_a_job_that_is_killed_at_any_moment_ends_in_the_same_adapter(base, tmp_path):
    settings = {"epochs": 40, "dropout": 0.1}  # 120 steps, so that the kills fall somewhere into them
    assert launch(tmp_path / "undisturbed", base, NEVER, **settings)[0] == 0
    folder = tmp_path / "killed"
    for step in (7, 31, 64):
        code, printed = launch(folder, base, 0, kill_from=step, **settings)
        assert code == -9, printed
    code, printed = launch(folder, base, NEVER, **settings)
    assert code == 0 and "resumed at step" in printed, printed
    assert made(folder) == made(tmp_path / "undisturbed")


TWO = """
import json, os, signal, sys
from pathlib import Path
import pyarrow.parquet as pq, torch
from transformers import AutoModelForCausalLM
from clearminds.checkpoints import Checkpoints
from clearminds.save_adapter import save
from clearminds.train_adapter import WeightedTrainer, add_adapter, seeded, train
base, table, training, out, dies = sys.argv[1:]
training, adapter, rank = json.loads(training), Path(out, "v", "seed0", "adapter.json"), int(os.environ["RANK"])
compute = WeightedTrainer.training_step
def step(self, *args):
    if dies == f"{rank} after {self.state.global_step}":
        os.kill(os.getpid(), signal.SIGKILL)
    return compute(self, *args)
WeightedTrainer.training_step = step
seeded(0)
model = add_adapter(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), training, "owner/name")
# the second process would never save by its own clock
runtime = {"batch_tokens": 60, "checkpoint_seconds": 0 if rank == 0 else 1e9}
kept = Checkpoints(adapter, {})
trainer, _, resumed = train(model, pq.read_table(table), training, 0, runtime, kept)
assert trainer.args.world_size == 2
save(trainer, adapter, {"spec": {"training": training, "seed": 0}, "base": "owner/name"}, {"versions": {}})
if rank == 0:
    print("resumed from", resumed)
    kept.remove()
"""


@pytest.mark.slow
@pytest.mark.parametrize(("rank", "step"), [(0, 4), (1, 5)])
def test_two_processes_resume_to_the_same_bytes(base, tmp_path, rank, step):
    # the last step of an epoch has two examples, all of them the first process's
    pq.write_table(masks(), tmp_path / "masks.parquet")
    (tmp_path / "two.py").write_text(TWO)

    def together(out, dies):
        launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
        training = json.dumps(TRAINING | {"dropout": 0.2})
        return subprocess.run(
            [*launcher, tmp_path / "two.py", base, tmp_path / "masks.parquet", training, tmp_path / out, dies],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "CUDA_VISIBLE_DEVICES": ""},
            capture_output=True,
            text=True,
            timeout=600,
        )

    done = together("undisturbed", "never")
    assert done.returncode == 0 and "resumed from 0" in done.stdout, done.stderr[-3000:]
    assert together("killed", f"{rank} after {step}").returncode != 0
    assert whole(tmp_path / "killed") == [step - 1, step]
    done = together("killed", "never")
    assert done.returncode == 0 and f"resumed from {step}" in done.stdout, done.stderr[-3000:]
    assert made(tmp_path / "killed") == made(tmp_path / "undisturbed")
    assert not (tmp_path / "killed" / "v" / ".seed0.checkpoints").exists()
