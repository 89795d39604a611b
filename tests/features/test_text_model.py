"""Words to scores: what the table learns, and that train's own scores do not see their labels."""

import numpy as np
import pytest
import torch

from enron_triage.config.training import TextConfig
from enron_triage.features.text_model import TokenBags, cross_fitted_scores, fit_text_model

SETTINGS = TextConfig(min_messages=1, batch_size=16, epochs=20, learning_rate=0.1, folds=4)


def bags_of(lists):
    """TokenBags from a list of buckets for each message."""
    lengths = torch.tensor([len(words) for words in lists], dtype=torch.int64)
    return TokenBags.joined([(torch.tensor([word for words in lists for word in words], dtype=torch.int32), lengths)])


@pytest.fixture
def mail():
    """Messages of 8 mailboxes: bucket 100 + action tells the action, the rest is noise."""
    generator = np.random.default_rng(0)
    targets = torch.from_numpy(generator.integers(0, 5, 200))
    words = [sorted({100 + int(target), *generator.integers(0, 50, 6).tolist()}) for target in targets]
    return bags_of(words), targets, torch.arange(200) % 8


def test_taking_rows_is_slicing():
    bags = bags_of([[1, 2], [], [7], [3, 4, 5]])
    taken = bags.take(torch.tensor([3, 1, 0]))
    assert taken.buckets.tolist() == [3, 4, 5, 1, 2]
    assert taken.offsets.tolist() == [0, 3, 3, 5]
    assert len(bags.take(torch.tensor([], dtype=torch.int64))) == 0


def test_a_word_that_decides_is_learned(mail):
    bags, targets, mailbox = mail
    model, features = fit_text_model(bags, targets, torch.ones(200), mailbox, SETTINGS, 1)
    assert (model.scores(bags).argmax(dim=1) == targets).float().mean() > 0.95
    assert features.shape == (200, 5)
    torch.testing.assert_close(features.mean(dim=0), torch.zeros(5), atol=1e-4, rtol=0)
    assert model.scores(bags_of([[]])).tolist()[0] == pytest.approx(model.bias.tolist())  # no word at all


def test_a_mailboxes_own_labels_do_not_change_its_scores(mail):
    bags, targets, mailbox = mail
    weights = torch.ones(200)
    before = cross_fitted_scores(bags, targets, weights, mailbox, SETTINGS, 1)
    own = mailbox == 3
    other_labels = torch.where(own, (targets + 1) % 5, targets)
    after = cross_fitted_scores(bags, other_labels, weights, mailbox, SETTINGS, 1)
    assert torch.equal(before[own], after[own])
    assert not torch.equal(before[~own], after[~own])


def test_with_fewer_mailboxes_than_folds_stretches_of_messages_are_left_out(mail):
    bags, targets, _ = mail
    one = torch.zeros(200, dtype=torch.int64)
    before = cross_fitted_scores(bags, targets, torch.ones(200), one, SETTINGS, 1)
    first = torch.arange(200) < 50
    after = cross_fitted_scores(bags, torch.where(first, 0, targets), torch.ones(200), one, SETTINGS, 1)
    assert torch.equal(before[first], after[first])


def test_the_same_seed_gives_the_same_table(mail):
    bags, targets, mailbox = mail
    first, again, other = (
        fit_text_model(bags, targets, torch.ones(200), mailbox, SETTINGS, seed)[0].table for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_words_that_few_messages_hold_are_left_out(mail):
    _, targets, mailbox = mail
    bags = bags_of([[1, 1000 + number] for number in range(200)])
    settings = TextConfig(min_messages=2, batch_size=16, epochs=2)
    model, _ = fit_text_model(bags, targets, torch.ones(200), mailbox, settings, 1)
    assert model.idf[1] > 0
    assert (model.idf[1000:1200] == 0).all()


def test_the_contributions_of_the_words_add_up_to_the_features(mail):
    bags, targets, mailbox = mail
    model, _ = fit_text_model(bags, targets, torch.ones(200), mailbox, SETTINGS, 1)
    one = bags.take(torch.tensor([5]))
    whole = model.contributions(one.buckets).sum(dim=0) + (model.bias - model.mean) / model.std
    torch.testing.assert_close(whole.clamp(-5, 5), model.features(one)[0], rtol=1e-4, atol=1e-5)
