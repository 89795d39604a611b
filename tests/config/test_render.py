"""What a configuration looks like: YAML that reads back, the differences of two, and its JSON Schema."""

import datetime
import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enron_triage.config.json_schema import configuration_schema
from enron_triage.config.keys import documented_keys, yaml_text
from enron_triage.config.load import check_config, load_config, value_origins
from enron_triage.config.render import as_yaml, chosen_values, differing_keys, key_values, nested, origins_of_all
from enron_triage.config.schema import Config
from enron_triage.config.shipped import shipped_files
from enron_triage.config.strict_yaml import parse_yaml
from enron_triage.errors import UsageError

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.dates()
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=8,
)


@given(PLAIN)
def test_a_value_in_one_line_reads_back_as_the_same_value(value):
    text = yaml_text(value)
    assert len(text.splitlines()) <= 1
    read = parse_yaml(f"key: {text} # comment")["key"]
    assert read == value
    assert type(read) is type(value)


@given(st.sampled_from(["on", "012", "1:30", "1e-3", "~", "null", "true", "1997-01-01", "0x1F", "<<", "=", "- a", "#"]))
def test_a_text_that_looks_like_something_else_stays_text(text):
    config = check_config({"data_dir": text, "label": {"folders": {"sent": [text, "", "a: b", "é\x7f\u2028"]}}})
    assert check_config(parse_yaml(as_yaml(config, {}))) == config


@pytest.mark.parametrize("name", shipped_files())
def test_a_configuration_that_is_printed_gives_the_same_configuration_again(name):
    overrides = ["rewards.costs=" + str([[1e-05, 1, 2, 3, 4]] * 5), "sft.learning_rate=1e-5", "device=cuda:1"]
    config = load_config([name], overrides, data_dir="it's: #1\n")
    text = as_yaml(config, origins_of_all(config, value_origins([name], overrides)))
    assert check_config(parse_yaml(text)) == config
    data = json.loads(json.dumps(nested(key_values(config)), default=str))  # as --json prints it
    assert check_config(data) == config


def test_the_comment_after_a_value_says_where_it_comes_from():
    config = load_config([], ["label.scheme=folder", "rewards.costs=" + str([[1.23456789] * 5] * 5)])
    given_values = {"label.scheme": "an odd\nfile\x07.yaml", "rewards.costs": "--set"}
    lines = as_yaml(config, origins_of_all(config, given_values)).splitlines()
    assert "  scheme: folder # an odd?file?.yaml" in lines
    assert "  costs: # --set" in lines
    assert "  groups: [metadata, text] # follows from label.scheme" in lines
    assert sum("#" in line for line in lines) == 3


def test_one_section_or_key_is_shown_with_the_sections_that_it_is_in():
    assert as_yaml(Config(), {}, "split").splitlines()[:2] == ["split:", "  by: user"]
    assert as_yaml(Config(), {}, "features.text.folds") == "features:\n  text:\n    folds: 4"
    assert list(chosen_values(Config(), "sft")) == [f"sft.{name}" for name in Config().sft.__struct_fields__]
    with pytest.raises(UsageError, match=r"stf: no such section or key; did you mean sft\? sections: pipeline, "):
        as_yaml(Config(), {}, "stf")


def test_two_configurations_differ_in_the_keys_with_other_values():
    one, other = load_config([], ["sft.epochs=3", "run=a"]), load_config([], ["sft.epochs=4", "run=a", "seed=1"])
    assert differing_keys(one, other) == {"seed": (42, 1), "sft.epochs": (3, 4)}
    assert differing_keys(one, one) == {}


def as_json(values):
    """Dates as text, as an editor reads them."""
    return json.loads(json.dumps(values, default=datetime.date.isoformat))


def test_the_schema_is_one_and_describes_every_key():
    schema = configuration_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    definitions = schema["$defs"]

    def descriptions(name, path):
        for key, value in definitions[name]["properties"].items():
            where = f"{path}.{key}" if path else key
            if "$ref" in value:
                yield from descriptions(value["$ref"].rpartition("/")[2], where)
            else:
                yield where, value["description"]

    assert dict(descriptions("Config", "")) == {key.path: key.meaning for key in documented_keys().values()}


@pytest.mark.parametrize("name", [*shipped_files(), None])
def test_the_schema_allows_what_the_program_allows(name):
    values = parse_yaml(shipped_files()[name].read_text()) if name else key_values(Config())
    jsonschema.validate(as_json(values if name else nested(values)), configuration_schema())


@pytest.mark.parametrize(
    "values",
    [
        {"sft": {"epoch": 3}},
        {"sft": {"epochs": 0}},
        {"sft": {"loss": "hinge"}},
        {"features": {"groups": ["metadata", "telepathy"]}},
        {"pipeline": {"stages": ["stf"]}},
        {"decision": {"rule": "best"}},
        {"parse": {"format": "pst"}},
        {"device": "tpu"},
        {"seed": "on"},
        {"label": None},
    ],
    ids=str,
)
def test_the_schema_refuses_what_the_program_refuses(values):
    with pytest.raises(UsageError):
        check_config(values)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values, configuration_schema())
