"""Writes down what an arithmetic makes of its fixed inputs, after its version was raised.

    .venv/bin/python tests/golden/record.py

Values that are there for a version stay what they are. Where the fixed inputs in `arithmetic.py` change but no
arithmetic does, delete that version's values from `arithmetic.json` first.
"""

import json
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
GOLDEN = HERE / "arithmetic.json"
COMMAND = ".venv/bin/python tests/golden/record.py"


def recorded() -> dict[str, dict[str, dict]]:
    """Golden results by arithmetic and version."""
    return json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.is_file() else {}


def rounded(value: object) -> object:
    """The value with its floats to nine digits, which tell float32 apart."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value


def main() -> None:
    """Add what is missing."""
    sys.path[:0] = [str(HERE.parents[1] / "workflow"), str(HERE.parent)]
    from golden.arithmetic import ARITHMETICS, results

    golden = recorded()
    for name, module in ARITHMETICS.items():
        versions, version = golden.setdefault(name, {}), str(module.ARITHMETIC)
        if version not in versions:
            with tempfile.TemporaryDirectory() as folder:
                versions[version] = rounded(results(name, Path(folder) / "model"))
            print(f"{name}: recorded version {version}")
    GOLDEN.write_text(json.dumps(golden, sort_keys=True, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
