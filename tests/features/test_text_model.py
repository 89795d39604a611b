"""Words to scores: what the table learns, and that train's own scores do not see their labels."""

import numpy as np
import pytest
import torch

from enron_triage.config.training import FeaturesConfig, TextConfig
from enron_triage.features.feature_group import TokenArrays, TrainContext
from enron_triage.features.text_fit import cross_fitted_scores, fit_all, fit_text_model
from enron_triage.features.text_model import TextModel
from enron_triage.features.text_scores import word_contributions
from enron_triage.features.token_bags import TokenBags

pytestmark = pytest.mark.slow  # trains, or draws

SETTINGS = TextConfig(min_messages=1, batch_size=16, epochs=8, learning_rate=0.1, folds=4)


def bags_of(lists, num_buckets=256):
    """TokenBags from a list of buckets for each message."""
    buckets = np.array([word for words in lists for word in words], dtype=np.int32)
    lengths = np.array([len(words) for words in lists], dtype=np.int64)
    return TokenBags.concatenate([TokenArrays(buckets, lengths, num_buckets)])


def context_of(targets, mailbox, settings=SETTINGS, seed=1):
    """A context in which all messages weigh the same."""
    return TrainContext(
        targets=targets,
        mailbox=mailbox,
        sample_weight=torch.ones(len(targets)),
        class_prior=torch.bincount(targets, minlength=5) / len(targets),
        settings=FeaturesConfig(text=settings),
        seed=seed,
    )


@pytest.fixture
def mail():
    """Messages of 8 mailboxes: bucket 100 + action tells the action, the rest is noise."""
    generator = np.random.default_rng(0)
    targets = torch.from_numpy(generator.integers(0, 5, 200))
    words = [sorted({100 + int(target), *generator.integers(0, 50, 6).tolist()}) for target in targets]
    return bags_of(words), targets, torch.arange(200) % 8


def test_a_word_that_decides_is_learned(mail):
    bags, targets, mailbox = mail
    model, features = fit_text_model(bags, context_of(targets, mailbox))
    assert (model.scores(bags).argmax(dim=1) == targets).float().mean() > 0.95
    assert features.shape == (200, 5)
    torch.testing.assert_close(features.mean(dim=0), torch.zeros(5), atol=1e-4, rtol=0)
    assert model.scores(bags_of([[]])).tolist()[0] == pytest.approx(model.bias.tolist())  # no word at all


def test_a_mailboxes_own_labels_do_not_change_its_scores(mail):
    bags, targets, mailbox = mail
    before = cross_fitted_scores(bags, context_of(targets, mailbox))
    own = mailbox == 3
    other_labels = torch.where(own, (targets + 1) % 5, targets)
    after = cross_fitted_scores(bags, context_of(other_labels, mailbox))
    assert torch.equal(before[own], after[own])
    assert not torch.equal(before[~own], after[~own])


def test_with_fewer_mailboxes_than_folds_runs_of_messages_are_left_out(mail):
    bags, targets, _ = mail
    one = torch.zeros(200, dtype=torch.int64)
    before = cross_fitted_scores(bags, context_of(targets, one))
    first = torch.arange(200) < 50
    after = cross_fitted_scores(bags, context_of(torch.where(first, 0, targets), one))
    assert torch.equal(before[first], after[first])


def test_the_same_seed_gives_the_same_table(mail):
    bags, targets, mailbox = mail
    first, again, other = (fit_text_model(bags, context_of(targets, mailbox, seed=seed))[0].table for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_words_that_few_messages_hold_are_left_out(mail):
    _, targets, mailbox = mail
    bags = bags_of([[1, 1000 + number] for number in range(200)], num_buckets=2048)
    settings = TextConfig(min_messages=2, batch_size=16, epochs=2)
    model, _ = fit_text_model(bags, context_of(targets, mailbox, settings))
    assert model.idf[1] > 0
    assert (model.idf[1000:1200] == 0).all()


def test_the_contributions_of_the_words_add_up_to_the_features(mail):
    bags, targets, mailbox = mail
    model, _ = fit_text_model(bags, context_of(targets, mailbox))
    one = bags[torch.tensor([5])]
    fitted = (values.numpy() for values in (model.idf, model.table, model.std))
    added = torch.from_numpy(word_contributions(one.buckets.numpy(), *fitted))
    whole = added.sum(dim=0) + (model.bias - model.mean) / model.std
    torch.testing.assert_close(whole.clamp(-5, 5), model.features(one)[0], rtol=1e-4, atol=1e-5)


def fitted_apart(bags, targets, weight, settings):
    """The plain computation that `fit_all` shares between models: one table of all buckets, and torch's gradients."""
    used = weight > 0
    frequency = torch.bincount(bags[used.nonzero().flatten()].buckets, minlength=bags.num_buckets)
    idf = torch.log((used.sum() + 1) / (frequency + 1)) + 1
    idf[frequency < settings.min_messages] = 0
    ones = torch.zeros(len(bags), bags.num_buckets)
    for row in range(len(bags)):
        ones[row, bags[torch.tensor([row])].buckets.long()] = 1
    inputs = torch.nn.functional.normalize(ones * idf, dim=1)
    table, bias = torch.zeros(bags.num_buckets, 5, requires_grad=True), torch.zeros(5, requires_grad=True)
    optimizer = torch.optim.Adam([table, bias], lr=settings.learning_rate, betas=(0.9, 0.99))
    generator, steps = torch.Generator().manual_seed(7), settings.epochs * -(-len(bags) // settings.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(settings.epochs):
        for rows in torch.split(torch.randperm(len(bags), generator=generator), settings.batch_size):
            losses = torch.nn.functional.cross_entropy(inputs[rows] @ table + bias, targets[rows], reduction="none")
            optimizer.zero_grad()
            ((losses * weight[rows]).sum() / len(rows)).backward()
            optimizer.step()
            schedule.step()
    return TextModel(idf, table.detach(), bias.detach(), torch.zeros(5), torch.ones(5))


def test_models_fitted_together_are_those_fitted_apart(mail):
    bags, targets, mailbox = mail
    settings = TextConfig(min_messages=20, batch_size=32, epochs=3, learning_rate=0.1)
    weight = 0.5 + torch.rand(200, generator=torch.Generator().manual_seed(2))
    seen = weight[:, None] * torch.stack([mailbox % 2 != 0, mailbox % 2 != 1, mailbox >= 0], dim=1)
    done = []
    fits = fit_all(bags, targets, seen, settings, torch.Generator().manual_seed(7), done.append)
    assert sum(done) == 3 * 200
    assert fits.scores.shape == (200, 3, 5)
    for number in range(3):
        apart = fitted_apart(bags, targets, seen[:, number], settings)
        torch.testing.assert_close(fits.idf[:, number], apart.idf[fits.words])
        torch.testing.assert_close(fits.table[:, number], apart.table[fits.words], atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(fits.bias[number], apart.bias, atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(fits.scores[:, number], apart.scores(bags), atol=1e-2, rtol=1e-3)
        assert apart.table[(apart.idf == 0)].abs().max() == 0
    rare_in_a_fold = (fits.idf[:, 0] == 0) & (fits.idf[:, 2] > 0)
    assert rare_in_a_fold.any()  # and the comparison above covers it


def test_no_known_word_and_a_fold_that_leaves_everything_out_are_no_errors():
    bags = bags_of([[1], [2], []])
    context = context_of(torch.tensor([0, 3, 3]), torch.tensor([0, 0, 0]), TextConfig(epochs=1))
    model, features = fit_text_model(bags, context)
    assert features.isfinite().all()
    assert (model.table == 0).all()
    only = bags_of([[1]])
    scores = cross_fitted_scores(only, context_of(torch.tensor([0]), torch.tensor([0]), TextConfig(epochs=1)))
    assert torch.equal(scores, torch.zeros(1, 5))
