"""What each rule reads of the study: its `spec` and `code` params; which files it reads is in `inputs`.

A spec holds exactly the settings that the stage's result depends on, so that a change reruns what it must and no more.
Keys that are null are in no spec: a key added to the config, null unless a study sets it, makes nothing rerun.
Used by the Snakefile; no stage imports it.
"""

from collections.abc import Callable, Iterable
from functools import cached_property
from itertools import product
from typing import Any

from clearminds.checkout import LAUNCHERS
from clearminds.config.study import Study
from clearminds.config.tasks import LmEvalTask, example_keys, of_split
from clearminds.config.weights import TunedModel, draws, resolved, tuned_of
from clearminds.files.digests import canonical
from clearminds.files.layout import WILDCARDS, Layout, draw_of, one_of, scoring_model, seed_of, tuned_scorer
from clearminds.files.settings import chosen
from clearminds.model.loading import Loading
from clearminds.reuse import stage_code as stages
from clearminds.run.inputs import Inputs
from clearminds.run.refusals.file_names import refuse_equal_files, refuse_results_in_a_store
from clearminds.run.refusals.name_lengths import refuse_long_names
from clearminds.run.refusals.plugin_names import refuse_unknown_plugins
from clearminds.run.refusals.weight_rules import refuse_wrong_rules
from clearminds.run.rehearsals import rehearsal_spec
from clearminds.run.sizing import resources
from clearminds.run.sizing.workload import Workloads
from clearminds.run.wildcards import Wildcards
from clearminds.stages import (
    evaluate,
    fetch_model,
    generate_responses,
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
}


class Specs:
    """The specs of a study's jobs, as functions of a rule's wildcards.

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
        self._codes: dict[tuple[str, str], str] = {}
        self.study = study
        self.layout = Layout.of(study.study)
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

        def gpu(wildcards: Wildcards) -> int:
            return self.workloads.gpus(stage)

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

        def chosen(wildcards: Wildcards) -> str:
            name = getattr(wildcards, "source", None)
            settings = self.study.evaluation if name is None else self.study.sources.get(name)
            return vllm if settings and settings.backend == "vllm" else usual

        return chosen

    def memory(self, stage: str) -> Callable[[Wildcards, int], int]:
        """The `mem_mb` of a rule: wildcards and attempt to MB of the host's memory."""
        return lambda wildcards, attempt: resources.host_memory(self.workloads.of(stage, wildcards), attempt)

    def minutes(self, stage: str) -> Callable[[Wildcards], int]:
        """The `runtime` of a rule: wildcards to minutes."""
        return lambda wildcards: resources.minutes(self.workloads.of(stage, wildcards))

    def text(self, stage: str) -> Callable[[Wildcards], str]:
        """The `spec` param of a rule: wildcards to canonical JSON."""
        return lambda wildcards: canonical(getattr(self, stage)(wildcards))

    def code(self, stage: str) -> Callable[[Wildcards], str]:
        """The `code` param of a rule: wildcards to the fingerprint of the code that this job runs."""

        def code(wildcards: Wildcards) -> str:
            spec = getattr(self, stage)(wildcards)
            key = stage, canonical(spec)
            if key not in self._codes:  # milliseconds each, and a sweep's jobs share their specs
                self._codes[key] = stages.fingerprint(stage, spec)
            return self._codes[key]

        return code

    # --- one method per stage: wildcards to spec --------------------------------------------------------------------

    def prepare_task(self, wc: Wildcards) -> dict:
        """The task's own keys; of its splits only this one's size, of the others that they exist."""
        task = of_split(example_keys(self.study.tasks[wc.task]), wc.split)
        if wc.split != self.study.evaluation.split:
            task.pop("choices", None)  # nothing is trained on them
        task["splits"] = {name: value if name == wc.split else None for name, value in task["splits"].items()}
        return {
            "task": task,
            "split": wc.split,
            "needs_reference": wc.task in self.study.targets and wc.split == "train",
        }

    def fetch_model(self, wc: Wildcards) -> dict:
        """The origin of the model, its hash, its chat template, and whether it may run code of its own, if it may."""
        keys = self.study.models[wc.model].model_dump(exclude_none=True)
        return {"source": chosen(fetch_model.Origin, {**keys, "trust_remote_code": keys["trust_remote_code"] or None})}

    def rehearse(self, wc: Wildcards) -> dict:
        """What is loaded, trained and evaluated, each training block and task once, by no names of variants."""
        tasks = {task["name"]: task for suite in self.study.suites for task in self._evaluated(suite)}
        return rehearsal_spec(self.study, tasks, self._loading(wc.model))

    def _loading(self, model: str) -> dict:
        return chosen(Loading, dict(self.study.models[model]))

    def _special_tokens(self, task: str) -> dict:
        """What a special token's string is in a task's texts, where the task says so."""
        chosen = self.study.tasks[task].special_tokens
        return {} if chosen is None else {"special_tokens": chosen}

    def _source(self, name: str) -> dict:
        if name == "reference":
            return {"kind": "reference"}
        source = self.study.sources[name]
        return chosen(generate_responses.Source, {**dict(source), "kind": source.kind or name})

    def generate_responses(self, wc: Wildcards) -> dict:
        """How the source samples; nothing of the model where references are only copied."""
        source = self._source(wc.source)
        loading = {} if source["kind"] == "reference" else {"loading": self._loading(wc.model)}
        return {"source": source, **loading, **self._special_tokens(wc.task)}

    def verify_responses(self, wc: Wildcards) -> dict:
        """The task's verifier."""
        return {"verifier": self.study.tasks[wc.task].verifier}

    def score_token_perplexity(self, wc: Wildcards) -> dict:
        """The scorer's dtype and how it is loaded. Never a threshold or a mask."""
        how = {"dtype": self.study.scoring.dtype, "loading": self._loading(scoring_model(wc.scorer))}
        return {**how, **self._special_tokens(wc.task)}

    def build_masks(self, wc: Wildcards) -> dict:
        """The variant's rule, its source, what fixes the matched examples, and the seed if its rule draws at random."""
        variant, study = self.study.variants[wc.variant], self.study
        rules = {name: other.weights for name, other in study.variants.items()}
        weights = resolved(variant.weights, rules, lambda tuned: self._tuned(tuned, wc.model, wc.target))
        names = [n for n in dict.fromkeys([*study.match.sources, variant.responses]) if n != "reference"]
        return {
            "responses": variant.responses,
            "match": study.match.sources,
            "sources": {name: study.sources[name].when_none_accepted for name in names},
            "max_length": study.training.max_length,
            "weights": weights,
            "draw": seed_of(wc.draw),
        }

    def _tuned(self, tuned: TunedModel, model: str, target: str) -> str:
        seed = self.study.seeds[0] if tuned.seed is None else tuned.seed
        return tuned_scorer(model, target, tuned.variant, seed)

    @cached_property
    def tuned_scorers(self) -> dict[str, dict[str, str]]:
        """The wildcards of the adapters that score for a rule, by what they are called as scorers."""
        study, found = self.study, {}
        asked = [tuned for variant in study.variants.values() for tuned in tuned_of(variant.weights)]
        for model, target, tuned in product(study.models, study.targets, asked):
            seed = study.seeds[0] if tuned.seed is None else tuned.seed
            names = {"model": model, "target": target, "variant": tuned.variant, "seed": str(seed)}
            found[tuned_scorer(**names)] = names
        return found

    def train_adapter(self, wc: Wildcards) -> dict:
        """The variant's training settings without `max_length`, which the masks have used, its loss, and the seed."""
        training = chosen(train_adapter.Training, self.study.training_keys(wc.variant))
        return {"training": training, "seed": int(wc.seed), "loading": self._loading(wc.model)}

    def _evaluated(self, suite: str) -> list[dict]:
        found: list[dict[str, Any]] = []
        for name in self.study.suites[suite]:
            if name.startswith("lm_eval:"):
                found.append({"name": name, "evaluate": "lm_eval"})
                continue
            task = self.study.tasks[name]
            if isinstance(task, LmEvalTask):
                shots = {} if task.num_fewshot is None else {"num_fewshot": task.num_fewshot}
                found.append({"name": name, "evaluate": "lm_eval", "harness": task.name, **shots})
                continue
            found.append(
                {
                    "name": name,
                    "evaluate": task.evaluate,
                    **({"verifier": task.verifier} if task.evaluate == "accuracy" else {}),
                    **({"answers": task.answers} if task.evaluate == "drift" else {}),
                    **({"sampling": task.sampling.model_dump()} if task.sampling else {}),
                    **({"lead_in": task.lead_in} if task.lead_in else {}),
                    **self._special_tokens(name),
                }
            )
        return found

    def evaluate_base(self, wc: Wildcards) -> dict:
        """The suite's tasks and how their answers are generated and scored."""
        evaluation = chosen(evaluate.Evaluation, dict(self.study.evaluation))
        return {
            "tasks": self._evaluated(wc.suite),
            "evaluation": evaluation,
            "dtype": self.study.scoring.dtype,
            "loading": self._loading(wc.model),
        }

    evaluate_adapter = evaluate_base

    def summarise(self, wc: Wildcards | None = None) -> dict:
        """The names that imply every evaluation, and each task's kind."""
        names = {key: value for key, value in self.names.items() if key != "sources"}
        return {"names": names, "tasks": self._summarised_tasks()}

    @property
    def names(self) -> dict:
        """What `study_files` needs to know of the study."""
        study = self.study
        used = dict.fromkeys([*study.match.sources, *(v.responses for v in study.variants.values())])
        return {
            "results": self.layout.results,
            "models": list(study.models),
            "targets": study.targets,
            "suites": list(study.suites),
            "seeds": study.seeds,
            "variants": [[name, draws(v.weights)] for name, v in study.variants.items()],
            "sources": list(used),
        }

    def _summarised_tasks(self) -> list[dict]:
        """Each evaluated task with its kind: a list, since canonical JSON keeps the order of no mapping."""
        found = []
        for suite in self.study.suites:
            for task in self._evaluated(suite):
                metric, reading = {"accuracy": ("accuracy", "lenient")}.get(task["evaluate"], (None, None))
                if task["evaluate"] == "choice":
                    metric, reading = self.study.tasks[task["name"]].metric or "acc", "none"
                chosen = {"name": task["name"], "evaluate": task["evaluate"], "metric": metric, "filter": reading}
                targets = [name for name in self.study.targets if self.study.tasks[name].tested_on == task["name"]]
                found.append({**chosen, **({"tests": targets} if targets else {})})
        return found

    def report(self, wc: Wildcards | None = None) -> dict:
        """The study as it is now, which the report shows."""
        return {
            "study": self.study.model_dump(exclude={"runtime"}, exclude_none=True),
            "names": self.names,
            "tasks": self._summarised_tasks(),
        }

    # --- what paths are made of ---------------------------------------------------------------------------------------

    def draws(self, variant: str, seed: int) -> str:
        """The wildcard `draw` of a variant's masks: of the seed where its rule draws at random, else of none."""
        return draw_of(seed if draws(self.study.variants[variant].weights) else None)

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
            "variant": study.variants,
            "suite": study.suites,
        }
        return {**{key: one_of(values) for key, values in names.items()}, **WILDCARDS}
