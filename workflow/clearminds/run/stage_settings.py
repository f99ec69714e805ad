"""What a job's result depends on: a study's settings by stage and wildcards, each in the job's `spec`.

A spec holds exactly the settings that the stage's result depends on, so that a change reruns what it must and no more.
Keys that are null are in no spec: a key added to the config, null unless a study sets it, makes nothing rerun.
"""

from functools import cache, cached_property
from itertools import product
from typing import Any

from clearminds.config.blocks import HELD_OUT
from clearminds.config.replay import Replay, replayed
from clearminds.config.starts import StartFrom, trained_before
from clearminds.config.study import Study
from clearminds.config.tasks import LmEvalTask, example_keys, of_split
from clearminds.config.weights import TunedModel, draws, resolved, tuned_of
from clearminds.files.analysed_files import OF_SOURCES, OF_VARIANTS, READS
from clearminds.files.layout import Layout, draw_of, scoring_model, seed_of, tuned_scorer
from clearminds.files.settings import chosen
from clearminds.model.loading import Loading
from clearminds.run.kept_layout import keep_kinds
from clearminds.run.rehearsals import rehearsal_spec
from clearminds.run.wildcards import Wildcards
from clearminds.stages import (
    evaluate,
    fetch_model,
    generate_responses,
    take_adapter,
    train_adapter,
)
from clearminds.stages.source_names import source_names


class StageSettings:
    """The settings of a study's jobs, one method per stage: wildcards to spec.

    Args:
        study: the study.
    """

    def __init__(self, study: Study):
        self.study = study
        self.layout = keep_kinds(Layout.of(study.study))
        self._training_keys = cache(study.training_keys)  # of a variant; what is put together is checked each time

    def prepare_task(self, wc: Wildcards) -> dict:
        """The task's own keys; of its splits only this one's size, of the others that they exist."""
        task = of_split(example_keys(self.study.tasks[wc.task]), wc.split)
        if wc.split != self.study.evaluation.split:
            task.pop("choices", None)  # nothing is trained on them
        task["splits"] = {name: value if name == wc.split else None for name, value in task["splits"].items()}
        return {
            "task": task,
            "split": wc.split,
            "needs_reference": (wc.task in self.study.targets and wc.split in self._trained_splits)
            or (wc.split == "train" and "reference" in replayed(self.study).get(wc.task, ())),
        }

    @property
    def _trained_splits(self) -> list[str]:
        return ["train", HELD_OUT] if self.study.held_out else ["train"]

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
            **({"match_by": "tokens"} if study.match.by == "tokens" else {}),
            **({"replay": self._replay(variant.replay)} if variant.replay else {}),
        }

    def _replay(self, replay: Replay) -> dict:
        """What is mixed into a variant's examples, and which responses of its source there are."""
        source = self.study.sources.get(replay.source)
        policy = {"when_none_accepted": source.when_none_accepted} if source else {}
        return {**replay.model_dump(exclude_none=True), **policy}

    def _tuned(self, tuned: TunedModel, model: str, target: str) -> str:
        seed = self.study.seeds[0] if tuned.seed is None else tuned.seed
        return tuned_scorer(model, target, tuned.variant, seed)

    @cached_property
    def tuned_scorers(self) -> dict[str, dict[str, str]]:
        """The wildcards of the adapters that score for a rule, by what they are called as scorers."""
        study, found = self.study, {}
        asked = [tuned for variant in study.variants.values() for tuned in tuned_of(variant.weights)]
        for model, target, tuned in product(study.models, study.targets, asked):
            if target not in study.targets_of(tuned.variant):
                continue
            seed = study.seeds[0] if tuned.seed is None else tuned.seed
            names = {"model": model, "target": target, "variant": tuned.variant, "seed": str(seed)}
            found[tuned_scorer(**names)] = names
        return found

    def train_adapter(self, wc: Wildcards) -> dict:
        """The variant's training settings without `max_length`, which the masks have used, its loss, the seed, and
        where it begins, if that is not the base."""
        training = chosen(train_adapter.Training, self._training_keys(wc.variant))
        return {"training": training, "seed": int(wc.seed), "loading": self._loading(wc.model), **self._length()} | (
            {"start": start} if (start := self.start_of(wc)) else {}
        )

    def start_of(self, wc: Wildcards) -> dict[str, str] | None:
        """The variant, target and seed whose training a training begins from; None: it begins from the base."""
        start = self.study.variants[wc.variant].start_from
        if not isinstance(start, StartFrom):
            return None
        seed = wc.seed if start.seed is None else start.seed
        return {"variant": start.variant, "target": start.target or wc.target, "seed": str(seed)}

    def _length(self) -> dict:
        """What makes the trainings of a target equally long, where that is not their examples alone."""
        study = self.study
        if study.match.by is None:
            return {}
        return {"length": {"by": study.match.by, **chosen(train_adapter.Passes, dict(study.training))}}

    def take_adapter(self, wc: Wildcards) -> dict:
        """Where it comes from, and whether the model that it is of may bring code of its own."""
        origin = (self.study.given or {})[wc.variant].adapter
        source = chosen(take_adapter.Origin, dict(origin))
        return {"source": source, "trust_remote_code": self.study.models[wc.model].trust_remote_code}

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

    def analyse(self, wc: Wildcards) -> dict:
        """What implies the files of an analysis, of one model and target; in no order of the study's."""
        study, kinds = self.study, READS[wc.analysis]
        names: dict[str, Any] = {"results": self.layout.results, "models": [wc.model], "targets": [wc.target]}
        if any(kind in OF_VARIANTS for kind in kinds):
            chosen = sorted(study.held_out if wc.analysis == "convergence" else study.variants)
            chosen = [name for name in chosen if wc.target in study.targets_of(name)]
            variants = [[name, draws(study.variants[name].weights)] for name in chosen]
            by_seed = "adapters" in kinds or any(draw for _, draw in variants)
            names |= {"variants": variants, "seeds": sorted(study.seeds) if by_seed else [0]}
        if any(kind in OF_SOURCES for kind in kinds):
            names["sources"] = self._trained_sources(wc.target)
        return {"analysis": wc.analysis, "names": names}

    def measure_gradients(self, wc: Wildcards) -> dict:
        """The sources whose responses are measured, and how the model is loaded."""
        loading = {"dtype": self.study.scoring.dtype, "loading": self._loading(wc.model)}
        return {"sources": self._trained_sources(wc.target), **loading}

    def _trained_sources(self, target: str) -> list[str]:
        """The sources of which some response to a target's examples may be trained on, here or by others, sorted."""
        study = self.study
        policies = {name: source.when_none_accepted for name, source in study.sources.items()}
        own = [variant for name, variant in study.variants.items() if target in study.targets_of(name)]
        used = {name for variant in own for name in source_names([], variant.responses, policies)}
        theirs = any(given.trained_on == target for given in (study.given or {}).values())
        return sorted(used | ({"reference"} if theirs else set()))

    def summarise(self, wc: Wildcards | None = None) -> dict:
        """The names that imply every evaluation, and each task's kind."""
        names = {key: value for key, value in self.names.items() if key != "sources"}
        return {"names": names, "tasks": self._summarised_tasks()}

    @property
    def names(self) -> dict:
        """What `study_files` needs to know of the study."""
        study = self.study
        only = {name: study.targets_of(name) for name, v in study.variants.items() if v.targets is not None}
        seen = {
            name: {target: also for target in study.targets_of(name) if (also := trained_before(study, name, target))}
            for name in study.variants
        }
        seen = {name: targets for name, targets in seen.items() if targets}
        given = [
            {
                "variant": name,
                "model": study.base_of(name),
                "targets": [one.trained_on] if one.trained_on else study.targets,
            }
            for name, one in (study.given or {}).items()
        ]
        # the data that somebody else trained on are scored, whatever variants do
        theirs = ["reference"] if any(one.trained_on for one in (study.given or {}).values()) else []
        policies = {name: source.when_none_accepted for name, source in study.sources.items()}
        own = [name for v in study.variants.values() for name in source_names([], v.responses, policies)]
        fallen_back = ["reference"] if "reference" in own else []  # last, where no variant and no matching names it
        used = dict.fromkeys(
            [*study.match.sources, *(v.responses for v in study.variants.values()), *theirs, *fallen_back]
        )
        return {
            "results": self.layout.results,
            "models": list(study.models),
            "targets": study.targets,
            "suites": list(study.suites),
            "seeds": study.seeds,
            "variants": [[name, draws(v.weights)] for name, v in study.variants.items()],
            "sources": list(used),
            **({"only": only} if only else {}),
            **({"given": given} if given else {}),
            **({"seen": seen} if seen else {}),
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

    def draws(self, variant: str, seed: int) -> str:
        """The wildcard `draw` of a variant's masks: of the seed where its rule draws at random, else of none."""
        return draw_of(seed if draws(self.study.variants[variant].weights) else None)
