"""Where preference pairs come from, and what becomes of ties and contradictions."""

import logging

import msgspec
import pytest
import torch

from enron_triage.config.training import RewardsConfig
from enron_triage.errors import UsageError
from enron_triage.labels.judgements import Judgement, PreferenceRecord, judgements_in_force, read_judgements
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
        PreferenceRecord(fingerprint="nowhere", tie=True),  # of another split: no tie of this one
        PreferenceRecord(fingerprint="b"),
        said("a", "delete", "delete"),
    ]
    pairs, counts = from_annotations(judgements, {"a": [0, 7], "b": [1], "c": [2, 3], "owner-b c": [3]})
    assert triples(pairs) == [(0, 3, 4), (7, 3, 4), (3, 0, 4)]
    assert len(set(pairs.weight.tolist())) == 1  # each by a lead of one
    assert counts == {
        **{"judged": 6, "ties": 1, "contradictions": 3, "undecided": 1},
        **{"not_judged": 2, "unknown": 2},
    }


def test_a_file_of_judgements_is_read_line_by_line(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"fingerprint": "a", "chosen": "archive", "rejected": "delete", "annotator": "x"}\n\n')
    assert [judgement.chosen for judgement in read_judgements(path)] == ["archive"]
    path.write_text('{"fingerprint": "a"}\n{"fingerprint": "a", "chosen": "burn", "rejected": "delete"}\n')
    with pytest.raises(UsageError, match=r"pairs\.jsonl, line 2: not a judgement"):
        read_judgements(path)
    with pytest.raises(UsageError, match=r"none\.jsonl: no such file or folder; "):
        read_judgements(tmp_path / "none.jsonl")
    path.write_bytes('{"fingerprint": "a", "annotator": "Jürgen"}\n'.encode("latin-1"))
    with pytest.raises(UsageError, match=r"pairs\.jsonl, line 1: not a judgement"):
        read_judgements(path)


def written(path, *judgements):
    path.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in judgements))
    return path


def test_what_should_be_done_is_better_than_each_other_action(tmp_path):
    def said(fingerprint, **fields):
        return Judgement(fingerprint=fingerprint, user="owner-a", annotator="x", **fields)

    pair = ("forward", "delete")
    path = written(
        tmp_path / "judgements.jsonl",
        said("a", kind="action", action="archive"),
        said("b", candidates=pair, action="reply_now"),  # neither: it is ...
        said("c", candidates=pair, chosen="delete", rejected="forward"),
        said("d", candidates=pair, tie=True),
        said("e", candidates=pair, skipped=True),
    )
    records = read_judgements(path)
    assert [(each.fingerprint, each.chosen, each.rejected) for each in records] == [
        *[("a", "archive", other) for other in ("reply_now", "reply_later", "forward", "delete")],
        *[("b", "reply_now", other) for other in ("reply_later", "forward", "archive", "delete")],
        ("c", "delete", "forward"),
        *[("d", None, None), ("e", None, None)],
    ]
    assert {(each.user, each.annotator) for each in records} == {("owner-a", "x")}
    pairs, counts = from_annotations(records, {f"owner-a {name}": [row] for row, name in enumerate("abcde")})
    assert len(pairs) == counts["judged"] == 9
    assert (counts["ties"], counts["not_judged"]) == (1, 1)


def test_what_was_taken_back_is_not_read_wherever_its_line_stands(tmp_path, caplog):
    lines = [
        Judgement(fingerprint="a", chosen="archive", rejected="delete", id="1"),
        Judgement(fingerprint="b", chosen="archive", rejected="delete", id="2"),
        Judgement(fingerprint="a", undoes="1", id="3"),
        Judgement(fingerprint="a", chosen="delete", rejected="archive", id="4"),
    ]
    for order in (lines, lines[::-1], [*lines, *lines]):
        found = judgements_in_force(written(tmp_path / "judgements.jsonl", *order))
        assert sorted((each.fingerprint, each.chosen) for each in found) == [("a", "delete"), ("b", "archive")]
    assert not caplog.records
    written(tmp_path / "judgements.jsonl", *lines, Judgement(fingerprint="a", undoes="77", id="5"))
    assert len(judgements_in_force(tmp_path / "judgements.jsonl")) == 2
    assert "1 lines undo a judgement that is not in this file, such as '77'" in caplog.text
    written(tmp_path / "judgements.jsonl", *lines, Judgement(fingerprint="c", tie=True, id="2"))
    with pytest.raises(UsageError, match="two different judgements have the id '2'"):
        read_judgements(tmp_path / "judgements.jsonl")


def test_a_line_with_two_answers_is_refused(tmp_path):
    path = tmp_path / "judgements.jsonl"
    whole = b'{"fingerprint": "a", "chosen": "archive", "rejected": "delete", '
    for answer in (b'"action": "delete"}', b'"skipped": true}', b'"undoes": "1"}'):
        path.write_bytes(whole + answer)
        with pytest.raises(UsageError, match=r"judgements\.jsonl, line 1: not a judgement"):
            read_judgements(path)
    path.write_bytes(b'{"fingerprint": "a", "action": "delete", "tie": true}')
    with pytest.raises(UsageError, match="two answers in one line: action and tie"):
        read_judgements(path)


def test_the_line_that_a_killed_program_began_is_left_out_at_any_length(tmp_path, caplog):
    path = tmp_path / "judgements.jsonl"
    policy = {"reply_now": 0.25, "delete": 0.75}
    last = Judgement(fingerprint="b", note="für später", seconds=1.5, policy=policy, tie=True)
    whole = msgspec.json.encode(Judgement(fingerprint="a", tie=True)) + b"\n"
    line = msgspec.json.encode(last)
    with caplog.at_level(logging.CRITICAL):
        for length in range(1, len(line)):
            path.write_bytes(whole + line[:length])
            assert [each.fingerprint for each in read_judgements(path)] == ["a"], line[:length]
    path.write_bytes(whole + line)
    assert len(read_judgements(path)) == 2
    path.write_bytes(whole + line[:-5] + b"\n")  # a whole line that is damaged is another matter
    with pytest.raises(UsageError, match="line 2: not a judgement"):
        read_judgements(path)
