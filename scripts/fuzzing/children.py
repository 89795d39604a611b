"""Work in a process of its own, forked from this one: with limits, measured, and killed at a moment that is given."""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from enron_triage.errors import TriageError

_SECONDS = 300  # of processor time, after which a child is ended: it hangs
_GONE_WITHIN = 20  # seconds in which the processes that a killed one has started must end


class Outcome(msgspec.Struct, kw_only=True):
    """What became of a child.

    Attributes
    ----------
    result : Any
        What the work returned; None if it did not.
    refused : str
        The text of the `TriageError` that it raised; empty if it raised none.
    crash : str
        The end of another exception's trace, or the signal that ended the process; empty if there was neither.
    killed : bool
        Whether it was killed as it was asked for.
    seconds : float
        Processor time, of its own children as well.
    peak : int
        The most memory that it held at once, in bytes, of its own children as well: of each the largest.
    log : str
        What it wrote to the standard error.
    """

    result: Any = None
    refused: str = ""
    crash: str = ""
    killed: bool = False
    seconds: float = 0.0
    peak: int = 0
    log: str = ""


def run_forked(
    work: Callable[[], Any], folder: Path, *, kill_after: float | None = None, may_die: bool = False
) -> Outcome:
    """Run work in a process of its own and wait for it.

    Parameters
    ----------
    work : callable
        Returns what JSON can hold.
    folder : Path
        The working folder of the process; its log and its result are written beside it.
    kill_after : float, optional
        Seconds after which it is killed.
    may_die : bool
        Whether the work itself may kill its process.
    """
    report, log = folder.with_suffix(".result"), folder.with_suffix(".log")
    report.unlink(missing_ok=True)
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _live(work, folder, report, log)
    killed = _wait_and_kill(child, kill_after)
    _, status, used = os.wait4(child, 0)
    outcome = Outcome(seconds=used.ru_utime + used.ru_stime, log=log.read_text("utf-8", "replace"))
    signal_number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    outcome.killed = signal_number == signal.SIGKILL and (killed or may_die)
    if report.exists():
        for name, value in json.loads(report.read_bytes()).items():
            setattr(outcome, name, value)
    elif not outcome.killed:
        outcome.crash = f"ended by signal {signal_number}, status {status}"
    left = _still_there(child)
    if left:
        outcome.crash = f"{outcome.crash} {len(left)} processes go on".strip()
    return outcome


def _live(work: Callable[[], Any], folder: Path, report: Path, log: Path) -> None:
    """The life of the child."""
    os.setsid()
    os.chdir(folder)
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    sys.stdout = sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), errors="replace", write_through=True)
    answer: dict[str, Any] = {}
    start_counting_memory()
    try:
        answer["result"] = work()
    except TriageError as error:
        answer["refused"] = str(error)
    except BaseException as error:
        answer["crash"] = _where(error)
    workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    answer["peak"] = max(peak_memory(), workers)
    partial = report.with_suffix(".partial")
    partial.write_text(json.dumps(answer))
    partial.rename(report)  # it may be killed here, too
    os._exit(0)


def _where(error: BaseException) -> str:
    frames = []
    trace = error.__traceback__
    while trace is not None:
        frames.append(f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{type(error).__name__}: {str(error)[:300]} ({' '.join(frames[-4:])})"


def _wait_and_kill(child: int, after: float | None) -> bool:
    if after is None:
        return False
    end = time.monotonic() + after
    while time.monotonic() < end:
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return False
        time.sleep(min(0.002, max(0.0, end - time.monotonic())))
    os.kill(child, signal.SIGKILL)
    return True


def _still_there(session: int) -> list[int]:
    """The processes of a session that do not end in time; they are ended."""
    end = time.monotonic() + _GONE_WITHIN
    while (left := _members(session)) and time.monotonic() < end:
        time.sleep(0.05)
    for process in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    return left


def _members(session: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(path.name))
    return found


def start_counting_memory() -> None:
    """Let `peak_memory` count from now on."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int:
    """The most memory of this process since it was last asked to count, in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
