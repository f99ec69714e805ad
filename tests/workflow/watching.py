"""Watching a run of the workflow: its lines and its processes."""

import subprocess

import psutil


def error_lines(said):
    return [line for line in said.splitlines() if "error: " in line and "Traceback" not in line]


def last_lines(said):
    """What ends a run that failed: a line per cause, without the one that says how to go on."""
    *_, end = said.rpartition("\n\n")
    *causes, how = end.splitlines()
    assert how == "fix this, then start the same command again: what is done stays done", said[-3000:]
    return causes


def begin(study, stage, *arguments):
    """Start snakemake and wait until a job of a stage runs."""
    command = study.command(*arguments)
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    for line in run.stdout:
        if line.startswith(f"{stage} ") and line.rstrip().endswith("started"):
            return run
    raise AssertionError("the stage never began")


def processes_in(folder):
    return [
        p
        for p in psutil.process_iter(["cwd", "status"])
        if p.info["cwd"] == str(folder) and p.info["status"] != psutil.STATUS_ZOMBIE
    ]
