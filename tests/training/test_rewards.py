"""What an action is worth: the cost matrix, its shaping, a reward model."""

import math

import pytest
import torch

from enron_triage.config.training import RewardsConfig
from enron_triage.training.rewards import confidence_penalty, reward_table

COSTS = RewardsConfig().costs


def test_a_reward_is_minus_the_cost_of_the_decision():
    rewards = reward_table(torch.tensor([3, 0]), torch.tensor([math.nan, 60.0]), RewardsConfig(), 3600)
    assert rewards[0].tolist() == pytest.approx([-cost for cost in COSTS[3]])
    assert rewards[1].tolist() == pytest.approx([-cost for cost in COSTS[0]])


def test_partial_credit_is_the_greater_the_nearer_an_answer_came_to_the_threshold():
    config = RewardsConfig(partial_credit=0.8)
    seconds = torch.tensor([0.0, 1800.0, 3600.0, 7200.0, 360_000.0, math.nan])
    rewards = reward_table(torch.tensor([0, 0, 0, 1, 1, 4]), seconds, config, 3600)
    later_for_now, now_for_later = -COSTS[0][1], -COSTS[1][0]
    assert rewards[:3, 1].tolist() == pytest.approx([later_for_now * (1 - 0.8 * near) for near in (0, 0.5, 1)])
    assert rewards[3:5, 0].tolist() == pytest.approx([now_for_later * (1 - 0.8 * near) for near in (0.5, 0.01)])
    assert rewards[5].tolist() == pytest.approx([-cost for cost in COSTS[4]])
    plain = reward_table(torch.tensor([0, 0, 0, 1, 1, 4]), seconds, RewardsConfig(), 3600)
    assert torch.equal(rewards[:, 2:], plain[:, 2:])


def test_a_confident_error_costs_more_and_being_right_nothing():
    log_p = torch.tensor([[0.9, 0.1, 0.0, 0.0, 0.0]]).clamp_min(1e-9).log()
    assert confidence_penalty(log_p, torch.tensor([1]), 2.0)[0].tolist() == pytest.approx([1.8, 0, 0, 0, 0], abs=1e-6)
    assert confidence_penalty(log_p, torch.tensor([0]), 2.0)[0].tolist() == pytest.approx([0, 0.2, 0, 0, 0], abs=1e-6)
