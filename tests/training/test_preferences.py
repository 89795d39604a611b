"""Where preference pairs come from, and what becomes of ties and contradictions."""

import pytest
import torch

from enron_triage.config.training import RewardsConfig
from enron_triage.errors import UsageError
from enron_triage.training.judgements import PreferenceRecord, read_judgements
from enron_triage.training.preferences import from_annotations, from_labels, synthetic

TARGETS = torch.tensor([3, 4, 1, 3])  # nothing was answered at once or forwarded


def triples(pairs):
    return list(zip(pairs.message.tolist(), pairs.chosen.tolist(), pairs.rejected.tolist(), strict=True))


def test_the_synthetic_order_prefers_a_reply_whatever_the_owner_did():
    assert triples(synthetic(TARGETS, "present")) == [
        *[(0, 1, 3), (0, 3, 4)],
        *[(1, 1, 4), (1, 3, 4)],
        *[(2, 1, 3), (2, 1, 4)],
        *[(3, 1, 3), (3, 3, 4)],
    ]
    everything = synthetic(TARGETS, "all")
    assert len(everything) == 4 * 4
    assert (everything.chosen < everything.rejected).all()
    assert everything.weight.tolist() == [1.0] * 16


def test_labels_are_chosen_over_every_other_action_that_occurs():
    pairs = from_labels(TARGETS, torch.log(torch.full((4, 5), 0.2)), torch.ones(4))
    assert triples(pairs)[:4] == [(0, 3, 1), (0, 3, 4), (1, 4, 1), (1, 4, 3)]
    assert pairs.weight.tolist() == pytest.approx([1.0] * 8)


def test_hard_negatives_weigh_what_the_reference_takes_for_likely_and_costs_what_is_dear():
    reference = torch.log(torch.tensor([[0.1, 0.4, 0.1, 0.3, 0.1]]).repeat(4, 1))
    weight = from_labels(TARGETS, reference, torch.ones(4), hard_negatives=1.0).weight
    assert float(weight.mean()) == pytest.approx(1)
    assert float(weight[0] / weight[1]) == pytest.approx(0.4 / 0.1)  # message 0: reply_later against delete
    free = tuple(tuple(0.0 if other == 4 else 1.0 for other in range(5)) for _ in range(5))
    assert 4 not in from_labels(TARGETS, reference, torch.ones(4), costs=free).rejected  # costs nothing: no error
    dear = from_labels(TARGETS, reference, torch.ones(4), costs=RewardsConfig().costs).weight
    costs = RewardsConfig().costs
    assert float(dear[0] / dear[1]) == pytest.approx(costs[3][1] / costs[3][4])


def test_people_decide_by_majority_and_what_is_even_is_left_out():
    def said(fingerprint, chosen, rejected, **fields):
        return PreferenceRecord(fingerprint=fingerprint, chosen=chosen, rejected=rejected, **fields)

    judgements = [
        *[said("a", "archive", "delete"), said("a", "archive", "delete"), said("a", "delete", "archive")],
        *[said("b", "forward", "archive"), said("b", "archive", "forward")],
        said("c", "reply_now", "delete", user="owner-b"),
        said("nowhere", "reply_now", "delete"),
        PreferenceRecord(fingerprint="a", tie=True),
        PreferenceRecord(fingerprint="b"),
        said("a", "delete", "delete"),
    ]
    pairs, counts = from_annotations(judgements, {"a": [0, 7], "b": [1], "c": [2, 3], "owner-b c": [3]})
    assert triples(pairs) == [(0, 3, 4), (7, 3, 4), (3, 0, 4)]
    assert len(set(pairs.weight.tolist())) == 1  # each by a lead of one
    assert counts == {
        **{"judged": 6, "ties": 1, "contradictions": 3, "undecided": 1},
        **{"not_judged": 2, "unknown": 1},
    }


def test_a_file_of_judgements_is_read_line_by_line(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"fingerprint": "a", "chosen": "archive", "rejected": "delete", "annotator": "x"}\n\n')
    assert [judgement.chosen for judgement in read_judgements(path)] == ["archive"]
    path.write_text('{"fingerprint": "a"}\n{"fingerprint": "a", "chosen": "burn", "rejected": "delete"}\n')
    with pytest.raises(UsageError, match=r"pairs\.jsonl, line 2: not a judgement"):
        read_judgements(path)
    with pytest.raises(UsageError, match=r"none\.jsonl: No such file or directory; "):
        read_judgements(tmp_path / "none.jsonl")
    path.write_bytes('{"fingerprint": "a", "annotator": "Jürgen"}\n'.encode("latin-1"))
    with pytest.raises(UsageError, match=r"pairs\.jsonl, line 1: not a judgement"):
        read_judgements(path)
