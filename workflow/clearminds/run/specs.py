"""What each rule reads of the study: its `spec` and `code` params, and the files that its study implies.

A spec holds exactly the settings that the stage's result depends on, so that a change reruns what it must and no more.
Keys that are null are in no spec: a key added to the config, null unless a study sets it, makes nothing rerun.
Used by the Snakefile; no stage imports it.
"""

from collections.abc import Callable, Iterable

from clearminds.checkout import LAUNCHERS
from clearminds.config.blocks import RandomRule
from clearminds.config.study import Study
from clearminds.files.digests import canonical
from clearminds.files.layout import WILDCARDS, Layout, draw_of, one_of, seed_of, shards_of
from clearminds.files.settings import chosen
from clearminds.files.study_files import adapter_paths, evaluation_rows, mask_rows, rehearsal_rows, score_rows
from clearminds.model.loading import Loading
from clearminds.reuse import stage_code as stages
from clearminds.run.file_names import refuse_equal_files, refuse_results_in_a_store
from clearminds.run.name_lengths import refuse_long_names
from clearminds.run.plugin_names import refuse_unknown_plugins
from clearminds.run.rehearsals import is_as_made_now, rehearsal_spec
from clearminds.run.sizing import resources
from clearminds.run.sizing.workload import Workloads
from clearminds.run.task_files import task_files
from clearminds.run.wildcards import Wildcards
from clearminds.stages import evaluate, fetch_model, generate_responses, rehearse, score_token_perplexity, train_adapter
from clearminds.stages.source_names import source_names

# the keys of `runtime` that a stage obeys, beside those of every job
RUNTIME = {
    "rehearse": rehearse.Runtime,
    "generate_responses": generate_responses.Runtime,
    "score_token_perplexity": score_token_perplexity.Runtime,
    "train_adapter": train_adapter.Runtime,
    "evaluate_base": evaluate.Runtime,
    "evaluate_adapter": evaluate.Runtime,
}
# the stages that wait for the rehearsal of their model, and the result which tells whether a job will run
WAITING = {
    "generate_responses": "responses",
    "score_token_perplexity": "scores",
    "train_adapter": "adapter",
    "evaluate_base": "base_evaluation",
    "evaluate_adapter": "evaluation",
}


class Specs:
    """The specs of a study's jobs, as functions of a rule's wildcards.

    Args:
        study: the study.
        one_job: whether this Snakemake runs one job of another one, which has seen to the order of jobs.
    """

    def __init__(self, study: Study, one_job: bool = False):
        refuse_equal_files(study)
        refuse_long_names(study)
        refuse_results_in_a_store(study)
        refuse_unknown_plugins(study)
        self.one_job = one_job
        self._codes: dict[tuple[str, str], str] = {}
        self.study = study
        self._task_files = task_files(study)
        self.layout = Layout.of(study.study)
        self.workloads = Workloads(study, self.layout.results)

    def launch(self, stage: str) -> dict[str, object]:
        """A rule's `launcher` and `how` to run: resources, because no change of either may rerun anything.

        Stages that run a model get the `gpu` they ask for too, which counts against the machine's and reaches SLURM.
        """
        runtime = dict(self.study.runtime)
        keys = chosen(RUNTIME[stage], runtime) if stage in RUNTIME else {}
        keys |= {"gpus": self.workloads.gpus(stage), "reuse": runtime["reuse"]}

        def how(wildcards: Wildcards, attempt: int) -> str:
            return canonical({**keys, **({"attempt": attempt} if attempt > 1 else {})})

        gpus = {"gpu": keys["gpus"]} if keys["gpus"] else {}
        return {"launcher": str(LAUNCHERS / f"{stage}.py"), "how": how, **gpus}

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
        task = self.study.tasks[wc.task].model_dump(
            exclude={"evaluate", "answers", "verifier", "special_tokens"}, exclude_none=True
        )
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
        how = {"dtype": self.study.scoring.dtype, "loading": self._loading(wc.scorer)}
        return {**how, **self._special_tokens(wc.task)}

    def build_masks(self, wc: Wildcards) -> dict:
        """The variant's rule, its source, what fixes the matched examples, and the seed if its rule draws at random."""
        variant, study = self.study.variants[wc.variant], self.study
        weights = variant.weights.model_dump(exclude_none=True)
        if isinstance(variant.weights, RandomRule):
            weights["like"] = study.variants[variant.weights.like].weights.model_dump(exclude_none=True)
        names = [n for n in dict.fromkeys([*study.match.sources, variant.responses]) if n != "reference"]
        return {
            "responses": variant.responses,
            "match": study.match.sources,
            "sources": {name: study.sources[name].when_none_accepted for name in names},
            "max_length": study.training.max_length,
            "weights": weights,
            "draw": seed_of(wc.draw),
        }

    def train_adapter(self, wc: Wildcards) -> dict:
        """The variant's training settings without `max_length`, which the masks have used, and the seed."""
        training = chosen(train_adapter.Training, dict(self.study.training_of(wc.variant)))
        return {"training": training, "seed": int(wc.seed), "loading": self._loading(wc.model)}

    def _evaluated(self, suite: str) -> list[dict]:
        found: list[dict[str, str | None]] = []
        for name in self.study.suites[suite]:
            if name.startswith("lm_eval:"):
                found.append({"name": name, "evaluate": "lm_eval"})
                continue
            task = self.study.tasks[name]
            found.append(
                {
                    "name": name,
                    "evaluate": task.evaluate,
                    **({"verifier": task.verifier} if task.evaluate == "accuracy" else {}),
                    **({"answers": task.answers} if task.evaluate == "drift" else {}),
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
            "variants": [[name, isinstance(v.weights, RandomRule)] for name, v in study.variants.items()],
            "sources": list(used),
        }

    def _summarised_tasks(self) -> list[dict]:
        """Each evaluated task with its kind: a list, since canonical JSON keeps the order of no mapping."""
        found = []
        for suite in self.study.suites:
            for task in self._evaluated(suite):
                ours = task["evaluate"] == "accuracy"
                chosen = {"metric": "accuracy" if ours else None, "filter": "lenient" if ours else None}
                found.append({"name": task["name"], "evaluate": task["evaluate"], **chosen})
        return found

    def report(self, wc: Wildcards | None = None) -> dict:
        """The study as it is now, which the report shows."""
        return {
            "study": self.study.model_dump(exclude={"runtime"}, exclude_none=True),
            "names": self.names,
            "tasks": self._summarised_tasks(),
        }

    # --- the files that the study implies ---------------------------------------------------------------------------

    def draws(self, variant: str, seed: int) -> str:
        """The wildcard `draw` of a variant's masks: of the seed where its rule draws at random, else of none."""
        return draw_of(seed if isinstance(self.study.variants[variant].weights, RandomRule) else None)

    def mask_of(self, wc: Wildcards) -> str:
        """The masks that an adapter is trained on."""
        draw = self.draws(wc.variant, wc.seed)
        return self.layout.masks.path(model=wc.model, target=wc.target, variant=wc.variant, draw=draw)

    def mask_inputs(self, kind: str) -> Callable[[Wildcards], list[str]]:
        """Wildcards to the tables of one kind (verdicts, sequences, scores), one per source of `source_names`."""
        table = getattr(self.layout, kind)

        def paths(wc: Wildcards) -> list[str]:
            spec = self.build_masks(wc)
            names = source_names(spec["match"], spec["responses"], spec["sources"])
            given = {"scorer": wc.model, "model": wc.model, "task": wc.target, "split": "train"}
            return [table.path(**given, source=source) for source in names]

        return paths

    def shards(self, kind: str) -> Callable[[Wildcards], list[str]]:
        """Wildcards to the marks of the jobs that share a table's work: none where one job does it alone.

        Args:
            kind: responses or scores.
        """
        number = self.study.runtime.shards
        mark = {"responses": self.layout.responses_shard, "scores": self.layout.scores_shard}[kind]

        def marks(wc: Wildcards) -> list[str]:
            if number == 1 or (kind == "responses" and wc.source == "reference"):
                return []
            return [mark.path(**dict(wc.items()), shard=shard) for shard in shards_of(number)]

        return marks

    def rehearsal(self, stage: str) -> Callable[[Wildcards], list[str]]:
        """Wildcards to the rehearsal that a job waits for: of its model, if it will run; none where its result stays.

        Args:
            stage: of the job; a shard waits if its table's job does.
        """
        kind = getattr(self.layout, WAITING[stage])

        def waits_for(wc: Wildcards) -> list[str]:
            copied = stage == "generate_responses" and wc.source == "reference"
            made_by = self.text(stage)(wc), self.code(stage)(wc)
            if self.one_job or copied or is_as_made_now(self.layout, kind, dict(wc.items()), *made_by):
                return []
            return [self.layout.rehearsal.path(model=wc.model)]

        return waits_for

    def task_file(self, wc: Wildcards) -> list[str]:
        """The user's own file of a split, if the task is read from one."""
        found = self._task_files.get((wc.task, wc.split))
        return [str(found)] if found else []

    def train_examples(self, wc: Wildcards) -> list[str]:
        """The training examples of every target."""
        return [self.layout.examples.path(task=name, split="train") for name in self.study.targets]

    def evaluated_examples(self, wc: Wildcards) -> list[str]:
        """The examples of every suite's own tasks."""
        split, tasks = self.study.evaluation.split, self.study.tasks
        names = dict.fromkeys(name for suite in self.study.suites.values() for name in suite if name in tasks)
        return [self.layout.examples.path(task=name, split=split) for name in names]

    def suite_examples(self, wc: Wildcards) -> list[str]:
        """The examples of a suite's own tasks."""
        split = self.study.evaluation.split
        names = [name for name in self.study.suites[wc.suite] if name in self.study.tasks]
        return [self.layout.examples.path(task=name, split=split) for name in names]

    def suite_answers(self, wc: Wildcards) -> list[str]:
        """The base's own answers for a suite's drift tasks."""
        split = self.study.evaluation.split
        tasks = {name: self.study.tasks[name] for name in self.study.suites[wc.suite] if name in self.study.tasks}
        return [
            self.layout.responses.path(model=wc.model, task=name, split=split, source=task.answers)
            for name, task in tasks.items()
            if task.evaluate == "drift"
        ]

    def evaluations(self, wc: Wildcards | None = None) -> list[str]:
        """Every evaluation of the study."""
        return [row["path"] for row in evaluation_rows(self.names)]

    def adapters(self, wc: Wildcards | None = None) -> list[str]:
        """Every adapter of the study."""
        return adapter_paths(self.names)

    def rehearsals(self, wc: Wildcards | None = None) -> list[str]:
        """The rehearsal of every model."""
        return [row["path"] for row in rehearsal_rows(self.names)]

    def masks(self, wc: Wildcards | None = None) -> list[str]:
        """The masks of every variant."""
        return [row["path"] for row in mask_rows(self.names)]

    def scores(self, wc: Wildcards | None = None) -> list[str]:
        """The score tables of every source that a variant or the matching uses."""
        return [row["path"] for row in score_rows(self.names)]

    def constraints(self) -> dict[str, str]:
        """Regular expressions of the wildcards, built from the study's ids."""
        study = self.study
        splits = {split for task in study.tasks.values() for split in task.splits}
        names: dict[str, Iterable[str]] = {
            "model": study.models,
            "scorer": study.models,
            "task": study.tasks,
            "split": splits,
            "source": ["reference", *study.sources],
            "target": study.targets,
            "variant": study.variants,
            "suite": study.suites,
        }
        return {**{key: one_of(values) for key, values in names.items()}, **WILDCARDS}
