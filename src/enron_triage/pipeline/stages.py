"""The table of stages: what each one reads and writes, which settings affect its output, and where its code is.

    triage run --config configs/demo.yaml
    triage status --config configs/demo.yaml

A stage is a function ``run(config) -> Result`` in the module that its row names. The row names it as a string, so that
nothing is imported before it is needed: the data stages and ``--help`` do without torch. To add a stage, write its
module and add its row; the command line, ``triage run``, ``triage status`` and the advice in errors follow from it.
"""

from __future__ import annotations

from enron_triage.config import evaluations, judgements, paths
from enron_triage.config.schema import Config
from enron_triage.errors import ArtifactError
from enron_triage.stage_run import Place, Stage, StageRun, advised

SPLIT_FILES: dict[str, Place] = {name: f"{{data}}/{name}.json" for name in paths.SPLITS}
TRAINED_ON: dict[str, Place] = {name: SPLIT_FILES[name] for name in ("train", "val")}

STAGES: dict[str, Stage] = {
    "download": Stage(
        help="Fetch the raw archive (or write the demo corpus) and unpack it to data/maildir.",
        example="triage download --set download.source=demo",
        run="enron_triage.mail.download:run",
        inputs={"archive": paths.local_archive},
        outputs={"mail": "{data}/maildir"},
        settings=("download",),
        origin=lambda config: paths.mail_origin(config.download),
        # An archive is what it is, whatever code fetches it.
        code=lambda config: "enron_triage.mail.download" if config.download.source == "demo" else None,
    ),
    "parse": Stage(
        help="Parse raw mail to data/emails.json.",
        example="triage parse --set parse.source=path/to/export.mbox",
        run="enron_triage.mail.parse:run",
        inputs={"mail": lambda config: config.mail},
        outputs={"emails": "{data}/emails.json", "errors": "{data}/parse_errors.json"},
        settings=("parse",),
        origin=lambda config: config.parse.source,
    ),
    "label": Stage(
        help="Label each message with what its owner did: data/emails_labeled.json.",
        example="triage label --set label.reply_now_within=2h",
        run="enron_triage.labels.label:run",
        inputs={"emails": "{data}/emails.json"},
        outputs={"labeled": "{data}/emails_labeled.json", "unacted": "{data}/emails_unacted.json"},
        settings=("label",),
    ),
    "split": Stage(
        help="Split the labelled messages into train, val and test.",
        example="triage split --set split.by=time",
        run="enron_triage.labels.split:run",
        inputs={"labeled": "{data}/emails_labeled.json"},
        outputs={**SPLIT_FILES, "metadata": "{data}/split_metadata.json"},
        settings=(
            "split",
            "label.scheme",
            lambda config: "label.link_window" if config.split.by == "time" else None,
        ),
    ),
    "sft": Stage(
        help="Train the policy by supervised fine-tuning: checkpoints/best_sft.pt.",
        example="triage sft --config configs/sft_weighted.yaml --set sft.epochs=5",
        run="enron_triage.training.sft:run",
        number=1,
        inputs={**TRAINED_ON, "init": paths.sft_init},
        outputs={"last": "{checkpoints}/stage_1.pt", "best": "{checkpoints}/best_sft.pt"},
        settings=("sft", "model", "features", "decision", "rewards.costs", "label.scheme", "device"),
        policy=True,
        distributed=True,
    ),
    "reward": Stage(
        help="Train a reward model on preference pairs: checkpoints/best_reward.pt.",
        example="triage reward --set reward_model.preferences=data/preferences.jsonl",
        run="enron_triage.training.reward:run",
        number=2,
        inputs={
            **TRAINED_ON,
            "init": lambda config: paths.named_checkpoint(config, config.reward_model.init),
            "preferences": lambda config: judgements.preference_file(config, config.reward_model),
        },
        outputs={"last": "{checkpoints}/stage_2.pt", "best": "{checkpoints}/best_reward.pt"},
        settings=("reward_model", "rewards", "decision", "label.scheme", "device"),
        distributed=True,
    ),
    "dpo": Stage(
        help="Refine the policy by preference pairs: checkpoints/best_dpo.pt.",
        example="triage dpo --config configs/dpo.yaml",
        run="enron_triage.training.dpo:run",
        number=4,
        inputs={
            **TRAINED_ON,
            "init": lambda config: paths.named_checkpoint(config, config.dpo.init),
            "preferences": lambda config: judgements.preference_file(config, config.dpo),
        },
        outputs={"last": "{checkpoints}/stage_4.pt", "best": "{checkpoints}/best_dpo.pt"},
        settings=("dpo", "rewards", "decision", "label.scheme", "device"),
        policy=True,
        distributed=True,
    ),
    "grpo": Stage(
        help="Refine the policy by rewards: checkpoints/best_grpo.pt.",
        example="triage grpo --config configs/grpo.yaml",
        run="enron_triage.training.grpo:run",
        number=3,
        inputs={
            **TRAINED_ON,
            "init": lambda config: paths.named_checkpoint(config, config.grpo.init),
            "reward_model": paths.reward_model,
        },
        outputs={"last": "{checkpoints}/stage_3.pt", "best": "{checkpoints}/best_grpo.pt"},
        settings=("grpo", "rewards", "decision", "label.scheme", "label.reply_now_within", "device"),
        policy=True,
        distributed=True,
    ),
    "evaluate": Stage(
        help="Evaluate a checkpoint on a split: data/eval/*.json.",
        example="triage evaluate --set evaluate.checkpoint=best_dpo --set evaluate.split=val",
        run="enron_triage.evaluation.evaluate:run",
        stored="enron_triage.evaluation.stored:stored",
        inputs={
            "checkpoint": evaluations.evaluated_checkpoints,
            "val": lambda config: config.data / "val.json" if evaluations.is_ensemble(config) else None,
            "records": paths.evaluated_records,
            "judgements": judgements.evaluated_judgements,
            "metadata": lambda config: config.data / "split_metadata.json" if paths.evaluated_split(config) else None,
            "unacted": lambda config: config.data / "emails_unacted.json" if paths.evaluated_split(config) else None,
        },
        outputs={
            "evaluation": evaluations.evaluation_file,
            "plot": lambda config: evaluations.evaluation_file(config).with_suffix(".png"),
        },
        settings=(
            *("evaluate.seed", "decision.rule", "rewards.costs", "label.scheme", "device"),
            lambda config: "decision" if evaluations.is_ensemble(config) else None,
        ),
        lock=lambda config: paths.lock_of(evaluations.evaluation_file(config)),
    ),
}


def stage_run(name: str, config: Config) -> StageRun:
    """A stage under a configuration.

    Parameters
    ----------
    name : str
        A key of `STAGES`.
    config : Config
        The whole configuration.
    """
    return StageRun(name, config, STAGES)


def with_advice(error: ArtifactError, config: Config | None = None) -> ArtifactError:
    """The error with the command that makes its artifact, where a stage does.

    Parameters
    ----------
    error : ArtifactError
        What is wrong with which artifact.
    config : Config, optional
        The whole configuration: see `advised`.
    """
    return advised(error, STAGES, config=config)
