#!/usr/bin/env bash
# Run all checks: format, lint, types, layers of imports, the documentation, and the tests. Arguments are pytest's.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/install.sh test
export PATH="$PWD/.venv/bin:$PATH"
ruff format --check .
ruff check .
lint-imports
# The documentation and the types keep one processor busy for a minute or more, so they are checked beside the tests.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
{
    failed=0
    scripts/docs.sh || failed=$?
    mypy || failed=$?
    exit "$failed"
} >"$log" 2>&1 &
beside=$!
# Before Python 3.12, which has sys.monitoring, measuring the coverage nearly doubles the time of the tests.
if [ $# -eq 0 ] && python -c 'import sys; sys.exit(sys.version_info < (3, 12))'; then
    export COVERAGE_CORE=sysmon
    set -- --cov --cov-report=term
fi
status=0
pytest -n auto --dist loadfile --no-loadscope-reorder "$@" || status=$?
wait "$beside" || status=$?
cat "$log"
exit "$status"
