"""A launcher in a process of its own, as Snakemake runs it, and what a failed one says."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

from clearminds.reuse import stage_code as stages

SCRIPTS = Path(__file__).parents[1] / "workflow" / "scripts"
GOOD = ({"prompt": "What is 1 + 1?", "response": "2"}, {"prompt": "What is 2 + 2?", "response": "4"})


class Run:
    """One run of prepare_task.py on a JSONL file, below a folder."""

    def __init__(self, folder: Path, *lines: dict):
        self.data = folder / "data.jsonl"
        self.data.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        self.output = folder / "results" / "examples" / "mine" / "train.parquet"
        self.log = folder / "logs" / "demo" / "prepare_task" / "mine" / "train.log"
        self.launcher = SCRIPTS / "prepare_task.py"
        columns = {"prompt": "prompt", "response": "response"}
        task = {"kind": "file", "splits": {"train": str(self.data)}, "columns": columns, "normalise": "default"}
        self.spec = {"task": task, "split": "train", "needs_reference": True}

    def command(self, **options: str) -> list[str]:
        given = {
            "spec": json.dumps(self.spec),
            "code": stages.fingerprint("prepare_task", self.spec),
            "log": str(self.log),
            "task": "mine",
            "examples": str(self.output),
            **options,
        }
        return [
            sys.executable,
            str(self.launcher),
            *(part for key, text in given.items() for part in (f"--{key}", text)),
        ]

    def __call__(self, limit: int | None = None, **options: str) -> subprocess.CompletedProcess:
        def limit_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        prepare = limit_files if limit is not None else None
        return subprocess.run(self.command(**options), capture_output=True, text=True, preexec_fn=prepare)

    def left_over(self) -> list[Path]:
        """Everything beside the output, temporary files too."""
        return [file for file in self.output.parent.glob("*") if file != self.output]


def only_error(done: subprocess.CompletedProcess) -> str:
    """The one line of a failed run that tells the error."""
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert all(c.isprintable() or c == "\n" for c in done.stderr)
    [line] = [line for line in done.stderr.splitlines() if "error: " in line]
    assert line == done.stderr.splitlines()[-1]
    return line.partition("error: ")[2]


def waiting(run: Run, folder: Path, work: str = "open(fed).read()") -> Path:
    """Let a run's launcher do something else: wait forever, unless `work` says what."""
    fed = folder / "fed-by-hand"
    os.mkfifo(fed)
    run.launcher = folder / "prepare_task.py"
    run.launcher.write_text(
        f"import sys; sys.path.insert(0, {str(SCRIPTS)!r}); import _setup\n"
        "from pathlib import Path\n"
        "from clearminds.job.launch import Job, Output, launch\n"
        "from clearminds.stages.prepare_task import Settings\n"
        "def main(job: Job, *, task: str, examples: Output) -> None:\n"
        f"    fed = {str(fed)!r}\n"
        f"    {work}\n"
        "launch(main, Settings)\n",
        encoding="utf-8",
    )
    return fed
