"""The paths that the configuration determines: archives, checkpoints, evaluated records, evaluations."""

from __future__ import annotations

import difflib
import functools
import logging
import os
from pathlib import Path

from enron_triage.config.data import DownloadConfig
from enron_triage.config.schema import Config
from enron_triage.errors import UsageError

logger = logging.getLogger(__name__)

_SHOWN_NAMES = 5  # of the checkpoints there are

SPLITS = ("train", "val", "test")


def local_archive(config: Config) -> Path | None:
    """The archive on this machine that ``download.source`` names.

    Parameters
    ----------
    config : Config
        The whole configuration.

    Returns
    -------
    Path or None
        None for ``cmu``, ``demo`` and URLs.
    """
    source = config.download.source
    return None if source in ("cmu", "demo") or "://" in source else Path(source)


def mail_origin(download: DownloadConfig) -> str:
    """Where ``triage download`` takes the mail from, in words that differ if the mail does.

    Parameters
    ----------
    download : DownloadConfig
        The section ``download``.
    """
    if download.source != "demo":
        return download.source
    demo = download.demo
    return f"demo (seed {demo.seed}, {demo.mailboxes} mailboxes, {demo.messages} messages)"


def lock_of(path: Path) -> Path:
    """The lock that a process holds while it writes a file.

    Parameters
    ----------
    path : Path
        The file.
    """
    return path.with_name(f".{path.stem}.lock")


def named_checkpoint(config: Config, name: str) -> Path:
    """The path of a checkpoint that is given by name.

    Parameters
    ----------
    config : Config
        The whole configuration.
    name : str
        As for `checkpoint_file`.

    Returns
    -------
    Path
        The checkpoint, whether or not it exists.

    Raises
    ------
    UsageError
        If the name is a run's, which has several policies.
    """
    return checkpoint_file(name, run_folder=config.checkpoints, all_runs=Path(config.checkpoint_dir))


def checkpoint_file(name: str, *, run_folder: Path, all_runs: Path) -> Path:
    """The path of a checkpoint, by the folders that names refer to.

    Parameters
    ----------
    name : str
        A name in the run's folder (``best_sft``); another run and a name in its folder (``RUN/best_sft``); a path,
        which may lack its ``.pt``; or, where there is no such file, a run or a folder with one policy (``RUN``).
    run_folder : Path
        The folder of the run, for a bare name.
    all_runs : Path
        The folder that holds the folders of all runs, for a name with the run before it.

    Returns
    -------
    Path
        The checkpoint, whether or not it exists.

    Raises
    ------
    UsageError
        If the name is a run's, which has several policies.
    """
    if name.endswith(".pt") or (Path(name).suffix and Path(name).is_file()):
        return Path(name)
    is_path, name = "/" in name, name.rstrip("/")
    named = (all_runs if "/" in name else run_folder) / f"{name}.pt"
    if named.exists() or not name:
        return named
    if is_path and Path(f"{name}.pt").exists():
        return Path(f"{name}.pt")
    for folder in (all_runs / name, *([Path(name)] if is_path else [])):
        policies = sorted({*folder.glob("best_*.pt")} - {folder / "best_reward.pt"})  # rewards are no policy
        if len(policies) > 1:
            found = ", ".join(f"{name}/{path.stem}" for path in policies)
            raise UsageError(f"checkpoint {name}: is a folder with {len(policies)} policies; name one of them: {found}")
        if policies:
            _log_choice(name, policies[0])
            return policies[0]
    return named


def other_checkpoints(path: Path, all_runs: Path) -> str:
    """What to name instead of a checkpoint that is not there.

    Parameters
    ----------
    path : Path
        The missing checkpoint.
    all_runs : Path
        The folder that holds the folders of all runs.

    Returns
    -------
    str
        A close name below `all_runs`, or the policies there; empty if there is none.
    """
    names = [found.relative_to(all_runs).with_suffix("").as_posix() for found in sorted(all_runs.rglob("best_*.pt"))]
    inside = in_folder(path, all_runs)
    close = difflib.get_close_matches((inside or path).with_suffix("").as_posix(), names, n=1, cutoff=0.8)
    if close:
        return f"did you mean {close[0]}?"
    more = ", ..." if len(names) > _SHOWN_NAMES else ""
    return f"there are {', '.join(names[:_SHOWN_NAMES])}{more}" if names else ""


@functools.cache
def _log_choice(name: str, path: Path) -> None:
    """Say, once, which checkpoint a run's name was taken for."""
    logger.info("checkpoint %s: taking %s", name, path)


def sft_init(config: Config) -> Path | None:
    """The checkpoint of the policy that ``sft`` goes on from.

    Parameters
    ----------
    config : Config
        The whole configuration.

    Returns
    -------
    Path or None
        None if training begins with random weights.
    """
    return None if config.sft.init is None else named_checkpoint(config, config.sft.init)


def reward_model(config: Config) -> Path | None:
    """The checkpoint of the reward model that ``grpo.reward`` names.

    Parameters
    ----------
    config : Config
        The whole configuration.

    Returns
    -------
    Path or None
        None if the rewards come from the costs.
    """
    return None if config.grpo.reward == "costs" else named_checkpoint(config, config.grpo.reward)


def evaluated_split(config: Config) -> str | None:
    """The name of the split to evaluate on.

    Parameters
    ----------
    config : Config
        The whole configuration.

    Returns
    -------
    str or None
        ``train``, ``val`` or ``test``; None if ``evaluate.split`` is a path.
    """
    return config.evaluate.split if config.evaluate.split in SPLITS else None


def evaluated_records(config: Config) -> Path:
    """The labelled records to evaluate on.

    Parameters
    ----------
    config : Config
        The whole configuration.

    Returns
    -------
    Path
        The file of the split, or ``evaluate.split`` itself if it is a path.
    """
    name = evaluated_split(config)
    return config.data / f"{name}.json" if name else Path(config.evaluate.split)


def relative(path: Path, folder: Path) -> str:
    """A path as seen from a folder, which holds also after both were moved together.

    Parameters
    ----------
    path : Path
        Any path.
    folder : Path
        The folder.

    Returns
    -------
    str
        With ``/`` between its parts; it may begin with ``..``.
    """
    return Path(os.path.relpath(path, folder)).as_posix()


def in_folder(path: Path, folder: Path) -> Path | None:
    """Where in a folder a path is.

    Parameters
    ----------
    path : Path
        Any path.
    folder : Path
        The folder.

    Returns
    -------
    Path or None
        Relative to the folder; None if the path is not inside it.
    """
    inside = Path(os.path.relpath(path, folder))
    return None if inside.parts[:1] == ("..",) else inside
