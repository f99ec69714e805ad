"""Trainings in processes of their own, killed for good: started again they end in the same bytes."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from small_training import MADE_OF, TRAINING, masks, runtime
from tiny import tiny_model_folder

from clearminds.files import contracts
from clearminds.files.tables import write_table
from clearminds.stages.training.checkpoints import MARKER

LAUNCHER = Path(__file__).parents[2] / "workflow" / "scripts" / "train_adapter.py"
NEVER = 1e9  # seconds between checkpoints


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_model_folder(tmp_path_factory.mktemp("tiny") / "llama")


DIE = "import os, signal\ndef die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)\n"
IN_A_STEP = """
from clearminds.stages.training.trainer import WeightedTrainer
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
from clearminds.stages.training.checkpoints import Checkpoints
mark = Checkpoints.mark
Checkpoints.mark = lambda self, step: die() if step == 5 else mark(self, step)
"""
BEFORE_THE_RENAME = """
from pathlib import Path
Path.rename = die
"""
BEFORE_THE_REMOVAL = """
from clearminds.stages.training.checkpoints import Checkpoints
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
        write_table(table, masks(), contracts.MASKS, {"tokenizer": "t", **MADE_OF})
        source = {"hub": "owner/name", "revision": "c" * 40, "chat_template": {}}
        facts = {"base": "owner/name", "model": "m", "tokenizer": "t", "chat_template": "c", "files": {}}
        facts["spec"] = {"source": source}
        (base / "model.json").write_text(json.dumps(facts))
    loading = {"attn_implementation": None, "quantization": None, "trust_remote_code": False}
    spec = {"training": TRAINING | changed, "seed": 0, "loading": loading}
    how = {**asdict(runtime(checkpoint_seconds=seconds)), "gpus": 0}
    options = {"masks": table, "model": base / "model.json", "adapter": folder / "v" / "seed0" / "adapter.json"}
    options |= {"log": folder / "seed0.log", "spec": json.dumps(spec), "runtime": json.dumps(how)}
    arguments = [str(text) for name, value in options.items() for text in (f"--{name}", value)]
    arguments += ["--start", "--held-out"]  # of nothing
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
def test_a_job_that_is_killed_at_critical_points_ends_in_the_same_adapter(base, tmp_path):
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
from dataclasses import asdict
from pathlib import Path
import pyarrow.parquet as pq, torch
from transformers import AutoModelForCausalLM
from clearminds.files.layout import checkpoints_of
from clearminds.job.processes import leave
from clearminds.stages.training.checkpoints import Checkpoints
from clearminds.stages.training.save_adapter import save
from clearminds.stages.train_adapter import Runtime, Training
from clearminds.stages.training.adapter import add_adapter
from clearminds.stages.training.trainer import WeightedTrainer, seeded, train
base, table, training, out, dies = sys.argv[1:]
training, rank = Training(**json.loads(training)), int(os.environ["RANK"])
adapter = Path(out, "v", "seed0", "adapter.json")
compute = WeightedTrainer.training_step
def step(self, *args):
    if dies == f"{rank} after {self.state.global_step}":
        os.kill(os.getpid(), signal.SIGKILL)
    return compute(self, *args)
WeightedTrainer.training_step = step
seeded(0)
model = add_adapter(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), training, "owner/name")
# the second process would never save by its own clock
runtime = Runtime(60, 0 if rank == 0 else 1e9, fsdp=False, gradient_checkpointing=False, report_to="none")
kept = Checkpoints(checkpoints_of(adapter), {})
trainer, _, resumed = train(model, pq.read_table(table), training, 0, runtime, kept)
assert trainer.args.world_size == 2
spec = {"training": asdict(training), "seed": 0}
save(trainer, adapter, {"spec": spec, "base": "owner/name"}, {"versions": {}}, "")
if rank == 0:
    print("resumed from", resumed)
    kept.remove()
leave()
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
