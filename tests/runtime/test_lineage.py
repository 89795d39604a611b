"""The stages that made an artifact, by the metadata beside each."""

from pathlib import Path

import pytest

from enron_triage.runtime import provenance
from enron_triage.runtime.lineage import lineage


@pytest.fixture
def chain(tmp_path):
    """c.json was made from b.json, which was made from a.json."""
    folder = tmp_path / "data"
    folder.mkdir()
    paths = [folder / f"{name}.json" for name in "abc"]
    for path in paths:
        path.write_text(f"[{path.name!r}]")
    for stage, source, target in (("parse", *paths[:2]), ("label", *paths[1:])):
        states = provenance.input_states([source])
        provenance.write_meta(
            [target], stage=stage, settings={stage: 1}, inputs=states, counts={}, seconds=0, code={}, origin=""
        )
    return folder


def of(path):
    found = lineage(path, provenance.file_state(path))
    return list(found.stages), [Path(name).name for name in found.sources]


def test_the_first_stage_comes_first_and_what_it_read_is_the_source(chain):
    assert of(chain / "c.json") == (["parse", "label"], ["a.json"])
    assert of(chain / "a.json") == ([], ["a.json"])


def test_a_folder_may_have_been_moved(chain, tmp_path):
    moved = chain.rename(tmp_path / "elsewhere")
    assert of(moved / "c.json") == (["parse", "label"], ["a.json"])


def test_metadata_of_another_content_tell_nothing(chain):
    (chain / "b.json").write_text("[]")
    states = provenance.input_states([chain / "a.json"])
    provenance.write_meta(
        [chain / "b.json"], stage="parse", settings={}, inputs=states, counts={}, seconds=0, code={}, origin=""
    )
    assert of(chain / "c.json") == (["label"], ["b.json"])
    (chain / "c.json").write_text("[1]")
    assert of(chain / "c.json") == ([], ["c.json"])
