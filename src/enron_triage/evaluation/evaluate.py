"""The stage ``evaluate``: any checkpoint, on any split or labelled file.

    triage evaluate --set evaluate.checkpoint=best_sft --set evaluate.split=val

Writes ``data/eval/<checkpoint>.<split>.json`` and a picture of the confusion matrix beside it.
"""

from __future__ import annotations

import functools
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from enron_triage.config import paths
from enron_triage.config.schema import Config
from enron_triage.config.training import RuleName
from enron_triage.errors import UsageError
from enron_triage.evaluation import baselines
from enron_triage.evaluation.bayes_baseline import compare_rewards, supervised_ancestor
from enron_triage.evaluation.formatting import evaluation_table
from enron_triage.evaluation.plots import draw_confusion
from enron_triage.evaluation.score import decision_metrics, decision_of, score
from enron_triage.features.dataset import Dataset, load_dataset
from enron_triage.features.extract import UNACTED
from enron_triage.features.transform import Transform
from enron_triage.labels.split_metadata import belongs_to, read_metadata
from enron_triage.pipeline import Result, StageRun
from enron_triage.policy.calibration import Calibration
from enron_triage.policy.checkpoint import Checkpoint, check_fit, load_checkpoint
from enron_triage.policy.network import Policy, choose_device, new_policy, predict_logits
from enron_triage.records import ACTION_NAMES, LabeledEmail
from enron_triage.runtime import artifacts, provenance

logger = logging.getLogger(__name__)

IntArray = npt.NDArray[np.int64]


def run(config: Config) -> Result:
    """Evaluate ``evaluate.checkpoint`` on ``evaluate.split``.

    Raises
    ------
    UsageError
        If the checkpoint or the records are missing or damaged, or do not fit each other.
    """
    stage = StageRun("evaluate", config)
    path, source = paths.evaluated_checkpoint(config), paths.evaluated_records(config)
    device = choose_device(config.device)
    with stage.track() as counts:
        checkpoint = load_checkpoint(path)
        transform = Transform.from_plain(checkpoint.features)
        dataset = load_dataset(
            source,
            transform.groups,
            cache=config.data / "features",
            workers=config.pool,
            embedding_model=transform.embedding_model,
        )
        acted = dataset.targets != UNACTED
        if not acted.any():
            raise UsageError(f"{source}: holds no labelled message; run `triage split` with other ratios")
        check_fit(path, checkpoint, dataset.scheme, len(transform.columns), source)
        policy = checkpoint.policy(device)
        features = transform.apply(dataset).to(device)
        started = time.perf_counter()
        logits = predict_logits(policy, features).numpy()
        seconds = time.perf_counter() - started
        unacted = _unacted_logits(config, policy, transform, device)
        unacted = np.concatenate([logits[~acted.numpy()], unacted])
        evaluation = {
            "checkpoint": path.stem,
            "stage": checkpoint.stage,
            "split": paths.evaluated_split(config) or str(source),
            "scheme": dataset.scheme,
            **score(checkpoint, dataset, logits, unacted, config),
            "alternative": _alternative(config, path, checkpoint, dataset, features, logits),
            "baselines": _baselines(config, checkpoint, dataset, features, source),
            "messages_per_second": round(len(dataset) / seconds),
        }
        output = paths.evaluation(config)
        artifacts.write_json(output, evaluation)
        with artifacts.atomic_open(output.with_suffix(".png")) as file:
            draw_confusion(np.array(evaluation["confusion_matrix"]), f"{path.stem} on {source.stem}", file)
        counts.update(count=evaluation["count"], accuracy=evaluation["accuracy"])
    if evaluation["collapsed"]:
        logger.warning("the policy has collapsed: nearly all its predictions are one action")
    return Result(stage="evaluate", table=evaluation_table(evaluation), data=evaluation)


def stored(config: Config) -> Result:
    """The evaluation that an earlier run has written.

    Parameters
    ----------
    config : Config
        The whole configuration.
    """
    evaluation = artifacts.read_json(paths.evaluation(config), dict)
    return Result(stage="evaluate", table=evaluation_table(evaluation), data=evaluation)


def _alternative(
    config: Config,
    path: Path,
    checkpoint: Checkpoint,
    dataset: Dataset,
    features: torch.Tensor,
    logits: npt.NDArray[np.float32],
) -> dict[str, Any] | None:
    """The reward of calibrated SFT probabilities and the action of highest expected reward; None without them."""
    found = supervised_ancestor(path, checkpoint)
    if found is None:
        return None
    ancestor_path, ancestor = found
    # A refined policy has its ancestor's features, as they are.
    by_ancestor = (
        logits if ancestor is checkpoint else predict_logits(ancestor.policy(features.device), features).numpy()
    )
    acted = dataset.targets.numpy() != UNACTED

    def decided(policy: Checkpoint, values: npt.NDArray[np.float32], rule: RuleName | None) -> IntArray:
        log_p = Calibration(**policy.calibration).log_probabilities(values[acted])
        return decision_of(policy, config).decide(log_p, rule)

    return {
        "checkpoint": ancestor_path.stem,
        **compare_rewards(
            decided(checkpoint, logits, None),
            decided(ancestor, by_ancestor, "expected_reward"),
            dataset.targets.numpy()[acted],
            dataset.mailbox.numpy()[acted],
            config.rewards.costs,
            config.evaluate.bootstrap,
            config.seed,
        ),
    }


def _unacted_logits(
    config: Config, policy: Policy, transform: Transform, device: torch.device
) -> npt.NDArray[np.float32]:
    """Logits of the received messages of this split's mailboxes that got no action."""
    split = paths.evaluated_split(config)
    if split is None:
        return np.empty((0, len(ACTION_NAMES)), dtype=np.float32)
    metadata_path = config.data / "split_metadata.json"
    metadata = read_metadata(metadata_path)
    dataset = load_dataset(
        config.data / "emails_unacted.json",
        transform.groups,
        cache=config.data / "features",
        workers=config.pool,
        embedding_model=transform.embedding_model,
        keep=functools.partial(belongs_to, metadata, split),
        keep_key=f"{split} {provenance.file_state(metadata_path).sha256}",
    )
    if not len(dataset):
        return np.empty((0, len(ACTION_NAMES)), dtype=np.float32)
    return predict_logits(policy, transform.apply(dataset).to(device)).numpy()


def _baselines(
    config: Config, checkpoint: Checkpoint, dataset: Dataset, features: torch.Tensor, source: Path
) -> dict[str, Any]:
    """What the policy is to be compared with; under the leaking scheme, the rule that shows the leak."""
    acted = dataset.targets != UNACTED
    targets = dataset.targets[acted].numpy()
    shares = checkpoint.features["class_prior"].double().numpy()
    untrained = new_policy(**checkpoint.model, seed=checkpoint.seed).to(features.device)
    predictions = {
        "untrained": predict_logits(untrained, features[acted.to(features.device)]).argmax(dim=1).numpy(),
        "majority": baselines.majority_prediction(shares, len(targets)),
        "prior": baselines.prior_prediction(shares, len(targets), np.random.default_rng(config.seed)),
    }
    if dataset.scheme == "folder":
        predictions["subject_rule"] = baselines.subject_rule(artifacts.read_records(source, LabeledEmail))
    return {name: decision_metrics(targets, predicted, config.rewards.costs) for name, predicted in predictions.items()}
