import datetime
import subprocess
import sys
from pathlib import Path

import pytest

from enron_triage.config import paths
from enron_triage.config.evaluations import evaluation_file
from enron_triage.config.judgements import evaluated_judgements, judgement_file, preference_file
from enron_triage.config.load import check_config, load_config
from enron_triage.config.schema import Config
from enron_triage.config.strict_yaml import parse_yaml
from enron_triage.config.types import seconds
from enron_triage.errors import UsageError

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_without_files_every_key_has_its_default():
    config = load_config()
    assert config == Config()
    assert config.label.reply_now_within == "1h"
    assert config.split.ratios == (0.75, 0.125, 0.125)
    assert config.label.dates == (datetime.date(1997, 1, 1), datetime.date(2003, 1, 1))


def test_later_files_win_and_set_wins_over_files_and_options_over_all(tmp_path):
    first = write(tmp_path / "a.yaml", "sft: {epochs: 3, batch_size: 7}\ndevice: cpu\n")
    second = write(tmp_path / "b.yaml", "sft: {epochs: 4}\n")
    config = load_config([first, second], ["sft.batch_size=9", "seed=1"], data_dir="elsewhere", device=None)
    assert (config.sft.epochs, config.sft.batch_size, config.seed) == (4, 9, 1)
    assert (config.data_dir, config.device) == ("elsewhere", "cpu")


def test_an_empty_file_changes_nothing(tmp_path):
    assert load_config([write(tmp_path / "a.yaml", "# nothing\n")]) == Config()


def test_stage_seeds_default_to_the_seed_of_the_run():
    config = load_config([], ["seed=5", "sft.seed=6"])
    assert (config.seed_of(config.dpo), config.seed_of(config.sft)) == (5, 6)


def test_the_seed_of_the_training_does_not_touch_the_data():
    config = load_config([], ["seed=5"])
    assert (config.split, config.download, config.evaluate) == (Config().split, Config().download, Config().evaluate)


def test_a_named_run_has_its_own_folders():
    config = load_config([], ["run=weighted"])
    assert config.checkpoints == Path("checkpoints/weighted")
    assert evaluation_file(config) == Path("data/eval/weighted/best_sft.test.json")
    assert load_config().checkpoints == Path("checkpoints")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sft.epoch=3", "sft.epoch: unknown key; did you mean epochs?"),
        ("stf.epochs=3", "stf: unknown key; did you mean sft?"),
        (
            "learning_rate=0.1",
            "learning_rate: unknown key; did you mean features.text.learning_rate or sft.learning_rate",
        ),
        ("sft.dropout=0.1", "sft.dropout: unknown key; did you mean "),
        ("source=x", "source: unknown key; did you mean download.source or parse.source?"),
        ("frobnicate=3", "frobnicate: unknown key; allowed here: seed, "),
        ("sft.epochs=many", 'sft.epochs: must be a whole number of at least 1, not "many"'),
        ("sft.epochs=0", "sft.epochs: must be a whole number of at least 1, not 0"),
        ("sft=3", "sft: must be a section"),
        ("device=tpu", "device: must be auto, cpu, cuda, mps, or one of several GPUs such as cuda:1, not"),
        ("features.groups=[telepathy]", "allowed: metadata, history"),
        ("pipeline.stages=[]", "pipeline.stages"),
        ("label.reply_now_within=soon", "label.reply_now_within: must be a duration such as 90s, 30m, 1h or 7d"),
        ("label.link_window=30", "label.link_window: must be a duration such as 90s, 30m, 1h or 7d"),
        ("label.dates=[1997, 2003]", "label.dates: must be two dates such as [1997-01-01, 2003-01-01]"),
        ("label.dates=[1997-01-01]", "label.dates: must be two dates such as [1997-01-01, 2003-01-01]"),
        ("label.dates=[2003-01-01, 1997-01-01]", "the first date must come before the second"),
        ("run=../../etc", "run: must be a name such as sft_weighted"),
        ("run=2024", "(a bare number in quotes)"),
        ("workers=0", "workers: must be auto, or the number of processes"),
        ("workers=two", "workers: must be auto, or the number of processes"),
        ("download.sha256=abc", "download.sha256: must be 64 hexadecimal digits"),
        ("split.ratios=[0.8, 0.1]", "split.ratios: must be a list of 3, each a number above 0, not [0.8, 0.1]"),
        ("split.ratios=[6, 2, 2]", "split.ratios: sum to 10; write shares that sum to 1"),
        ("split.ratios=[0.7, 0.2, 0.09999]", "split.ratios: sum to 0.99999; write"),
        ("seed=on", 'seed: must be a whole number, not "on"'),
        ("seed=1:30", 'seed: must be a whole number, not "1:30"'),
        ("seed=1e3", "seed: must be a whole number, not 1000.0"),
        ("sft.resume=yes", 'sft.resume: must be true or false, not "yes"'),
        ("sft.learning_rate=fast", 'sft.learning_rate: must be a number above 0, not "fast"'),
        ("sft.learning_rate=.inf", "sft.learning_rate: must be finite, not inf"),
        ("rewards.costs=[[0, .nan]]", "rewards.costs: must be finite, not nan"),
        ("evaluate.split=2024", """evaluate.split: must be text, not 2024; put it in quotes, as '"2024"' in a shell"""),
        ("device=cuda:-1", "device: must be auto, cpu, cuda, mps, or one of several GPUs such as cuda:1, not"),
        ("sft={epochs: &e [*e]}", "an alias inside what it refers to"),
        ("noequals", "must read key.path=value"),
        ("sft..epochs=3", "must read key.path=value"),
        ("sft.epochs=[1", "not a YAML value"),
        ("sft={epochs: 1, epochs: 2}", "key epochs is already in line 1"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_key_and_what_is_allowed(override, message):
    with pytest.raises(UsageError) as raised:
        load_config([], [override])
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_number_may_be_written_in_scientific_notation(tmp_path):
    file = write(tmp_path / "a.yaml", "sft: {weight_decay: 2E-2, focal_gamma: 1.5e+0}\n")
    sft = load_config([file], ["sft.learning_rate=1e-3"]).sft
    assert (sft.learning_rate, sft.weight_decay, sft.focal_gamma) == (0.001, 0.02, 1.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sft:\n  epochs: 3\n  seed: 1\n  epochs: 4\n", "line 4, column 3: key epochs is already in line 2"),
        ("sft: {epochs: 3}\nsft: {seed: 1}\n", "line 2, column 1: key sft is already in line 1"),
        ("sft:\n\tepochs: 3\n", "line 2, column 1: .*character '\\\\t'.*; indent with spaces"),
        ("sft: epochs: 3\n", "line 1, column 12: mapping values are not allowed here"),
        ("sft:\n  epochs: [1\n", "line 3, column 1: while parsing a flow sequence, expected ',' or ']'"),
        ("seed: 1\nrun: a\0b\n", r"line 2: holds a control character, U\+0000"),
        ("label:\n  dates: [1997-02-30, 2003-01-01]\n", "line 2, column 11: 1997-02-30: day is out of range"),
    ],
)
def test_an_error_in_a_file_is_one_line_with_its_place(tmp_path, text, message):
    with pytest.raises(UsageError, match=rf"a\.yaml: not valid YAML: {message}") as raised:
        load_config([write(tmp_path / "a.yaml", text)])
    assert "\n" not in str(raised.value)


def test_numbers_and_words_are_read_as_yaml_1_2_has_them():
    text = "{a: 012, b: 1:30, c: on, d: yes, e: 1e-3, f: 0o12, g: true, h: ~, i: 1997-01-31, j: -.5E+3}"
    assert parse_yaml(text) == {
        "a": 12,
        "b": "1:30",
        "c": "on",
        "d": "yes",
        "e": 0.001,
        "f": 10,
        "g": True,
        "h": None,
        "i": datetime.date(1997, 1, 31),
        "j": -500.0,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sft:\n  <<: {epochs: 3}\n  seed: 1\n  seed: 2\n", "line 4, column 3: key seed is already in line 3"),
        ("sft:\n  <<: {seed: 1, seed: 2}\n", "line 2, column 17: key seed is already in line 2"),
        ("sft: &a\n  epochs: *a\n", "line 1, column .*: an alias inside what it refers to"),
        ("--- {seed: 1}\n--- {seed: 2}\n", "line 2, column 1: .* but found another document"),
        ("sft: {resume: !!bool maybe}\n", "line 1, column 15: maybe"),
    ],
)
def test_what_yaml_would_let_pass_is_refused(tmp_path, text, message):
    with pytest.raises(UsageError, match=message) as raised:
        load_config([write(tmp_path / "a.yaml", text)])
    assert "\n" not in str(raised.value)


def test_an_override_of_one_section_leaves_another_that_shares_its_values_by_an_alias(tmp_path):
    file = write(tmp_path / "a.yaml", "sft: &short {epochs: 3}\ndpo: *short\n")
    config = load_config([file], ["sft.epochs=5"])
    assert (config.sft.epochs, config.dpo.epochs) == (5, 3)


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "mps", "cuda:0", "cuda:11"])
def test_a_gpu_may_be_named_by_its_number_which_does_not_decide_a_result(device):
    config = load_config([], device=device)
    assert config.device == device
    assert config.settings(["device"]) == {"device": device.partition(":")[0]}


def test_a_key_overrides_a_merged_value(tmp_path):
    sft = load_config([write(tmp_path / "a.yaml", "sft:\n  <<: {epochs: 3, seed: 1}\n  epochs: 4\n")]).sft
    assert (sft.epochs, sft.seed) == (4, 1)


def test_ratios_must_sum_to_1_up_to_the_rounding_of_their_decimals():
    assert load_config([], ["split.ratios=[0.3333333, 0.3333333, 0.3333333]"]).split.ratios == (0.3333333,) * 3
    assert load_config([], ["split.ratios=[0.7, 0.2, 0.1]"]).split.ratios == (0.7, 0.2, 0.1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"sft: [", "not valid YAML"),
        (b"- a\n- b\n", "must hold keys and values"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"[" * 5000, "not valid YAML"),
    ],
)
def test_a_file_that_is_not_a_configuration_is_refused_by_name(tmp_path, content, message):
    file = tmp_path / "bad.yaml"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=r"bad\.yaml") as raised:
        load_config([file])
    assert message in str(raised.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        load_config([tmp_path / "none.yaml"])
    with pytest.raises(UsageError, match="is a folder"):
        load_config([tmp_path])


def test_yaml_cannot_run_code(tmp_path):
    file = write(tmp_path / "evil.yaml", "data_dir: !!python/object/apply:os.system ['touch pwned']\n")
    with pytest.raises(UsageError, match="not valid YAML"):
        load_config([file])
    assert not Path("pwned").exists()


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90), ("5m", 300), ("1h", 3600), ("30d", 2592000), ("0.5h", 1800)]
)
def test_durations_are_read_in_seconds(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_shipped_configurations_are_valid_and_say_why(file):
    config = load_config([file])
    assert isinstance(config, Config)
    assert file.read_text().startswith("# ")
    # A file that holds only comments would be the defaults under another name.
    assert parse_yaml(file.read_text())


def test_the_word_judgements_stands_for_the_file_in_the_data_folder():
    config = load_config(["demo", "dpo_judgements"])
    usual = Path("demo/data/judgements.jsonl")
    assert preference_file(config, config.dpo) == judgement_file(config) == usual
    assert preference_file(config, config.reward_model) is None
    assert evaluated_judgements(config) is None
    named = load_config(["demo"], ["evaluate.judgements=judgements", "dpo.preferences=mine.jsonl"])
    assert evaluated_judgements(named) == usual
    assert preference_file(named, named.dpo) == Path("mine.jsonl")
    assert evaluated_judgements(load_config([], ["evaluate.judgements=mine.jsonl"])) == Path("mine.jsonl")


def test_each_shipped_configuration_sets_what_its_name_says():
    by_name = {file.stem: load_config([file]) for file in CONFIGS}
    assert by_name["demo"].download.source == "demo"
    assert by_name["own_mail"].split.by == "time"
    assert by_name["sft_weighted"].sft.class_weights == "inverse"
    assert (by_name["sft_focal_balanced"].sft.loss, by_name["sft_focal_balanced"].sft.sampler) == ("focal", "balanced")
    assert by_name["log_2026_01"].label.scheme == "folder"
    assert by_name["log_2026_01"].features.groups == ("metadata",)
    assert by_name["dpo_synthetic"].dpo.preferences == "synthetic"
    assert paths.named_checkpoint(by_name["dpo_synthetic"], by_name["dpo_synthetic"].dpo.init) == Path(
        "checkpoints/sft_weighted/best_sft.pt"
    )
    assert by_name["dpo"].dpo.scale_by_costs
    assert by_name["grpo"].grpo.scale_rewards is False


def test_nested_unknown_sections_are_named_with_their_path():
    with pytest.raises(UsageError, match=r"label\.folders\.attic: unknown key"):
        check_config({"label": {"folders": {"attic": []}}})


def test_the_feature_groups_follow_from_what_the_label_scheme_allows():
    assert load_config([], ["label.scheme=folder"]).features.groups == ("metadata", "text")
    assert load_config([], ["label.scheme=folder", "features.groups=[metadata]"]).features.groups == ("metadata",)
    assert load_config([], ["features.text.epochs=1"]).features.groups == ("metadata", "history", "text")
    with pytest.raises(UsageError, match=r"folder scheme has no history, which history needs; use --set 'features"):
        load_config([], ["label.scheme=folder", "features.groups=[metadata, history]"])


def test_the_names_of_a_table_are_read_without_loading_what_it_needs():
    code = (
        "import sys; from enron_triage.config.load import load_config; "
        "load_config([], ['sft.loss=focal', 'dpo.loss=hinge', 'decision.rule=thresholds', 'parse.format=mbox']); "
        "from enron_triage.config.hints import names_in, table; "
        "names = {t: names_in(t) for t in sys.argv[1:]}; assert 'torch' not in sys.modules; "
        "assert all(names[t] == list(table(t)) for t in names), names"
    )
    tables = (
        "enron_triage.training.losses:LOSSES",
        "enron_triage.training.preference_losses:PREFERENCE_LOSSES",
        "enron_triage.policy.decisions:RULES",
        "enron_triage.features.groups:GROUPS",
        "enron_triage.labels.schemes:SCHEMES",
        "enron_triage.mail.sources:SOURCES",
        "enron_triage.pipeline.stages:STAGES",
    )
    done = subprocess.run([sys.executable, "-c", code, *tables], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
