import os

from enron_triage import provenance


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
        return provenance.up_to_date("s", settings or {"a": 1}, [source], [output])

    assert not current()  # no meta data yet
    meta_of(output, source)
    assert current()
    assert not current({"a": 2})
    os.utime(source, (1, 1))  # another time, the same content: hashed again and found equal
    assert current()
    source.write_text("changed")
    assert not current()
    meta_of(output, source)
    output.write_text("edited")
    assert not current()
    meta_of(output, source)
    output.unlink()
    assert not current()
    output.write_text("edited")
    source.unlink()
    assert not current()


def test_broken_meta_data_mean_out_of_date(tmp_path):
    source, output = tmp_path / "in", tmp_path / "out"
    source.write_text("one")
    output.write_text("two")
    meta_of(output, source)
    provenance.meta_path(output).write_text("{")
    assert not provenance.up_to_date("s", {"a": 1}, [source], [output])


def test_a_folder_changes_with_any_file_in_it(tmp_path):
    root = tmp_path / "maildir"
    (root / "a" / "inbox").mkdir(parents=True)
    (root / "a" / "inbox" / "1.").write_text("x")
    before = provenance.file_state(root)
    assert provenance.file_state(root) == before
    assert before.size == 1
    (root / "a" / "inbox" / "2.").write_text("y")
    assert provenance.file_state(root).sha256 != before.sha256
