"""The policy to evaluate: a single one, or several as an ensemble, with calibration and decision rule fitted on val."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import Tensor

from enron_triage.config.evaluations import evaluated_checkpoints
from enron_triage.config.schema import Config
from enron_triage.config.training import FeaturesConfig
from enron_triage.errors import UsageError
from enron_triage.evaluation.score import LogitArray
from enron_triage.features.dataset import Dataset, Keep, load_dataset
from enron_triage.policy.calibration import Calibration, Evidence
from enron_triage.policy.checkpoint import Checkpoint, check_fit, load_checkpoint
from enron_triage.policy.decisions import Decision
from enron_triage.policy.ensemble import FittedEnsemble, mean_log_probabilities
from enron_triage.policy.inference import choose_device, predict_logits
from enron_triage.policy.network import Policy
from enron_triage.runtime import provenance

LoadDataset = Callable[[FeaturesConfig], Dataset]  # the messages, with the features that these settings ask for
_LARGE = 1e6  # messages in train, as far as the prior of an ensemble goes: its shares are what counts


class Judge(msgspec.Struct, kw_only=True):
    """One policy, or several that judge as one.

    Attributes
    ----------
    paths : list of Path
        The checkpoints' files.
    members : list of Checkpoint
        Their contents, in the same order.
    policies : list of Policy
        Their policies, on the device.
    device : torch.device
        Where they compute.
    checkpoint : Checkpoint
        The policy's own; of an ensemble the first, with the calibration and the decision rules of the ensemble.
    """

    paths: list[Path]
    members: list[Checkpoint]
    policies: list[Policy]
    device: torch.device
    checkpoint: Checkpoint

    @property
    def is_ensemble(self) -> bool:
        """Whether there are several policies."""
        return len(self.members) > 1

    @property
    def digest(self) -> str:
        """The SHA-256 of the checkpoint's file; of an ensemble, of its files' digests."""
        states = provenance.input_states(self.paths)
        digests = [states[str(path)].sha256 for path in self.paths]
        return hashlib.sha256(" ".join(sorted(digests)).encode()).hexdigest() if self.is_ensemble else digests[0]

    def inputs(self, load: LoadDataset) -> list[Tensor]:
        """What each member sees of messages; each of shape (messages, its features), on the device.

        Parameters
        ----------
        load : callable
            Gives the messages, with the features that a member needs.
        """
        transforms = [member.features for member in self.members]
        return [transform.transform(load(transform.settings)).to(self.device) for transform in transforms]

    def logits(self, inputs: Sequence[Tensor]) -> LogitArray:
        """What the policy says of messages; an ensemble, the logarithm of its members' mean probabilities.

        Parameters
        ----------
        inputs : sequence of Tensor
            As `inputs` gives them.

        Returns
        -------
        array of float32, shape (messages, actions)
            For the calibration of `checkpoint`.
        """
        found: list[LogitArray] = [
            predict_logits(policy, seen).numpy() for policy, seen in zip(self.policies, inputs, strict=True)
        ]
        if not self.is_ensemble:
            return found[0]
        calibrated = [
            member.calibration.log_probabilities(logits) for member, logits in zip(self.members, found, strict=True)
        ]
        return mean_log_probabilities(calibrated).astype(np.float32)

    def check_fit(self, load: LoadDataset, source: Path) -> None:
        """Refuse a member that was trained on other labels or features than the data's.

        Parameters
        ----------
        load : callable
            As for `inputs`.
        source : Path
            The data's file, for the message.

        Raises
        ------
        UsageError
            If the scheme or the number of features differs.
        """
        for path, member in zip(self.paths, self.members, strict=True):
            scheme = load(member.features.settings).scheme
            check_fit(path, member, scheme, len(member.features.columns), source)


def load_judge(config: Config) -> Judge:
    """Load what ``evaluate.checkpoint`` names; fit an ensemble on ``val.json``.

    Parameters
    ----------
    config : Config
        The whole configuration.

    Raises
    ------
    UsageError
        If a checkpoint is missing or damaged; if those of an ensemble do not belong together, or its validation
        messages are not there.
    """
    paths, device = evaluated_checkpoints(config), choose_device(config.device)
    members = [load_checkpoint(path) for path in paths]
    judge = Judge(
        paths=paths,
        members=members,
        policies=[member.policy(device) for member in members],
        device=device,
        checkpoint=members[0],
    )
    if judge.is_ensemble:
        fitted = _fit(config, judge)
        prior = np.mean([member.class_prior for member in members], axis=0).tolist()
        judge.checkpoint = msgspec.structs.replace(
            members[0], calibration=fitted.calibration, decision=fitted.decision, class_prior=prior
        )
    return judge


def fit_ensemble(config: Config) -> FittedEnsemble:
    """The calibration and the decision rules of the ensemble that ``evaluate.checkpoint`` names.

    Parameters
    ----------
    config : Config
        The whole configuration.

    Raises
    ------
    UsageError
        As `load_judge`.
    """
    checkpoint = load_judge(config).checkpoint
    return FittedEnsemble(calibration=checkpoint.calibration, decision=checkpoint.decision)


def loader(config: Config, path: Path, keep: Keep | None = None, keep_key: str = "") -> LoadDataset:
    """What reads a file of labelled records with the features that somebody needs, each kind once.

    Parameters
    ----------
    config : Config
        Where the cache of features is, and who extracts.
    path : Path
        The file.
    keep, keep_key
        Which of its records are wanted: see `load_dataset`.
    """
    known: dict[bytes, Dataset] = {}

    def load(settings: FeaturesConfig) -> Dataset:
        key = msgspec.json.encode(settings)
        if key not in known:
            known[key] = load_dataset(
                path,
                settings,
                cache=config.data / "features",
                workers=config.pool,
                keep=keep,
                keep_key=keep_key,
            )
        return known[key]

    return load


def _fit(config: Config, judge: Judge) -> FittedEnsemble:
    """Calibration and decision on validation, on which the members were selected."""
    path = config.data / "val.json"
    if not path.exists():
        raise UsageError(f"{path}: no such file; an ensemble is calibrated on it: give the --data-dir of its training")
    _refuse_mixture(judge.paths, judge.members, path)
    load = loader(config, path)
    judge.check_fit(load, path)
    targets = load(judge.members[0].features.settings).targets.numpy()
    if not len(targets) or (targets < 0).any():
        raise UsageError(f"{path}: contains no message, or one without an action; run `triage split`")
    logits = judge.logits(judge.inputs(load))
    prior = np.mean([member.class_prior for member in judge.members], axis=0)
    calibration = Calibration.fit(logits, targets, evidence=Evidence(class_counts=(prior * _LARGE).tolist()))
    decision = Decision.fit(
        config.decision, config.rewards.costs, prior, calibration.log_probabilities(logits), targets
    )
    return FittedEnsemble(
        calibration=calibration, decision=decision.with_rule(config.decision.rule or judge.members[0].decision.rule)
    )


def _refuse_mixture(paths: Sequence[Path], members: Sequence[Checkpoint], val: Path) -> None:
    """Refuse members that were not trained on the same labels and the same split, or that judge nothing."""
    first = members[0]
    state = provenance.input_states([val])[str(val)].sha256
    for path, member in zip(paths, members, strict=True):
        if member.stage == "reward":
            raise UsageError(f"{path}: a reward model, which cannot be part of an ensemble of policies")
        if (member.scheme, member.label) != (first.scheme, first.label):
            raise UsageError(
                f"{path}: trained on other labels than {paths[0]} (scheme {member.scheme}, {first.scheme}; or other "
                "settings of label); an ensemble needs policies trained on the same labels"
            )
        for name in ("train", "val"):
            own, its = (
                origin.data[name].sha256 if name in origin.data else "" for origin in (member.origin, first.origin)
            )
            if own != its:
                raise UsageError(
                    f"{path}: trained with another {name}.json than {paths[0]}; an ensemble needs policies trained on "
                    "the same split"
                )
        if "val" in member.origin.data and member.origin.data["val"].sha256 != state:
            raise UsageError(
                f"{path}: selected on other messages than those in {val} now; give the --data-dir of its training, or "
                "train it again"
            )
