"""The advice on an extra fits the installation: a checkout, a folder, a wheel's file, a repository, an index."""

import importlib.metadata
import json

import pytest

from enron_triage.runtime.extras import install_command


class Installed:
    """A distribution that knows where it was installed from (PEP 610)."""

    def __init__(self, direct_url):
        self.direct_url = direct_url

    def read_text(self, name):
        assert name == "direct_url.json"
        return self.direct_url


def installed_from(monkeypatch, **direct_url):
    text = json.dumps(direct_url) if direct_url else None
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: Installed(text))


def test_in_a_checkout_it_is_installed_from_there_with_the_tested_versions(tmp_path, monkeypatch):
    checkout = tmp_path / "a checkout"
    (checkout / "src").mkdir(parents=True)
    (checkout / "pyproject.toml").touch()
    assert install_command("embed", checkout) == f"`pip install -e '{checkout}[embed]'`"
    (checkout / "constraints.txt").touch()
    assert install_command("embed", checkout).endswith(f" -c '{checkout}/constraints.txt'`")
    monkeypatch.chdir(checkout)
    assert install_command("embed", checkout) == "`pip install -e '.[embed]' -c constraints.txt`"


def test_what_was_installed_from_a_folder_is_installed_from_there_again(tmp_path, monkeypatch):
    installed_from(monkeypatch, url=tmp_path.as_uri(), dir_info={})
    assert install_command("mlflow", tmp_path / "site-packages") == "`pip install '.[mlflow]'`"
    (tmp_path / "constraints.txt").touch()
    monkeypatch.chdir("/")
    expected = f"`pip install '{tmp_path}[mlflow]' -c {tmp_path}/constraints.txt`"
    assert install_command("mlflow", tmp_path / "site-packages") == expected


@pytest.mark.parametrize(
    ("origin", "requirement"),
    [
        ({}, "enron-triage[wandb]"),
        ({"url": "https://x.example/a.whl", "archive_info": {}}, "enron-triage[wandb] @ https://x.example/a.whl"),
        (
            {"url": "https://x.example/r.git", "vcs_info": {"vcs": "git", "commit_id": "ab12"}},
            "enron-triage[wandb] @ git+https://x.example/r.git@ab12",
        ),
        ({"url": "file:///gone/checkout", "dir_info": {}}, "enron-triage[wandb]"),
    ],
)
def test_elsewhere_it_is_a_requirement_of_pips(tmp_path, monkeypatch, origin, requirement):
    installed_from(monkeypatch, **origin)
    assert install_command("wandb", tmp_path / "nowhere") == f"`pip install '{requirement}'`"


def test_without_a_distribution_it_is_the_packages_name(tmp_path, monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    assert install_command("wandb", tmp_path / "nowhere") == "`pip install 'enron-triage[wandb]'`"
