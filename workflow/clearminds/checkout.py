"""Where this checkout's own files are."""

from pathlib import Path

PACKAGE = Path(__file__).parent
WORKFLOW = PACKAGE.parent
ROOT = WORKFLOW.parent

SNAKEFILE = ROOT / "Snakefile"
CONFIG = ROOT / "config.yaml"  # the default study
ENVS = ROOT / "envs"
LAUNCHERS = WORKFLOW / "scripts"
PRESETS = WORKFLOW / "tasks" / "presets"
SCHEMA = WORKFLOW / "schemas" / "config.schema.json"
KEYS = ROOT / "docs" / "keys.md"
ACCEPTED_CODE = WORKFLOW / "accepted_code.json"

# the package of each kind of plugin
PLUGINS = {
    "task_kinds": "clearminds.plugins.task_kinds",
    "sources": "clearminds.plugins.sources",
    "verifiers": "clearminds.plugins.verifiers",
    "weights": "clearminds.plugins.weights",
    "wordings": "clearminds.plugins.wordings",
    "backends": "clearminds.model.backends",
    "losses": "clearminds.model.losses",
    "kinds": "clearminds.stages.training",
    "evaluations": "clearminds.stages.evaluation",
    "analyses": "clearminds.stages.analyses",
}
