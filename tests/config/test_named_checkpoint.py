"""Names of checkpoints: a name, a run and a name, a run with one policy, a path with or without its ending."""

import logging
from pathlib import Path

import pytest

from enron_triage.config import paths
from enron_triage.config.load import load_config
from enron_triage.errors import UsageError


def touch(*names):
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def named(name, **top_level):
    return paths.named_checkpoint(load_config([], [], **top_level), name).as_posix()


def test_a_name_is_in_the_runs_folder_and_may_have_another_run_before_it():
    assert named("best_sft") == "checkpoints/best_sft.pt"
    assert named("best_sft", run="mine") == "checkpoints/mine/best_sft.pt"
    assert named("other/best_sft", run="mine") == "checkpoints/other/best_sft.pt"
    assert named("some/where.pt") == "some/where.pt"


def test_a_path_may_lack_its_ending():
    touch("checkpoints/mine/best_sft.pt", "policies/best_dpo.pt", "best_grpo.pt")
    assert named("checkpoints/mine/best_sft") == "checkpoints/mine/best_sft.pt"
    assert named(str(Path("policies/best_dpo").absolute())) == str(Path("policies/best_dpo.pt").absolute())
    assert named("best_grpo") == "checkpoints/best_grpo.pt"  # a bare name is never looked for in the working folder


@pytest.mark.parametrize("name", ["mine", "mine/", "checkpoints/mine", "checkpoints/mine/"])
def test_a_run_with_one_policy_stands_for_it_and_the_log_says_which(name, caplog):
    touch("checkpoints/mine/best_sft.pt", "checkpoints/mine/best_reward.pt", "checkpoints/mine/stage_1.pt")
    paths._log_choice.cache_clear()
    with caplog.at_level(logging.INFO):
        assert named(name, run="other") == "checkpoints/mine/best_sft.pt"
        named(name)
    assert caplog.messages == [f"checkpoint {name.rstrip('/')}: taking checkpoints/mine/best_sft.pt"]


def test_a_run_with_several_policies_is_answered_with_their_names():
    touch("checkpoints/mine/best_sft.pt", "checkpoints/mine/best_dpo.pt")
    with pytest.raises(UsageError, match="name one of them: mine/best_dpo, mine/best_sft"):
        named("mine")


def test_a_checkpoint_goes_before_a_run_of_the_same_name():
    touch("checkpoints/best_sft/best_dpo.pt", "checkpoints/best_sft.pt")
    assert named("best_sft") == "checkpoints/best_sft.pt"


def test_what_is_not_there_is_named_where_it_would_be():
    touch("checkpoints/empty/notes.txt", "checkpoints/best_sft.pt")
    assert named("empty") == "checkpoints/empty.pt"
    assert named("nothing/best_sft") == "checkpoints/nothing/best_sft.pt"
    assert named("") == "checkpoints/.pt"
