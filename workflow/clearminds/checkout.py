"""Where this checkout's own files are."""

from pathlib import Path

PACKAGE = Path(__file__).parent
WORKFLOW = PACKAGE.parent
ROOT = WORKFLOW.parent

SNAKEFILE = ROOT / "Snakefile"
CONFIG = ROOT / "config.yaml"  # the default study
ENVS = ROOT / "envs"
LAUNCHERS = WORKFLOW / "scripts"
TASKS = WORKFLOW / "tasks"
SCHEMA = WORKFLOW / "schemas" / "config.schema.json"
