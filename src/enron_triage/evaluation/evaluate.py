"""The stage ``evaluate``: any checkpoint, on any split or file of labelled records.

    triage evaluate --set evaluate.checkpoint=best_sft --set evaluate.split=val

Writes ``data/eval/<checkpoint>.<split>.json``, and a plot of the confusion matrix with the same name and ``.png``.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import Tensor

from enron_triage.config import paths
from enron_triage.config.schema import Config
from enron_triage.config.training import EvaluateConfig
from enron_triage.errors import UsageError
from enron_triage.evaluation import baselines
from enron_triage.evaluation.bayes_baseline import compare_with_bayes_baseline
from enron_triage.evaluation.other_split import other_split_notes
from enron_triage.evaluation.plots import draw_confusion
from enron_triage.evaluation.result import DecisionMetrics, Evaluation, EvaluationSource
from enron_triage.evaluation.score import LogitArray, decision_metrics, score
from enron_triage.evaluation.stored import result
from enron_triage.features.dataset import UNACTED, Dataset, load_dataset
from enron_triage.features.transform import FeatureTransform
from enron_triage.labels.sample_size import sample_note
from enron_triage.labels.schemes import SCHEMES
from enron_triage.labels.split_metadata import belongs_to, read_metadata
from enron_triage.pipeline import stage_run
from enron_triage.policy.checkpoint import Checkpoint, check_fit, load_checkpoint
from enron_triage.policy.inference import choose_device, predict_logits
from enron_triage.policy.network import Policy, new_policy
from enron_triage.records import ACTION_NAMES, LabeledEmail
from enron_triage.runtime import artifacts, provenance
from enron_triage.stage_run import Result

logger = logging.getLogger(__name__)


def run(config: Config) -> Result:
    """Evaluate ``evaluate.checkpoint`` on ``evaluate.split``, and write what it gives.

    Parameters
    ----------
    config : Config
        The whole configuration.

    Raises
    ------
    UsageError
        If the checkpoint or the records are missing or damaged, or do not fit each other.
    """
    stage = stage_run("evaluate", config)
    _name_newer_policy(config)
    with stage.track() as counts:
        evaluation = evaluate(config)
        output = stage.outputs["evaluation"]
        artifacts.write_json(output, evaluation)
        title = f"{evaluation.checkpoint} on {paths.evaluated_records(config).stem}"
        with artifacts.atomic_open(output.with_suffix(".png")) as file:
            draw_confusion(np.array(evaluation.confusion_matrix), title, file)
        counts.update(count=evaluation.count, accuracy=evaluation.accuracy)
    if evaluation.collapsed:
        logger.warning("the policy has collapsed: nearly all its predictions are one action")
    return result(evaluation, output)


def evaluate(config: Config) -> Evaluation:
    """Evaluate ``evaluate.checkpoint`` on ``evaluate.split``, and write nothing.

    Parameters
    ----------
    config : Config
        The whole configuration.

    Raises
    ------
    UsageError
        As `run`.
    """
    path, source = paths.evaluated_checkpoint(config), paths.evaluated_records(config)
    device = choose_device(config.device)
    checkpoint = load_checkpoint(path)
    transform = checkpoint.features
    dataset = _load_dataset(config, transform, source)
    acted = dataset.targets.numpy() != UNACTED
    if not acted.any():
        raise UsageError(f"{source}: holds no labelled message; run `triage split` with other ratios")
    check_fit(path, checkpoint, dataset.scheme, len(transform.columns), source)
    policy = checkpoint.policy(device)
    features = transform.transform(dataset).to(device)
    started = time.perf_counter()
    logits = predict_logits(policy, features).numpy()
    seconds = time.perf_counter() - started
    unacted_logits = np.concatenate([logits[~acted], _unacted_logits(config, policy, transform, device)])
    split = paths.evaluated_split(config) or str(source)
    scores = score(checkpoint, dataset, logits, unacted_logits, config, name=path.stem, split=split)
    note = sample_note(scores.count, scores.mailboxes)
    return Evaluation(
        **msgspec.structs.asdict(scores),
        source=_source(config, path, source, checkpoint),
        bayes_baseline=compare_with_bayes_baseline(config, path, checkpoint, dataset, features, logits),
        baselines=_baselines(config, checkpoint, dataset, features, source),
        messages_per_second=round(len(dataset) / seconds),
        notes=[
            *([note] if note else []),
            *_extended(checkpoint),
            *other_split_notes(checkpoint.origin, source, provenance.input_states([source])[str(source)]),
        ],
    )


def _extended(checkpoint: Checkpoint) -> list[str]:
    """What sets the policy apart from one that was trained for as many epochs at once."""
    before = ", ".join(map(str, checkpoint.origin.extended_from))
    return [f"the training was extended, from {before} epochs"] if before else []


def _source(config: Config, path: Path, records: Path, checkpoint: Checkpoint) -> EvaluationSource:
    """Of which files and settings the evaluation is."""
    states = provenance.input_states([path, records])
    inside = paths.in_folder(path, Path(config.checkpoint_dir))
    return EvaluationSource(
        checkpoint=paths.relative(path, config.data),
        checkpoint_sha256=states[str(path)].sha256,
        run=inside.parent.as_posix() if inside is not None and len(inside.parts) > 1 else None,
        records=paths.relative(records, config.data),
        records_sha256=states[str(records)].sha256,
        settings=stage_run("evaluate", config).settings,
        training=checkpoint.origin.settings() if checkpoint.origin.stage else {},
        extended_from=checkpoint.origin.extended_from,
        command=checkpoint.origin.command,
        versions=checkpoint.origin.software,
    )


def _name_newer_policy(config: Config) -> None:
    """Say it if the policy to evaluate is the one of no run, and a run has been trained since."""
    path = paths.evaluated_checkpoint(config)
    if config.evaluate.checkpoint != EvaluateConfig().checkpoint or config.run or not path.exists():
        return
    newer = [found for found in path.parent.glob(f"*/{path.name}") if found.stat().st_mtime > path.stat().st_mtime]
    if newer:
        latest = max(newer, key=lambda found: found.stat().st_mtime).parent.name
        logger.info("evaluating %s; that of the run %s is newer: --set run=%s", path, latest, latest)


def _load_dataset(
    config: Config,
    transform: FeatureTransform,
    path: Path,
    keep: Callable[[str, int | None], bool] | None = None,
    keep_key: str = "",
) -> Dataset:
    """Labelled records with the features that the checkpoint was trained on."""
    return load_dataset(
        path,
        transform.settings,
        cache=config.data / "features",
        workers=config.pool,
        keep=keep,
        keep_key=keep_key,
    )


def _unacted_logits(config: Config, policy: Policy, transform: FeatureTransform, device: torch.device) -> LogitArray:
    """Logits of the received messages of this split's mailboxes that got no action."""
    none = np.empty((0, len(ACTION_NAMES)), dtype=np.float32)
    split = paths.evaluated_split(config)
    if split is None:
        return none
    metadata_path = config.data / "split_metadata.json"
    dataset = _load_dataset(
        config,
        transform,
        config.data / "emails_unacted.json",
        keep=functools.partial(belongs_to, read_metadata(metadata_path), split),
        keep_key=f"{split} {provenance.file_state(metadata_path).sha256}",
    )
    if not len(dataset):
        return none
    logits: LogitArray = predict_logits(policy, transform.transform(dataset).to(device)).numpy()
    return logits


def _baselines(
    config: Config, checkpoint: Checkpoint, dataset: Dataset, features: Tensor, source: Path
) -> dict[str, DecisionMetrics]:
    """What to compare the policy with; under a scheme whose labels leak, also the rule that shows it."""
    acted = dataset.targets != UNACTED
    targets = dataset.targets[acted].numpy()
    shares = np.array(checkpoint.class_prior)
    untrained = new_policy(checkpoint.model, seed=checkpoint.seed).to(features.device)
    predictions = {
        "untrained": predict_logits(untrained, features[acted.to(features.device)]).argmax(dim=1).numpy(),
        "majority": baselines.majority_prediction(shares, len(targets)),
        "prior": baselines.prior_prediction(shares, len(targets), np.random.default_rng(config.evaluate.seed)),
    }
    for name, rule in SCHEMES[dataset.scheme].baselines.items():
        predictions[name] = rule(artifacts.read_records(source, LabeledEmail))
    return {name: decision_metrics(targets, predicted, config.rewards.costs) for name, predicted in predictions.items()}
