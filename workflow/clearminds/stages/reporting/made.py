"""With what a report was made: this project's version, Snakemake's and Python's, and the machine."""

import importlib.metadata
import os
import platform
import subprocess
import tomllib
from pathlib import Path

from clearminds.checkout import ROOT
from clearminds.report.numbers import gigabytes

CPU = Path("/proc/cpuinfo")


def made_with() -> dict[str, str]:
    """What to call each thing, and what it is; without what cannot be told here."""
    found = {"clearminds": _own_version(), "Snakemake": _version("snakemake"), "Python": platform.python_version()}
    return {name: value for name, value in {**found, "machine of this page's job": machine()}.items() if value}


def machine() -> str:
    """The processor's model, how many cores there are, and the memory."""
    names = [line.partition(":")[2].strip() for line in _lines(CPU) if line.startswith("model name")]
    model = names[0] if names else platform.processor() or platform.machine()
    try:
        memory = f", {gigabytes(os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES'))} memory"
    except (ValueError, OSError, AttributeError):  # a system that does not tell
        memory = ""
    return f"{model}, {os.cpu_count()} cores{memory}"


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []


def _own_version() -> str:
    """Of pyproject.toml, and the commit where this is a checkout of git."""
    file = ROOT / "pyproject.toml"
    version = tomllib.loads(file.read_text(encoding="utf-8"))["project"]["version"] if file.is_file() else ""
    try:
        command = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:  # no git
        return version
    commit = done.stdout.strip() if (ROOT / ".git").exists() and not done.returncode else ""
    return f"{version}, commit {commit}" if commit else version


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
