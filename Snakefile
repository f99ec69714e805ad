"""clearminds: fine-tune without forgetting. Run: snakemake --cores all [--configfile studies/NAME.yaml]"""

import json
import os
import shlex
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")

if not workflow.overwrite_configfiles:

    # given by hand, a study stands alone: Snakemake would merge it into this one

    configfile: str(Path(workflow.basedir) / "config.yaml")


sys.path.insert(0, str(Path(workflow.basedir) / "workflow"))
# jobs run the interpreter that runs Snakemake, unless a conda env comes before it
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

from clearminds.errors import UserError
from clearminds.load_config import load_study
from clearminds.specs import Specs

try:
    STUDY = load_study([Path(file) for file in workflow.configfiles], config)
except UserError as error:
    sys.exit(f"error: {error}")

SPECS = Specs(STUDY)
RESULTS = SPECS.results
LOGS = f"logs/{STUDY.study}"
RUNTIME = STUDY.runtime.model_dump_json()
LAUNCHERS = Path(workflow.basedir) / "workflow" / "scripts"
# every rule runs its launcher by one plain command
RUN = "python {LAUNCHERS}/{rule}.py --spec {params.spec:q} --code {params.code} --runtime {RUNTIME:q} --log {log}"


wildcard_constraints:
    **SPECS.constraints(),


include: "workflow/rules/prepare_task.smk"
include: "workflow/rules/fetch_model.smk"
include: "workflow/rules/generate_responses.smk"
include: "workflow/rules/verify_responses.smk"
include: "workflow/rules/score_token_perplexity.smk"
include: "workflow/rules/build_masks.smk"
include: "workflow/rules/train_adapter.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/summarise.smk"
include: "workflow/rules/report.smk"


report: "workflow/report/workflow.rst"


rule all:
    default_target: True
    localrule: True
    input:
        f"{RESULTS}/report.html",
        f"{RESULTS}/tables/summary.parquet",


rule scores:
    localrule: True
    input:
        SPECS.scores,


rule masks:
    localrule: True
    input:
        SPECS.masks,
