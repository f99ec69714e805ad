"""How many GPUs the jobs of a study get: `runtime: gpus`, whose `auto` is replaced here by what this machine has.

Everything after it sees a number. The one line that a run prints of it says what was found, what stays idle, and why.
"""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from clearminds.config.study import Study
from clearminds.errors import UserError
from clearminds.job.finding_devices import Device, allocation_id, machine, offered
from clearminds.run.sizing import gpu_support
from clearminds.run.sizing.workload import RUN_A_MODEL

DECIDED = "CLEARMINDS_GPUS"  # what a run has put for `auto`, for the Snakemakes that it starts


@dataclass
class Gpus:
    """The GPUs of a run. What is found is looked for once.

    `auto` is decided twice: while the Snakefile is read, which --lint and --summary do too, by what can be read; when a
    run begins, before it asks what jobs take, the driver has a say (`settle`).

    Attributes:
        study: the study, with a number for `runtime: gpus`.
        asked: what it says itself.
        own_torch: whether jobs run in the environment of this process, whose torch can be looked at.
        given: what Snakemake gives to all jobs together, once `share` was told: of its resource `gpu`, and cores.
    """

    study: Study
    asked: int | Literal["auto"]
    own_torch: bool = True
    given: tuple[int | None, int | None] | None = None

    @cached_property
    def offered(self) -> list[Device]:
        """What jobs may take."""
        return offered()

    @cached_property
    def unusable(self) -> str | None:
        """Why jobs cannot use what they may take; None: no reason is known. Asks the driver, in a process."""
        return gpu_support.unusable() if self.own_torch and self.offered else None

    @property
    def per_training(self) -> int:
        """GPUs of a training."""
        return self.study.runtime.devices

    def decide(self) -> None:
        """Replace `auto` by what can be known without the driver."""
        not_built = gpu_support.not_built() if self.own_torch and self.offered else None
        self.study = with_gpus(self.study, int(bool(self.offered) and not_built is None))

    def settle(self) -> None:
        """Where `auto` has become a GPU, take that back if the driver or torch cannot use it."""
        if self.asked == "auto" and self.per_training and self.unusable is not None:
            self.study = with_gpus(self.study, 0)

    def share(self, limit: int | None, cores: int | None) -> None:
        """Be told what Snakemake gives to all jobs of a run that computes. Args: as of `line`."""
        self.given = limit, cores

    def gpu_line(self, stages: Iterable[str]) -> list[str]:
        """What a run says when it begins: `line`, or nothing where it computes nothing, or runs no model.

        Args:
            stages: of the jobs that it will run.
        """
        if self.given is None or not set(stages).intersection(RUN_A_MODEL):
            return []
        said = self.line(*self.given)
        return [] if said is None else [said]

    def limit(self) -> int | None:
        """How many GPUs all jobs of a run together can take; None where they take none or a scheduler knows."""
        return len(self.offered) if self.per_training and self.offered else None

    def line(self, limit: int | None, cores: int | None) -> str | None:
        """What was found and how it is used, in a line; None where the study wants no GPU and there is none.

        Args:
            limit: GPUs that Snakemake gives to all jobs together (its resource `gpu`); None: any number.
            cores: that it gives them; None: any number.
        """
        if not self.offered:
            return self._none_offered()
        found = f"GPUs: {_named(self.offered)}{_of_which()}"
        if self.asked == 0:
            return f"{found}; idle, as the study has runtime: gpus: 0: jobs run on the CPU (gpus: auto would use them)"
        if self.unusable is not None:
            then = "jobs run on the CPU" if self.asked == "auto" else "jobs of a model will fail"
            return f"{found}; idle, {then}: {self.unusable}"
        there, count = len(self.offered), self.per_training
        if count > there:
            return f"{found}; trainings will fail, as runtime: gpus is {count}: set it to {there} or lower"
        at_a_time = min(number for number in (there, limit, cores) if number is not None)
        each = "one a job" if count == 1 else f"{count} a training and one any other job of a model"
        used = min(there, there if limit is None else limit, there if cores is None else cores * count)
        what = f"{found}; {each}, {'1 job' if at_a_time == 1 else f'up to {at_a_time} jobs'} at a time"
        if used == there:
            return what
        key = f"--cores {cores}" if cores is not None and used == cores * count else f"resources: gpu={limit}"
        return f"{what}, as {key} allows no more: {there - used} {'stays' if there - used == 1 else 'stay'} idle"

    def _none_offered(self) -> str | None:
        if self.asked == 0:
            return None
        chosen, there = os.environ.get("CUDA_VISIBLE_DEVICES"), machine()
        if allocation_id() is not None and there:
            why = (
                f"the scheduler names none in CUDA_VISIBLE_DEVICES, and this machine has {_named(there)}: set that "
                "variable to those of the allocation"
            )
        elif chosen is not None and there:
            why = f'CUDA_VISIBLE_DEVICES="{chosen}" names none of {_named(there)}'
        else:
            why = gpu_support.others() or ""
        found = f"GPUs: none found{f' ({why})' if why else ''}"
        if self.asked == "auto":
            return f"{found}; jobs run on the CPU"
        if allocation_id() is not None:
            return f"{found}; jobs of a model take what torch shows them"
        return f"{found}; jobs of a model will fail, as runtime: gpus is {self.asked}: auto or 0 runs on the CPU"


def gpus_of(study: Study, *, own_torch: bool = True, one_job: bool = False) -> Gpus:
    """The GPUs of a study's jobs.

    Args:
        study: the study as it was read.
        own_torch: as of `Gpus`.
        one_job: whether this Snakemake runs one job of another one, which has decided already.
    """
    asked, decided = study.runtime.gpus, os.environ.get(DECIDED, "")
    if asked != "auto":
        return Gpus(study, asked, own_torch)
    if one_job and decided.isdecimal():
        return Gpus(with_gpus(study, int(decided)), asked, own_torch)
    found = Gpus(study, asked, own_torch)
    found.decide()
    return found


def with_gpus(study: Study, count: int) -> Study:
    """A study whose `runtime: gpus` is this number."""
    return study.model_copy(update={"runtime": study.runtime.model_copy(update={"gpus": count})})


def refuse_none(shared: int | None, gpus: Gpus) -> None:
    """Refuse `--resources gpu=0`, which only counts: jobs would take GPUs all the same.

    Args:
        shared: how much of `gpu` Snakemake gives to all jobs together; None: any number.
        gpus: of the run.

    Raises:
        UserError: it gives none, and jobs ask for some.
    """
    if shared == 0 and gpus.per_training:
        raise UserError(
            f"resources: gpu=0 of the command line or a profile, but runtime: gpus: {gpus.asked} has jobs take GPUs; "
            "for a run on the CPU set runtime: gpus: 0 (--config runtime='{gpus: 0}'), else give 1 or more"
        )


def refuse_auto() -> None:
    """Refuse `auto` where jobs are submitted: this machine has other GPUs than those that they will run on.

    Raises:
        UserError: always.
    """
    raise UserError(
        "runtime: gpus: auto, the default, takes what this machine has, but jobs are submitted to others; write a "
        "number into the study, runtime: {gpus: 1} for a GPU a job or {gpus: 0} for the CPU, or give it: "
        "--config runtime='{gpus: 1}'; nothing was submitted"
    )


def _named(devices: Sequence[Device]) -> str:
    """How many of which model, as `2 x NVIDIA A100-SXM4-80GB`."""
    models = Counter(_model(device) for device in devices)
    return ", ".join(f"{number} x {model}" if model else str(number) for model, number in models.items())


def _model(device: Device) -> str:
    # an allocation may count its devices anew: which one of several models it has is not known
    models = {one.model for one in machine()} if allocation_id() and not device.model else set()
    return models.pop() if len(models) == 1 else device.model


def _of_which() -> str:
    """Who chose the devices that are offered."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allocation_id() is not None:
        return " of this allocation"
    return "" if chosen is None else f', those of CUDA_VISIBLE_DEVICES="{chosen}"'
