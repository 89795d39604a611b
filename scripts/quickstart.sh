#!/usr/bin/env bash
# From a fresh machine to an evaluated policy on the built-in demo corpus.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/install.sh
.venv/bin/triage run --config configs/demo.yaml "$@"
