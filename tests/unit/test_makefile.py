"""What make is asked for beside its targets."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from clearminds.checkout import ROOT

BIN = str(Path(sys.executable).parent)


def dry_run(*asked):
    """Returns what make would run, without the lines of where it is that it prints inside another make."""
    command = ["make", "-n", "--no-print-directory", "--assume-old=setup", *asked]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("target", ["plan", "resume", "demo"])
@pytest.mark.parametrize("study", ["studies/quick.yaml", "mine.yml"])
def test_a_study_that_is_given_as_a_target_is_refused(target, study):
    done = dry_run(target, study)
    assert done.returncode and not done.stdout
    assert done.stderr.endswith(f" a study is given as STUDY={study}.  Stop.\n")


@pytest.mark.parametrize(
    ("target", "given", "command"),
    [
        ("export", ["VARIANT=stm-2.5", "MERGED=1", "SEED=1"], ".export --variant stm-2.5 --seed 1 --merged"),
        ("score", ["DATA=my rows.jsonl", "MODEL=m"], ".score 'my rows.jsonl' --model m"),
        (
            "mask",
            ["DATA=a.jsonl", "MODEL=m", "RULE=perplexity", "TAU=2.5", "OUT=o", "OPTIONS=--cores 1"],
            ".mask a.jsonl --model m --out o --cores 1 --rule perplexity --tau 2.5",
        ),
    ],
)
def test_variables_become_the_options_of_a_command(target, given, command):
    done = dry_run(target, *given)
    assert not done.returncode
    assert shlex.split(done.stdout.replace("\\\n", " "))[-len(shlex.split(command)) :] == [
        "clearminds.commands" + shlex.split(command)[0],
        *shlex.split(command)[1:],
    ]


def test_a_study_that_is_given_as_one_is_planned():
    done = dry_run("plan", "STUDY=studies/quick.yaml")
    assert not done.returncode
    assert ".plan --configfile studies/quick.yaml" in done.stdout


def test_the_bench_starts_as_make_calls_it(monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    done = dry_run("bench", "--assume-old=setup-test", "--assume-old=setup-vllm", f"BIN={shlex.quote(BIN)}")
    [command] = [line for line in done.stdout.replace("\\\n", "").splitlines() if "bench/run.py" in line]
    assert "scored" in subprocess.run(f"{command} --help", shell=True, cwd=ROOT, capture_output=True, text=True).stdout
