import os

from enron_triage.runtime import provenance


def meta_of(output, source, **changes):
    values = {
        "stage": "s",
        "settings": {"a": 1},
        "inputs": provenance.input_states([source]),
        "counts": {},
        "seconds": 0.0,
    }
    provenance.write_meta([output], **{**values, **changes})


def test_an_output_is_up_to_date_until_an_input_a_setting_or_itself_changes(tmp_path):
    source, output = tmp_path / "in", tmp_path / "out"
    source.write_text("one")
    output.write_text("two")

    def current(settings=None):
        return not why(settings)

    def why(settings=None):
        return provenance.differences("s", settings or {"a": 1}, [source], [output])

    assert why() == [f"{output}: was not made by `triage s`"]  # no metadata yet
    meta_of(output, source)
    assert current()
    assert why({"a": 2}) == ["a was 1, is 2"]
    os.utime(source, (1, 1))  # another time, the same content: hashed again and found equal
    assert current()
    source.write_text("changed")
    assert why() == [f"{source}: has changed"]
    meta_of(output, source)
    output.write_text("edited")
    assert why() == [f"{output}: was edited"]
    meta_of(output, source)
    output.unlink()
    assert why() == [f"{output}: is missing"]
    output.write_text("edited")
    source.unlink()
    assert why()[0] == f"{source}: is missing"


def test_broken_meta_data_mean_out_of_date(tmp_path):
    source, output = tmp_path / "in", tmp_path / "out"
    source.write_text("one")
    output.write_text("two")
    meta_of(output, source)
    provenance.meta_path(output).write_text("{")
    assert provenance.differences("s", {"a": 1}, [source], [output]) == [f"{output}: was not made by `triage s`"]


def test_a_folder_changes_with_any_file_in_it(tmp_path):
    root = tmp_path / "maildir"
    (root / "a" / "inbox").mkdir(parents=True)
    (root / "a" / "inbox" / "1.").write_text("x")
    before = provenance.file_state(root)
    assert provenance.file_state(root) == before
    assert before.size == 1
    (root / "a" / "inbox" / "2.").write_text("y")
    assert provenance.file_state(root).sha256 != before.sha256
