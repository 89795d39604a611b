"""A user's own logger: one function, which ``tracking`` names as ``module:function``.

    def log(metrics, context):
        with open("losses.csv", "a") as file:  # not print: stdout carries the result alone
            print(context.stage, context.run, metrics["epoch"], metrics["val_loss"], sep=",", file=file)

It is called after every epoch with the line of ``stage_N_metrics.jsonl`` as a dictionary and the `TrackingContext`.
The module may be a file in the working folder.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from enron_triage.errors import UsageError
from enron_triage.policy.validation import EpochMetrics
from enron_triage.training.trackers.tracker import TrackingContext


class FunctionTracker:
    """Calls a function after every epoch: see `Tracker`.

    Parameters
    ----------
    reference : str
        ``module:function``.

    Raises
    ------
    UsageError
        If there is no such function, its module cannot be imported, or it does not take two arguments.
    """

    def __init__(self, reference: str) -> None:
        self._function = _imported(reference)

    def begin(self, context: TrackingContext) -> None:
        """Remember the training."""
        self._context = context

    def log(self, metrics: EpochMetrics) -> None:
        """Call the function."""
        self._function(metrics.flat(), self._context)

    def finish(self, best: EpochMetrics, checkpoint: Path) -> None:
        """Nothing: ``best_epoch`` of the last epoch tells which was the best."""

    def abort(self) -> None:
        """Nothing."""


def _imported(reference: str) -> Callable[[dict[str, Any], TrackingContext], object]:
    module, _, name = reference.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # the entry point `triage`, unlike `python -m`, leaves the working folder out
    try:
        function: Any = getattr(importlib.import_module(module), name)
    except AttributeError:
        raise UsageError(f"tracking: {reference}: the module {module} has no {name}") from None
    except Exception as error:  # whatever a user's module raises when it is imported
        line = str(error).strip().partition("\n")[0][:200]
        raise UsageError(
            f"tracking: {reference}: cannot be imported ({type(error).__name__}: {line}); "
            "name a function as module:function, where the module is installed or in the working folder"
        ) from None
    try:
        inspect.signature(function).bind({}, None)
    except TypeError:
        raise UsageError(f"tracking: {reference}: must be a function of two arguments: (metrics, context)") from None
    return function  # type: ignore[no-any-return]
