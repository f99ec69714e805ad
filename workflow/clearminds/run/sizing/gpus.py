"""How many GPUs the jobs of a study get: `runtime: gpus`, whose `auto` is replaced here by what this machine has.

Everything after it sees a number. The one line that a run prints of it says what was found, what stays idle, and why.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from clearminds.config.study import Study
from clearminds.errors import UserError
from clearminds.job.finding_devices import Device, allocation_id, machine, offered
from clearminds.run.sizing import gpu_support

DECIDED = "CLEARMINDS_GPUS"  # what a run has put for `auto`, for the Snakemakes that it starts


@dataclass(frozen=True)
class Gpus:
    """The GPUs of a run.

    Attributes:
        study: the study, with a number for `runtime: gpus`.
        asked: what it says itself.
        own_torch: whether jobs run in the environment of this process, whose torch can be looked at.
    """

    study: Study
    asked: int | Literal["auto"]
    own_torch: bool = True

    @cached_property
    def offered(self) -> list[Device]:
        """What jobs may take."""
        return offered()

    @cached_property
    def unusable(self) -> str | None:
        """Why jobs cannot use what they may take; None: no reason is known."""
        return gpu_support.unusable() if self.own_torch and self.offered else None

    @property
    def per_training(self) -> int:
        """GPUs of a training."""
        return self.study.runtime.devices

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
    return Gpus(with_gpus(study, int(bool(found.offered) and found.unusable is None)), asked, own_torch)


def with_gpus(study: Study, count: int) -> Study:
    """A study whose `runtime: gpus` is this number."""
    return study.model_copy(update={"runtime": study.runtime.model_copy(update={"gpus": count})})


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
