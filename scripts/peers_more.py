"""Further peers for `cross_validate.py`: other boosted trees, and a frozen sentence encoder.

Settings are those of the LightGBM peer if a library has them, otherwise the library's defaults; none was chosen by its
result. TabPFN and similar models are not included, because their packages download the weights from a model hub.
"""

from __future__ import annotations

import numpy as np
from peers import FOLDS, PEERS, FloatArray, Mail, Peer, Trees
from sklearn.linear_model import LogisticRegression

from enron_triage.errors import UsageError
from enron_triage.records import ACTIONS

ROUNDS = 200
LEARNING_RATE = 0.05
INVERSE_PENALTY = 10.0  # of the regression; the vectors have length 1


class XGBoost(Trees):
    """XGBoost on the policy's dense features."""

    package = "xgboost"

    def __init__(self, train: Mail, val: Mail, seed: int) -> None:
        import xgboost

        self._class_prior = np.bincount(train.targets, minlength=len(ACTIONS)) / len(train.targets)
        self._model = xgboost.XGBClassifier(
            objective="multi:softprob",
            num_class=len(ACTIONS),
            n_estimators=ROUNDS,
            learning_rate=LEARNING_RATE,
            grow_policy="lossguide",
            max_leaves=31,
            max_depth=0,
            min_child_weight=5,
            subsample=0.8,
            colsample_bynode=0.5,
            reg_lambda=5.0,
            random_state=seed,
        ).fit(self._inputs(train), train.targets)

    def logits(self, mail: Mail) -> FloatArray:
        """Logits of the actions, shape (messages, actions)."""
        return np.asarray(self._model.predict(self._inputs(mail), output_margin=True), dtype=np.float64)


class CatBoost(Trees):
    """CatBoost on the policy's dense features."""

    package = "catboost"

    def __init__(self, train: Mail, val: Mail, seed: int) -> None:
        import catboost

        self._class_prior = np.bincount(train.targets, minlength=len(ACTIONS)) / len(train.targets)
        self._model = catboost.CatBoostClassifier(
            loss_function="MultiClass",
            classes_count=len(ACTIONS),
            iterations=2 * ROUNDS,  # its trees are smaller: 64 leaves, the same split on each level
            learning_rate=2 * LEARNING_RATE,
            rsm=0.5,
            l2_leaf_reg=5.0,
            random_seed=seed,
            allow_writing_files=False,
            verbose=False,
        ).fit(self._inputs(train), train.targets)

    def logits(self, mail: Mail) -> FloatArray:
        """Logits of the actions, shape (messages, actions)."""
        return np.asarray(self._model.predict(self._inputs(mail), prediction_type="RawFormulaVal"))


class SentenceRegression(Peer):
    """Logistic regression on the vectors of a frozen sentence encoder."""

    def __init__(self, train: Mail, val: Mail, seed: int) -> None:
        self._model = _regression(_vectors(train), train.targets)

    def logits(self, mail: Mail) -> FloatArray:
        """Logits of the actions, shape (messages, actions)."""
        return _scores(self._model, _vectors(mail))


class SentenceStack(Trees):
    """LightGBM on the dense features and on the scores of that regression, out of fold by mailbox on train."""

    def _inputs(self, mail: Mail, seed: int | None = None) -> FloatArray:
        dense, vectors = super()._inputs(mail), _vectors(mail)
        if seed is None:
            return np.hstack([dense, _scores(self._text, vectors)])
        self._text = _regression(vectors, mail.targets)
        mailbox = mail.dataset.mailbox.numpy()
        fold = np.random.default_rng(seed).permutation(int(mailbox.max()) + 1)[mailbox] % FOLDS
        scores = np.zeros((len(vectors), len(ACTIONS)))
        for number in range(FOLDS):
            model = _regression(vectors[fold != number], mail.targets[fold != number])
            scores[fold == number] = _scores(model, vectors[fold == number])
        return np.hstack([dense, scores])


def _vectors(mail: Mail) -> FloatArray:
    if mail.vectors is None:
        raise UsageError("the peers with a sentence encoder need --vectors; make them with scripts/sentence_vectors.py")
    return mail.vectors


def _regression(vectors: FloatArray, targets: np.ndarray) -> LogisticRegression:
    return LogisticRegression(C=INVERSE_PENALTY, max_iter=100, tol=1e-3).fit(vectors, targets)


def _scores(model: LogisticRegression, vectors: FloatArray) -> FloatArray:
    """Log-probabilities of every action; low for actions that do not occur in train."""
    scores = np.full((len(vectors), len(ACTIONS)), -10.0)
    if len(vectors):
        scores[:, model.classes_] = model.predict_log_proba(vectors)
    return scores


MORE_PEERS: dict[str, type[Peer]] = {
    **PEERS,
    "XGBoost": XGBoost,
    "CatBoost": CatBoost,
    "sentence encoder + logistic regression": SentenceRegression,
    "LightGBM + sentence encoder stack": SentenceStack,
}
