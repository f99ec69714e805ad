rule summarise:
    input:
        SPECS.evaluations,
    output:
        parquet=report(
            f"{RESULTS}/tables/summary.parquet",
            caption="../report/summary.rst",
            category="Results",
        ),
        csv=f"{RESULTS}/tables/summary.csv",
        md=f"{RESULTS}/tables/summary.md",
    log:
        f"{LOGS}/summarise/summary.log",
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
        RUN + " --parquet {output.parquet} --csv {output.csv} --md {output.md}"
