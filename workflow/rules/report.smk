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
        ti_bwt_pdf=LAYOUT.ti_bwt_pdf.pattern,
        perplexity=report(
            LAYOUT.perplexity.pattern,
            caption="../report/perplexity.rst",
            category="Figures",
        ),
        perplexity_pdf=LAYOUT.perplexity_pdf.pattern,
        sweeps=report(
            LAYOUT.sweeps.pattern,
            caption="../report/sweeps.rst",
            category="Figures",
        ),
        sweeps_pdf=LAYOUT.sweeps_pdf.pattern,
        analyses=report(
            LAYOUT.analyses.pattern,
            caption="../report/analyses.rst",
            category="Figures",
        ),
        analyses_pdf=LAYOUT.analyses_pdf.pattern,
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
        + " --summary {input.summary} --comparisons {input.comparisons} --html {output.html}"
        + " --ti-bwt {output.ti_bwt} --ti-bwt-pdf {output.ti_bwt_pdf}"
        + " --perplexity {output.perplexity} --perplexity-pdf {output.perplexity_pdf}"
        + " --sweeps {output.sweeps} --sweeps-pdf {output.sweeps_pdf}"
        + " --analyses {output.analyses} --analyses-pdf {output.analyses_pdf}"
