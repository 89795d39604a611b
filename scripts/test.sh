#!/usr/bin/env bash
# Run all checks: format, lint, types, layers of imports, the documentation, and the tests. Arguments are pytest's.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/install.sh test
export PATH="$PWD/.venv/bin:$PATH"
ruff format --check .
ruff check .
lint-imports
scripts/docs.sh
# mypy keeps one processor busy for a minute where it has no cache, so it runs beside the tests.
types=$(mktemp)
trap 'rm -f "$types"' EXIT
mypy >"$types" 2>&1 &
mypy=$!
# Before Python 3.12, which has sys.monitoring, measuring the coverage nearly doubles the time of the tests.
if [ $# -eq 0 ] && python -c 'import sys; sys.exit(sys.version_info < (3, 12))'; then
    export COVERAGE_CORE=sysmon
    set -- --cov --cov-report=term
fi
status=0
pytest -n auto --dist loadfile --no-loadscope-reorder "$@" || status=$?
wait "$mypy" || status=$?
cat "$types"
exit "$status"
