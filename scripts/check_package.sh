#!/usr/bin/env bash
# Install the wheel into a fresh environment of each Python, and use it outside of the checkout.
#
#     scripts/check_package.sh [PYTHON...]           # default: python3.11 python3.12 python3.13
#     CHECKPOINT=demo/checkpoints/best_sft.pt scripts/check_package.sh
#
# On every Python: the data stages on a small demo corpus, whose artifacts must be the same bytes as on the first, and a
# prediction by CHECKPOINT (else by a policy that is trained here), which must be the same, too. Training needs torch: where
# PyTorch's index of CPU builds cannot be reached, it is left out, and the last lines say so. Needs PyPI; takes minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
checkout=$PWD
pythons=("$@")
if [[ ${#pythons[@]} == 0 ]]; then pythons=(python3.11 python3.12 python3.13); fi
checkpoint=${CHECKPOINT:+$(realpath "$CHECKPOINT")}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
summary=()

requirements() { # the dependencies of a group or of all of the package
    "$1" -c '
import sys, tomllib
project = tomllib.load(open("pyproject.toml", "rb"))
print(*(project["dependency-groups"]["predict"] if sys.argv[1] == "predict" else project["project"]["dependencies"]), sep="\n")
' "$2"
}

for python in "${pythons[@]}"; do
    version=$("$python" -c 'import platform; print(platform.python_version())')
    echo "== Python $version" >&2
    folder=$scratch/$version
    "$python" -m venv "$folder/venv"
    pip=("$folder/venv/bin/python" -m pip --disable-pip-version-check --quiet install --constraint constraints.txt)
    "${pip[@]}" hatchling
    "$folder/venv/bin/python" -m hatchling build -t wheel -d "$folder/dist"
    kind=all
    "${pip[@]}" --retries 0 --timeout 10 --index-url https://download.pytorch.org/whl/cpu --no-deps torch \
        2>"$folder/torch.log" || kind=predict
    requirements "$python" "$kind" >"$folder/requirements.txt"
    "${pip[@]}" --requirement "$folder/requirements.txt"
    "${pip[@]}" --no-deps "$folder"/dist/*.whl

    mkdir "$folder/use"
    cd "$folder/use"
    triage=$folder/venv/bin/triage
    small=(--config demo --set download.demo.mailboxes=4 --set download.demo.messages=200)
    did="data stages"
    "$triage" run "${small[@]}" --set 'pipeline.stages=[download, parse, label, split]' --quiet >/dev/null
    sha256sum demo/data/{emails,emails_labeled,emails_unacted,train,val,test}.json >../artifacts.txt
    if [[ $kind == all ]]; then
        "$triage" sft "${small[@]}" --set model.boosting=5 --set sft.epochs=2 --set 'model.hidden=[16]' --quiet >/dev/null
        did+=", training"
    elif "$triage" sft "${small[@]}" 2>error.txt || ! grep -q "torch is not installed" error.txt; then
        echo "check_package.sh: Python $version: sft without torch does not say so" >&2
        exit 1
    fi
    policy=${checkpoint:-demo/checkpoints/best_sft.pt}
    mailbox=$(find demo/data/maildir -mindepth 1 -maxdepth 1 | sort | head -n 1)
    if [[ -e $policy ]]; then
        "$triage" predict --checkpoint "$policy" --mailbox "$mailbox" "$mailbox" --quiet >../predictions.txt
        did+=", $(wc -l <../predictions.txt) predictions"
    fi
    cd "$checkout"
    for made in artifacts predictions; do
        first=$scratch/$made.txt
        if [[ ! -e $folder/$made.txt ]]; then continue; fi
        if [[ $made == predictions && -z $checkpoint ]]; then continue; fi # each by the policy that was trained there
        if [[ ! -e $first ]]; then cp "$folder/$made.txt" "$first"; fi
        if ! cmp -s "$first" "$folder/$made.txt"; then
            echo "check_package.sh: Python $version: $made differ from those of the first Python" >&2
            exit 1
        fi
    done
    if [[ $kind == predict ]]; then did+="; SKIPPED: training (no CPU build of torch could be had)"; fi
    summary+=("Python $version: $did")
    rm -rf "$folder/venv" # torch is large
done
printf '%s\n' "${summary[@]}"
