rule build_masks:
    input:
        examples=LAYOUT.examples.path(task="{target}", split="train"),
        verdicts=SPECS.inputs.mask_inputs("verdicts"),
        sequences=SPECS.inputs.mask_inputs("sequences"),
        scores=SPECS.inputs.mask_inputs("scores"),
        other_scores=SPECS.inputs.other_scores,
    output:
        LAYOUT.masks.pattern,
    log:
        LAYOUT.masks.log,
    conda:
        "../../envs/data.yaml"
    resources:
        **SPECS.launch("build_masks"),
        mem_mb=SPECS.memory("build_masks"),
        runtime=SPECS.minutes("build_masks"),
    params:
        spec=SPECS.text("build_masks"),
        code=SPECS.code("build_masks"),
    shell:
        RUN + " --task {wildcards.target} --examples {input.examples} --verdicts {input.verdicts}"
        " --sequences {input.sequences} --scores {input.scores} --other-scores {input.other_scores} --masks {output}"
