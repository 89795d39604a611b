#!/usr/bin/env bash
# Run all checks: format, lint, types, layers of imports, the documentation, and the tests with coverage.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/install.sh test
export PATH="$PWD/.venv/bin:$PATH"
ruff format --check .
ruff check .
mypy
lint-imports
scripts/docs.sh
pytest -n auto --dist loadfile --no-loadscope-reorder --cov --cov-report=term "$@"
