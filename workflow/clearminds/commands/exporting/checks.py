"""Whether a stored result may be handed on: it is there, whole, of the study's settings, and of what is there now."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from clearminds.errors import UserError
from clearminds.files.digests import file_sha256
from clearminds.files.tables import content_sha256
from clearminds.reuse.integrity import refuse_altered
from clearminds.reuse.job_memory import records
from clearminds.run.specs import Specs


@dataclass(frozen=True)
class Checks:
    """The checks of one study's results. All raise a UserError that names the command which makes the result again.

    Attributes:
        specs: of the study.
        study_file: what it was read from.
    """

    specs: Specs
    study_file: Path

    def there(self, *paths: Path) -> None:
        """Refuse what is missing, edited or damaged."""
        for path in paths:
            if not path.is_file():
                raise UserError(f"{path}: not there yet; make it: {self.command(path)}")
        refuse_altered(Path(self.specs.layout.jobs), {str(path): file_sha256(path) for path in paths})

    def by_the_study(self, path: Path, spec: dict, stage: str, names: Mapping[str, Any]) -> None:
        """Refuse what was made by other settings than the study has now.

        Args:
            path: of the result.
            spec: by which it was made.
            stage: of the job that makes it.
            names: its wildcards.
        """
        if spec != json.loads(self.specs.text(stage)(SimpleNamespace(**names))):
            raise UserError(
                f"{path}: made by other settings than the study has now; make it again: {self.command(path)}"
            )

    def newest(self, path: Path) -> None:
        """Refuse a result whose job read another content of its inputs than these have now."""
        known = records(Path(self.specs.layout.jobs))
        waiting, seen = [str(path)], set()
        while waiting:
            made = waiting.pop()
            seen.add(made)
            record = known.get(made, {})
            for read, content in record.get("contents", {}).items():
                if Path(read).is_file() and content_sha256(Path(read), record.get("facts", ())) != content:
                    raise UserError(
                        f"{made}: made of another {read} than is there now; make it again: {self.command(path)}"
                    )
                waiting += [read] if read not in seen else []

    def recorded(self, path: Path, stage: str) -> None:
        """All of these checks of a table that says nothing of its settings, by its job's record.

        Args:
            path: of the table; the job has no wildcards.
            stage: of its job.
        """
        self.there(path)
        record = records(Path(self.specs.layout.jobs)).get(str(path))
        if record is None:
            raise UserError(f"{path}: no job has it on record; make it again: {self.command(path)}")
        self.by_the_study(path, json.loads(record["spec"]), stage, {})
        self.newest(path)

    def trained(self, declared: Path, stage: str, names: Mapping[str, Any]) -> dict:
        """All of these checks of an adapter or a trained model. Args: what declares it; as of `by_the_study`.

        Returns:
            what that file says.
        """
        self.there(declared)
        facts = json.loads(declared.read_text(encoding="utf-8"))
        self.by_the_study(declared, facts["spec"], stage, names)
        self.newest(declared)
        return facts

    def command(self, path: Path) -> str:
        """The command line that makes a file."""
        return f".venv/bin/snakemake --cores all --configfile {self.study_file} {path}"
