"""The stored results that an export is made of: which they are, and whether they are there and as the study says."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearminds.commands.exporting.checks import Checks
from clearminds.config.wording import nearest, short
from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.files.tables import provenance_of
from clearminds.run.specs import Specs


@dataclass(frozen=True)
class Exported:
    """One variant's results.

    Attributes:
        specs: of its study.
        study_file: what the study was read from, for the commands that errors name.
        model, target, variant: ids.
        seed: of the adapter, and of masks that are drawn at random.
    """

    specs: Specs
    study_file: Path
    model: str
    target: str
    variant: str
    seed: int

    @property
    def names(self) -> dict[str, Any]:
        """The wildcards of its files."""
        draw = self.specs.draws(self.variant, self.seed)
        return {"model": self.model, "target": self.target, "variant": self.variant, "seed": self.seed, "draw": draw}

    @property
    def masks(self) -> Path:
        """Its masks."""
        return Path(self.specs.layout.masks.path(**self.names))

    @property
    def adapter(self) -> Path:
        """Its `adapter.json`."""
        return Path(self.specs.layout.adapter.path(**self.names))

    @property
    def base(self) -> Path:
        """The `model.json` of the model that is trained."""
        return Path(self.specs.layout.model.path(**self.names))

    def mask_facts(self) -> dict:
        """What the masks' file says of how they were made.

        Raises:
            UserError: they are not there, are damaged, or were made by other settings than the study has now.
        """
        self.checks.there(self.masks, self.base)
        facts = provenance_of(self.masks, contracts.MASKS)
        self.checks.by_the_study(self.masks, facts["spec"], "build_masks", self.names)
        self.checks.newest(self.masks)
        return facts

    def adapter_facts(self) -> dict:
        """What `adapter.json` says. Raises: UserError: as `mask_facts`."""
        return self.checks.trained(self.adapter, "train_adapter", self.names)

    @property
    def checks(self) -> Checks:
        """What refuses results that cannot be handed on."""
        return Checks(self.specs, self.study_file)


def chosen(specs: Specs, study_file: Path, variant: str, **names: str | int | None) -> Exported:
    """The results of a variant by their names.

    Args:
        specs: of the study.
        study_file: what it was read from.
        variant: its id.
        names: model, target and seed; None: the only one, of seeds the first.

    Raises:
        UserError: the study has no such one, or several where none is named.
    """
    study = specs.study
    _one_of("variant", variant, list(study.variants))
    model = names.get("model") or _only("model", list(study.models))
    target = names.get("target") or _only("target", study.targets)
    seed = study.seeds[0] if names.get("seed") is None else names["seed"]
    _one_of("model", model, list(study.models))
    _one_of("target", target, study.targets)
    _one_of("seed", seed, study.seeds)
    return Exported(specs, study_file, str(model), str(target), variant, int(str(seed)))


def _only(key: str, there: list[str]) -> str:
    if len(there) > 1:
        raise UserError(f"--{key}: missing; the study has several: name one of {', '.join(there)}")
    return there[0]


def _one_of(key: str, found: object, allowed: list) -> None:
    if found not in allowed:
        known = ", ".join(map(str, allowed))
        raise UserError(f"--{key}: {short(found)} is not one of {known}{nearest(found, [str(one) for one in allowed])}")
