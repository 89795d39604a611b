"""What a campaign has tried and found: kept in a file, so that it can go on, and shown as a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec


class Trial(msgspec.Struct, kw_only=True):
    """What came of one step of a campaign.

    Attributes
    ----------
    campaign : str
        ``messages``, ``archives`` or ``kills``.
    subject : str
        What was tried: a stage, a kind of archive.
    number : int
        The number of the step; with the seed, it makes the same again.
    seed : int
        The seed of the campaign.
    tried : int
        How many messages, archives or kills.
    failures : list of str
        What did not hold.
    slowest, peak : float
        The most seconds of processor time for one of them, and bytes beyond what good ones need.
    what : str
        What was slowest.
    kinds : dict of str to int
        How many of each kind were tried.
    """

    campaign: str
    subject: str
    number: int
    seed: int
    tried: int
    failures: list[str] = []
    slowest: float = 0.0
    peak: float = 0.0
    what: str = ""
    kinds: dict[str, int] = {}


class Findings:
    """The trials of campaigns, in a file of JSON Lines.

    Parameters
    ----------
    path : Path
        The file; what is in it has been done.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        self.trials = [msgspec.json.decode(line, type=Trial) for line in lines if line.endswith(b"\n")]
        if lines and not lines[-1].endswith(b"\n"):  # the campaign was killed while it wrote
            path.write_bytes(b"".join(lines[:-1]))
        self._done = {(trial.campaign, trial.subject, trial.number, trial.seed) for trial in self.trials}

    def add(self, trial: Trial) -> None:
        """Keep a trial.

        Parameters
        ----------
        trial : Trial
            What was tried.
        """
        self.trials.append(trial)
        with self.path.open("ab") as file:
            file.write(msgspec.json.encode(trial) + b"\n")
        for failure in trial.failures:
            print(f"{trial.campaign} {trial.subject} {trial.number}: {failure}", flush=True)

    def left(self, campaign: str, subject: str, seed: int, count: int) -> Iterator[int]:
        """The numbers of the steps that are not done yet.

        Parameters
        ----------
        campaign, subject : str
            As in `Trial`.
        seed : int
            The seed.
        count : int
            How many steps there are in all.
        """
        return (number for number in range(count) if (campaign, subject, number, seed) not in self._done)

    def table(self) -> str:
        """The Markdown table of what was tried and held."""
        rows = ["| what | tried | held | slowest beyond good mail | peak beyond good mail |", "|---|---|---|---|---|"]
        for campaign, subject in dict.fromkeys((trial.campaign, trial.subject) for trial in self.trials):
            trials = [trial for trial in self.trials if (trial.campaign, trial.subject) == (campaign, subject)]
            rows.append(_row(f"{campaign}: {subject}", trials))
        return "\n".join(rows)


def _row(name: str, trials: Iterable[Trial]) -> str:
    found = list(trials)
    tried = sum(trial.tried for trial in found)
    held = tried - sum(min(len(trial.failures), trial.tried) for trial in found)
    slowest = max(found, key=lambda trial: trial.slowest)
    peak = max(trial.peak for trial in found)
    time = f"{slowest.slowest:.2f} s {slowest.what}".strip() if slowest.slowest else "-"
    return f"| {name} | {tried:,} | {held:,} | {time} | {f'{peak / 2**20:.0f} MiB' if peak else '-'} |"
