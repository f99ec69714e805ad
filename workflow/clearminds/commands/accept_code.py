"""Declares a refactor as equal to the code before it, so that it makes nothing rerun: `make accept-code SINCE=REV`.

    python -m clearminds.commands.accept_code --since REV --reason "what was refactored"

Runs the golden study (`tests/golden/study.py`) with the code of that commit and with the code of this checkout, and
compares every result. Where all are equal, each root (a launcher's `main`, a plugin) whose digest changed is entered in
`workflow/accepted_code.json` with the digest before; jobs then take the one for the other (`reuse.accepted`). Refused
where a result differs, or where a definition that changed did not run in jobs with that root, so that the results say
nothing of it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq

from clearminds.checkout import ACCEPTED_CODE, ROOT, WORKFLOW
from clearminds.commands.run_command import run_command
from clearminds.errors import UserError
from clearminds.files.layout import Layout
from clearminds.files.tables import content_sha256, write_text
from clearminds.reuse.accepted import entries
from clearminds.reuse.code import closure, words
from clearminds.reuse.definitions import Definition, Tree
from clearminds.reuse.reporting_only import REPORTING_ONLY

# what says how long it took, which code made it, or what a reader is told; a report is made again in seconds
NOT_COMPARED = ("run.json", Layout.report.template, "README.md")
OF_THE_CODE = ("code", "libraries", "computed_with", "versions")
NOTHING = "nothing was declared"
# run in either checkout: of each job the digests of its roots and what its definitions say
ASKED = """
import json, sys
from clearminds.reuse import stage_code as s
jobs = json.load(sys.stdin)
print(json.dumps([{root: s.original(s.root_digest(root)) for root in s.roots(*job)} for job in jobs]))
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
        _ask(before, [])  # a commit whose code tells no digests is refused before minutes are spent
        print("running the golden study with both codes: minutes", flush=True)
        run_traced(before / "Snakefile", study, folder / "old")
        jobs = run_traced(ROOT / "Snakefile", study, folder / "new")
        compared = compare(folder / "old" / "results", folder / "new" / "results")
        specs = [[job["stage"], job["spec"]] for job in jobs]
        pairs = changed_roots(jobs, _ask(before, specs), _ask(ROOT, specs))
        trees = Tree(before / "workflow"), Tree(WORKFLOW)
        for (former, _), (root, _), called in pairs:
            if left := unrun(*trees, former, root, called):
                raise UserError(f"{root}: the golden study did not run {', '.join(left[:4])}, which changed; {NOTHING}")
    facts = {"since": commit, "reason": given.reason, "files": compared}
    found = [{"root": root, "old": old, "new": new, **facts} for (_, old), (root, new), _ in pairs]
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
        raise UserError(f"other results: {', '.join(sorted(names[0] ^ names[1])[:4])}; {NOTHING}")
    for name in sorted(names[0]):
        if _content(old / name) != _content(new / name):
            raise UserError(f"{name} differs: the code changes a result; {NOTHING}")
    return len(names[0])


def changed_roots(
    jobs: list[dict], old: list[dict[str, str]], new: list[dict[str, str]]
) -> list[tuple[tuple[str, str], tuple[str, str], set[str]]]:
    """The roots whose digest changed, but those of the report, whose page is not compared.

    Args:
        jobs: with `stage` and what was `called`.
        old, new: per job the digests of its roots, by name.

    Returns:
        name and digest before, name and digest now, and what jobs with this root called.

    Raises:
        UserError: several roots of a job were renamed, so that nothing tells which is which.
    """
    found: dict[tuple, set[str]] = {}
    for job, before, now in zip(jobs, old, new, strict=True):
        if job["stage"] == "report":
            continue
        gone, come = [root for root in before if root not in now], [root for root in now if root not in before]
        if len(gone) != len(come) or len(gone) > 1:
            raise UserError(f"{job['stage']}: {', '.join([*gone, *come])} were added, removed or renamed; {NOTHING}")
        former = dict(zip(come, gone, strict=True))
        for root, digest in now.items():
            was = former.get(root, root)
            if before[was] != digest:
                found.setdefault(((was, before[was]), (root, digest)), set()).update(job["called"])
    return [(before, now, called) for (before, now), called in found.items()]


def unrun(old: Tree, new: Tree, former: str, root: str, called: set[str]) -> list[str]:
    """What changed behind a root and did not run, in words.

    Args:
        old, new: the code before and now.
        former, root: the root's name in each.
        called: functions and methods that ran in jobs with this root ("module:Class.method").
    """
    if "/" in root:  # a file: who has the root reads it
        return []
    before, now = closure(old, [former], REPORTING_ONLY), closure(new, [root], REPORTING_ONLY)
    left = []
    for key, definition in now.items():
        if _is_known(definition, before, old, new):
            continue
        methods, were = new.methods(key), old.methods(key) if key in before else {}
        if methods:
            changed = [name for name, text in methods.items() if were.get(name) != text] or list(methods)
            left += [f"{words(key)}.{name}" for name in changed if f"{key}.{name}" not in called]
        elif key not in called and (new.is_function(key) or not _read_by_what_ran(key, now, called)):
            left.append(words(key))
    return left


def _is_known(definition: Definition, before: dict[str, Definition], old: Tree, new: Tree) -> bool:
    """Whether a definition says what one before said, of the same others, which may have changed by themselves."""
    alike = [before[definition.key]] if definition.key in before else list(before.values())
    for one in (one for one in alike if one.own == definition.own):
        pairs = zip(one.references, definition.references, strict=True)
        if all(was == now or old.definition(was).own == new.definition(now).own for was, now in pairs):
            return True
    return False


def _read_by_what_ran(key: str, definitions: dict[str, Definition], called: set[str]) -> bool:
    """Whether a value, such as a constant, is read by something of which a function or method ran."""
    ran = {name.split(".<locals>")[0] for name in called}
    ran |= {f"{module}:{name.partition('.')[0]}" for module, _, name in (key.partition(":") for key in ran)}
    return any(reader in ran for reader, found in definitions.items() if key in found.references)


def _results(folder: Path) -> set[str]:
    files = (file for file in folder.rglob("*") if file.is_file() and file.name not in NOT_COMPARED)
    inner = (file.relative_to(folder) for file in files)
    return {str(path) for path in inner if "store" not in path.parts and not any(p.startswith(".") for p in path.parts)}


def facts_of(table: Path) -> dict:
    """What a table's metadata says beside which code made it, such as what was counted."""
    written = pq.read_metadata(table).metadata or {}
    facts = json.loads(written.get(b"clearminds", b"{}"))
    return {key: value for key, value in facts.items() if key not in OF_THE_CODE}


def _content(file: Path) -> object:
    if file.suffix == ".parquet":
        return content_sha256(file), facts_of(file)
    if file.suffix == ".json":
        found = json.loads(file.read_text(encoding="utf-8"))
        return {key: value for key, value in found.items() if key not in OF_THE_CODE}
    return file.read_bytes()


def _ask(checkout: Path, jobs: list) -> list[dict[str, str]]:
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
