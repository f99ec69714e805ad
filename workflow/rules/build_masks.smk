rule build_masks:
    input:
        examples=LAYOUT.examples.path(task="{target}", split="train"),
        verdicts=SPECS.inputs.mask_inputs("verdicts"),
        sequences=SPECS.inputs.mask_inputs("sequences"),
        scores=SPECS.inputs.mask_inputs("scores"),
        other_scores=SPECS.inputs.other_scores,
        replay_examples=SPECS.inputs.replay_examples,
        replay_verdicts=SPECS.inputs.replay_inputs("verdicts"),
        replay_sequences=SPECS.inputs.replay_inputs("sequences"),
        replay_scores=SPECS.inputs.replay_inputs("scores"),
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
        " --sequences {input.sequences} --scores {input.scores} --other-scores {input.other_scores}"
        " --replay-examples {input.replay_examples} --replay-verdicts {input.replay_verdicts}"
        " --replay-sequences {input.replay_sequences} --replay-scores {input.replay_scores} --masks {output}"
