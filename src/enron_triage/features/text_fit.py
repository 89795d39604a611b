"""Fits the text model, together with the models that score the messages of train.

The scores of train's own messages come from models fitted on the other mailboxes (stacked generalisation, Wolpert
1992): a model has seen its own training messages, and a policy that learned from such scores would trust them too far
on new people. So there is a model for each fold, which leaves its mailboxes out, and one of all messages.

They are softmax regressions over the same words, fitted by AdamW with a cosine decay to zero, without warm-up: a convex
problem that starts at zero needs none. A step takes one batch for all of them, in which every model skips the messages
that it must not see: what is added for a word is one row of a table of all models, and the table holds only the words
that enough messages have.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec
import numpy as np
import scipy.sparse
import torch
from torch import Tensor
from torch.nn import functional

from enron_triage.config.training import TextConfig
from enron_triage.features.feature_group import TrainContext
from enron_triage.features.normalization import fit_standardization
from enron_triage.features.text_model import TextModel
from enron_triage.features.text_scores import MIN_LENGTH
from enron_triage.features.token_bags import TokenBags
from enron_triage.records import ACTIONS
from enron_triage.runtime.adamw import AdamW
from enron_triage.runtime.progress import progress_bar

logger = logging.getLogger(__name__)

# A run has some hundred steps. The usual 0.999 for the squared gradients averages over a thousand, and a word is in few
# of the batches: 0.99 lets the step size of a rare word follow the gradients that there are.
_ADAM_BETAS = (0.9, 0.99)


def fit_text_model(bags: TokenBags, context: TrainContext) -> tuple[TextModel, Tensor]:
    """Fit the model on train.

    Parameters
    ----------
    bags : TokenBags
        The words of the train messages.
    context : TrainContext
        Their targets, mailboxes and weights; the settings ``text``; the seed of the folds and of the order in which
        the messages are visited.

    Returns
    -------
    model : TextModel
        Fitted on all of train.
    features : Tensor of float32, shape (messages, actions)
        The normalised scores of the train messages themselves: see `cross_fitted_scores`.
    """
    fits, fold = _fits(bags, context)
    scores = _unseen(fits, fold)
    idf, table = torch.zeros(bags.num_buckets), torch.zeros(bags.num_buckets, len(ACTIONS))
    idf[fits.words], table[fits.words] = fits.idf[:, -1], fits.table[:, -1]
    model = TextModel(idf, table, fits.bias[-1].clone(), *fit_standardization(scores))
    return model, model.normalised(scores)


def cross_fitted_scores(bags: TokenBags, context: TrainContext) -> Tensor:
    """Scores of train's own messages, each by a model that has not seen the message's mailbox.

    Parameters
    ----------
    bags : TokenBags
        The words of the train messages.
    context : TrainContext
        As for `fit_text_model`.

    Returns
    -------
    Tensor of float32, shape (messages, actions)
        Not normalised.
    """
    return _unseen(*_fits(bags, context))


def _fits(bags: TokenBags, context: TrainContext) -> tuple[TextFits, Tensor]:
    """The models of all folds and of all messages, and the fold of each message."""
    settings = context.settings.text
    generator = torch.Generator().manual_seed(context.seed)
    fold = _folds(context.mailbox, settings.folds, generator)
    seen = context.sample_weight[:, None] * (fold[:, None] != torch.arange(settings.folds + 1))
    logger.info("fitting the text model on %s messages and %d folds of them", f"{len(bags):,}", settings.folds)
    with progress_bar(description="text model", total=len(bags) * settings.epochs, unit=" messages") as bar:
        return fit_all(bags, context.targets, seen, settings, generator, bar.update), fold


def _unseen(fits: TextFits, fold: Tensor) -> Tensor:
    """The scores of each message by the model that leaves its fold out."""
    return fits.scores[torch.arange(len(fold)), fold]


def _folds(mailbox: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """The fold of each message: whole mailboxes, or runs of successive messages where those are too few."""
    mailboxes = int(mailbox.max()) + 1 if len(mailbox) else 0
    if mailboxes < count:
        return torch.arange(len(mailbox)) * count // max(len(mailbox), 1)
    return (torch.randperm(mailboxes, generator=generator) % count)[mailbox]


class TextFits(msgspec.Struct):
    """The models of all folds, the one that leaves nothing out last.

    Attributes
    ----------
    words : LongTensor, shape (words,)
        The buckets that enough messages hold; the others have no weight in any model.
    idf : Tensor of float32, shape (words, models)
        The inverse document frequency of each among the messages of each model; 0 where too few of those hold it.
    table : Tensor of float32, shape (words, models, actions)
        What each word adds to the score of each action.
    bias : Tensor of float32, shape (models, actions)
        The scores of a message without words.
    scores : Tensor of float32, shape (messages, models, actions)
        The scores that each model gives to each message.
    """

    words: Tensor
    idf: Tensor
    table: Tensor
    bias: Tensor
    scores: Tensor


def fit_all(
    bags: TokenBags,
    targets: Tensor,
    seen: Tensor,
    settings: TextConfig,
    generator: torch.Generator,
    done: Callable[[int], object],
) -> TextFits:
    """Fit a model on each of several parts of the messages.

    Parameters
    ----------
    bags : TokenBags
        The words of the messages.
    targets : LongTensor, shape (messages,)
        The class index of each message's action.
    seen : Tensor of float32, shape (messages, models)
        The weight of each message in each model; 0 where the model must not see it.
    settings : TextConfig
        How long and how fast to learn.
    generator : torch.Generator
        Draws the order in which the messages are visited.
    done : callable
        Is told the size of each batch.
    """
    words, matrix = _known_words(bags, settings.min_messages)
    idf = _idf(matrix, seen > 0, settings.min_messages)
    length = _product(matrix, idf.square()).sqrt().clamp_min(MIN_LENGTH)
    table = torch.zeros(len(words), seen.shape[1], len(ACTIONS), requires_grad=True)
    bias = torch.zeros(seen.shape[1], len(ACTIONS), requires_grad=True)
    optimizer = AdamW([table, bias], lr=settings.learning_rate, betas=_ADAM_BETAS, weight_decay=0.0, fused=True)
    steps = settings.epochs * -(-len(bags) // settings.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
    for _ in range(settings.epochs):
        for rows in torch.split(torch.randperm(len(bags), generator=generator), settings.batch_size):
            batch = matrix[rows.numpy()]
            sums = _product(batch, table.detach() * idf[:, :, None]).requires_grad_()
            losses = _losses(sums / length[rows][:, :, None] + bias, targets[rows])
            optimizer.zero_grad(set_to_none=True)
            ((losses * seen[rows]).sum() / len(rows)).backward()  # type: ignore[no-untyped-call]
            assert sums.grad is not None
            table.grad = _product(batch.T, sums.grad) * idf[:, :, None]  # of a sum: the same for each of its words
            optimizer.step()
            schedule.step()
            done(len(rows))
    table, bias = table.detach(), bias.detach()
    scores = _product(matrix, table * idf[:, :, None]) / length[:, :, None] + bias
    return TextFits(words, idf, table, bias, scores)


def _known_words(bags: TokenBags, min_messages: int) -> tuple[Tensor, scipy.sparse.csr_array]:
    """The buckets that enough messages hold, and the matrix of ones that says which message holds which of them."""
    known = torch.bincount(bags.buckets, minlength=bags.num_buckets) >= min_messages
    kept = known[bags.buckets]
    columns = (known.cumsum(0, dtype=torch.int32) - 1)[bags.buckets[kept]]
    before = torch.cat([torch.zeros(1, dtype=torch.int64), kept.cumsum(0)])
    ones = np.ones(len(columns), dtype=np.float32)
    parts = ones, columns.numpy(), before[bags.offsets].numpy()
    return known.nonzero().flatten(), scipy.sparse.csr_array(parts, shape=(len(bags), int(known.sum())))


def _idf(matrix: scipy.sparse.csr_array, seen: Tensor, min_messages: int) -> Tensor:
    """Smoothed as in scikit-learn's TfidfTransformer; shape (words, models)."""
    frequency = _product(matrix.T, seen.float())
    idf = torch.log((seen.sum(dim=0) + 1) / (frequency + 1)) + 1
    return torch.where(frequency < min_messages, 0.0, idf)


def _product(matrix: scipy.sparse.sparray, values: Tensor) -> Tensor:
    """A matrix of ones times values of shape (columns, ...): for each row, the sum of those that it holds."""
    product = matrix @ values.flatten(1).numpy()
    return torch.from_numpy(product).view(len(product), *values.shape[1:])


def _losses(logits: Tensor, targets: Tensor) -> Tensor:
    """The cross-entropy of each message in each model, shape (messages, models)."""
    every = targets[:, None].expand(logits.shape[:2])
    return functional.cross_entropy(logits.flatten(0, 1), every.flatten(), reduction="none").view(every.shape)
