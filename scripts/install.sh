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
# Without --no-compile, pip compiles every module for a minute; Python compiles those that are used when they are imported.
pip=(.venv/bin/python -m pip --disable-pip-version-check install --quiet --no-compile)
if ! .venv/bin/python -c 'import importlib.metadata as m; m.version("torch")' 2>/dev/null &&
    ! command -v nvidia-smi >/dev/null; then
    torch=$(grep '^torch==' constraints.txt)
    "${pip[@]}" --no-deps --retries 1 --timeout 15 --index-url https://download.pytorch.org/whl/cpu "$torch" ||
        echo "install.sh: no CPU build of torch could be installed; installing the default one" >&2
fi
"${pip[@]}" --constraint constraints.txt --editable ".${extras:+[$extras]}"
