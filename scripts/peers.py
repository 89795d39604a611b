"""The peers of `compare_peers.py`: models that a practitioner would use instead of the policy.

Hyperparameters were chosen on train and val of split seed 42 and not changed afterwards.
"""

from __future__ import annotations

import functools
import importlib
import tempfile
from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import SGDClassifier

from enron_triage.config.schema import Config
from enron_triage.evaluation import baselines
from enron_triage.features import history_features
from enron_triage.features.dataset import Dataset, load_dataset
from enron_triage.labels.split_metadata import belongs_to, read_metadata
from enron_triage.mail.body import split_body
from enron_triage.records import ACTIONS, LabeledEmail
from enron_triage.runtime import artifacts
from enron_triage.training.weighting import class_weights

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
TREES = {
    "objective": "multiclass",
    "num_class": len(ACTIONS),
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_child_samples": 40,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "verbose": -1,
}
ROUNDS = 200
FOLDS = 4


class Mail(msgspec.Struct):
    """The messages of a split, in the forms that the peers need; `vectors` come from a sentence encoder, if given."""

    records: list[LabeledEmail]
    dataset: Dataset
    texts: list[str]
    vectors: FloatArray | None = None

    @property
    def targets(self) -> IntArray:
        """Class indices, shape (messages,)."""
        return self.dataset.targets.numpy()


def read_mail(config: Config, name: str) -> Mail:
    """Read a split, or the messages without an action in the test mailboxes."""
    keep, key = None, ""
    if name == "unacted":
        keep, key = functools.partial(belongs_to, read_metadata(config.data / "split_metadata.json"), "test"), "test"
    path = config.data / ("emails_unacted.json" if name == "unacted" else f"{name}.json")
    dataset = load_dataset(
        path,
        config.features,
        cache=config.data / "features",
        workers=config.pool,
        keep=keep,
        keep_key=key,
    )
    records = [
        record
        for record in artifacts.read_records(path, LabeledEmail)
        if keep is None or keep(record.user, record.timestamp)
    ]
    return Mail(records, dataset, [f"{record.subject}\n{split_body(record).new}" for record in records])


class Peer:
    """A model, which its constructor trains; it returns logits.

    Attributes
    ----------
    shift : array, shape (actions,), or None
        What gives back the shares of the actions that class weights changed: see `Calibration`.
    package : str or None
        A package of the extra ``peers`` that it imports.
    """

    shift: FloatArray | None = None
    package: str | None = None

    def __init__(self, train: Mail, val: Mail, seed: int) -> None:
        raise NotImplementedError

    def logits(self, mail: Mail) -> FloatArray:
        """Logits of the actions, shape (messages, actions)."""
        raise NotImplementedError


class Majority(Peer):
    """The shares of the actions in train."""

    def __init__(self, train: Mail, val: Mail, seed: int) -> None:
        self._shares = np.bincount(train.targets, minlength=len(ACTIONS)) / len(train.targets)

    def logits(self, mail: Mail) -> FloatArray:
        """Logits of the actions, shape (messages, actions)."""
        return np.log(np.tile(self._shares, (len(mail.records), 1)).clip(1e-9))


class Calendar(Peer):
    """Delete from a date on, archive before; its probabilities are the shares in train on that side of the date."""

    def __init__(self, train: Mail, val: Mail, seed: int) -> None:
        acted = [(record.timestamp or 0, record.action) for record in train.records if record.action]
        self._cut = baselines.fit_calendar_rule(acted)
        after = self._after(train)
        sides = [np.bincount(train.targets[after == side], minlength=len(ACTIONS)) + 1.0 for side in (False, True)]
        self._shares = np.array([counts / counts.sum() for counts in sides])

    def logits(self, mail: Mail) -> FloatArray:
        """Logits of the actions, shape (messages, actions)."""
        return np.log(self._shares[self._after(mail).astype(int)])

    def _after(self, mail: Mail) -> npt.NDArray[np.bool_]:
        return np.array([(record.timestamp or 0) >= self._cut for record in mail.records], dtype=bool)


class SenderHabit(Peer):
    """The owner's most frequent past action with this sender.

    Probabilities are the counts with this sender, smoothed by the owner's shares with weight 1, those by
    train's with weight 5.
    """

    def __init__(self, train: Mail, val: Mail, seed: int) -> None:
        self._class_prior = np.bincount(train.targets, minlength=len(ACTIONS)) / len(train.targets)

    def logits(self, mail: Mail) -> FloatArray:
        """Logits of the actions, shape (messages, actions)."""
        histories = [record.history for record in mail.records]
        owner, sender = (
            np.array(
                [getattr(history, scope).counts if history else [0] * 5 for history in histories], dtype=float
            ).reshape(len(histories), len(ACTIONS))
            for scope in ("owner", "sender")
        )
        owner = (owner + 5 * self._class_prior) / (owner.sum(axis=1, keepdims=True) + 5)
        shares = (sender + owner) / (sender.sum(axis=1, keepdims=True) + 1)
        return np.log(shares.clip(1e-9))


class TextRegression(Peer):
    """TF-IDF of words and pairs of words, with logistic regression by stochastic gradient descent."""

    balanced = False

    def __init__(self, train: Mail, val: Mail, seed: int) -> None:
        self._vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=3, max_features=300_000)
        self._model = _regression(self._vectorizer.fit_transform(train.texts), train.targets, seed, self.balanced)
        if self.balanced:
            self.shift = _balance_shift(train.targets)

    def logits(self, mail: Mail) -> FloatArray:
        """Logits of the actions, shape (messages, actions)."""
        return _decisions(self._model, self._vectorizer.transform(mail.texts))


class BalancedTextRegression(TextRegression):
    """The same with balanced class weights."""

    balanced = True


class FastText(Peer):
    """fastText (Joulin et al. 2017): words and pairs of words."""

    package = "fasttext"

    def __init__(self, train: Mail, val: Mail, seed: int) -> None:
        import fasttext

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "train.txt")
            lines = (f"__label__{a} {_one_line(text)}" for a, text in zip(train.targets, train.texts, strict=True))
            path.write_text("\n".join(lines), encoding="utf-8")
            self._model = fasttext.train_supervised(
                str(path),
                wordNgrams=2,
                dim=50,
                epoch=8,
                lr=0.3,
                minCount=3,
                bucket=500_000,
                seed=seed,
                thread=2,
                verbose=0,
            )

    def logits(self, mail: Mail) -> FloatArray:
        """Logits of the actions, shape (messages, actions)."""
        shares = np.zeros((len(mail.texts), len(ACTIONS)))
        for row, text in enumerate(mail.texts):
            for probability, label in self._model.f.predict(_one_line(text) + "\n", len(ACTIONS), 0.0, "strict"):
                shares[row, int(label.removeprefix("__label__"))] = probability
        return np.log(shares.clip(1e-9))


class Trees(Peer):
    """LightGBM on the policy's dense features."""

    balanced = False

    def __init__(self, train: Mail, val: Mail, seed: int) -> None:
        import lightgbm

        counts = torch.bincount(train.dataset.targets, minlength=len(ACTIONS))
        self._class_prior = (counts / len(train.targets)).numpy()
        weights = None
        if self.balanced:
            weights = class_weights(counts, "inverse").numpy()[train.targets]
            self.shift = _balance_shift(train.targets)
        matrix = lightgbm.Dataset(self._inputs(train, seed), train.targets, weight=weights)
        self._model = lightgbm.train(TREES | {"seed": seed}, matrix, ROUNDS)

    def logits(self, mail: Mail) -> FloatArray:
        """Logits of the actions, shape (messages, actions)."""
        return np.asarray(self._model.predict(self._inputs(mail), raw_score=True)).reshape(-1, len(ACTIONS))

    def _inputs(self, mail: Mail, seed: int | None = None) -> FloatArray:
        """The features; `seed` is given for train."""
        raw = mail.dataset.raw
        history = history_features.transform(raw["history"].numpy(), self._class_prior)
        return np.hstack([raw["metadata"].numpy(), history]).astype(np.float64)


class BalancedTrees(Trees):
    """The same with balanced class weights."""

    balanced = True


class Stack(Trees):
    """LightGBM on the dense features and on the scores of the TF-IDF regression, out of fold by mailbox on train."""

    def _inputs(self, mail: Mail, seed: int | None = None) -> FloatArray:
        dense = super()._inputs(mail)
        if seed is None:
            return np.hstack([dense, _decisions(self._text, self._vectorizer.transform(mail.texts))])
        self._vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=3, max_features=300_000)
        matrix = self._vectorizer.fit_transform(mail.texts)
        self._text = _regression(matrix, mail.targets, seed, balanced=False)
        mailbox = mail.dataset.mailbox.numpy()
        fold = np.random.default_rng(seed).permutation(int(mailbox.max()) + 1)[mailbox] % FOLDS
        scores = np.zeros((len(mail.texts), len(ACTIONS)))
        for number in range(FOLDS):
            seen, unseen = fold != number, fold == number
            model = _regression(matrix[seen], mail.targets[seen], seed, balanced=False)
            scores[unseen] = _decisions(model, matrix[unseen])
        return np.hstack([dense, scores])


def _regression(matrix: csr_matrix, targets: IntArray, seed: int, balanced: bool) -> SGDClassifier:
    weight = "balanced" if balanced else None
    model = SGDClassifier(
        loss="log_loss", alpha=3e-6, max_iter=8, tol=None, random_state=seed, class_weight=weight, n_jobs=2
    )
    return model.fit(matrix, targets)


def _decisions(model: SGDClassifier, matrix: csr_matrix) -> FloatArray:
    """One-against-rest scores of every action; low for actions that do not occur in train."""
    scores = np.full((matrix.shape[0], len(ACTIONS)), -10.0)
    if matrix.shape[0]:
        scores[:, model.classes_] = model.decision_function(matrix)
    return scores


def _balance_shift(targets: IntArray) -> FloatArray:
    counts = np.bincount(targets, minlength=len(ACTIONS))
    return np.where(counts > 0, np.log(np.maximum(counts, 1) / len(targets)), 0.0)


def _one_line(text: str) -> str:
    return " ".join(text.lower().split())


PEERS: dict[str, type[Peer]] = {
    "majority": Majority,
    "calendar": Calendar,
    "sender habit": SenderHabit,
    "TF-IDF + logistic regression": TextRegression,
    "the same, balanced": BalancedTextRegression,
    "fastText": FastText,
    "LightGBM": Trees,
    "LightGBM, balanced": BalancedTrees,
    "LightGBM + TF-IDF stack": Stack,
}


def check_packages(peers: Iterable[type[Peer]]) -> None:
    """Import what the peers need before the first one is trained; raises ImportError."""
    for peer in peers:
        if peer.package:
            importlib.import_module(peer.package)
