"""Agreement between people who judged the same questions.

A question is a message with the pair of actions that was shown, or a message of which the right action was asked; what
is compared is the action that each person preferred, or that they found the two equally good.
"""

from __future__ import annotations

import importlib
import itertools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from enron_triage.labels.judgements import Judgement
from enron_triage.records import ACTION_NAMES
from enron_triage.runtime.extras import install_command

TIE = "tie"
CATEGORIES = (*ACTION_NAMES, TIE)
MISSING = f"the coefficients need statsmodels and krippendorff: {install_command('annotate')}"

# Mailbox, fingerprint, what was asked.
Question = tuple[str, str, frozenset[str]]


class PairAgreement(msgspec.Struct, kw_only=True):
    """How far two people agree.

    Attributes
    ----------
    annotators : tuple of str
        Who.
    questions : int
        How many questions both have answered.
    same : int
        How many of them they answered alike.
    cohens_kappa : float or None
        Cohen's kappa (Cohen 1960); None where it is undefined, as when both always gave the same one answer.
    """

    annotators: tuple[str, str]
    questions: int
    same: int
    cohens_kappa: float | None


class Agreement(msgspec.Struct, kw_only=True):
    """How far all annotators agree.

    Attributes
    ----------
    questions : int
        How many questions at least two people have answered.
    pairs_of_answers : int
        How many pairs of answers to the same question there are.
    same : int
        How many of those pairs are alike.
    by_pair : list of PairAgreement
        Every two people who have answered the same question.
    fleiss_kappa : float or None
        Fleiss' kappa (Fleiss 1971) over the questions that all have answered; None for fewer than three people, or
        where it is undefined.
    fleiss_questions : int
        How many questions that is.
    krippendorff_alpha : float or None
        Krippendorff's alpha for nominal data (Krippendorff 2011), over all questions of at least two people; None where
        it is undefined, as when all answers are the same.
    note : str
        Why coefficients are missing; empty otherwise.
    """

    questions: int
    pairs_of_answers: int
    same: int
    by_pair: list[PairAgreement]
    fleiss_kappa: float | None
    fleiss_questions: int
    krippendorff_alpha: float | None
    note: str = ""


def question_of(judgement: Judgement) -> Question | None:
    """What was asked.

    Parameters
    ----------
    judgement : Judgement
        A line of a file of judgements.

    Returns
    -------
    tuple or None
        Mailbox, fingerprint and the names of the two actions, none for the question what should be done. None where the
        line does not tell the pair, as a tie that was written by hand.
    """
    asked: frozenset[str] = frozenset()
    if judgement.kind == "pair":
        asked = frozenset(map(str, judgement.candidates))
        if not asked and judgement.chosen is not None and judgement.rejected is not None:
            asked = frozenset({str(judgement.chosen), str(judgement.rejected)})
        if not asked:
            return None
    return judgement.user, judgement.fingerprint, asked


def answer_of(judgement: Judgement) -> str | None:
    """What was answered: the name of an action, or ``tie``.

    Parameters
    ----------
    judgement : Judgement
        A line of a file of judgements.

    Returns
    -------
    str or None
        One of `CATEGORIES`; None if the line holds no answer.
    """
    if not judgement.is_judged:
        return None
    if judgement.tie:
        return TIE
    action = judgement.action or judgement.chosen
    assert action is not None  # or it would hold no answer
    return str(action)


def answers_by_question(judgements: Sequence[Judgement]) -> dict[Question, dict[str, str]]:
    """The last answer of each person to each question.

    Parameters
    ----------
    judgements : sequence of Judgement
        Those in force.

    Returns
    -------
    dict of Question to dict of str to str
        By question and annotator, who is the empty string where nobody is named.
    """
    answers: dict[Question, dict[str, str]] = defaultdict(dict)
    for judgement in judgements:
        question, answer = question_of(judgement), answer_of(judgement)
        if question is not None and answer is not None:
            answers[question][judgement.annotator or ""] = answer
    return dict(answers)


def agreement(judgements: Sequence[Judgement]) -> Agreement | None:
    """How far people agree.

    Parameters
    ----------
    judgements : sequence of Judgement
        Those in force.

    Returns
    -------
    Agreement or None
        None if no question was answered by two people.
    """
    shared = {question: by for question, by in answers_by_question(judgements).items() if len(by) > 1}
    if not shared:
        return None
    answers = list(shared.values())
    of_pair: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for by in answers:
        for first, second in itertools.combinations(sorted(by), 2):
            of_pair[first, second].append((by[first], by[second]))
    note = ""
    try:
        kappas: Any = importlib.import_module("statsmodels.stats.inter_rater")
        alphas: Any = importlib.import_module("krippendorff")
    except ImportError:
        kappas = alphas = None
        note = MISSING
    people = {name for by in answers for name in by}
    by_all = [by for by in answers if len(by) == len(people)] if len(people) > 2 else []
    pairs = [_pair_agreement(names, given, kappas) for names, given in sorted(of_pair.items())]
    return Agreement(
        questions=len(answers),
        pairs_of_answers=sum(pair.questions for pair in pairs),
        same=sum(pair.same for pair in pairs),
        by_pair=pairs,
        fleiss_kappa=_fleiss_kappa(by_all, kappas),
        fleiss_questions=len(by_all),
        krippendorff_alpha=_alpha(answers, alphas),
        note=note,
    )


def _pair_agreement(names: tuple[str, str], given: Sequence[tuple[str, str]], kappas: Any) -> PairAgreement:
    table = np.zeros((len(CATEGORIES), len(CATEGORIES)))
    for first, second in given:
        table[CATEGORIES.index(first), CATEGORIES.index(second)] += 1
    kappa = None
    if kappas is not None and np.count_nonzero(table.sum(axis=0) + table.sum(axis=1)) > 1:
        kappa = _defined(kappas.cohens_kappa(table, return_results=False))
    same = sum(first == second for first, second in given)
    return PairAgreement(annotators=names, questions=len(given), same=same, cohens_kappa=kappa)


def _fleiss_kappa(by_all: Sequence[Mapping[str, str]], kappas: Any) -> float | None:
    counts = _counts(by_all)
    if kappas is None or not by_all or np.count_nonzero(counts.sum(axis=0)) < 2:
        return None
    return _defined(kappas.fleiss_kappa(counts, method="fleiss"))


def _alpha(answers: Sequence[Mapping[str, str]], alphas: Any) -> float | None:
    counts = _counts(answers)
    if alphas is None or np.count_nonzero(counts.sum(axis=0)) < 2:
        return None
    return _defined(alphas.alpha(value_counts=counts, level_of_measurement="nominal"))


def _counts(answers: Sequence[Mapping[str, str]]) -> npt.NDArray[np.int64]:
    """How many people gave each answer to each question, shape (questions, categories)."""
    counts = np.zeros((len(answers), len(CATEGORIES)), dtype=np.int64)
    for row, by in enumerate(answers):
        for answer in by.values():
            counts[row, CATEGORIES.index(answer)] += 1
    return counts


def _defined(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None
