rule report:
    input:
        summary=LAYOUT.summary.pattern,
        comparisons=LAYOUT.comparisons.pattern,
        evaluations=SPECS.inputs.evaluations,
        masks=SPECS.inputs.masks,
        scores=SPECS.inputs.scores,
        sequences=SPECS.inputs.sequences,
        examples=SPECS.inputs.target_examples,
        rehearsals=SPECS.inputs.rehearsals,
        analyses=SPECS.inputs.analyses,
    output:
        html=report(LAYOUT.report.pattern, caption="../report/workflow.rst", category="Results"),
        ti_bwt=report(
            LAYOUT.ti_bwt.pattern,
            caption="../report/ti_bwt.rst",
            category="Figures",
        ),
        perplexity=report(
            LAYOUT.perplexity.pattern,
            caption="../report/perplexity.rst",
            category="Figures",
        ),
    log:
        LAYOUT.report.log,
    conda:
        "../../envs/report.yaml"
    resources:
        **SPECS.launch("report"),
        mem_mb=SPECS.memory("report"),
        runtime=SPECS.minutes("report"),
    params:
        spec=SPECS.text("report"),
        code=SPECS.code("report"),
    shell:
        RUN
        + " --summary {input.summary} --comparisons {input.comparisons} --html {output.html} --ti-bwt {output.ti_bwt} --perplexity {output.perplexity}"
