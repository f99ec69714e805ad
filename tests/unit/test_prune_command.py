"""The command and make's target that prune: what they print, ask for and refuse."""

import fcntl
import shlex
import subprocess

import pytest
from pruned import ROOT, Tree

from clearminds.commands import prune


@pytest.fixture
def tree(tmp_path):
    made = Tree(tmp_path)
    made.fill()
    return made


def test_the_command_lists_and_removes_nothing_without_yes(tree):
    del tree.study["variants"]["plain"]
    before = tree.all()
    done = tree.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert tree.all() == before
    assert done.stdout.splitlines() == [
        "   4.0 kB  results/mine/adapters/m/sums/plain/seed0",
        "   4.0 kB  results/mine/adapters/m/sums/plain/seed1",
        "   1.0 kB  results/mine/evaluations/m/sums/plain/seed0/all.parquet",
        "   1.0 kB  results/mine/evaluations/m/sums/plain/seed0/more.parquet",
        "   1.0 kB  results/mine/evaluations/m/sums/plain/seed1/all.parquet",
        "   1.0 kB  results/mine/evaluations/m/sums/plain/seed1/more.parquet",
        "   1.0 kB  results/mine/masks/m/sums/plain.parquet",
        "total: 7 results, 13.0 kB",
        "nothing removed: run the same command with --yes to remove these",
    ]


def test_the_command_removes_with_yes_and_then_finds_nothing(tree):
    del tree.study["variants"]["plain"]
    done = tree.run("--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "removed: 7 results, 13.0 kB"
    assert len(done.stdout.splitlines()) == 8
    before = tree.all()
    done = tree.run("--yes")
    said = "nothing to prune: all masks, adapters and evaluations below results/mine/ are named by the study\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")
    assert tree.all() == before


def by_make(*variables: str) -> list[str]:
    """The arguments that `make prune` with these variables gives the command."""
    done = subprocess.run(["make", "-n", "prune", *variables], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    [line] = [line for line in done.stdout.splitlines() if "clearminds.commands.prune" in line]
    return shlex.split(line.partition("clearminds.commands.prune")[2])


@pytest.mark.slow
@pytest.mark.parametrize("value", ["0", "no", "yes", "true", "10", "1 2"])
def test_nothing_but_1_is_a_yes(tree, value):
    del tree.study["variants"]["plain"]
    before = tree.all()
    assert one_error(tree.run(*by_make(f"YES={value}"))) == (
        f"--yes: {value!r} is not 1, so nothing is removed; `make prune` lists results, `make prune YES=1` removes them"
    )
    assert tree.all() == before


@pytest.mark.slow
def test_make_asks_before_it_removes(tree):
    del tree.study["variants"]["plain"]
    before = tree.all()
    for nothing in ([], ["YES="], ["YES= "]):
        assert tree.run(*by_make(*nothing)).returncode == 0
        assert tree.all() == before
    assert tree.run(*by_make("YES=1")).stdout.splitlines()[-1] == "removed: 7 results, 13.0 kB"


def test_without_a_configfile_the_study_is_the_one_beside_the_snakefile(tree):
    tree.results.rename(tree.results.with_name("demo"))
    done = tree.run(configfile=False)
    assert done.stdout.splitlines()[-1] == "nothing removed: run `make prune YES=1` to remove these"
    assert "  results/demo/evaluations/m/base/all.parquet" in done.stdout


def one_error(done: subprocess.CompletedProcess) -> str:
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    return done.stderr.strip().removeprefix("error: ")


@pytest.mark.slow
def test_mistakes_are_one_line(tree):
    done = tree.run("--directory", str(tree.folder / "not-there"))
    assert one_error(done) == (
        f"--directory: {tree.folder}/not-there is not a folder; give the one where the workflow was run"
    )
    done = tree.run("--configfile", str(tree.folder / "not-there.yaml"))
    assert one_error(done).startswith(f"{tree.folder}/not-there.yaml: cannot be read (No such file or directory)")
    tree.study["variants"] = {}
    assert "variants: there is none; add one" in one_error(tree.run())


def test_nothing_is_removed_while_a_run_goes_on(tree):
    del tree.study["variants"]["plain"]
    lock = tree.folder / ".snakemake" / "clearminds.run"
    lock.parent.mkdir()
    before = tree.all()
    with open(lock, "w") as handle:
        handle.write("4321")
        handle.flush()
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert one_error(tree.run("--yes")) == (
            f"a run (process 4321) is going on in {tree.folder}; wait for it or stop it, then prune again"
        )
        assert tree.run().returncode == 0
    assert tree.all() == before


def test_names_never_bring_control_characters_to_the_terminal(tree):
    tree.write("masks/m/sums/\x1b[2J\nold.parquet")
    assert "results/mine/masks/m/sums/\\x1b[2J\\nold.parquet" in tree.run().stdout
    assert tree.prune() == {"masks/m/sums/\x1b[2J\nold.parquet"}


def test_what_cannot_be_removed_is_one_line(tree, monkeypatch):
    del tree.study["variants"]["plain"]

    def refuse(path):
        raise PermissionError(13, "Permission denied", "a part")

    monkeypatch.setattr(prune.shutil, "rmtree", refuse)
    with pytest.raises(prune.UserError) as caught:
        prune.remove(prune.stale(tree.specs(), tree.folder), tree.results)
    assert str(caught.value) == (
        f"{tree.results}/adapters/m/sums/plain/seed0: cannot be removed (Permission denied); fix its permissions, "
        "then prune again"
    )
    assert not (tree.results / "adapters/m/sums/plain/seed0/adapter.json").exists()


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_400, "99.4 kB"), (99_960, "100 kB"), (999_600, "1.0 MB")],
)
def test_sizes_are_readable(size, text):
    assert prune._readable(size) == text
