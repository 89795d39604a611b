"""Learn from a mail archive what its owner does with each message, and predict it for new mail.

    from enron_triage import Triage, load_config, run

    run(load_config([Path("configs/demo.yaml")]))
    Triage.load("checkpoints/best_sft.pt").predict([raw_bytes])

These names are imported when they are first used, so that a program that only reads mail does not load torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from enron_triage.runtime import threads

if TYPE_CHECKING:
    from enron_triage.config.load import load_config
    from enron_triage.config.schema import Config
    from enron_triage.errors import TriageError
    from enron_triage.pipeline import run
    from enron_triage.predict import Prediction, Triage
    from enron_triage.stage_run import Result

__version__ = "0.2.0"

__all__ = ["Config", "Prediction", "Result", "Triage", "TriageError", "__version__", "load_config", "run"]

# Where each name is.
_MODULES = {
    "Config": "enron_triage.config.schema",
    "Prediction": "enron_triage.predict",
    "Result": "enron_triage.stage_run",
    "Triage": "enron_triage.predict",
    "TriageError": "enron_triage.errors",
    "load_config": "enron_triage.config.load",
    "run": "enron_triage.pipeline",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    threads.sleep_while_waiting()  # before torch is loaded
    value = globals()[name] = getattr(importlib.import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
