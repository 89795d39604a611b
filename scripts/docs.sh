#!/usr/bin/env bash
# Build the documentation site in build/docs, strictly (any warning is an error) and without network.
#
#     scripts/docs.sh
#
# It needs the extra `docs`, which `scripts/install.sh test` (or `docs`) installs; open build/docs/index.html afterwards.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-.venv/bin/python}
if ! "$python" -c 'import furo, myst_parser, sphinx' 2>/dev/null; then
    echo "docs.sh: Sphinx is not installed; run scripts/install.sh docs" >&2
    exit 2
fi
# A fresh environment each time: Sphinx warns of a page only when it reads it.
"$python" -m sphinx --fresh-env --fail-on-warning --keep-going --quiet -b html docs build/docs "$@"
echo "build/docs/index.html"
