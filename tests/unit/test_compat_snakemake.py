"""What `snakemake_compat` relies on, tried on the installed Snakemake with a workflow of two jobs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from forked import run_module

from clearminds.reuse.snakemake_compat import Records

pytestmark = pytest.mark.slow  # what Snakemake does, which is another only with its next version

WORKFLOW = Path(__file__).parents[2] / "workflow"
SNAKEFILE = f"""
import contextlib, sys
sys.path.insert(0, {str(WORKFLOW)!r})
from pathlib import Path
from clearminds.reuse import snakemake_compat as compat
if not compat.study_is_given(workflow):
    configfile: Path(workflow.basedir, "default.yaml")

@contextlib.contextmanager
def begin(dry, submits, computes):
    print("SHARED", compat.shared_resource(workflow, "gpu"), compat.cores(workflow), submits, flush=True)
    if compat.shared_resource(workflow, "gpu") is None:
        compat.share_resource(workflow, "gpu", 1)
    print("BEGIN dry" if dry else "BEGIN", compat.is_one_job(workflow), Path(".snakemake/locks").exists(), flush=True)
    print("COMPUTES" if computes else "COMPUTES NOTHING", flush=True)
    print("FORCED", sorted(compat.forced_targets(workflow)), flush=True)
    if "stop" in config:
        sys.exit("error: stopped")
    yield
    print("END", Path(".snakemake/locks").exists(), flush=True)

def planned():
    print("PLANNED", compat.jobs_to_run(workflow), any(Path(".snakemake/locks").iterdir()), flush=True)

compat.around_execution(workflow, begin, planned)
print("FILES", [file.name for file in compat.config_files(workflow)], flush=True)
print("DEFAULT", compat.default_resources(workflow).get("account"), flush=True)
print("CONDA", compat.uses_conda(workflow), flush=True)
print("RULES", compat.rule_resources(workflow), flush=True)

rule b:
    input: "a.txt"
    output: "b.txt"
    params: spec=config["spec"], code="c"
    shell: "cat {{input}} > {{output}}"

rule a:
    output: "a.txt"
    params: spec="a", code="c"
    shell: "echo a > {{output}}"
"""

SHARING = f"""
import contextlib, sys
sys.path.insert(0, {str(WORKFLOW)!r})
from clearminds.reuse import snakemake_compat as compat

@contextlib.contextmanager
def begin(dry, submits, computes):
    compat.share_resource(workflow, "gpu", 1)
    yield

compat.around_execution(workflow, begin)

rule all:
    input: expand("{{n}}.done", n=range(4))

rule one:
    output: touch("{{n}}.done")
    resources: gpu=1
    shell: "echo start >> record; sleep 0.2; echo end >> record"
"""


@pytest.fixture
def run(tmp_path):
    """Calls snakemake in a folder with that workflow; output and errors come back together."""
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "default.yaml").write_text("spec: default\n")
    (tmp_path / "other.yaml").write_text("spec: other\n")

    def snakemake(*arguments: str, code: int = 0) -> str:
        done = run_module("snakemake", "--cores", "1", *arguments, cwd=tmp_path)
        assert done.returncode == code, done.stdout
        return done.stdout

    return snakemake


@pytest.mark.parametrize(
    "arguments",
    [
        ["--lint"],
        ["--list-rules"],
        ["--summary"],
        ["--detailed-summary"],
        ["--list-params-changes"],
        ["--dag"],
        ["--rulegraph"],
        ["--filegraph"],
        ["--d3dag"],
        ["--unlock"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_only_looks_begins_nothing(run, arguments, tmp_path):
    assert "BEGIN" not in run(*arguments, code=int(arguments == ["--lint"]))
    assert not (tmp_path / "a.txt").exists()


@pytest.mark.parametrize("arguments", [["--dry-run"], ["-n"], ["-np"], ["--dryrun", "a"]])
def test_a_dry_run_begins_as_one(run, arguments):
    assert run(*arguments).count("BEGIN dry False") == 1


def test_a_run_begins_once_before_anything_is_locked_or_compared(run, tmp_path):
    (tmp_path / ".snakemake").mkdir()
    said = run("--no-hooks")
    assert said.count("BEGIN False False") == said.count("BEGIN") == 1
    assert said.index("BEGIN") < said.index("Building DAG of jobs") < said.index("END")
    assert (tmp_path / "b.txt").exists()
    assert "COMPUTES NOTHING" not in said
    for option in "--touch", "--delete-all-output":
        said = run(option)
        assert "BEGIN False" in said and "COMPUTES NOTHING" in said
    assert "PLANNED" not in said


@pytest.mark.parametrize(
    ("arguments", "jobs"),
    [
        (["--dry-run"], [("a", {}), ("b", {})]),
        (["--dry-run", "--until", "a"], [("a", {})]),
        (["--omit-from", "b"], [("a", {})]),
    ],
    ids=["dry-run", "until", "omit-from"],
)
def test_the_jobs_that_are_asked_for_are_told_before_anything_is_locked(run, arguments, jobs):
    assert run("b.txt", *arguments).count(f"PLANNED {jobs} False\n") == 1


def test_a_dry_run_in_a_profile_is_one(run, tmp_path):
    (tmp_path / "profile").mkdir()
    (tmp_path / "profile" / "config.yaml").write_text("dry-run: true\n")
    assert "BEGIN dry" in run("--workflow-profile", "profile")


def test_one_job_of_another_snakemake_knows_that(run):
    assert "BEGIN True" in run("--mode", "subprocess", "--nolock", "a.txt")


def test_an_exit_at_the_beginning_is_one_line_and_leaves_no_lock(run, tmp_path):
    said = run("--config", "stop=1", code=1)
    assert "error: stopped" in said.splitlines() and "Traceback" not in said
    assert not (tmp_path / "a.txt").exists() and not list((tmp_path / ".snakemake").glob("locks/*"))


def test_a_given_study_stands_alone_and_files_come_in_order(run):
    assert "FILES ['default.yaml']" in run("-n")
    assert "FILES ['other.yaml', 'default.yaml']" in run("-n", "--configfile", "other.yaml", "default.yaml")


def test_resources_of_the_profile_are_told(run):
    said = run("-n", "--default-resources", "account=x", "--set-resources", "a:account=SET_ME", "a:mem_mb=3")
    assert "DEFAULT x" in said and "RULES {'a': {'account': 'SET_ME', 'mem_mb': '3'}}" in said
    assert "DEFAULT None" in run("-n") and "RULES {}" in run("-n")


@pytest.mark.parametrize(
    ("arguments", "forced"),
    [
        ([], []),
        (["a.txt"], []),
        (["--forcerun", "a", "b.txt", "--"], ["a", "b.txt"]),
        (["--force", "a.txt"], ["a.txt"]),
        (["--forceall"], ["*"]),
    ],
)
def test_what_is_forced_is_told(run, arguments, forced):
    assert f"FORCED {forced}" in run("-n", *arguments)


def test_what_all_jobs_share_is_told_and_can_be_set(run):
    said = run("--cores", "3", "--config", "spec=1")
    assert "SHARED None 3 False" in said and "Provided resources: gpu=" in said
    assert "SHARED 4 1 False" in run("--resources", "gpu=4", "-n")


def test_jobs_are_held_to_what_was_set(tmp_path):
    """Of four jobs that could run at a time, one does."""
    (tmp_path / "Snakefile").write_text(SHARING)
    command = [sys.executable, "-m", "snakemake", "--cores", "4"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "record").read_text().split() == ["start", "end"] * 4


def test_a_run_knows_whether_it_submits_its_jobs():
    """By Snakemake's own account of the executors that the profiles name."""
    from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

    plugins = ExecutorPluginRegistry()
    names = ("local", "dryrun", "touch", "slurm")
    assert [plugins.get_plugin(name).common_settings.local_exec for name in names] == [True, True, True, False]


def test_a_run_knows_whether_its_jobs_have_conda_environments(run):
    assert "CONDA False" in run("-n")
    assert "CONDA True" in run("-n", "--sdm", "conda")


# --- records ----------------------------------------------------------------------------------------------------------


def params(*values: str) -> list[str]:
    return sorted(map(repr, values))


@pytest.fixture
def made(run, tmp_path):
    """The workflow's results as if moved here: no record says what made them."""
    run()
    for file in (tmp_path / ".snakemake" / "metadata").iterdir():
        file.unlink()
    return Records(tmp_path / ".snakemake")


def test_snakemake_writes_records_that_are_seen(run, tmp_path):
    records = Records(tmp_path / ".snakemake")
    assert not records.has("a.txt")
    run("a.txt")
    assert Records(tmp_path / ".snakemake").has("a.txt")
    assert Records(tmp_path / ".snakemake").params("a.txt") == params("a", "c")
    assert records.params("b.txt") is None
    assert not records.has("b.txt")


def test_without_records_a_change_is_not_seen(run, made):
    assert "Nothing to be done" in run("-n", "--configfile", "other.yaml", "--rerun-triggers", "params")


def test_written_records_are_compared_with_the_jobs(run, made):
    made.write("a.txt", rule="a", params=params("a", "c"))
    made.write("b.txt", rule="b", params=params("default", "c"))
    triggers = ("--rerun-triggers", "mtime", "params", "code")
    assert "Nothing to be done" in run("-n", *triggers)
    changed = run("-n", "--configfile", "other.yaml", *triggers)
    assert "rule b:" in changed and "rule a:" not in changed


def test_an_unchanged_input_that_is_newer_reruns_nothing(run, made, tmp_path):
    made.write("a.txt", rule="a", params=params("a", "c"))
    os.utime(tmp_path / "a.txt", (2_000_000_000, 2_000_000_000))
    triggers = ("--rerun-triggers", "mtime", "params")
    made.write("b.txt", rule="b", params=params("default", "c"))
    assert "rule b:" in run("-n", *triggers)
    checksum = "sha256:87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7"  # of "a\n"
    made.write("b.txt", rule="b", params=params("default", "c"), checksums={"a.txt": checksum})
    assert "Nothing to be done" in run("-n", *triggers)


# --- the plan of a dry-run --------------------------------------------------------------------------------------------

PLAN = """
import sys
sys.path.insert(0, {workflow!r})
from clearminds.reuse.snakemake_compat import dry_run
for job in dry_run(["--cores", "1"]):
    print("JOB", job.rule_name, dict(job.wildcards), bool(job.reason), list(job.input), list(job.output), job.shellcmd)
"""


def test_a_dry_run_tells_its_jobs(run, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PLAN.format(workflow=str(WORKFLOW))], cwd=tmp_path, capture_output=True, text=True
    )
    assert sorted(done.stdout.splitlines()) == [
        "JOB a {} True [] ['a.txt'] echo a > a.txt",
        "JOB b {} True ['a.txt'] ['b.txt'] cat a.txt > b.txt",
    ], done.stderr
