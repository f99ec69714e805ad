"""How the end of a run is said, whatever ends it."""

import signal
from types import SimpleNamespace

import pytest
from snakemake.settings.types import OutputSettings

from clearminds.files.layout import Layout
from clearminds.job.outcome import Kind, Outcome, State, write_outcome
from clearminds.run import partial_report, signals
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
    end.failed = failed
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
    assert capsys.readouterr() == ("", "stopped; `make resume` or the same command goes on\n")


def test_a_report_that_fails_hides_nothing(end, capsys, monkeypatch):
    def broken(*given):
        raise ValueError("a record\nis odd")

    monkeypatch.setattr(partial_report, "write", broken)
    end.show_what_is_there()
    assert capsys.readouterr().out == "no report of what is there: a record is odd\n"
