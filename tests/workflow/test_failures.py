"""Runs that fail or are stopped: what they say, what they leave, and that the next one goes on."""

import copy
import os
import signal
import subprocess
import time

import pytest

from .conftest import MASKED, Workflow, tiny_study
from .watching import begin, error_lines, last_lines, processes_in


@pytest.fixture
def study(tmp_path, tiny_model):
    return Workflow(tmp_path, tiny_study(tiny_model))


@pytest.fixture
def masked(tmp_path, finished):
    """A study that has its trainings and what follows before it."""
    return finished.begin(tmp_path, MASKED)


@pytest.mark.slow
def test_a_report_of_what_is_there_says_what_is_missing_and_why(masked):
    masked.config["variants"] = {
        "stm-200": masked.config["variants"]["stm-200"],
        # no single step shows it, and so no rehearsal
        "broken": {"responses": "reference", "training": {"learning_rate": 1e30, "warmup_steps": 0}},
    }
    done = masked.run()
    assert done.returncode != 0
    partial = masked.folder / "results/tiny/report.partial.html"
    html = partial.read_text()
    assert "What is missing" in html and "the loss is not a number" in html and "stm-200" in html
    missing = "results/tiny/evaluations/tiny/sums/broken/seed0/all.parquet"
    assert f"missing: {missing}: train_adapter tiny/sums/broken/seed0 failed" in done.stdout.splitlines()
    assert "report of what is there: results/tiny/report.partial.html" in done.stdout
    assert not (masked.folder / "results/tiny/report.html").exists()
    # the next run that succeeds takes it away
    del masked.config["variants"]["broken"]
    assert masked.run().returncode == 0
    assert not partial.exists() and (masked.folder / "results/tiny/report.html").is_file()


@pytest.mark.slow
def test_what_the_rehearsal_refuses_costs_no_generation_scoring_training_or_evaluation(tmp_path, finished):
    study = finished.begin(tmp_path, ("examples", "models"))
    study.config["training"]["target_modules"] = ["no_such_layer"]
    done = study.run()
    assert done.returncode != 0 and "Traceback" not in done.stdout
    [line] = [line for line in error_lines(done.stdout) if line.startswith("rehearse tiny: error: ")]
    assert "target_modules: ['no_such_layer']" in line and "q_proj" in line
    started = {path.relative_to(study.folder / "logs/tiny").parts[0] for path in study.folder.rglob("*.outcome.json")}
    assert started <= {"prepare_task", "fetch_model", "rehearse", "generate_responses", "verify_responses"}
    samples = list((study.folder / "results/tiny/responses").rglob("*.parquet"))
    assert {path.name for path in samples} <= {"train.reference.parquet"}  # which are only copied


@pytest.mark.slow
def test_a_killed_job_is_named_with_its_log_in_what_is_missing(masked):
    masked.config["training"]["epochs"] = 4000
    missing = "results/tiny/evaluations/tiny/sums/stm-200/seed0/all.parquet"
    run = begin(masked, "train_adapter", missing)
    log = "logs/tiny/train_adapter/tiny/sums/stm-200/seed0.log"
    [job] = [process for process in processes_in(masked.folder) if log in process.cmdline()]
    job.kill()
    said = run.communicate(timeout=300)[0]
    assert run.returncode != 0 and "Traceback" not in said, said[-3000:]
    assert f"missing: {missing}: train_adapter tiny/sums/stm-200/seed0 failed" in said.splitlines()
    assert last_lines(said)[0] == (
        f"error: train_adapter tiny/sums/stm-200/seed0: it was killed, perhaps out of memory (log: {log})"
    )


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_snakemake_alone_stops_all_within_seconds_and_leaves_no_lock(masked, number):
    masked.config["training"]["epochs"] = 4000
    run = begin(masked, "train_adapter")
    os.kill(run.pid, number)
    start = time.monotonic()
    said = run.stdout.read()
    run.wait()
    assert run.returncode == 128 + number
    assert time.monotonic() - start < 60, "the jobs were not told to stop"
    assert not processes_in(masked.folder)
    assert "stopping: the jobs were told to end" in said and "Traceback" not in said
    assert said.endswith("\nstopped; the same command goes on\n") and "Error in rule" not in said
    assert "missing: " not in said
    assert not list((masked.folder / ".snakemake").glob("locks/*"))
    assert masked.run("--dry-run").returncode == 0


@pytest.mark.slow
def test_no_job_outlives_a_killed_snakemake_and_resume_goes_on(masked):
    masked.config["training"]["epochs"] = 40
    masked.config["runtime"] = {"checkpoint_seconds": 0}
    run = begin(masked, "train_adapter")
    time.sleep(1)
    run.kill()
    run.stdout.close()
    run.wait()
    start = time.monotonic()
    while processes_in(masked.folder) and time.monotonic() - start < 30:
        time.sleep(0.2)
    assert not processes_in(masked.folder)
    refused = masked.run()
    assert refused.returncode != 0 and "Traceback" not in refused.stdout
    last = refused.stdout.splitlines()[-1]
    assert last == (  # `make resume` would go on in the checkout
        f"error: {masked.folder} is locked by a run that was killed; "
        "go on with the same command after it was called once with --unlock"
    )
    resumed = masked.resume()
    assert resumed.returncode == 0, resumed.stdout[-3000:]
    assert (masked.folder / "results/tiny/report.html").is_file()


@pytest.mark.slow
def test_a_second_run_in_the_same_folder_says_so_in_a_line_and_disturbs_nothing(masked):
    masked.config["training"]["epochs"] = 4000
    run = begin(masked, "train_adapter")
    try:
        second, resume = masked.run(), masked.resume()
        assert second.returncode != 0 and resume.returncode != 0
        [line] = error_lines(second.stdout)
        assert f"another run (process {run.pid}) is going on in {masked.folder}" in line and "--directory" in line
        assert f"a run (process {run.pid}) is alive in {masked.folder}" in resume.stdout
        assert masked.run("--dry-run").returncode == 0  # looking is allowed
        assert run.poll() is None and list((masked.folder / ".snakemake").glob("locks/*"))
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.stdout.close()
        run.wait()


@pytest.mark.slow
def test_what_only_looks_locks_and_writes_nothing(study):
    for looking in ("--list-rules", "--summary", "--dag", "--unlock", "--dry-run"):
        looked = study.run(looking)
        assert looked.returncode == 0 and "Traceback" not in looked.stdout, looked.stdout
        assert not (study.folder / "results").exists()
        assert not list((study.folder / ".snakemake").glob("clearminds*")), looking


@pytest.mark.slow
def test_studies_in_folders_of_their_own_run_at_once_on_one_store(tmp_path, tiny_model):
    studies = []
    for name in ("one", "two"):
        config = copy.deepcopy(tiny_study(tiny_model)) | {"study": name, "runtime": {"store": str(tmp_path / "store")}}
        studies.append(Workflow(tmp_path / name, config))
    runs = [
        subprocess.Popen(s.command("scores"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for s in studies
    ]
    said = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    tables = [sorted((s.folder / "results").glob("*/scores/**/train.*.parquet")) for s in studies]
    assert len(tables[0]) == len(tables[1]) == 4


@pytest.mark.slow
def test_a_missing_gpu_names_the_key(study):
    study.config["runtime"] = {"gpus": 1}
    done = study.run("--until", "generate_responses", "--resources", "gpu=1")
    assert done.returncode != 0
    lines = [line for line in error_lines(done.stdout) if "runtime: gpus" in line]
    assert lines and all("Traceback" not in line for line in lines) and "Traceback" not in done.stdout


@pytest.fixture
def small_disk(tmp_path):
    """A file system of a few megabytes; a function that changes its mount options."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options, *how):
        done = subprocess.run(
            ["mount", *how, "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"cannot mount a tmpfs here: {done.stderr.strip()}")
        return folder

    mount("size=2m")
    yield mount
    subprocess.run(["umount", "--lazy", str(folder)], check=False)


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_earlier_results_stay(study, small_disk, tmp_path):
    (study.folder / "results").symlink_to(tmp_path / "disk")
    study.config["runtime"] = {"store": str(tmp_path / "store")}
    assert study.run("masks").returncode == 0
    scores = study.folder / "results/tiny/scores/tiny/tiny/sums/train.reference.parquet"
    before = scores.read_bytes()
    free = os.statvfs(tmp_path / "disk").f_bavail * 4096
    ballast = tmp_path / "disk" / "ballast"
    ballast.write_bytes(b"x" * (free - 12 * 1024))
    done = study.run()
    assert done.returncode != 0
    lines = [line for line in error_lines(done.stdout) if "no space left on the disk of results/" in line]
    assert lines and "Traceback" not in done.stdout, done.stdout[-3000:]
    assert scores.read_bytes() == before
    ballast.unlink()
    again = study.run()
    assert again.returncode == 0, again.stdout[-3000:]
    assert scores.read_bytes() == before and "score_token_perplexity tiny" not in again.stdout


@pytest.mark.slow
def test_a_results_folder_that_may_only_be_read_is_one_line(study, small_disk, tmp_path):
    (study.folder / "results").symlink_to(tmp_path / "disk")
    small_disk("ro", "-o", "remount")
    done = study.run()
    assert done.returncode != 0
    lines = [line for line in done.stdout.splitlines() if "error: " in line.lower()]
    assert "Traceback" not in done.stdout
    assert any("results" in line and "read-only" in line.lower() for line in lines), done.stdout[-3000:]


@pytest.mark.slow
def test_three_kills_change_no_byte(tmp_path, tiny_model):
    import random

    from kill_trial import digests, slow_enough, trial

    study = slow_enough(tiny_study(tiny_model))
    # one training tells as much as three, and seconds of work as much as half a minute
    study["variants"] = {"stm-200": study["variants"]["stm-200"]}
    study["tasks"]["sums"]["splits"]["train"] = 24
    undisturbed = Workflow(tmp_path / "undisturbed", study)
    assert undisturbed.run().returncode == 0
    expected = digests(undisturbed.folder)
    plan = [("generate_responses", "group"), ("score_token_perplexity", "job"), ("train_adapter", "snakemake")]
    result = trial(tmp_path / "killed", study, expected, plan, random.Random(0))
    assert not result.different, result
    assert max(kill.orphans_gone for kill in result.kills) < 15
