"""The stage ``evaluate``: any checkpoint, on any split or file of labelled records.

    triage evaluate --set evaluate.checkpoint=best_sft --set evaluate.split=val

Writes ``data/eval/<checkpoint>.<split>.json``, and a plot of the confusion matrix with the same name and ``.png``.
"""

from __future__ import annotations

import functools
import logging
import time
from pathlib import Path

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType
from torch import Tensor

from enron_triage.config import judgements, paths
from enron_triage.config.evaluations import evaluated_checkpoints, evaluation_file
from enron_triage.config.schema import Config
from enron_triage.config.training import EvaluateConfig
from enron_triage.errors import UsageError
from enron_triage.evaluation import baselines
from enron_triage.evaluation.bayes_baseline import compare_with_bayes_baseline
from enron_triage.evaluation.judge import Judge, load_judge, loader
from enron_triage.evaluation.judged import judged_metrics, judged_notes
from enron_triage.evaluation.judged_result import JudgedMetrics
from enron_triage.evaluation.other_split import other_split_notes
from enron_triage.evaluation.plots import draw_confusion
from enron_triage.evaluation.result import DecisionMetrics, Evaluation, EvaluationSource
from enron_triage.evaluation.score import LogitArray, decision_metrics, decision_of, score
from enron_triage.evaluation.stored import result
from enron_triage.features.dataset import UNACTED, Dataset
from enron_triage.labels.sample_size import sample_note
from enron_triage.labels.schemes import SCHEMES
from enron_triage.labels.split_metadata import belongs_to, read_metadata
from enron_triage.pipeline import stage_run
from enron_triage.policy.checkpoint import Checkpoint
from enron_triage.policy.inference import predict_logits
from enron_triage.policy.network import new_policy
from enron_triage.policy.origin import Origin
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
    source = paths.evaluated_records(config)
    judge = load_judge(config)
    checkpoint, load = judge.checkpoint, loader(config, source)
    dataset = load(checkpoint.features.settings)
    acted = dataset.targets.numpy() != UNACTED
    if not acted.any():
        raise UsageError(f"{source}: holds no labelled message; run `triage split` with other ratios")
    judge.check_fit(load, source)
    inputs = judge.inputs(load)
    started = time.perf_counter()
    logits = judge.logits(inputs)
    seconds = time.perf_counter() - started
    unacted_logits = np.concatenate([logits[~acted], _unacted_logits(config, judge)])
    split = paths.evaluated_split(config) or str(source)
    name = evaluation_file(config).name.partition(".")[0] if judge.is_ensemble else judge.paths[0].stem
    scores = score(checkpoint, dataset, logits, unacted_logits, config, name=name, split=split)
    note = sample_note(scores.count, scores.mailboxes)
    judged = _judged(config, checkpoint, dataset, logits, source)
    return Evaluation(
        **msgspec.structs.asdict(scores),
        source=_source(config, judge, source),
        bayes_baseline=None
        if judge.is_ensemble
        else compare_with_bayes_baseline(config, judge.paths[0], checkpoint, dataset, inputs[0], logits),
        baselines=_baselines(config, checkpoint, dataset, inputs[0], source),
        messages_per_second=round(len(dataset) / seconds),
        notes=[
            *([note] if note else []),
            *_members(config, judge),
            *_extended(checkpoint),
            *other_split_notes(checkpoint.origin, source, provenance.input_states([source])[str(source)]),
            *(judged_notes(checkpoint.origin, Path(judged.path), judged) if judged else []),
        ],
        judgements=judged,
    )


def _judged(
    config: Config, checkpoint: Checkpoint, dataset: Dataset, logits: LogitArray, records: Path
) -> JudgedMetrics | UnsetType:
    """The comparison with judgements by people, if it is asked for."""
    path = judgements.evaluated_judgements(config)
    if path is None:
        return UNSET
    log_p = checkpoint.calibration.log_probabilities(logits)
    decided = decision_of(checkpoint, config).decide(log_p)
    return judged_metrics(path, records, log_p, decided, dataset.mailbox.numpy())


def _extended(checkpoint: Checkpoint) -> list[str]:
    """What sets the policy apart from one that was trained for as many epochs at once."""
    before = ", ".join(map(str, checkpoint.origin.extended_from))
    return [f"the training was extended, from {before} epochs"] if before else []


def _members(config: Config, judge: Judge) -> list[str]:
    """Which policies an ensemble is of."""
    names = ", ".join(paths.relative(path, Path(config.checkpoint_dir)) for path in judge.paths)
    return [f"an ensemble (the mean of the probabilities) of {names}"] if judge.is_ensemble else []


def _source(config: Config, judge: Judge, records: Path) -> EvaluationSource:
    """Of which files and settings the evaluation is."""
    inside = None if judge.is_ensemble else paths.in_folder(judge.paths[0], Path(config.checkpoint_dir))
    origin = Origin() if judge.is_ensemble else judge.checkpoint.origin
    return EvaluationSource(
        checkpoint=" + ".join(paths.relative(path, config.data) for path in judge.paths),
        checkpoint_sha256=judge.digest,
        run=inside.parent.as_posix() if inside is not None and len(inside.parts) > 1 else None,
        records=paths.relative(records, config.data),
        records_sha256=provenance.input_states([records])[str(records)].sha256,
        settings=stage_run("evaluate", config).settings,
        training=origin.settings() if origin.stage else {},
        extended_from=origin.extended_from,
        members=list(config.evaluate.checkpoint) if judge.is_ensemble else [],
        command=origin.command,
        versions=origin.software,
    )


def _name_newer_policy(config: Config) -> None:
    """Say it if the policy to evaluate is the one of no run, and a run has been trained since."""
    path = evaluated_checkpoints(config)[0]
    if config.evaluate.checkpoint != EvaluateConfig().checkpoint or config.run or not path.exists():
        return
    newer = [found for found in path.parent.glob(f"*/{path.name}") if found.stat().st_mtime > path.stat().st_mtime]
    if newer:
        latest = max(newer, key=lambda found: found.stat().st_mtime).parent.name
        logger.info("evaluating %s; the one of the run %s is newer: --set run=%s", path, latest, latest)


def _unacted_logits(config: Config, judge: Judge) -> LogitArray:
    """Logits of the received messages of this split's mailboxes that got no action."""
    none = np.empty((0, len(ACTION_NAMES)), dtype=np.float32)
    split = paths.evaluated_split(config)
    if split is None:
        return none
    metadata_path = config.data / "split_metadata.json"
    keep = functools.partial(belongs_to, read_metadata(metadata_path), split)
    key = f"{split} {provenance.file_state(metadata_path).sha256}"
    inputs = judge.inputs(loader(config, config.data / "emails_unacted.json", keep, key))
    return judge.logits(inputs) if len(inputs[0]) else none


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
