#!/usr/bin/env bash
# Make .venv and install the package into it, with the extras named as arguments.
#
#     scripts/install.sh test
#
# On a machine without an NVIDIA GPU, torch is installed from PyTorch's own index of CPU builds if that can be
# reached, because PyPI's build for Linux includes several GB of CUDA.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
extras=$(IFS=,; echo "$*")

find_python() {
    for name in python3.13 python3.12 python3.11 python3; do
        if "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    echo "install.sh: needs Python 3.11, 3.12 or 3.13; install one and put it on PATH" >&2
    exit 1
}

if ! .venv/bin/python -c '' 2>/dev/null; then
    rm -rf .venv
    "$(find_python)" -m venv .venv
fi
pip=(.venv/bin/python -m pip --disable-pip-version-check install --quiet --no-compile --constraint constraints.txt)
if ! .venv/bin/python -c 'import importlib.metadata as m; m.version("torch")' 2>/dev/null &&
    ! command -v nvidia-smi >/dev/null; then
    "${pip[@]}" --no-deps --retries 1 --timeout 15 --index-url https://download.pytorch.org/whl/cpu torch || {
        echo "install.sh: no CPU build of torch could be installed; installing the default one" >&2
        "${pip[@]}" torch
    }
fi
# uv installs in seconds what takes pip more than a minute. pip is for a machine where only pip is configured to find an index.
project=".${extras:+[$extras]}"
"${pip[@]}" uv &&
    .venv/bin/uv pip install --quiet --python .venv/bin/python --constraint constraints.txt --editable "$project" || {
    echo "install.sh: uv could not install the packages; installing them with pip" >&2
    "${pip[@]}" --editable "$project"
}
