# What costs hours waits for this rule: jobs that are going to run anyway, by their settings, code, or because data or the
# model are others than they were made of, have its result as an input (SPECS.inputs.rehearsal) and read nothing of it; jobs whose results are there and as they would be made now have it not, so that a rehearsal
# which is new, missing or made again reruns none of them. Measured with Snakemake 9.27.1, `ancient` inputs cannot do that:
# one that is missing and made reruns everything below it; and below any job that is planned, Snakemake looks at no job's
# own params any more, so that a changed setting which reruns the rehearsal too would be overlooked in the training.
rule rehearse:
    input:
        model=LAYOUT.model.pattern,
        train=SPECS.inputs.train_examples,
        evaluated=SPECS.inputs.evaluated_examples,
    output:
        LAYOUT.rehearsal.pattern,
    log:
        LAYOUT.rehearsal.log,
    conda:
        "../../envs/model.yaml"
    threads: 1
    resources:
        **SPECS.launch("rehearse"),
        mem_mb=SPECS.memory("rehearse"),
        runtime=SPECS.minutes("rehearse"),
    params:
        spec=SPECS.text("rehearse"),
        code=SPECS.code("rehearse"),
    shell:
        RUN + " --model {input.model} --train {input.train} --evaluated {input.evaluated} --rehearsal {output}"
