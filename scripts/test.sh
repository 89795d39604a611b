#!/usr/bin/env bash
# All checks: format, lint, types, tests with coverage.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/install.sh test
export PATH="$PWD/.venv/bin:$PATH"
ruff format --check .
ruff check .
mypy
pytest -n auto --cov --cov-report=term "$@"
