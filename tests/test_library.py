"""The package as a library: a few names at the top, no torch before it is needed, types for mypy, a notebook."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import enron_triage

ROOT = Path(__file__).parents[1]
PACKAGE = Path(enron_triage.__file__).parent


def python(code, folder):
    """What a fresh interpreter prints."""
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_names_of_the_package_are_those_of_its_modules():
    from enron_triage import Triage, load_config, run
    from enron_triage.config import load
    from enron_triage.pipeline import run as run_pipeline
    from enron_triage.predict import Triage as PredictTriage

    assert (Triage, load_config, run) == (PredictTriage, load.load_config, run_pipeline)
    assert set(enron_triage.__all__) <= set(dir(enron_triage))
    for name in enron_triage.__all__:
        assert getattr(enron_triage, name) is not None


def test_an_unknown_name_is_an_error():
    with pytest.raises(AttributeError, match="no attribute 'Traige'"):
        _ = enron_triage.Traige


@pytest.mark.slow
def test_importing_the_package_or_reading_a_configuration_loads_no_torch(tmp_path):
    code = "import sys; from enron_triage import load_config, run; load_config(); print('torch' in sys.modules)"
    assert python(code, tmp_path) == "False"


@pytest.mark.slow
def test_mypy_sees_the_types_of_a_program_that_uses_the_package(tmp_path):
    assert (PACKAGE / "py.typed").exists()
    program = tmp_path / "program.py"
    program.write_text(
        "from enron_triage import Triage, load_config, run\n"
        "reveal_type(Triage.load('best_sft.pt').predict([b'']))\n"
        "reveal_type(run(load_config()))\n"
    )
    # With the project's own settings, so that what `mypy` found out about its libraries before is not found out again.
    command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", str(program)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert 'Revealed type is "list[enron_triage.predict.triage.Prediction | None]"' in done.stdout
    assert 'Revealed type is "enron_triage.stage_run.stage.Result"' in done.stdout


@pytest.mark.slow
def test_the_notebook_runs(tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("PYTHONPATH", str(PACKAGE.parent))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(ROOT / "examples" / "quickstart.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # none are committed
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert (tmp_path / "quickstart" / "checkpoints" / "best_sft.pt").exists()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("macro_f1" in str(output) for output in shown)
    assert any("reply_later" in str(output.get("data")) for output in shown)
