#!/usr/bin/env bash
# From a mail archive through every stage to the reports; the table of contents of this project.
#
#     scripts/full_pipeline.sh path/to/enron_mail_20150507.tar.gz [FOLDER]
#     scripts/full_pipeline.sh demo
#
# The results are in FOLDER (default: full_pipeline): received/ and folder/, each with data and checkpoints. With `cmu` as
# the first argument, the archive is downloaded. When it is run again, data stages that are up to date are skipped.
set -euo pipefail
source=${1:?usage: scripts/full_pipeline.sh ARCHIVE|cmu|demo [FOLDER]}
if [[ $source != cmu && $source != demo && -e $source ]]; then source=$(realpath "$source"); fi
folder=$(realpath -m "${2:-full_pipeline}")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/install.sh

triage() {
    echo "== triage $*" >&2
    .venv/bin/triage "$@"
}
evaluate() { # CHECKPOINT OPTIONS...: evaluate on validation and on test
    local checkpoint=$1 split
    shift
    for split in val test; do
        triage evaluate "$@" --set "evaluate.checkpoint=$checkpoint" --set "evaluate.split=$split"
    done
}

# The default labels: what the owner did with each message that arrived.
here=(--data-dir "$folder/received/data" --checkpoint-dir "$folder/received/checkpoints")
triage run "${here[@]}" --set "download.source=$source" --set 'pipeline.stages=[download, parse, label, split]'
triage sft "${here[@]}"      # stage 1
triage reward "${here[@]}"   # stage 2
triage grpo --config configs/grpo.yaml "${here[@]}"   # stage 3
triage dpo --config configs/dpo.yaml "${here[@]}"     # stage 4
for checkpoint in best_sft best_grpo best_dpo; do
    evaluate "$checkpoint" "${here[@]}"
done

# The combination that the reference log left untried, as the start of both post-training stages.
open=(--config configs/sft_focal_balanced.yaml)
triage sft "${open[@]}" "${here[@]}"
triage grpo "${open[@]}" --config configs/grpo.yaml "${here[@]}"
triage dpo "${open[@]}" --config configs/dpo.yaml "${here[@]}"
for checkpoint in best_sft best_grpo best_dpo; do
    evaluate "$checkpoint" "${open[@]}" "${here[@]}"
done
triage report "${here[@]}"

# The reference log's own setting, with its failures. Its labels leak, so these results cannot be compared with the above.
there=(--config configs/log_2026_01.yaml --data-dir "$folder/folder/data" --checkpoint-dir "$folder/folder/checkpoints")
triage run "${there[@]}" --set "parse.source=$folder/received/data/maildir" --set 'pipeline.stages=[parse, label, split]'
for variant in sft_vanilla sft_weighted; do
    triage sft "${there[@]}" --config "configs/$variant.yaml"
    evaluate best_sft "${there[@]}" --config "configs/$variant.yaml"
done
triage dpo "${there[@]}" --config configs/dpo_synthetic.yaml
evaluate best_dpo "${there[@]}" --config configs/dpo_synthetic.yaml
evaluate stage_4 "${there[@]}" --config configs/dpo_synthetic.yaml
triage report "${there[@]}"
