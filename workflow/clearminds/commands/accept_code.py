"""Declares a refactor as equal to the code before it, so that it makes nothing rerun: `make accept-code SINCE=REV`.

    python -m clearminds.commands.accept_code --since REV --reason "what was refactored"

Runs the golden study (`tests/golden/study.py`) with the code of that commit and with the code of this checkout, and
compares every result. Where all are equal, each root (a launcher's `main`, a plugin) whose digest changed is entered in
`workflow/accepted_code.json` with the digest before; jobs then take the one for the other (`reuse.accepted`). Refused
where a result differs, or where a changed definition did not run, so that the results say nothing of it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from clearminds.checkout import ACCEPTED_CODE, ROOT
from clearminds.commands.run_command import run_command
from clearminds.errors import UserError
from clearminds.files.layout import Layout
from clearminds.files.tables import content_sha256, write_text
from clearminds.reuse.accepted import entries
from clearminds.reuse.code import changed

# what says how long it took, which code made it, or what a reader is told; a report is made again in seconds
NOT_COMPARED = ("run.json", Layout.report.template, "README.md")
OF_THE_CODE = ("code", "libraries", "versions")
# run in either checkout: of each job the digests of its roots and what its definitions say
ASKED = """
import json, sys
from clearminds.reuse import stage_code as s
jobs = json.load(sys.stdin)
roots = [[[root, s.original(s.root_digest(root))] for root in s.roots(*job)] for job in jobs]
print(json.dumps({"roots": roots, "parts": [s.parts(*job) for job in jobs]}))
"""


def main(arguments: list[str] | None = None) -> None:
    """Compare and declare. Args: of the command line.

    Raises:
        UserError: there is no such commit, a result differs, or something that changed was not run.
    """
    parser = argparse.ArgumentParser(
        prog="accept_code", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--since", required=True, help="the commit whose code made the results that shall stay")
    parser.add_argument("--reason", required=True, help="what changed, for readers of the record")
    given = parser.parse_args(arguments)
    sys.path.insert(0, str(ROOT / "tests"))
    from golden.study import golden_study
    from tiny import tiny_model_folder
    from traced import run_traced

    commit = _git("rev-parse", "--verify", f"{given.since}^{{commit}}").strip()
    with tempfile.TemporaryDirectory() as scratch:
        before, folder = Path(scratch, "before"), Path(scratch)
        before.mkdir()
        archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit], stdout=subprocess.PIPE, check=True)
        subprocess.run(["tar", "-x", "-C", str(before)], input=archive.stdout, check=True)
        study = golden_study(tiny_model_folder(folder / "model"), folder / "data")
        print("running the golden study with both codes: minutes", flush=True)
        run_traced(before / "Snakefile", study, folder / "old")
        jobs = run_traced(ROOT / "Snakefile", study, folder / "new")
        compared = compare(folder / "old" / "results", folder / "new" / "results")
        specs = [[job["stage"], job["spec"]] for job in jobs]
        old, new = _ask(before, specs), _ask(ROOT, specs)
    ran = set().union(*(job["ran"] for job in jobs))
    _refuse_unrun(old["parts"], new["parts"], ran)
    found = declarations(specs, old["roots"], new["roots"], commit, given.reason, compared)
    if not found:
        print(f"{compared} results are equal, and so is the code of every root: nothing to declare")
        return
    write_text(ACCEPTED_CODE, json.dumps([*entries(), *found], indent=2) + "\n")
    print(f"{compared} results are equal; declared in {ACCEPTED_CODE}:")
    print("\n".join(f"  {entry['root']}" for entry in found))


def compare(old: Path, new: Path) -> int:
    """Compare all results of two runs. Returns how many files were compared.

    Raises:
        UserError: a file differs, or stands on one side only.
    """
    names = [_results(folder) for folder in (old, new)]
    if names[0] != names[1]:
        raise UserError(f"other results: {', '.join(sorted(names[0] ^ names[1])[:4])}; nothing was declared")
    for name in sorted(names[0]):
        if _content(old / name) != _content(new / name):
            raise UserError(f"{name} differs: the code changes a result; nothing was declared")
    return len(names[0])


def declarations(
    jobs: list, old: list[list], new: list[list], since: str, reason: str, compared: int
) -> list[dict[str, object]]:
    """An entry for each root whose digest changed.

    Args:
        jobs: stage and spec of each job.
        old, new: per job its roots as [name, digest], in the same order.
        since, reason, compared: see `reuse.accepted.entries`.
    """
    found: dict[str, dict[str, object]] = {}
    for (stage, _), before, after in zip(jobs, old, new, strict=True):
        if stage == "report":  # its page is not compared
            continue
        for (_, digest_before), (root, digest_now) in zip(before, after, strict=True):
            if digest_before != digest_now:
                entry = {"root": root, "old": digest_before, "new": digest_now}
                found[root] = {**entry, "since": since, "reason": reason, "files": compared}
    return list(found.values())


def _refuse_unrun(old: list[dict], new: list[dict], ran: set[str]) -> None:
    before, now = ({key: own for one in parts for key, own in one.items()} for parts in (old, new))
    differ = changed(before, now)
    called = {key.replace(":", ".") for key in ran}
    modules = {name.rpartition(".")[0] for name in called}
    # a constant does not run; some function of its module did, or nothing is known of it
    unrun = [n for n in (*differ.changed, *differ.added) if n not in called and n.rpartition(".")[0] not in modules]
    if unrun:
        raise UserError(f"the golden study did not run {', '.join(unrun[:4])}, which changed; nothing was declared")


def _results(folder: Path) -> set[str]:
    files = (file for file in folder.rglob("*") if file.is_file() and file.name not in NOT_COMPARED)
    inner = (file.relative_to(folder) for file in files)
    return {str(path) for path in inner if "store" not in path.parts and not any(p.startswith(".") for p in path.parts)}


def _content(file: Path) -> object:
    if file.suffix == ".parquet":
        return content_sha256(file)
    if file.suffix == ".json":
        found = json.loads(file.read_text(encoding="utf-8"))
        return {key: value for key, value in found.items() if key not in OF_THE_CODE}
    return file.read_bytes()


def _ask(checkout: Path, jobs: list) -> dict:
    path = {**os.environ, "PYTHONPATH": str(checkout / "workflow")}
    done = subprocess.run(
        [sys.executable, "-c", ASKED], input=json.dumps(jobs), env=path, capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"the code of {checkout} tells no digests ({reason}); name a later commit with --since")
    return json.loads(done.stdout)


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"--since: {done.stderr.strip()}; name a commit of this repository")
    return done.stdout


if __name__ == "__main__":
    run_command(main)
