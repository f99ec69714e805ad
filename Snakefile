"""clearminds: fine-tune without forgetting. Run: snakemake --cores all [--configfile studies/NAME.yaml]"""

import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")

if not workflow.overwrite_configfiles:

    # a study given by --configfile stands alone: Snakemake would merge it into this one
    configfile: str(Path(workflow.basedir, "config.yaml"))


sys.path.insert(0, str(Path(workflow.basedir, "workflow")))

from clearminds.run import one_run, partial_report
from clearminds.reuse.adopt import adopt
from clearminds.run.closing import closing
from clearminds.errors import UserError
from clearminds.run.interpreter import put_first_in_path
from clearminds.config.load import load_study
from clearminds.run.placeholders import refuse_placeholders
from clearminds.run.specs import Specs

put_first_in_path()
try:
    SPECS = Specs(load_study([Path(file) for file in workflow.configfiles], config))
    LAYOUT = SPECS.layout
    if workflow.exec_mode.name == "DEFAULT":  # else this is a job's own Snakemake on a cluster's node
        if not one_run.only_looks(sys.argv[1:]):
            refuse_placeholders(workflow.resource_settings)
            one_run.begin(SPECS.study.model_dump())
        adopt(LAYOUT)
    else:
        one_run.begin_on_node(SPECS.study.model_dump())
except UserError as error:
    sys.exit(f"error: {error}")

# every rule is one plain command: its launcher, what the result depends on, how to run, and its files
RUN = (
    "python {resources.launcher} --spec {params.spec:q} --code {params.code} --runtime {resources.how:q}"
    f" --memory {LAYOUT.jobs} --log {{log}}"
)


wildcard_constraints:
    **SPECS.constraints(),


include: "workflow/rules/prepare_task.smk"
include: "workflow/rules/fetch_model.smk"
include: "workflow/rules/generate_shard.smk"
include: "workflow/rules/generate_responses.smk"
include: "workflow/rules/verify_responses.smk"
include: "workflow/rules/score_shard.smk"
include: "workflow/rules/score_token_perplexity.smk"
include: "workflow/rules/build_masks.smk"
include: "workflow/rules/train_adapter.smk"
include: "workflow/rules/evaluate_base.smk"
include: "workflow/rules/evaluate_adapter.smk"
include: "workflow/rules/summarise.smk"
include: "workflow/rules/report.smk"


report: "workflow/report/workflow.rst"


rule all:
    default_target: True
    input:
        LAYOUT.report.pattern,
        LAYOUT.summary.pattern,
        SPECS.adapters,  # what a study is for: one that was deleted is made again
    localrule: True


rule scores:
    input:
        SPECS.scores,
    localrule: True


rule masks:
    input:
        SPECS.masks,
    localrule: True


onstart:
    one_run.stop_on_signals()


onsuccess:
    partial_report.remove(SPECS)
    print(closing(LAYOUT))


onerror:
    print(partial_report.write(SPECS))
