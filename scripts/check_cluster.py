#!/usr/bin/env python3
"""Run the data stages on a local Dask cluster over two networks, and count the bytes that are sent (Linux, as root).

    python scripts/check_cluster.py --source path/to/maildir

The client and the scheduler run in one network namespace, and the workers in two others, each with its own link, like
separate machines that share a disk. The stages run first with local processes, then with one worker and with two
workers in each namespace. All artifacts must be byte-identical. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import contextlib
import filecmp
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

STAGES = ("parse", "label", "split")
ARTIFACTS = ("emails.json", "emails_labeled.json", "emails_unacted.json", "train.json", "val.json", "test.json")
HUB = "triage-hub"
WORKERS = {"triage-a": "10.77.1", "triage-b": "10.77.2"}  # the namespaces of workers, and the networks of their links
PORT = 8786


class Traffic(NamedTuple):
    """Bytes sent over the links since they were created: to the workers, and from them."""

    sent: int
    received: int


class Figures(NamedTuple):
    """One stage: its wall-clock time, and the bytes that were sent to the workers and back."""

    seconds: float
    sent: int
    received: int


def main() -> None:
    """Read the options, run the stages in each way, print the table; exit status 1 if an artifact differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", type=Path, required=True, help="mail, as for parse.source")
    parser.add_argument(
        "--workers", type=int, nargs="+", default=[1, 2], help="workers in each namespace, one number per run"
    )
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("makes network namespaces, which needs root")
    if not arguments.source.exists():
        parser.error(f"--source {arguments.source}: no such file or folder")
    differing: list[str] = []
    with tempfile.TemporaryDirectory() as name, _networks():
        here = Path(name, "here")
        found = {"2 processes": _run_stages(arguments.source.resolve(), here, "workers=2")}
        for count in arguments.workers:
            there = Path(name, str(count))
            with _cluster(count, Path(name)):
                address = f"scheduler=tcp://{WORKERS['triage-a']}.1:{PORT}"
                found[f"{2 * count} Dask workers"] = _run_stages(arguments.source.resolve(), there, address)
            differing += [f"{count}: {file}" for file in ARTIFACTS if not filecmp.cmp(here / file, there / file, False)]
        sizes = {stage: _size(here, stage) for stage in STAGES}
    print("\n".join(table(found, sizes)))
    if differing:
        sys.exit(f"not byte-identical to the artifacts made by local processes: {', '.join(differing)}")
    print("\nAll artifacts are byte-identical.")


def table(found: dict[str, dict[str, Figures]], sizes: dict[str, int]) -> Iterator[str]:
    """The figures as Markdown, with a row for each stage and each way of running it."""
    yield "| Stage | Ran on | Seconds | To the workers, MB | From the workers, MB | Artifacts, MB |"
    yield "|---|---|---|---|---|---|"
    for stage in STAGES:
        for way, stages in found.items():
            of = stages[stage]
            moved = f"{of.sent / 1e6:,.1f} | {of.received / 1e6:,.1f}"
            yield f"| {stage} | {way} | {of.seconds:.1f} | {moved} | {sizes[stage] / 1e6:,.1f} |"


def _size(folder: Path, stage: str) -> int:
    files = {"parse": ARTIFACTS[:1], "label": ARTIFACTS[1:3], "split": ARTIFACTS[3:]}[stage]
    return sum((folder / file).stat().st_size for file in files)


def _run_stages(source: Path, folder: Path, setting: str) -> dict[str, Figures]:
    """Run each stage in the hub's namespace."""
    found = {}
    for stage in STAGES:
        settings = ["--set", f"parse.source={source}", "--set", setting, "--data-dir", str(folder)]
        before, started = _traffic(), time.perf_counter()
        command = _inside(HUB, sys.executable, "-m", "enron_triage", stage, "-q", *settings)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = _traffic()
        found[stage] = Figures(
            time.perf_counter() - started, after.sent - before.sent, after.received - before.received
        )
    return found


def _traffic() -> Traffic:
    """The bytes sent over the links; the hub sends to the workers and receives from them."""
    counters = {"rx_bytes": 0, "tx_bytes": 0}
    for namespace in WORKERS:
        for counter in counters:
            path = f"/sys/class/net/to-{namespace}/statistics/{counter}"
            counters[counter] += int(subprocess.check_output(_inside(HUB, "cat", path)))
    return Traffic(sent=counters["tx_bytes"], received=counters["rx_bytes"])


@contextlib.contextmanager
def _networks() -> Iterator[None]:
    """Create the namespaces of the hub and the workers, link and route them, and remove them at the end."""
    with contextlib.ExitStack() as stack:
        for namespace in (HUB, *WORKERS):
            _ip("netns", "add", namespace)
            stack.callback(_ip, "netns", "del", namespace)
            _ip("-n", namespace, "link", "set", "lo", "up")
        for namespace, network in WORKERS.items():
            link = f"to-{namespace}"
            _ip("-n", HUB, "link", "add", link, "type", "veth", "peer", "name", "to-hub", "netns", namespace)
            _ip("-n", HUB, "address", "add", f"{network}.1/24", "dev", link)
            _ip("-n", namespace, "address", "add", f"{network}.2/24", "dev", "to-hub")
            _ip("-n", HUB, "link", "set", link, "up")
            _ip("-n", namespace, "link", "set", "to-hub", "up")
            _ip("-n", namespace, "route", "add", "default", "via", f"{network}.1")
        subprocess.run(_inside(HUB, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1"), check=True)
        yield


@contextlib.contextmanager
def _cluster(workers: int, folder: Path) -> Iterator[None]:
    """Run a scheduler in the hub and some workers in each other namespace."""
    dask = Path(sys.executable).with_name("dask")
    with contextlib.ExitStack() as stack:
        _start(stack, folder, HUB, dask, "scheduler", "--host", "0.0.0.0", "--port", str(PORT), "--no-dashboard")
        for namespace, network in WORKERS.items():
            for _ in range(workers):
                address = f"tcp://{network}.1:{PORT}"
                options = ("--nthreads", "1", "--no-dashboard", "--memory-limit", "0", "--host", f"{network}.2")
                _start(stack, folder, namespace, dask, "worker", address, *options)
        _wait_for(2 * workers)
        yield


def _wait_for(workers: int) -> None:
    address = f"tcp://{WORKERS['triage-a']}.1:{PORT}"
    code = f"from distributed import Client; Client({address!r}, timeout=60).wait_for_workers({workers}, timeout=60)"
    subprocess.run(_inside(HUB, sys.executable, "-c", code), check=True)


def _start(stack: contextlib.ExitStack, folder: Path, namespace: str, *command: object) -> None:
    """Start a process that ends with the stack."""
    log = stack.enter_context((folder / "dask.log").open("ab"))
    process = subprocess.Popen(_inside(namespace, *command), stdout=log, stderr=log, cwd=folder)
    stack.callback(process.wait)
    stack.callback(process.kill)


def _inside(namespace: str, *command: object) -> list[str]:
    return ["ip", "netns", "exec", namespace, *map(str, command)]


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


if __name__ == "__main__":
    main()
