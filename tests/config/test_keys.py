import subprocess
import sys

import msgspec
import pytest

from enron_triage.config.keys import documented_keys, documented_sections, keys_below, yaml_text
from enron_triage.config.load import load_config
from enron_triage.config.schema import Config
from enron_triage.config.strict_yaml import parse_yaml
from enron_triage.config.types import Section
from enron_triage.errors import UsageError

KEYS = documented_keys()


def paths_of(section, path=""):
    for name in section.__struct_fields__:
        value = getattr(section, name)
        if isinstance(value, Section):
            yield from paths_of(value, f"{path}{name}.")
        else:
            yield f"{path}{name}"


def test_every_key_of_the_schema_is_documented_and_no_other():
    assert sorted(KEYS) == sorted(paths_of(Config()))


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.path)
def test_a_key_has_a_sentence_what_is_allowed_and_a_default_that_is_the_default(key):
    assert key.meaning.endswith((".", ")"))
    assert key.meaning[0].isupper() or not key.meaning[0].isalpha()
    assert "As in every" not in key.meaning
    assert key.allowed
    assert load_config([], [f"{key.path}={key.default}"]) == Config()


@pytest.mark.parametrize("key", [key for key in KEYS.values() if key.names], ids=lambda key: key.path)
def test_every_name_that_is_documented_is_accepted_and_another_is_not(key):
    for name in key.names:
        if (key.path, name) != ("label.scheme", "folder"):  # which changes the feature groups, too
            load_config([], [f"{key.path}={f'[{name}]' if key.is_list else name}"])
    with pytest.raises(UsageError):
        load_config([], [f"{key.path}={'[nonsense]' if key.is_list else 'nonsense'}"])


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.path)
def test_null_is_accepted_exactly_where_the_key_says_so(key):
    if key.nullable:
        assert key.allowed.endswith("or null")
        load_config([], [f"{key.path}=null"])
    else:
        with pytest.raises(UsageError):
            load_config([], [f"{key.path}=null"])


@pytest.mark.parametrize(
    ("path", "default", "allowed"),
    [
        ("sft.epochs", "8", "a whole number of at least 1"),
        ("sft.learning_rate", "0.001", "a number above 0"),
        ("model.dropout", "0.5", "a number from 0 to less than 1"),
        ("download.demo.mailboxes", "24", "a whole number from 1 to 500"),
        ("sft.loss", "cross_entropy", "cross_entropy or focal"),
        ("decision.rule", "null", "argmax, prior, thresholds, expected_reward or null"),
        ("parse.format", "auto", "auto, files, mbox, maildir or enron"),
        ("label.link_window", "30d", "a duration such as 90s, 30m, 1h or 7d"),
        ("features.groups", "[metadata, history, text]", "a list of one or more, each metadata, history, "),
        ("split.ratios", "[0.75, 0.125, 0.125]", "a list of 3, each a number above 0"),
        ("label.folders.inbox", '[inbox, notes_inbox, ""]', "a list of any length, each text"),
        ("sft.resume", "true", "true or false"),
    ],
)
def test_what_is_allowed_is_said_in_words(path, default, allowed):
    assert KEYS[path].default == default
    assert KEYS[path].allowed.startswith(allowed)


def test_a_key_that_refers_to_the_other_stages_gets_their_sentence():
    assert KEYS["dpo.epochs"].meaning == KEYS["sft.epochs"].meaning
    assert KEYS["dpo.learning_rate"].meaning == (
        f"{KEYS['sft.learning_rate'].meaning} Lower, because the policy is already trained."
    )
    assert KEYS["dpo.weight_decay"] == msgspec.structs.replace(KEYS["sft.weight_decay"], path="dpo.weight_decay")
    assert KEYS["dpo.batch_size"].meaning == "Pairs per step."


def test_sections_hold_their_own_keys_and_a_sentence():
    sections = documented_sections()
    assert list(sections)[:3] == ["", "pipeline", "download"]
    assert [key.path for key in sections["download"].keys] == ["download.source", "download.sha256"]
    assert [key.path for key in sections["download.demo"].keys] == [
        "download.demo.seed",
        "download.demo.mailboxes",
        "download.demo.messages",
    ]
    assert sections["sft"].meaning == "Supervised fine-tuning (stage 1)."
    assert all(section.meaning for section in sections.values())


def test_the_keys_below_a_path_are_those_of_a_section_with_its_sections_or_one_key():
    assert [key.path for key in keys_below("download")] == [
        "download.source",
        "download.sha256",
        "download.demo.seed",
        "download.demo.mailboxes",
        "download.demo.messages",
    ]
    assert [key.path for key in keys_below("label.scheme")] == ["label.scheme"]
    assert not keys_below("label.sch")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "null",
        "Yes",
        "1e3",
        "12",
        "a: b",
        "#x",
        "a b",
        "x/y.pt",
        "~",
        "1997-01-01",
        [1, [0.5, None]],
        {"a": True},
        1e-5,
    ],
)
def test_a_value_as_yaml_text_is_read_as_the_same_value(value):
    assert parse_yaml(yaml_text(value)) == value
    assert parse_yaml(yaml_text([value])) == [value]


def test_the_documentation_is_read_without_torch():
    code = (
        "import sys; from enron_triage.config.keys import documented_keys as d; d(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
