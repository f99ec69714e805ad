"""What the rules of the Snakefile are given: `spec`, `code`, launcher, resources, and the wildcards' constraints.

Which settings a spec holds is in `stage_settings`, which files a rule reads in `inputs`. No stage imports this.
"""

from collections.abc import Callable, Iterable
from types import SimpleNamespace

from clearminds.checkout import LAUNCHERS
from clearminds.config.study import Study
from clearminds.files.analysed_files import READS
from clearminds.files.digests import canonical
from clearminds.files.layout import WILDCARDS, one_of
from clearminds.files.settings import chosen
from clearminds.reuse import known_code
from clearminds.reuse.forced import STAGE_OF
from clearminds.reuse.stage_code import STAGES
from clearminds.run.asked_by_rules import asked_by_rules
from clearminds.run.inputs import Inputs
from clearminds.run.refusals.file_names import refuse_equal_files, refuse_results_in_a_store
from clearminds.run.refusals.name_lengths import refuse_long_names
from clearminds.run.refusals.plugin_names import refuse_unknown_plugins
from clearminds.run.refusals.weight_rules import refuse_wrong_rules
from clearminds.run.sizing import resources
from clearminds.run.sizing.workload import Workloads
from clearminds.run.stage_settings import StageSettings
from clearminds.run.wildcards import Wildcards
from clearminds.stages import (
    evaluate,
    generate_responses,
    measure_gradients,
    rehearse,
    score_token_perplexity,
    train_adapter,
    verify_responses,
)

# the keys of `runtime` that a stage obeys, beside those of every job
RUNTIME = {
    "rehearse": rehearse.Runtime,
    "generate_responses": generate_responses.Runtime,
    "verify_responses": verify_responses.Runtime,
    "score_token_perplexity": score_token_perplexity.Runtime,
    "train_adapter": train_adapter.Runtime,
    "evaluate_base": evaluate.Runtime,
    "evaluate_adapter": evaluate.Runtime,
    "measure_gradients": measure_gradients.Runtime,
}

# of all rules' wildcards
NAMES = ("model", "scorer", "task", "split", "source", "target", "variant", "suite", "analysis", "seed", "draw")


class Specs(StageSettings):
    """The params and resources of a study's jobs, as functions of a rule's wildcards.

    Args:
        study: the study.
        one_job: as of `Inputs`.

    Attributes:
        inputs: the files that its rules read.
    """

    def __init__(self, study: Study, one_job: bool = False):
        refuse_equal_files(study)
        refuse_long_names(study)
        refuse_results_in_a_store(study)
        refuse_unknown_plugins(study)
        refuse_wrong_rules(study)
        super().__init__(study)
        self._codes: dict[tuple[str, str], str] = {}
        self._texts: dict[tuple, str] = {}
        self.workloads = Workloads(study, self.layout.results)
        self.inputs = Inputs(self, one_job)

    def use(self, study: Study) -> None:
        """Take another number of GPUs before jobs are planned. Args: this study, with that in `runtime`."""
        if study.runtime.gpus != self.study.runtime.gpus:
            self.study, self.workloads = study, Workloads(study, self.layout.results)

    def launch(self, stage: str) -> dict[str, object]:
        """A rule's `launcher` and `how` to run: resources, because no change of either may rerun anything.

        Stages that run a model get the `gpu` they ask for too, which counts against the machine's and reaches SLURM.
        Both are asked for when jobs are planned: what reading the study gave the jobs may not be usable (`use`).
        """
        runtime = dict(self.study.runtime)
        keys = chosen(RUNTIME[stage], runtime) if stage in RUNTIME else {}
        keys |= {"reuse": runtime["reuse"]}

        @asked_by_rules
        def gpu(wildcards: Wildcards) -> int:
            return self.workloads.gpus(stage)

        @asked_by_rules
        def how(wildcards: Wildcards, attempt: int) -> str:
            now = {"gpus": gpu(wildcards)} | ({"attempt": attempt} if attempt > 1 else {})
            if "batch_tokens" in keys:
                now["batch_tokens"] = self.study.runtime.most_tokens
            return canonical(keys | now)

        asks = {"gpu": gpu} if self.workloads.gpus(stage) else {}
        return {"launcher": str(LAUNCHERS / f"{stage}.py"), "how": how, **asks}

    def environment(self, usual: str, vllm: str) -> Callable[[Wildcards], str]:
        """The `conda` of a rule that generates: wildcards to one of two files, by the source's backend or, where there
        is no source, the evaluation's."""

        @asked_by_rules
        def chosen(wildcards: Wildcards) -> str:
            name = getattr(wildcards, "source", None)
            settings = self.study.evaluation if name is None else self.study.sources.get(name)
            return vllm if settings and settings.backend == "vllm" else usual

        return chosen

    def memory(self, stage: str) -> Callable[[Wildcards, int], int]:
        """The `mem_mb` of a rule: wildcards and attempt to MB of the host's memory."""

        @asked_by_rules
        def memory(wildcards: Wildcards, attempt: int) -> int:
            return resources.host_memory(self.workloads.of(stage, wildcards), attempt)

        return memory

    def minutes(self, stage: str) -> Callable[[Wildcards], int]:
        """The `runtime` of a rule: wildcards to minutes."""

        @asked_by_rules
        def minutes(wildcards: Wildcards) -> int:
            return resources.minutes(self.workloads.of(stage, wildcards))

        return minutes

    def text(self, stage: str) -> Callable[[Wildcards], str]:
        """The `spec` param of a rule: wildcards to canonical JSON."""

        @asked_by_rules
        def text(wildcards: Wildcards) -> str:
            # asked four times for a job; nothing that a spec holds changes while the study is planned
            key = stage, *(getattr(wildcards, name, None) for name in NAMES)
            if key not in self._texts:
                self._texts[key] = canonical(getattr(self, stage)(wildcards))
            return self._texts[key]

        return text

    def code(self, stage: str) -> Callable[[Wildcards], str]:
        """The `code` param of a rule: wildcards to the fingerprint of the code that this job runs."""
        text = self.text(stage)

        @asked_by_rules
        def code(wildcards: Wildcards) -> str:
            key = stage, text(wildcards)
            if key not in self._codes:  # milliseconds each, and a sweep's jobs share their specs
                self._codes[key] = known_code.fingerprint(stage, getattr(self, stage)(wildcards))
            return self._codes[key]

        return code

    def settle_code(self, jobs: Iterable[tuple[str, dict[str, str]]]) -> None:
        """Work out the code of jobs that will run: Snakemake asks when each starts, and it may be edited by then.

        Args:
            jobs: rule and wildcards of each.
        """
        for rule, wildcards in jobs:
            if (stage := STAGE_OF.get(rule, rule)) in STAGES:
                self.code(stage)(SimpleNamespace(**wildcards))

    def constraints(self) -> dict[str, str]:
        """Regular expressions of the wildcards, built from the study's ids."""
        study = self.study
        splits = {split for task in study.tasks.values() for split in task.splits}
        names: dict[str, Iterable[str]] = {
            "model": study.models,
            "scorer": [*study.models, *self.tuned_scorers],
            "task": study.tasks,
            "split": splits,
            "source": ["reference", *study.sources],
            "target": study.targets,
            "variant": [*study.variants, *(study.given or {})],
            "suite": study.suites,
            "analysis": READS,
        }
        return {**{key: one_of(values) for key, values in names.items()}, **WILDCARDS}
