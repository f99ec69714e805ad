"""The files that rules read and the study implies, as functions of a rule's wildcards. Used by the Snakefile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from clearminds.config.blocks import HELD_OUT
from clearminds.config.replay import replayed
from clearminds.files.analysed_files import analysed_files, analysis_rows
from clearminds.files.layout import scoring_model, shards_of
from clearminds.files.study_files import (
    adapter_paths,
    evaluation_rows,
    given_paths,
    mask_rows,
    rehearsal_rows,
    score_rows,
    source_rows,
    train_examples,
)
from clearminds.run.asked_by_rules import asked_by_rules
from clearminds.run.rehearsals import is_as_made_now
from clearminds.run.task_files import task_files
from clearminds.run.wildcards import Wildcards
from clearminds.stages.source_names import scorer_names, source_names

if TYPE_CHECKING:
    from clearminds.run.specs import Specs

# the stages that wait for the rehearsal of their model, and the result which tells whether a job will run
WAITING = {
    "generate_responses": "responses",
    "score_token_perplexity": "scores",
    "train_adapter": "adapter",
    "evaluate_base": "base_evaluation",
    "evaluate_adapter": "evaluation",
}


class Inputs:
    """The inputs of a study's jobs.

    Args:
        specs: of the study.
        one_job: whether this Snakemake runs one job of another one, which has seen to the order of jobs.

    Attributes:
        all_wait: whether every job waits for the rehearsal, though its result be as its settings and code say.
    """

    def __init__(self, specs: Specs, one_job: bool):
        self.specs, self.study, self.layout = specs, specs.study, specs.layout
        self.one_job, self.all_wait, self._task_files = one_job, False, task_files(specs.study)

    @asked_by_rules
    def mask_of(self, wc: Wildcards) -> str:
        """The masks that an adapter is trained on."""
        draw = self.specs.draws(wc.variant, wc.seed)
        return self.layout.masks.path(model=wc.model, target=wc.target, variant=wc.variant, draw=draw)

    @asked_by_rules
    def start_of(self, wc: Wildcards) -> list[str]:
        """What a training begins from, if that is not the base."""
        start = self.specs.start_of(wc)
        return [self.layout.adapter.path(model=wc.model, **start)] if start else []

    @asked_by_rules
    def held_out(self, wc: Wildcards) -> list[str]:
        """Scores and sequences of the references whose loss a training takes meanwhile, if it takes one."""
        if wc.variant not in self.study.held_out:
            return []
        given = {"scorer": wc.model, "model": wc.model, "task": wc.target, "split": HELD_OUT, "source": "reference"}
        return [table.path(**given) for table in (self.layout.scores, self.layout.sequences)]

    def mask_inputs(self, kind: str) -> Callable[[Wildcards], list[str]]:
        """Wildcards to the tables of one kind (verdicts, sequences, scores), one per source of `source_names`."""
        table = getattr(self.layout, kind)

        @asked_by_rules
        def paths(wc: Wildcards) -> list[str]:
            spec = self.specs.build_masks(wc)
            names = source_names(spec["match"], spec["responses"], spec["sources"])
            given = {"scorer": wc.model, "model": wc.model, "task": wc.target, "split": "train"}
            return [table.path(**given, source=source) for source in names]

        return paths

    @asked_by_rules
    def other_scores(self, wc: Wildcards) -> list[str]:
        """The scores that a variant's rule asks of other models, in the order of `build_masks.other_tables`."""
        spec = self.specs.build_masks(wc)
        names = source_names([], spec["responses"], spec["sources"])
        given = {"model": wc.model, "task": wc.target, "split": "train"}
        return [
            self.layout.scores.path(**given, scorer=scorer, source=source)
            for scorer in scorer_names(spec["weights"])
            for source in names
        ]

    @asked_by_rules
    def replay_examples(self, wc: Wildcards) -> list[str]:
        """The examples that a variant replays some of, if it does."""
        replay = self.study.variants[wc.variant].replay
        return [self.layout.examples.path(task=replay.task, split="train")] if replay else []

    def replay_inputs(self, kind: str) -> Callable[[Wildcards], list[str]]:
        """Wildcards to the tables of one kind (verdicts, sequences, scores) of what is replayed, one per source of
        `replay_sources`."""
        table = getattr(self.layout, kind)

        @asked_by_rules
        def paths(wc: Wildcards) -> list[str]:
            spec = self.specs.build_masks(wc).get("replay")
            if spec is None:
                return []
            from clearminds.stages.masking.replay import Replay, replay_sources  # with Polars, which plans do without

            given = {"scorer": wc.model, "model": wc.model, "task": spec["task"], "split": "train"}
            return [table.path(**given, source=source) for source in replay_sources(Replay(**spec))]

        return paths

    @asked_by_rules
    def scorer(self, wc: Wildcards) -> str:
        """The model that scores, without an adapter."""
        return self.layout.model.path(model=scoring_model(wc.scorer))

    @asked_by_rules
    def scoring_adapter(self, wc: Wildcards) -> list[str]:
        """The adapter with which a model scores, if it does with one."""
        tuned = self.specs.tuned_scorers.get(wc.scorer)
        return [self.layout.adapter.path(**tuned)] if tuned else []

    def shards(self, kind: str) -> Callable[[Wildcards], list[str]]:
        """Wildcards to the marks of the jobs that share a table's work: none where one job does it alone.

        Args:
            kind: responses or scores.
        """
        number = self.study.runtime.shards
        mark = {"responses": self.layout.responses_shard, "scores": self.layout.scores_shard}[kind]

        @asked_by_rules
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
        kind, text, code = getattr(self.layout, WAITING[stage]), self.specs.text(stage), self.specs.code(stage)

        @asked_by_rules
        def waits_for(wc: Wildcards) -> list[str]:
            copied = stage == "generate_responses" and wc.source == "reference"
            if self.one_job or copied or not self.study.runtime.rehearse:
                return []
            if not self.all_wait and is_as_made_now(self.layout, kind, dict(wc.items()), text(wc), code(wc)):
                return []
            return [self.layout.rehearsal.path(model=wc.model)]

        return waits_for

    @asked_by_rules
    def task_file(self, wc: Wildcards) -> list[str]:
        """The user's own files of a split, if the task is read from such."""
        return [str(file) for file in self._task_files.get((wc.task, wc.split), [])]

    @asked_by_rules
    def train_examples(self, wc: Wildcards) -> list[str]:
        """The training examples of every target, and of what is replayed beside them."""
        names = dict.fromkeys([*self.study.targets, *replayed(self.study)])
        return [self.layout.examples.path(task=name, split="train") for name in names]

    @asked_by_rules
    def evaluated_examples(self, wc: Wildcards) -> list[str]:
        """The examples of every suite's own tasks."""
        split, tasks = self.study.evaluation.split, self.study.tasks
        members = (name for suite in self.study.suites.values() for name in suite)
        names = dict.fromkeys(name for name in members if name in tasks and tasks[name].splits)
        return [self.layout.examples.path(task=name, split=split) for name in names]

    @asked_by_rules
    def suite_examples(self, wc: Wildcards) -> list[str]:
        """The examples of a suite's own tasks."""
        split = self.study.evaluation.split
        tasks = self.study.tasks
        names = [name for name in self.study.suites[wc.suite] if name in tasks and tasks[name].splits]
        return [self.layout.examples.path(task=name, split=split) for name in names]

    @asked_by_rules
    def suite_answers(self, wc: Wildcards) -> list[str]:
        """The base's own answers for a suite's drift tasks."""
        split = self.study.evaluation.split
        tasks = {name: self.study.tasks[name] for name in self.study.suites[wc.suite] if name in self.study.tasks}
        return [
            self.layout.responses.path(model=wc.model, task=name, split=split, source=task.answers)
            for name, task in tasks.items()
            if task.evaluate == "drift"
        ]

    @asked_by_rules
    def evaluations(self, wc: Wildcards | None = None) -> list[str]:
        """Every evaluation of the study."""
        return [row["path"] for row in evaluation_rows(self.specs.names)]

    @asked_by_rules
    def analysed(self, wc: Wildcards) -> list[str]:
        """What an analysis reads."""
        files = analysed_files(wc.analysis, self.specs.analyse(wc)["names"])
        return [row["path"] for rows in files.values() for row in rows]

    def of_sources(self, kind: str) -> Callable[[Wildcards], list[str]]:
        """Wildcards to the tables of one kind, one per source that is measured. Args: kind: scores or sequences."""
        table = getattr(self.layout, kind)

        @asked_by_rules
        def paths(wc: Wildcards) -> list[str]:
            given = {"scorer": wc.model, "model": wc.model, "task": wc.target, "split": "train"}
            return [table.path(**given, source=name) for name in self.specs.measure_gradients(wc)["sources"]]

        return paths

    @asked_by_rules
    def analyses(self, wc: Wildcards | None = None) -> list[str]:
        """Every table of the study's analyses."""
        return [row["path"] for row in analysis_rows(self.specs.names, self.study.analyses or [])]

    @asked_by_rules
    def adapters(self, wc: Wildcards | None = None) -> list[str]:
        """Every adapter of the study, and all that is not trained here."""
        return [*adapter_paths(self.specs.names), *given_paths(self.specs.names)]

    @asked_by_rules
    def adapter_of(self, wc: Wildcards) -> str:
        """What an evaluation is of."""
        kind = self.layout.given if wc.variant in (self.study.given or {}) else self.layout.adapter
        return kind.path(**dict(wc.items()))

    @asked_by_rules
    def rehearsals(self, wc: Wildcards | None = None) -> list[str]:
        """The rehearsal of every model."""
        return [row["path"] for row in rehearsal_rows(self.specs.names)]

    @asked_by_rules
    def masks(self, wc: Wildcards | None = None) -> list[str]:
        """The masks of every variant."""
        return [row["path"] for row in mask_rows(self.specs.names)]

    @asked_by_rules
    def scores(self, wc: Wildcards | None = None) -> list[str]:
        """The score tables of every source that a variant or the matching uses."""
        return [row["path"] for row in score_rows(self.specs.names)]

    @asked_by_rules
    def sequences(self, wc: Wildcards | None = None) -> list[str]:
        """The token ids that belong to `scores`."""
        return [row["path"] for row in source_rows(self.specs.names, "sequences")]

    @asked_by_rules
    def target_examples(self, wc: Wildcards | None = None) -> list[str]:
        """The training examples of every target."""
        return list(train_examples(self.specs.names).values())
