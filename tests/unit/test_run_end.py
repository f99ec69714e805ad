"""How the end of a run is said, whatever ends it."""

import signal
from types import SimpleNamespace

import pytest
from snakemake.exceptions import IncompleteFilesException, LockException
from snakemake.settings.types import OutputSettings

from clearminds.files.layout import Layout
from clearminds.job.outcome import Kind, Outcome, State, write_outcome
from clearminds.run import partial_report, run_end, signals
from clearminds.run.run_end import RunEnd
from clearminds.run.run_end_compat import JOBS_FAILED

HOW = "fix this, then start the same command again: what is done stays done"


class Job(SimpleNamespace):
    """A failed job of Snakemake's."""

    def is_group(self):
        return False

    def __hash__(self):
        return id(self)


@pytest.fixture
def end(tmp_path, monkeypatch):
    """The end of a run whose jobs are those in `end.failed`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signals, "stop_cleanly", lambda: None)
    monkeypatch.setattr(signals, "_stopped_by", [])
    failed: set[Job] = set()
    workflow = SimpleNamespace(
        scheduler=SimpleNamespace(failed=failed),
        dag=None,
        linemaps={},
        overwrite_configfiles=["a.yaml"],
        local_exec=True,
        output_settings=OutputSettings(verbose=True),  # what the terminal shows is not the subject
    )
    end = RunEnd(workflow, SimpleNamespace(layout=Layout.of("s")), SimpleNamespace(gpu_line=None))
    end.failed, end.workflow = failed, workflow
    return end


def fails(end, tmp_path, name: str) -> None:
    """Have a job fail."""
    log = tmp_path / "logs" / "s" / "report" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    write_outcome(log, Outcome(State.FAILED, Kind.USER_ERROR, "no space", exit_code=1))
    end.failed.add(Job(log=[f"logs/s/report/{name}.log"]))


def test_a_run_that_succeeds_ends_without_a_word(end, capsys):
    with end.awaited(dry=False):
        pass
    assert capsys.readouterr() == ("", "")


def test_failed_jobs_are_said_in_place_of_snakemakes_error(end, tmp_path):
    with pytest.raises(SystemExit) as ended, end.awaited(dry=False):
        fails(end, tmp_path, "report")
        raise RuntimeError(JOBS_FAILED)
    assert ended.value.code == f"\nerror: report report: no space (log: logs/s/report/report.log)\n{HOW}"


def test_what_the_scheduler_says_of_a_job_is_one_line(end):
    with end.awaited(dry=False):
        assert end._tell("logs/s/report/report.log", "sbatch failed.\n    call:\n") == "sbatch failed. call:"


def test_another_error_is_said_before_the_failed_jobs(end, tmp_path, caplog):
    with pytest.raises(SystemExit) as ended, end.awaited(dry=False):
        fails(end, tmp_path, "report")
        raise RuntimeError("the scheduler is gone")
    assert "the scheduler is gone" in caplog.text
    assert str(ended.value.code).endswith(HOW)


def test_an_error_without_failed_jobs_stays_snakemakes(end):
    with pytest.raises(RuntimeError, match="ambiguous rule"), end.awaited(dry=False):
        raise RuntimeError("ambiguous rule")


def test_what_cannot_be_written_is_a_line(end):
    with pytest.raises(SystemExit) as ended, end.awaited(dry=False):
        raise OSError(36, "File name too long", "results/s/x")
    assert ended.value.code == "error: results/s/x: File name too long; fix that, then run again"


def test_a_stopped_run_says_only_that(end, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended, end.awaited(dry=False):
        fails(end, tmp_path, "report")
        signals._stopped_by.append(signal.SIGTERM)
        end.show_what_is_there()
        raise KeyboardInterrupt
    assert ended.value.code == 128 + signal.SIGTERM
    assert capsys.readouterr() == ("", "stopped; the same command goes on\n")


def test_a_report_that_fails_hides_nothing(end, capsys, monkeypatch):
    def broken(*given):
        raise ValueError("a record\nis odd")

    monkeypatch.setattr(partial_report, "write", broken)
    end.show_what_is_there()
    assert capsys.readouterr().out == "no report of what is there: a record is odd\n"


KILLED = [
    (LockException, "is locked by a run that was killed", "the same command after it was called once with --unlock"),
    (lambda: IncompleteFilesException(["a"]), "left half-written results", "the same command and --rerun-incomplete"),
]


@pytest.mark.parametrize(("error", "what", "how"), KILLED)
@pytest.mark.parametrize(
    ("in_checkout", "here", "first"),
    [
        (True, True, "`make resume STUDY=a.yaml`, or with "),
        (True, False, ""),  # it would run on the login node
        (False, True, ""),  # it would run in the checkout
    ],
)
def test_after_a_kill_the_way_to_go_on_is_one_of_this_run(
    end, tmp_path, monkeypatch, error, what, how, in_checkout, here, first
):
    if in_checkout:
        monkeypatch.setattr(run_end, "ROOT", tmp_path)
    end.workflow.local_exec = here
    with pytest.raises(SystemExit) as ended, end.awaited(dry=False):
        raise error()
    said = str(ended.value.code)
    assert what in said and said.endswith(f"; go on with {first}{how}")


@pytest.mark.parametrize("asked", [False, True])
def test_a_failure_that_its_job_has_said_is_said_again_where_its_log_is_to_be_shown(end, tmp_path, asked):
    end.workflow.output_settings = OutputSettings(verbose=True, show_failed_logs=asked)
    with end.awaited(dry=False):
        fails(end, tmp_path, "report")
        assert end._tell("logs/s/report/report.log", "") == ("no space" if asked else None)


def test_a_terminal_that_has_gone_changes_no_exit_code(end, monkeypatch):
    class Gone:
        def write(self, text):
            raise OSError(5, "gone")

        flush = write

    monkeypatch.setattr("sys.stderr", Gone())
    with pytest.raises(SystemExit) as ended, end.awaited(dry=False):
        signals._stopped_by.append(signal.SIGINT)
        raise KeyboardInterrupt
    assert ended.value.code == 128 + signal.SIGINT
