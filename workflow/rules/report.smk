rule report:
    input:
        summary=f"{RESULTS}/tables/summary.parquet",
        evaluations=SPECS.evaluations,
        masks=SPECS.masks,
        scores=SPECS.scores,
    output:
        html=report(f"{RESULTS}/report.html", caption="../report/workflow.rst", category="Results"),
        ti_bwt=report(
            f"{RESULTS}/figures/ti_bwt.svg",
            caption="../report/ti_bwt.rst",
            category="Figures",
        ),
        perplexity=report(
            f"{RESULTS}/figures/perplexity.svg",
            caption="../report/perplexity.rst",
            category="Figures",
        ),
    log:
        f"{LOGS}/report/report.log",
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
        + " --summary {input.summary} --html {output.html} --ti-bwt {output.ti_bwt} --perplexity {output.perplexity}"
