"""Reading the input of a report from files: evaluations, and the metrics of each training stage."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from enron_triage.errors import ArtifactError, UsageError
from enron_triage.evaluation.result import Evaluation, EvaluationSource
from enron_triage.labels.schemes import SCHEMES
from enron_triage.pipeline import STAGES
from enron_triage.runtime import artifacts, provenance
from enron_triage.runtime.file_states import file_state

logger = logging.getLogger(__name__)

LEAKING = " (labels leak)"  # at the name of a training stage
_STAGE_ORDER = sorted((name for name in STAGES if STAGES[name].number), key=lambda name: STAGES[name].number or 0)


class EvaluationMaking(msgspec.Struct, kw_only=True):
    """How an evaluation was made, as the file beside it tells.

    Attributes
    ----------
    day : str
        The day in UTC, such as ``2026-01-31``.
    version : str
        The version of the program.
    origin : str
        Where the mail came from in the first place.
    """

    day: str
    version: str
    origin: str


class EvaluatedCheckpoint(msgspec.Struct, kw_only=True):
    """A checkpoint with its evaluations.

    Attributes
    ----------
    name : str
        ``<run>/<checkpoint>``, or the checkpoint's name where the run has none.
    evaluations : dict of str to Evaluation
        Its evaluations by split, one at least.
    made : dict of str to EvaluationMaking
        How they were made, by split, where that is known.
    """

    name: str
    evaluations: dict[str, Evaluation]
    made: dict[str, EvaluationMaking] = {}

    @property
    def shown(self) -> Evaluation:
        """The evaluation on test, or the first there is."""
        return self.evaluations.get("test") or next(iter(self.evaluations.values()))


class EpochRecord(msgspec.Struct, kw_only=True):
    """What the report needs of an epoch: a line of ``stage_N_metrics.jsonl``.

    Attributes
    ----------
    epoch : int
        The number of the epoch, from 1.
    best_epoch : int
        The best epoch so far.
    collapsed : bool
        Whether one action takes nearly all predictions on validation.
    predicted_share : dict of str to float
        The share of the predictions on validation that each action takes.
    train_loss, val_loss : float or None
        The mean loss, on train and on validation.
    accuracy, macro_f1, mean_reward : float or None
        The metrics of the decisions on validation.
    train_reward : float or None
        The mean reward of the actions that were sampled on train.
    preference_accuracy : float or None
        The share of preference pairs on validation that the policy orders as the label does.
    kl : float or None
        The Kullback-Leibler divergence from the reference policy on validation, in nats.
    entropy : float or None
        The mean entropy of the policy on validation, in nats.
    """

    epoch: int
    best_epoch: int
    collapsed: bool
    predicted_share: dict[str, float]
    train_loss: float | None = None
    val_loss: float | None = None
    accuracy: float | None = None
    macro_f1: float | None = None
    mean_reward: float | None = None
    train_reward: float | None = None
    preference_accuracy: float | None = None
    kl: float | None = None
    entropy: float | None = None


class TrainingHistory(msgspec.Struct, kw_only=True):
    """How a training stage went.

    Attributes
    ----------
    epochs : list of EpochRecord
        The epochs, in order.
    val_messages : int or None
        How many messages validation has; None if that is not known.
    """

    epochs: list[EpochRecord]
    val_messages: int | None = None


def read_evaluations(folder: Path) -> list[EvaluatedCheckpoint]:
    """The evaluations below a folder, by checkpoint; a file of another form is left out, with a warning.

    Parameters
    ----------
    folder : Path
        The folder of the evaluations of all runs.

    Returns
    -------
    list of EvaluatedCheckpoint
        In the order of the stages that trained them, then by name.
    """
    found: dict[str, EvaluatedCheckpoint] = {}
    for path in sorted(folder.rglob("*.json"), key=lambda path: (len(path.name), path)):  # the plain name first
        if path.name.endswith(".meta.json"):
            continue
        try:
            evaluation = artifacts.read_json(path, Evaluation)
        except ArtifactError as error:
            logger.warning("left out: %s", error.with_command("run `triage evaluate` again"))
            continue
        except UsageError as error:
            logger.warning("left out: %s", error)
            continue
        if evaluation.scheme not in SCHEMES:
            logger.warning("left out: %s: this version does not know its label scheme, %s", path, evaluation.scheme)
            continue
        if _is_of_an_earlier_training(folder.parent, evaluation.source):
            logger.warning(
                "left out: %s: it evaluates an earlier training of its checkpoint; run `triage evaluate` again", path
            )
            continue
        by_place = (path.parent.relative_to(folder) / _checkpoint_name(path, evaluation)).as_posix()
        run = evaluation.source.run
        name = by_place if run is None else f"{run}/{evaluation.checkpoint}"
        if name in found and evaluation.split in found[name].evaluations:
            name = by_place  # a run of the same name, in another folder of checkpoints
        checkpoint = found.setdefault(name, EvaluatedCheckpoint(name=name, evaluations={}))
        if evaluation.split in checkpoint.evaluations:
            logger.warning("left out: %s: a second evaluation of %s on %s", path, name, evaluation.split)
            continue
        checkpoint.evaluations[evaluation.split] = evaluation
        meta = provenance.read_meta(path)
        if meta is not None:
            checkpoint.made[evaluation.split] = _making(meta)
    return sorted(found.values(), key=_stage_and_name)


def training_of(checkpoint: EvaluatedCheckpoint) -> str:
    """The name of the training stage that made a policy: a key of `read_histories`.

    Parameters
    ----------
    checkpoint : EvaluatedCheckpoint
        The policy.
    """
    stage, run = STAGES.get(checkpoint.shown.stage), checkpoint.name.rpartition("/")[0]
    return f"{run}/stage_{stage.number}".lstrip("/") if stage else ""


def mark_leaks(
    histories: dict[str, TrainingHistory], checkpoints: Sequence[EvaluatedCheckpoint]
) -> dict[str, TrainingHistory]:
    """The training stages, with a mark at the name of each whose policy was evaluated on labels that leak.

    Parameters
    ----------
    histories : dict of str to TrainingHistory
        The stages.
    checkpoints : sequence of EvaluatedCheckpoint
        The policies.
    """
    leaking = {training_of(each) for each in checkpoints if SCHEMES[each.shown.scheme].leak_note}
    return {f"{name}{LEAKING if name in leaking else ''}": history for name, history in histories.items()}


def _making(meta: provenance.Meta) -> EvaluationMaking:
    # Not when the report is made, which would give other bytes on another day.
    written = datetime.fromtimestamp(meta.artifact.modified_ns // 10**9, UTC)
    return EvaluationMaking(day=f"{written:%Y-%m-%d}", version=meta.version, origin=meta.origin)


def _is_of_an_earlier_training(data: Path, source: EvaluationSource) -> bool:
    """Whether the checkpoint is not any more what was evaluated; not if it is gone."""
    checkpoint = data / source.checkpoint
    if not checkpoint.is_file():
        return False
    meta = provenance.read_meta(checkpoint)
    return file_state(checkpoint, meta.artifact if meta else None).sha256 != source.checkpoint_sha256


def _checkpoint_name(path: Path, evaluation: Evaluation) -> str:
    """The checkpoint's part of the file's name, which tells checkpoints of equal names apart."""
    split = Path(evaluation.split).stem  # of records that are no split, their path is given
    name = path.name.removesuffix(f".{split}.json")
    return evaluation.checkpoint if name == path.name else name


def _stage_and_name(checkpoint: EvaluatedCheckpoint) -> tuple[int, str]:
    stage = checkpoint.shown.stage
    return _STAGE_ORDER.index(stage) if stage in _STAGE_ORDER else len(_STAGE_ORDER), checkpoint.name


def read_histories(folder: Path) -> dict[str, TrainingHistory]:
    """The metrics of every training stage below a folder; a file of another form is left out, with a warning.

    Parameters
    ----------
    folder : Path
        The folder of the checkpoints of all runs.

    Returns
    -------
    dict of str to TrainingHistory
        By ``<run>/stage_N``.
    """
    histories = {}
    decode = msgspec.json.Decoder(EpochRecord).decode
    for path in sorted(folder.rglob("stage_*_metrics.jsonl")):
        try:
            epochs = [decode(line) for line in path.read_bytes().splitlines()]
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            logger.warning("left out: %s: not what training writes (%s); train again", path, error)
            continue
        if not (epochs and 1 <= epochs[-1].best_epoch <= len(epochs)):
            logger.warning("left out: %s: not what training writes; train again", path)
            continue
        name = path.relative_to(folder).as_posix().removesuffix("_metrics.jsonl")
        trained = provenance.read_meta(folder / f"{name}.pt")
        val_messages = trained.counts.get("val") if trained else None
        histories[name] = TrainingHistory(epochs=epochs, val_messages=val_messages)
    return histories
