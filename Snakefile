"""clearminds: fine-tune without forgetting. Run: snakemake --cores all [--configfile studies/NAME.yaml]"""

import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")

sys.path.insert(0, str(Path(workflow.basedir, "workflow")))

from clearminds.collector import collect_less
from clearminds.run import signals

signals.end_at_once()
collect_less()

from clearminds.config.load import load_study
from clearminds.errors import UserError
from clearminds.reuse.snakemake_compat import config_files, is_one_job, study_is_given, uses_conda
from clearminds.run import partial_report
from clearminds.run.closing import closing
from clearminds.run.sizing.gpus import gpus_of
from clearminds.run.specs import Specs
from clearminds.run.start import prepare_execution

if not study_is_given(workflow):

    # a study given by --configfile stands alone: Snakemake would merge it into this one
    configfile: str(Path(workflow.basedir, "config.yaml"))


try:
    STUDY = load_study(config_files(workflow), config)
    GPUS = gpus_of(STUDY, own_torch=not uses_conda(workflow), one_job=is_one_job(workflow))
    SPECS = Specs(GPUS.study, is_one_job(workflow))
    LAYOUT = SPECS.layout
except UserError as error:
    sys.exit(f"error: {error}")

# nothing is locked, written or adopted while this file is read, which --lint, --summary or --unlock do too
END = prepare_execution(workflow, SPECS, GPUS)

# every rule is one plain command: its launcher, what the result depends on, how to run, and its files
RUN = (
    "python {resources.launcher} --spec {params.spec:q} --code {params.code} --runtime {resources.how:q}"
    f" --memory {LAYOUT.jobs} --log {{log}}"
)


wildcard_constraints:
    **SPECS.constraints(),


include: "workflow/rules/prepare_task.smk"
include: "workflow/rules/fetch_model.smk"
include: "workflow/rules/rehearse.smk"
include: "workflow/rules/generate_shard.smk"
include: "workflow/rules/generate_responses.smk"
include: "workflow/rules/verify_responses.smk"
include: "workflow/rules/score_shard.smk"
include: "workflow/rules/score_token_perplexity.smk"
include: "workflow/rules/build_masks.smk"
include: "workflow/rules/train_adapter.smk"
include: "workflow/rules/take_adapter.smk"
include: "workflow/rules/evaluate_base.smk"
include: "workflow/rules/evaluate_adapter.smk"
include: "workflow/rules/analyse.smk"
include: "workflow/rules/measure_gradients.smk"
include: "workflow/rules/summarise.smk"
include: "workflow/rules/report.smk"


report: "workflow/report/workflow.rst"


rule all:
    default_target: True
    input:
        LAYOUT.report.pattern,
        LAYOUT.summary.pattern,
        SPECS.inputs.adapters,  # what a study is for: one that was deleted is made again
    localrule: True


rule scores:
    input:
        SPECS.inputs.scores,
    localrule: True


rule masks:
    input:
        SPECS.inputs.masks,
    localrule: True


rule analyses:
    input:
        SPECS.inputs.analyses,
    localrule: True


onstart:
    signals.stop_cleanly()


onsuccess:
    partial_report.remove(SPECS)
    print(closing(LAYOUT))


onerror:
    END.show_what_is_there()
