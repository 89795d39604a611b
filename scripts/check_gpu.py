"""Run the training stages on a GPU and on the CPU with the same data; print the differences and how long each takes.

    python scripts/check_gpu.py --json gpu.json
    python scripts/check_gpu.py --data-dir data --epochs 8

Without ``--data-dir`` the demo corpus is written, labelled and split first. Dropout and sampling use different random
numbers on each device. Therefore every stage trains without dropout, and GRPO with ``estimator: exact``, so that both
devices compute the same up to rounding. With two GPUs, ``torchrun`` also trains with one and with two processes under
NCCL. With ``--embedding-model`` the sentence encoder embeds the validation messages on both devices. Without a GPU,
only the CPU part is run. The exit status is 1 if a figure differs by more than the tolerance.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from enron_triage import pipeline
from enron_triage.config.load import load_config
from enron_triage.errors import TriageError
from enron_triage.policy.checkpoint import load_checkpoint

STAGES = ("sft", "reward", "dpo", "grpo")
# The largest difference of a loss, an accuracy, a macro-F1 or a mean reward between the devices: a GPU adds in another
# order, and a message whose two best actions are equally probable may fall either way.
TOLERANCE = 0.01
COMPARED = ("val_loss", "accuracy", "macro_f1", "mean_reward")
DETERMINISTIC = ("model.dropout=0", "dpo.dropout=0", "grpo.dropout=0", "grpo.estimator=exact")

Figures = dict[str, Any]


def run_device(device: str, data: Path, folder: Path, settings: list[str]) -> Figures:
    """Train every stage on one device, and evaluate the result of the first.

    Parameters
    ----------
    device : str
        ``cpu`` or ``cuda``.
    data : Path
        The folder of the splits.
    folder : Path
        Where the checkpoints go.
    settings : list of str
        As ``--set`` takes them.

    Returns
    -------
    dict
        By stage: seconds, seconds of an epoch, and the validation figures of the last epoch.
    """
    found: Figures = {}
    for name in STAGES:
        config = load_config([], settings, data_dir=str(data), checkpoint_dir=str(folder / device), device=device)
        started = time.perf_counter()
        pipeline.run_stage(name, config)
        seconds = time.perf_counter() - started
        number = pipeline.STAGES[name].number
        lines = (folder / device / f"stage_{number}_metrics.jsonl").read_text().splitlines()
        epochs = [json.loads(line) for line in lines]
        found[name] = {
            "seconds": seconds,
            "epoch_seconds": sorted(epoch["seconds"] for epoch in epochs)[len(epochs) // 2],
        }
        found[name] |= {figure: epochs[-1][figure] for figure in COMPARED}
    config = load_config([], settings, data_dir=str(data), checkpoint_dir=str(folder / device), device=device)
    evaluation = pipeline.run_stage("evaluate", config).data
    found["evaluate"] = {name: evaluation[name] for name in ("messages_per_second", "accuracy", "macro_f1")}
    return found


def compare(cpu: Figures, gpu: Figures, folder: Path) -> Figures:
    """The largest differences between the devices, by stage: of the validation figures and of the weights.

    Parameters
    ----------
    cpu, gpu : dict
        What `run_device` gave.
    folder : Path
        Where it put the checkpoints.
    """
    differences: Figures = {}
    for name in STAGES:
        number = pipeline.STAGES[name].number
        one, other = (load_checkpoint(folder / device / f"stage_{number}.pt").weights for device in ("cpu", "cuda"))
        weights = max(float((one[key].double() - other[key].double()).abs().max()) for key in one)
        figures = max(abs(cpu[name][figure] - gpu[name][figure]) for figure in COMPARED)
        differences[name] = {"weights": weights, "figures": figures}
    return differences


def run_nccl(data: Path, folder: Path, settings: list[str]) -> Figures:
    """Run SFT with one and with two processes under NCCL: seconds, and the largest difference of a weight.

    Parameters
    ----------
    data, folder, settings
        As in `run_device`.
    """
    words = [word for setting in settings for word in ("--set", setting)]
    found: Figures = {}
    for processes in (1, 2):
        target = folder / f"nccl-{processes}"
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        command = [*launcher, "-m", "enron_triage", "sft", "--data-dir", str(data), "--checkpoint-dir", str(target)]
        started = time.perf_counter()
        subprocess.run([sys.executable, *command, "--device", "cuda", *words], check=True)
        found[f"{processes} processes"] = time.perf_counter() - started
    one, two = (load_checkpoint(folder / f"nccl-{processes}" / "stage_1.pt").weights for processes in (1, 2))
    found["weights"] = max(float((one[key].double() - two[key].double()).abs().max()) for key in one)
    return found


def run_encoder(model: str, data: Path, devices: list[str]) -> Figures:
    """Run the sentence encoder on each device: messages per second, and the largest difference of a coordinate.

    Parameters
    ----------
    model : str
        The path of a sentence-transformers model.
    data : Path
        The folder of the splits.
    devices : list of str
        Where to encode.
    """
    from sentence_transformers import SentenceTransformer

    texts = [
        record["subject"] + "\n" + record["body"][:2000] for record in json.loads((data / "val.json").read_bytes())
    ]
    found: Figures = {}
    vectors = []
    for device in devices:
        encoder = SentenceTransformer(model, device=device)
        encoder.encode(texts[:32], show_progress_bar=False)
        started = time.perf_counter()
        vectors.append(encoder.encode(texts, show_progress_bar=False, convert_to_numpy=True))
        found[device] = len(texts) / (time.perf_counter() - started)
    found["difference"] = float(abs(vectors[0] - vectors[-1]).max())
    return found


def table(result: Figures) -> str:
    """The result as Markdown, for ``docs/benchmarks.md``.

    Parameters
    ----------
    result : dict
        What `main` writes as JSON.
    """
    devices = result["devices"]
    lines = [
        "| Stage | " + " | ".join(f"{d}: s, s an epoch" for d in devices) + " | largest difference: weights, figures |"
    ]
    lines.append("|---" * (len(devices) + 2) + "|")
    for name in STAGES:
        cells = [f"{values[name]['seconds']:.1f}, {values[name]['epoch_seconds']:.2f}" for values in devices.values()]
        different = result.get("differences", {}).get(name)
        cells.append("-" if different is None else f"{different['weights']:.2g}, {different['figures']:.2g}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    rates = [f"{values['evaluate']['messages_per_second']:,} messages/s" for values in devices.values()]
    lines.append(f"| evaluate, the policy alone | {' | '.join(rates)} | - |")
    return "\n".join(lines)


def main() -> int:
    """Read the options, run the checks, print the table; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--data-dir", type=Path, help="folder with splits; by default, splits of the demo corpus are made"
    )
    parser.add_argument("--epochs", type=int, default=3, help="epochs of every stage")
    parser.add_argument("--embedding-model", help="path of a sentence-transformers model")
    parser.add_argument("--json", type=Path, help="where to write the result")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="further settings")
    arguments = parser.parse_args()
    lengths = [f"{section}.epochs={arguments.epochs}" for section in ("sft", "reward_model", "dpo", "grpo")]
    settings = [*DETERMINISTIC, *lengths, *arguments.set]
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        data = arguments.data_dir or folder / "data"
        try:
            if arguments.data_dir is None:
                stages = "pipeline.stages=[download, parse, label, split]"
                pipeline.run(load_config([], ["download.source=demo", stages, *settings], data_dir=str(data)))
            result: Figures = {
                "gpu": torch.cuda.get_device_name() if len(devices) > 1 else None,
                "torch": torch.__version__,
                "devices": {device: run_device(device, data, folder, settings) for device in devices},
            }
            if len(devices) > 1:
                result["differences"] = compare(*result["devices"].values(), folder)
            if torch.cuda.device_count() > 1:
                result["nccl"] = run_nccl(data, folder, settings)
            if arguments.embedding_model:
                result["encoder"] = run_encoder(arguments.embedding_model, data, devices)
        except TriageError as error:
            print(f"check_gpu.py: {error}", file=sys.stderr)
            return error.exit_status
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    print(f"GPU: {result['gpu'] or 'none found, CPU only'}; torch {result['torch']}\n\n{table(result)}")
    return int(any(values["figures"] > TOLERANCE for values in result.get("differences", {}).values()))


if __name__ == "__main__":
    sys.exit(main())
