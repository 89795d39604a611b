"""Which judgements contradict each other."""

import itertools

from enron_triage.annotation.contradictions import contradictions
from enron_triage.labels.judgements import Judgement


def said(who, chosen, rejected, message="m", **fields):
    return Judgement(fingerprint=message, user="mail-a", annotator=who, chosen=chosen, rejected=rejected, **fields)


def test_one_person_both_ways():
    (found,) = contradictions([said("anna", "archive", "delete"), said("anna", "delete", "archive")])
    assert (found.kind, found.annotators, found.actions) == ("both ways", ["anna"], ["archive", "delete"])
    assert (found.user, found.fingerprint) == ("mail-a", "m")
    elsewhere = said("anna", "delete", "archive", message="n")
    assert contradictions([said("anna", "archive", "delete"), elsewhere]) == []


def test_what_should_be_done_contradicts_a_pair_that_it_lost():
    action = Judgement(fingerprint="m", user="mail-a", annotator="anna", kind="action", action="forward")
    (found,) = contradictions([action, said("anna", "archive", "forward")])
    assert (found.kind, found.actions) == ("both ways", ["forward", "archive"])
    assert contradictions([action, said("anna", "forward", "archive"), said("anna", "archive", "delete")]) == []


def test_preferences_in_a_circle():
    circle = [("archive", "delete"), ("delete", "forward"), ("forward", "archive")]
    (found,) = contradictions([said("anna", *pair) for pair in circle])
    assert found.kind == "cycle"
    assert set(itertools.pairwise([*found.actions, found.actions[0]])) == set(circle)
    assert contradictions([said("anna", *pair) for pair in circle[:2]]) == []
    several = [said(who, *pair) for who, pair in zip(("anna", "ben", "cem"), circle, strict=True)]
    assert contradictions(several) == []  # of nobody alone


def test_two_people_opposed():
    judgements = [
        *(said("anna", "archive", "delete"), said("ben", "delete", "archive"), said("cem", "archive", "delete")),
        said("dora", "forward", "delete"),
    ]
    (found,) = contradictions(judgements)
    assert (found.kind, found.annotators, found.opponents) == ("opposed", ["anna", "cem"], ["ben"])
    of_both_minds = [said("eva", "archive", "delete"), said("eva", "delete", "archive")]
    kinds = [each.kind for each in contradictions([judgements[0], *of_both_minds])]
    assert kinds == ["both ways"]


def test_ties_and_what_nobody_judged_contradict_nothing():
    tie = Judgement(fingerprint="m", user="mail-a", annotator="ben", candidates=("archive", "delete"), tie=True)
    blank = Judgement(fingerprint="m", user="mail-a", annotator="ben")
    assert contradictions([said("anna", "archive", "delete"), tie, blank, said("ben", "delete", "delete")]) == []
