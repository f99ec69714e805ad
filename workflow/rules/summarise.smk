rule summarise:
    input:
        evaluations=SPECS.inputs.evaluations,
        train=SPECS.inputs.train_examples,
    output:
        parquet=report(
            LAYOUT.summary.pattern,
            caption="../report/summary.rst",
            category="Results",
        ),
        csv=LAYOUT.summary_csv.pattern,
        md=LAYOUT.summary_md.pattern,
        comparisons=LAYOUT.comparisons.pattern,
        overlaps=LAYOUT.overlaps.pattern,
    log:
        LAYOUT.summary.log,
    conda:
        "../../envs/data.yaml"
    resources:
        **SPECS.launch("summarise"),
        mem_mb=SPECS.memory("summarise"),
        runtime=SPECS.minutes("summarise"),
    params:
        spec=SPECS.text("summarise"),
        code=SPECS.code("summarise"),
    shell:
        RUN
        + " --parquet {output.parquet} --csv {output.csv} --md {output.md} --comparisons {output.comparisons}"
        + " --overlaps {output.overlaps}"
