rule summarise:
    input:
        evaluations=SPECS.inputs.evaluations,
        train=SPECS.inputs.train_examples,
    output:
        parquet=LAYOUT.summary.pattern,
        csv=report(
            LAYOUT.summary_csv.pattern,
            caption="../report/summary.rst",
            category="Results",
        ),
        md=LAYOUT.summary_md.pattern,
        tex=LAYOUT.summary_tex.pattern,
        comparisons=LAYOUT.comparisons.pattern,
        comparisons_csv=report(
            LAYOUT.comparisons_csv.pattern,
            caption="../report/comparisons.rst",
            category="Results",
        ),
        comparisons_md=LAYOUT.comparisons_md.pattern,
        comparisons_tex=LAYOUT.comparisons_tex.pattern,
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
        + " --parquet {output.parquet} --csv {output.csv} --md {output.md} --tex {output.tex}"
        + " --comparisons {output.comparisons} --comparisons-csv {output.comparisons_csv}"
        + " --comparisons-md {output.comparisons_md} --comparisons-tex {output.comparisons_tex}"
        + " --overlaps {output.overlaps}"
