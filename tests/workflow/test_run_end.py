"""What a run that fails or is refused says last: each cause once, and nothing after it. No job here needs a model."""

import signal
import subprocess
import time

import pytest

from .conftest import Workflow, tiny_study
from .watching import error_lines, last_lines

GCD = "results/tiny/examples/gcd/test.parquet"


@pytest.fixture
def study(tmp_path):
    """A study of a folder that holds no model that could be loaded."""
    folder = tmp_path / "no-model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return Workflow(tmp_path, tiny_study(folder))


@pytest.mark.slow
def test_a_failed_run_ends_with_each_cause_once(study):
    study.config["tasks"]["gcd"] |= {"parameters": {"no_such": 1}, "splits": {"test": 3, "validation": 3}}
    done = study.run(GCD, GCD.replace("test", "validation"), "results/tiny/models/tiny/model.json")
    assert done.returncode == 1 and "Traceback" not in done.stdout
    causes = last_lines(done.stdout)
    assert [line.partition(": ")[2].partition(": ")[0] for line in causes] == [
        "fetch_model tiny",
        "prepare_task gcd/test",
        "prepare_task gcd/validation",
    ]
    assert causes[1].endswith(" (log: logs/tiny/prepare_task/gcd/test.log)")
    assert len(error_lines(done.stdout)) == 2 * len(causes)  # each when it happens, and at the end
    for repeated in ("RuleException", "Error in rule", "WorkflowError"):
        assert repeated not in done.stdout
    # without hooks and in silence too
    again = study.run(GCD, "--no-hooks", "--quiet", "all")
    [cause] = last_lines(again.stdout)
    assert cause.startswith("error: prepare_task gcd/test: ")


@pytest.mark.slow
def test_missing_data_are_named_by_their_key_in_runs_and_dry_runs(study):
    study.config["tasks"]["mine"] = {"kind": "file", "splits": {"test": "mine.jsonl"}}
    for arguments in ((), ("--dry-run",)):
        done = study.run("results/tiny/examples/mine/test.parquet", *arguments)
        assert done.returncode == 1 and "MissingInputException" not in done.stdout
        assert done.stdout.splitlines()[-1] == (
            f"error: tasks: mine: splits: test: there is no file mine.jsonl in {study.folder}; "
            "put it there or correct the path, then run again"
        )
    # what is not asked for is not missed
    assert study.run(GCD, "--dry-run").returncode == 0


@pytest.mark.slow
def test_data_and_models_that_cannot_be_used_are_refused_before_a_job_starts(study):
    (study.folder / "mine.jsonl").write_text('{"question": "1 + 1"}\n')
    study.config["tasks"]["mine"] = {"kind": "file", "splits": {"test": "mine.jsonl"}, "evaluate": "likelihood"}
    study.config["suites"]["own"] = ["mine"]
    for arguments in ((), ("--dry-run",), ("--until", "prepare_task")):
        done = study.run(*arguments)
        assert done.returncode == 1 and "Traceback" not in done.stdout
        assert done.stdout.splitlines()[-1] == (
            "error: task mine, split test: mine.jsonl line 1: no column 'messages'; found: question"
        )
    (study.folder / "no-model/config.json").unlink()
    for arguments in (("scores",), ("scores", "--dry-run")):
        done = study.run(*arguments)
        assert done.returncode == 1 and "Traceback" not in done.stdout
        assert f"error: models: path: {study.folder}/no-model is not a model folder" in done.stdout.splitlines()[-1]
    assert not (study.folder / "logs").exists()
    # what is not asked for is not looked at
    assert study.run(GCD, "--dry-run").returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("place", ["results", "logs", ".snakemake", "results/tiny/.jobs"])
def test_a_file_in_the_place_of_a_folder_is_one_line(study, place):
    file = study.folder / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("")
    done = study.run(GCD)
    assert done.returncode == 1 and "Traceback" not in done.stdout, done.stdout
    last = next(line for line in reversed(done.stdout.splitlines()) if line.startswith("error: "))
    assert f"{place} is a file, where a folder must be: move it away, then run again" in last


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_time_after_the_study_is_read_is_a_line_or_nothing(study, number):
    command = study.command(GCD)
    for seconds in (0, 0.2, 0.4, 0.8, 1.2, 1.6, 2):
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in run.stdout:
            if "Assuming unrestricted shared filesystem usage" in line:
                break
        time.sleep(seconds)
        run.send_signal(number)
        said = run.stdout.read()
        assert "Traceback" not in said, said
        # a signal that nothing answers yet ends the process itself
        assert run.wait() in (0, 128 + number, -number), said
        assert not list((study.folder / ".snakemake").glob("locks/*"))
