"""What launchers import before they know that they will compute, and what libraries import that a job can spare."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clearminds.job.imports_compat import spare

WORKFLOW = Path(__file__).parents[2] / "workflow"
LAUNCHERS = sorted(file.stem for file in (WORKFLOW / "scripts").glob("[a-z]*.py"))
# what takes longest to import; tables, settings and templates are used by all stages
HEAVY = "accelerate datasets huggingface_hub lm_eval matplotlib pandas peft reasoning_gym sklearn snakemake sympy "
HEAVY += "tokenizers torch torchvision transformers"
OWN = {"report": {"altair", "polars", "scipy"}, "summarise": {"polars", "scipy"}, "build_masks": {"polars"}}

RUN = """
import json, runpy, sys
sys.argv = [sys.argv[1]]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit:
    pass
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""
TRAINER = """
import json, sys
sys.path.insert(0, sys.argv[1])
from clearminds.job.imports_compat import spare
spare(sys.argv[2:])
import pyarrow as pa
table = pa.Table.from_pylist([{"a": 1}])
import transformers.models.llama.modeling_llama
from transformers import Trainer
loaded = sorted({"datasets", "pandas", "scipy"} & set(sys.modules))
from transformers.utils.import_utils import define_import_structure
lazy, listed = sys.modules["transformers.models"], define_import_structure(transformers.models.__file__)
named = {name for kind in listed.values() for names in kind.values() for name in names}
table.to_pandas()
import datasets, scipy.optimize
print(json.dumps([loaded, sorted(named ^ set(lazy._class_to_module))]))
"""


def said(code: str, *arguments: object) -> list:
    environment = {**os.environ, "PYTHONPATH": str(WORKFLOW / "scripts"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("name", LAUNCHERS)
def test_a_launcher_imports_no_model_s_libraries_before_it_computes(name):
    loaded = set(said(RUN, WORKFLOW / "scripts" / f"{name}.py"))
    assert "clearminds" in loaded and loaded & set(HEAVY.split()) == set()
    assert loaded & {"altair", "polars", "scipy"} <= OWN.get(name, set())


@pytest.mark.slow
def test_what_a_training_spares_is_spared_and_there_afterwards():
    assert said(TRAINER, WORKFLOW, "datasets", "pandas", "scipy") == [[], []]


@pytest.mark.slow
def test_without_that_libraries_import_all_of_it():
    assert said(TRAINER, WORKFLOW) == [["datasets", "pandas", "scipy"], []]


def test_a_stage_that_uses_all_of_it_imports_nothing_for_that():
    before = set(sys.modules)
    spare(())
    assert set(sys.modules) == before
