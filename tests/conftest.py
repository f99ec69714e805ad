"""What every test shares: the package and the tests' helpers on the path, no network, one thread."""

import gc
import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "workflow"), str(ROOT / "tests")]

# before torch and the others are imported, which read them then
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TQDM_DISABLE"] = "1"  # as every launcher does

# the tests and their studies run on the CPU, as most say nothing of GPUs and some compare bytes; "0,1" pretends two
os.environ["CLEARMINDS_DEVICES"] = ""
os.environ["CUDA_VISIBLE_DEVICES"] = ""

from clearminds.collector import collect_less  # noqa: E402

collect_less()  # as every launcher does

# machines are shared: no test fails because it was slow
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

# collecting imports a million objects that stay: Python would search them for garbage again and again
gc.disable()


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items):
    """Begin with the files that take minutes: none is left to one process when the others have ended."""
    long = {item.path for item in items if item.get_closest_marker("slow")}
    runs = ROOT / "tests" / "workflow"
    items.sort(key=lambda item: (runs not in item.path.parents, item.path not in long))
