"""Refusing a study that reports to trackers whose packages are not installed."""

from importlib.util import find_spec

from clearminds.errors import UserError

# the packages of a tracker, any of which will do, where it is not the one of its own name; none: a service
PACKAGES = {
    "azure_ml": ["azureml.core"],
    "flyte": ["flytekit"],
    "tensorboard": ["tensorboard", "tensorboardX"],
    "kubeflow": [],
}


def refuse_missing_trackers(report_to: str | list[str]) -> None:
    """Check that trackers can be imported. Args: of the study's `runtime`.

    Raises:
        UserError: names the package that is missing.
    """
    for tracker in [report_to] if isinstance(report_to, str) else report_to:
        packages = PACKAGES.get(tracker, [tracker])
        if tracker in ("none", "all") or not packages or any(map(_installed, packages)):
            continue
        raise UserError(
            f"runtime: report_to: {tracker} needs the package {packages[0]}, which is not installed; install it beside "
            "Snakemake, or set report_to: none"
        )


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # the package above it
        return False
