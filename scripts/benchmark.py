#!/usr/bin/env python3
"""Time the data stages against the floor and against other parsers, and print the ratios.

    python scripts/benchmark.py --source path/to/maildir --json benchmark.json

Each measurement is a process of its own, run ``--repeats`` times in turn with the others; the median counts. The floor
is what one core needs to open, read, decode (latin-1), encode (JSON) and write every file without looking inside. Peak
memory is the proportional set size of all processes of a measurement, sampled every 50 ms (Linux).
"""

from __future__ import annotations

import argparse
import contextlib
import email
import email.policy
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import msgspec

SAMPLE_SECONDS = 0.05
STAGES = ("parse", "label", "split")


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", type=Path, required=True, help="an Enron tree: maildir/<owner>/<folder...>/<file>")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    parser.add_argument("--only", choices=tuple(PLAIN), help=argparse.SUPPRESS)  # how this script calls itself
    parser.add_argument("--output", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        PLAIN[arguments.only](arguments.source, arguments.output)
        return
    if not arguments.source.is_dir():
        parser.error(f"--source {arguments.source}: no such folder")
    measured = measure(arguments)
    print("\n".join(table(measured)))
    if arguments.json:
        arguments.json.write_text(json.dumps(measured, indent=2) + "\n")


def measure(arguments: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Median seconds, peak memory and messages/s of every measurement."""
    messages = sum(1 for _ in _files(arguments.source))
    with tempfile.TemporaryDirectory() as folder:
        commands = {}
        for name in PLAIN:
            options = ["--source", str(arguments.source), "--only", name, "--output", f"{folder}/{name}"]
            commands[name] = [sys.executable, __file__, *options]
        for stage in STAGES:
            settings = [f"parse.source={arguments.source}", f"workers={arguments.workers}"]
            options = [word for setting in settings for word in ("--set", setting)]
            commands[stage] = [sys.executable, "-m", "enron_triage", stage, "-q", *options, "--data-dir", folder]
        runs: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(arguments.repeats):
            for name, command in commands.items():
                runs[name].append(_run(command))
    return {
        name: {
            "seconds": median(seconds for seconds, _ in found),
            "peak_megabytes": max(peak for _, peak in found),
            "messages_per_second": messages / median(seconds for seconds, _ in found),
        }
        for name, found in runs.items()
    }


def table(measured: dict[str, dict[str, float]]) -> Iterator[str]:
    """The figures as Markdown, each beside its ratio to the floor."""
    yield "| Measurement | Seconds | Messages/s | Peak MB | Times the floor |"
    yield "|---|---|---|---|---|"
    for name, values in measured.items():
        cells = [
            f"{values['seconds']:.2f}",
            f"{values['messages_per_second']:,.0f}",
            f"{values['peak_megabytes']:,.0f}",
        ]
        yield f"| {name} | {' | '.join(cells)} | {values['seconds'] / measured['floor']['seconds']:.2f} |"


def _floor(source: Path, output: Path) -> None:
    """Open, read, decode, encode, write."""
    encode = msgspec.json.Encoder().encode
    with output.open("wb") as file:
        for path in _files(source):
            with open(path, "rb") as message:
                file.write(encode({"path": path, "body": message.read().decode("latin-1")}))


def _email_package(source: Path, output: Path) -> None:
    """The standard library's parser in a plain loop: headers and text."""
    encode = msgspec.json.Encoder().encode
    with output.open("wb") as file:
        for path in _files(source):
            with open(path, "rb") as raw:
                message = email.message_from_binary_file(raw, policy=email.policy.compat32)
            headers = {name.lower(): str(value) for name, value in message.items()}
            body = message.get_payload(decode=True) or b""
            assert isinstance(body, bytes)
            file.write(encode({"path": path, "headers": headers, "body": body.decode("latin-1")}))


PLAIN: dict[str, Callable[[Path, Path], None]] = {"floor": _floor, "email package": _email_package}


def _files(source: Path) -> Iterator[str]:
    for folder, _, names in os.walk(source):
        for name in names:
            yield f"{folder}/{name}"


def _run(command: list[str]) -> tuple[float, float]:
    """Seconds and peak memory in MB of a command with all its processes."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, sum(_proportional_set_size(pid) for pid in _session(process.pid)))
        time.sleep(SAMPLE_SECONDS)
    seconds = time.perf_counter() - started
    assert process.stderr is not None
    errors = process.stderr.read().decode()
    if process.returncode:
        sys.exit(f"benchmark.py: {' '.join(command)} failed: {errors.strip()}")
    return seconds, peak / 1000


def _session(leader: int) -> list[int]:
    """The processes of a session."""
    found = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            if os.getsid(int(entry)) == leader:
                found.append(int(entry))
    return found


def _proportional_set_size(pid: int) -> int:
    """In kB; 0 for a process that has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


if __name__ == "__main__":
    main()
