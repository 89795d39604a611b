import os

from enron_triage.runtime import provenance

CODE = {"labels.label": "0123", "records": "4567"}


def write_meta(output, source, **changes):
    values = {
        "stage": "s",
        "settings": {"a": 1},
        "inputs": provenance.input_states([source]),
        "counts": {},
        "seconds": 0.0,
        "code": CODE,
        "origin": "",
    }
    provenance.write_meta([output], **{**values, **changes})


def test_an_output_is_up_to_date_until_an_input_or_a_setting_changes_or_it_is_edited(tmp_path):
    source, output = tmp_path / "in", tmp_path / "out"
    source.write_text("one")
    output.write_text("two")

    def why(settings=None):
        return provenance.differences("s", settings or {"a": 1}, [source], [output], CODE)

    assert why() == [f"{output}: was not made by `triage s`"]  # no metadata yet
    write_meta(output, source)
    assert why() == []
    assert why({"a": 2}) == ["a was 1, is 2"]
    os.utime(source, (1, 1))  # another time, the same content
    assert why() == []
    source.write_text("changed")
    assert why() == [f"{source}: has changed"]
    write_meta(output, source)
    output.write_text("edited")
    assert why() == [f"{output}: was edited"]
    write_meta(output, source)
    output.unlink()
    assert why() == [f"{output}: is missing"]
    output.write_text("edited")
    source.unlink()
    assert why()[0] == f"{source}: is missing"


def test_metadata_that_cannot_be_read_make_an_output_out_of_date(tmp_path):
    source, output = tmp_path / "in", tmp_path / "out"
    source.write_text("one")
    output.write_text("two")
    write_meta(output, source)
    provenance.meta_path(output).write_text("{")
    assert provenance.differences("s", {"a": 1}, [source], [output], CODE) == [f"{output}: was not made by `triage s`"]


def test_an_output_of_another_version_or_another_stage_is_out_of_date(tmp_path, monkeypatch):
    source, output = tmp_path / "in", tmp_path / "out"
    source.write_text("one")
    output.write_text("two")
    write_meta(output, source)
    assert provenance.differences("t", {"a": 1}, [source], [output], CODE) == [f"{output}: was not made by `triage t`"]
    before = provenance.__version__
    monkeypatch.setattr(provenance, "__version__", "99")
    found = provenance.differences("s", {"a": 1}, [source], [output], CODE)
    assert found == [f"made by version {before}, this is 99"]


def test_an_output_that_other_code_has_made_is_out_of_date(tmp_path):
    source, output = tmp_path / "in", tmp_path / "out"
    source.write_text("one")
    output.write_text("two")
    write_meta(output, source)

    def why(code):
        return provenance.differences("s", {"a": 1}, [source], [output], code)

    assert why(CODE) == []
    assert why({**CODE, "records": "89ab"}) == ["the program's code has changed: records"]
    many = {f"labels.m{number}": "0" for number in range(5)}
    assert why({**CODE, **many}) == ["the program's code has changed: labels.m0, labels.m1, labels.m2 and 2 more"]


def test_a_copied_folder_is_not_an_edited_one(tmp_path):
    source, output = tmp_path / "in", tmp_path / "out"
    source.write_text("one")
    output.mkdir()
    (output / "1.").write_text("a message")
    write_meta(output, source)
    os.utime(output / "1.", (1, 1))
    assert provenance.differences("s", {"a": 1}, [source], [output], CODE) == []
    (output / "1.").write_text("another one")
    assert provenance.differences("s", {"a": 1}, [source], [output], CODE) == [f"{output}: was edited"]
