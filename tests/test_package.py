"""What `pip install` brings: the wheel and the source distribution, and the program installed from them."""

import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

import enron_triage

pytestmark = pytest.mark.slow  # other processes

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
TRAINING = ("lightgbm", "matplotlib", "scipy", "torch", "jinja2")  # what prediction does without
SMALL = ["--set", "download.demo.mailboxes=3", "--set", "download.demo.messages=90", "--set", "workers=1"]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel and the source distribution, made without network."""
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(folder)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl")), next(folder.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """A folder with the package and its command, installed from the wheel; its dependencies are this Python's."""
    folder = tmp_path_factory.mktemp("installed")
    options = ["--quiet", "--no-deps", "--no-index", "--no-compile", "--target", str(folder)]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", *options, str(built[0])]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def triage(installed, folder, *words, without=()):
    """Run the installed program in a folder; the modules `without` cannot be imported."""
    hidden = "".join(f"sys.modules[{name!r}] = None; " for name in without)
    code = f"import sys; {hidden}from enron_triage.cli import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(installed), "COLUMNS": "120"}
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def files_of_the_package():
    package = ROOT / "src" / "enron_triage"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=package, capture_output=True, text=True
    )
    if listed.returncode:  # not a checkout of git
        return {str(path.relative_to(package)) for path in package.rglob("*.py")}
    return {name for name in listed.stdout.splitlines() if (package / name).exists()}


def test_the_wheel_and_the_source_hold_every_file_of_the_package_and_the_configurations(built):
    wheel, source = built
    configurations = {str(path.relative_to(ROOT)) for path in (ROOT / "configs").rglob("*.yaml")}
    assert {"configs/enron.yaml", "configs/sweeps/learning_rate.yaml"} <= configurations
    expected = {f"enron_triage/{name}" for name in files_of_the_package() | configurations}
    assert expected <= set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(source) as tar:
        held = {name.partition("/")[2] for name in tar.getnames()}
    assert {"src/enron_triage/py.typed", "LICENSE", "pyproject.toml", *configurations} <= held
    assert {f"src/enron_triage/{name}" for name in files_of_the_package()} <= held


def test_the_metadata_say_who_made_it_and_where_it_is(built):
    archive = zipfile.ZipFile(built[0])
    name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = HeaderParser().parsestr(archive.read(name).decode())
    assert metadata["Version"] == enron_triage.__version__
    assert metadata["Author"] == "enron_triage developers"
    assert metadata["License-Expression"] == "MIT"
    assert {link.partition(",")[0] for link in metadata.get_all("Project-URL")} >= {"Source", "Issues", "Changelog"}
    assert {"Typing :: Typed", "Programming Language :: Python :: 3.13"} <= set(metadata.get_all("Classifier"))


def test_the_version_is_the_same_wherever_it_stands():
    version = enron_triage.__version__
    changelog = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    citation = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert changelog[0] == version
    assert citation[1] == version


def test_the_installed_program_knows_its_configurations_outside_of_the_checkout(installed, tmp_path):
    shown = triage(installed, tmp_path, "config", "--config", "enron", "--json")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["config"]["data_dir"] == "enron/data"
    # The shipped sweep is found, too: what is missing is the mail.
    swept = triage(installed, tmp_path, "sweep", "learning_rate")
    assert swept.returncode == 2
    assert "no configuration says where the mail comes from" in swept.stderr


def test_the_installed_program_labels_mail_and_predicts_without_what_only_training_needs(installed, tmp_path):
    networks = ["model.boosting=0", "model.hidden=[8]", "model.ensemble=1", "sft.epochs=1", "device=cpu"]
    small = ["--config", "demo", *SMALL, *(word for setting in networks for word in ("--set", setting))]
    stages = ["--set", "pipeline.stages=[download, parse, label, split]"]
    done = triage(installed, tmp_path, "run", *small, *stages, without=TRAINING)
    assert done.returncode == 0, done.stderr
    refused = triage(installed, tmp_path, "sft", *small, without=("torch",))
    assert refused.returncode == 2
    assert refused.stderr.startswith("triage: torch is not installed, and this command needs it: pip install torch")
    assert refused.stderr.count("\n") == 1
    trained = triage(installed, tmp_path, "sft", *small)
    assert trained.returncode == 0, trained.stderr
    message = next(path for path in sorted((tmp_path / "demo/data/maildir").rglob("inbox/*")) if path.is_file())
    done = triage(installed, tmp_path, "predict", "--config", "demo", str(message), without=TRAINING)
    assert done.returncode == 0, done.stderr
    assert sum(json.loads(done.stdout)["probabilities"].values()) == pytest.approx(1, abs=1e-4)


def test_what_prediction_needs_is_all_but_what_training_needs():
    names = {re.split(r"[<>=!~\[ ]", entry)[0]: entry for entry in PROJECT["project"]["dependencies"]}
    expected = [entry for name, entry in names.items() if name not in TRAINING]
    assert PROJECT["dependency-groups"]["predict"] == expected
