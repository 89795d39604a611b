"""Agreement between annotators: what counts as the same question, and coefficients against published examples."""

import importlib

import pytest

from enron_triage.annotation import agreement as module
from enron_triage.annotation.agreement import agreement, answers_by_question
from enron_triage.labels.judgements import Judgement
from enron_triage.records import ACTIONS

PAIR = ("archive", "delete")


def said(who, message, chosen, candidates=PAIR, **fields):
    first, second = candidates
    rejected = second if chosen == first else first
    return Judgement(
        fingerprint=message, annotator=who, chosen=chosen, rejected=rejected, candidates=candidates, **fields
    )


def test_two_people_are_compared_by_cohens_kappa():
    # 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: observed .70, by chance .50, kappa .40
    answers = ["archive archive"] * 20 + ["archive delete"] * 5 + ["delete archive"] * 10 + ["delete delete"] * 15
    judgements = [
        said(who, f"m{number}", chosen)
        for number, both in enumerate(answers)
        for who, chosen in zip(("anna", "ben"), both.split(), strict=True)
    ]
    found = agreement(judgements)
    assert (found.questions, found.same, found.pairs_of_answers) == (50, 35, 50)
    assert found.by_pair[0].annotators == ("anna", "ben")
    assert found.by_pair[0].cohens_kappa == pytest.approx(0.4)
    assert (found.fleiss_kappa, found.fleiss_questions) == (None, 0)


def test_several_people_are_compared_by_fleiss_kappa():
    # The example of Fleiss (1971) as it is commonly given: 10 subjects, 14 raters, 5 categories, kappa .210
    counts = [
        *([0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1]),
        *([7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]),
    ]
    judgements = [
        Judgement(fingerprint=f"m{row}", annotator=f"rater {rater:02d}", kind="action", action=action)
        for row, of_row in enumerate(counts)
        for rater, action in enumerate(
            [action for action, count in zip(ACTIONS, of_row, strict=True) for _ in range(count)]
        )
    ]
    found = agreement(judgements)
    assert found.fleiss_questions == 10
    assert found.fleiss_kappa == pytest.approx(0.210, abs=5e-4)


def test_krippendorffs_alpha_bears_missing_answers():
    # Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", example C: nominal alpha .743
    rows = [
        *("1 2 3 3 2 1 4 1 2 * * *".split(), "1 2 3 3 2 2 4 1 2 5 * 3".split()),
        *("* 3 3 3 2 3 4 2 2 5 1 *".split(), "1 2 3 3 2 4 4 1 2 5 1 *".split()),
    ]
    judgements = [
        Judgement(fingerprint=f"m{unit}", annotator=f"rater {rater}", kind="action", action=ACTIONS[int(value) - 1])
        for rater, row in enumerate(rows)
        for unit, value in enumerate(row)
        if value != "*"
    ]
    assert agreement(judgements).krippendorff_alpha == pytest.approx(0.743, abs=5e-4)


def test_a_question_is_a_message_and_the_pair_in_any_order():
    judgements = [
        said("anna", "m", "archive"),
        said("ben", "m", "archive", ("delete", "archive")),
        said("ben", "m", "archive", ("forward", "archive")),  # another question
        said("ben", "m", "delete", user="mail-b"),  # another message
        Judgement(fingerprint="m", annotator="ben", tie=True),  # nobody knows of which pair
        Judgement(fingerprint="m", annotator="ben", candidates=PAIR, skipped=True),
    ]
    assert len(answers_by_question(judgements)) == 3
    found = agreement(judgements)
    assert (found.questions, found.same) == (1, 1)
    assert found.by_pair[0].cohens_kappa is None  # one answer alone: chance cannot be told from agreement
    assert found.krippendorff_alpha is None


def test_ties_and_neither_are_answers_and_the_last_word_of_a_person_counts():
    judgements = [
        said("anna", "m", "archive"),
        said("anna", "m", "delete"),
        Judgement(fingerprint="m", annotator="ben", candidates=PAIR, tie=True),
        Judgement(fingerprint="m", annotator="cem", candidates=PAIR, action="forward"),
    ]
    (by_person,) = answers_by_question(judgements).values()
    assert by_person == {"anna": "delete", "ben": "tie", "cem": "forward"}
    assert agreement(judgements).same == 0


def test_people_who_share_no_question_have_no_agreement():
    assert agreement([said("anna", "m", "archive"), said("ben", "n", "archive")]) is None
    assert agreement([]) is None


def test_without_the_libraries_everything_else_is_there(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    found = agreement([said("anna", "m", "archive"), said("ben", "m", "delete")])
    assert (found.questions, found.same) == (1, 0)
    assert found.krippendorff_alpha is None
    assert found.note == module.MISSING
