"""Kills a study again and again, resumes it, and compares all it made with what an undisturbed run made.

    PYTHONPATH=workflow:tests .venv/bin/python tests/kill_trial.py [--kills 30] [--seed 0] [--folder DIR]

Each study is killed in stage after stage: a job alone, snakemake alone, or the whole process group, with SIGKILL, at a
random moment after a job of that stage has begun. Prints a line per kill and ends with exit code 1 if anything differs.
"""

import argparse
import copy
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import yaml

ROOT = Path(__file__).parents[1]
STAGES = ("generate_responses", "score_token_perplexity", "build_masks", "train_adapter", "evaluate_adapter", "report")
KINDS = ("job", "snakemake", "group")
IMPORTS = 6.0  # seconds from a job's command to its work, of libraries loading
WORK = {"generate_responses": 4.0, "score_token_perplexity": 2.0, "build_masks": 0.3, "train_adapter": 6.0}  # seconds
TIMED = ("run.json", "report.html", "usage.jsonl")  # say how long something took or how often it was tried


@dataclass
class Kill:
    """One kill: where, what, and what came of it."""

    stage: str
    kind: str
    working: bool  # the delay counts from the job's own first line, else from its command
    delay: float
    orphans_gone: float | None = None  # seconds until nothing of the run was alive
    missed: bool = False  # the run had ended before


@dataclass
class Trial:
    """A study that was killed and resumed to its end."""

    kills: list[Kill] = field(default_factory=list)
    resumed_steps: list[int] = field(default_factory=list)
    reused: dict[str, int] = field(default_factory=dict)  # responses and sequences found in the store
    different: list[str] = field(default_factory=list)


def slow_enough(study: dict) -> dict:
    """The tiny study with seconds of work in each stage: a part of the store per response, a checkpoint per step."""
    study = copy.deepcopy(study)
    study["tasks"]["sums"]["splits"]["train"] = 48
    study["sources"]["self_output"]["samples"] = 4
    study["training"]["epochs"] = 5
    study["runtime"] = {"checkpoint_seconds": 0, "part_seconds": 0, "batch_tokens": 64, "generate_tokens": 64}
    return study


def undisturbed(folder: Path, study: dict) -> dict[str, str]:
    """Run the study to its end; the digests of all that it made."""
    run = start(folder, study, [])
    output = run.communicate()[0]
    if run.returncode:
        raise RuntimeError(output[-4000:])
    return digests(folder)


def trial(
    folder: Path, study: dict, expected: dict[str, str], plan: list[tuple[str, str]], rng: random.Random
) -> Trial:
    """Run a study, kill it as planned (stage and kind, in order), resume it each time, and compare.

    Args:
        folder: of its own.
        study: its config.
        expected: of `undisturbed`.
        plan: stages and kinds.
        rng: chooses the moments.
    """
    done, resume = Trial(), False
    for stage, kind in plan:
        working = rng.random() < 0.7
        kill = Kill(stage, kind, working, rng.uniform(0, WORK.get(stage, 3.0) if working else IMPORTS))
        run = start(folder, study, ["resume"] if resume else [])
        _kill_when_begun(run, folder, kill)
        run.stdout.close()
        run.wait()
        began = time.monotonic()
        while _alive(folder):
            if time.monotonic() - began > 30:
                raise RuntimeError(f"still alive 30 s after {kill}: {_alive(folder)}")
            time.sleep(0.1)
        kill.orphans_gone = round(time.monotonic() - began, 1)
        done.kills.append(kill)
        resume = True
    last = start(folder, study, ["resume"])
    output = last.communicate()[0]
    if last.returncode:
        raise RuntimeError(f"resume failed after {done.kills}:\n{output[-4000:]}")
    found = digests(folder)
    done.different = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    for record in (folder / "logs").rglob("*.run.json"):
        cost = json.loads(record.read_text())
        if cost.get("resumed_from_step"):
            done.resumed_steps.append(cost["resumed_from_step"])
        if hits := cost.get("store", {}).get("hits"):
            done.reused[cost["stage"]] = done.reused.get(cost["stage"], 0) + hits
    return done


def start(folder: Path, study: dict, how: list[str]) -> subprocess.Popen:
    """Start snakemake, or `make resume`'s command, in a process group of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "study.yaml"
    config.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    command = (
        ["-m", "clearminds.commands.resume"] if how else ["-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    )
    profile = ["--workflow-profile", str(ROOT / "profiles" / "default"), "--cores", "2"]
    return subprocess.Popen(
        [sys.executable, *command, "--directory", str(folder), "--configfile", str(config), *profile],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow")},
    )


def _kill_when_begun(run: subprocess.Popen, folder: Path, kill: Kill) -> None:
    for line in run.stdout:
        # the rule's command is printed before its job begins
        begun = f" {kill.stage}]" in line and line.rstrip().endswith("started")
        if begun if kill.working else line.startswith("Shell command:") and f"/{kill.stage}.py" in line:
            break
    else:
        kill.missed = True
        return
    time.sleep(kill.delay)
    victims = [p for p in _alive(folder) if f"/{kill.stage}.py" in " ".join(p.info["cmdline"])]
    if run.poll() is not None:
        kill.missed = True
    elif kill.kind == "group":
        os.killpg(run.pid, signal.SIGKILL)
    elif kill.kind == "snakemake":
        run.kill()
    elif victims:
        victims[0].kill()
        # the others go on, as after any failing job; then the run ends by itself
        run.stdout.read()
    else:
        # its job has ended by now: the whole run is killed in its place, rather than left to come to its end
        kill.kind = "group"
        os.killpg(run.pid, signal.SIGKILL)


def _alive(folder: Path) -> list[psutil.Process]:
    """Processes that work in the folder."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "cwd", "status"]):
        if process.info["cwd"] == str(folder) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of all results, but what says how long something took."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "results" / "tiny").rglob("*"))
        if path.is_file() and ".jobs" not in path.parts and not path.name.endswith(TIMED)
    }


def main() -> None:
    from tiny import tiny_model_folder
    from workflow.conftest import tiny_study

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where to work; default: a temporary one")
    given = parser.parse_args()
    folder = (given.folder or Path(tempfile.mkdtemp(prefix="kill-trial-"))).resolve()
    study = slow_enough(tiny_study(tiny_model_folder(folder / "model", "llama")))
    begin = time.monotonic()
    expected = undisturbed(folder / "undisturbed", study)
    print(f"undisturbed: {len(expected)} files in {time.monotonic() - begin:.0f} s", flush=True)
    rng, left, number, bad = random.Random(given.seed), given.kills, 0, False
    while left > 0:
        kinds = [KINDS[(number + n) % 3] for n in range(len(STAGES))]
        plan = list(zip(STAGES, kinds, strict=True))[:left]
        result = trial(folder / f"study{number}", study, expected, plan, rng)
        for kill in result.kills:
            into = "into its work" if kill.working else "after its start"
            how = "missed" if kill.missed else f"nothing alive after {kill.orphans_gone} s"
            print(f"study {number}: {kill.kind} in {kill.stage} {kill.delay:.1f} s {into}: {how}", flush=True)
        print(
            f"study {number}: resumed at steps {result.resumed_steps}, found in stores {result.reused}, "
            f"different: {result.different or 'nothing'}",
            flush=True,
        )
        bad |= bool(result.different)
        left -= sum(not kill.missed for kill in result.kills) or len(plan)
        number += 1
    print(f"{given.kills} kills in {number} studies, {time.monotonic() - begin:.0f} s")
    sys.exit(int(bad))


if __name__ == "__main__":
    main()
