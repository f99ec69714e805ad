"""What would rerun after each commit: `python benchmarks/replay_code.py REV..REV`.

Takes the commits of a range, the first parent's line, in their order; lets the code of each say what `code` the jobs of
the demo have, and lists per commit the stages whose jobs changed. A commit before definitions were told apart is asked
for its fingerprints of modules.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tabulate import tabulate

ROOT = Path(__file__).parents[1]
# run with the code of a commit
ASKED = """
import json
from demo_study import demo, jobs
try:
    from clearminds.reuse import stage_code as stages
except ImportError:
    from clearminds import stages
found = {}
for (stage, *_), spec in jobs(demo()).items():
    if (stage, spec) not in found:
        found[stage, spec] = stages.fingerprint(stage, json.loads(spec))
print(json.dumps([[stage, spec, code] for (stage, spec), code in found.items()]))
"""


def git(*arguments: str) -> str:
    """What git says."""
    return subprocess.run(["git", "-C", str(ROOT), *arguments], check=True, capture_output=True, text=True).stdout


def codes(commit: str) -> dict[tuple[str, str], str] | None:
    """Stage and spec to `code` of the demo's jobs, as a commit computes them; None: it does not run."""
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit], stdout=subprocess.PIPE, check=True)
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
        path = os.pathsep.join(str(Path(folder, name)) for name in ("workflow", "tests"))
        done = subprocess.run(
            [sys.executable, "-c", ASKED], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
        )
    return {(s, spec): code for s, spec, code in json.loads(done.stdout)} if done.returncode == 0 else None


def main() -> None:
    """Print a line per commit, how many make something rerun, and what the whole range does in one step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("range", help="such as HEAD~10..HEAD")
    first, _, last = parser.parse_args().range.partition("..")
    commits = [first, *git("rev-list", "--first-parent", "--reverse", f"{first}..{last or 'HEAD'}").split()]
    start = before = codes(commits[0])
    rows, reruns = [], 0
    for commit in commits[1:]:
        now = codes(commit)
        words = "does not run" if before is None or now is None else changed(before, now)
        reruns += words not in ("nothing", "does not run")
        rows.append((commit[:7], words, git("log", "-1", "--format=%s", commit).strip()[:70]))
        before = now or before
    print(tabulate(rows, ("commit", "reruns", "subject")))
    print(f"\n{reruns} of {len(rows)} commits make something rerun")
    if start and before:
        print(f"from {commits[0][:7]} to {commits[-1][:7]}, in one step: {changed(start, before)}")


def changed(before: dict[tuple[str, str], str], now: dict[tuple[str, str], str]) -> str:
    """The stages whose jobs have another `code`, in words. Args: as of `codes`."""
    found = [stage for (stage, spec), code in now.items() if before.get((stage, spec), code) != code]
    return ", ".join(dict.fromkeys(found)) or "nothing"


if __name__ == "__main__":
    main()
