"""The logic of the page, without the network: which message each person is shown, and how answers are handled."""

from __future__ import annotations

import statistics
import threading
import unicodedata
from collections import Counter

from enron_triage.annotation.conversations import Conversations
from enron_triage.annotation.exchange import Answer, Item, Progress, Settings, State
from enron_triage.annotation.messages import Key, Messages
from enron_triage.annotation.selection import Candidate, Queue
from enron_triage.annotation.store import JudgementFile
from enron_triage.annotation.view import ContextView, context_view, message_view
from enron_triage.annotation.visible import visible_line
from enron_triage.labels.judgements import Judgement
from enron_triage.records import ACTIONS, Action

_PACE_OF = 20  # judgements
_MOST_IN_NAME = 60
_MOST_SECONDS = 86400.0


class RefusedError(Exception):
    """An answer or a name that cannot be taken; the page shows the sentence."""


class Session:
    """One run of the page: the messages, the file, and who has what before them.

    Its methods may be called from several threads.

    Parameters
    ----------
    messages : Messages
        The messages.
    queue : Queue
        Chooses among them.
    file : JudgementFile
        Where the judgements go.
    conversations : Conversations
        What is shown beside a message.
    settings : Settings
        What the page is set to.
    """

    def __init__(
        self,
        messages: Messages,
        queue: Queue,
        file: JudgementFile,
        conversations: Conversations,
        settings: Settings,
    ) -> None:
        self.settings = settings
        self._messages = messages
        self._queue = queue
        self._file = file
        self._conversations = conversations
        self._in_hand: dict[str, Candidate] = {}  # by person
        self._handed: set[tuple[str, Key]] = set()
        self._lock = threading.RLock()

    def annotators(self) -> list[str]:
        """The names that the page offers: the one that was given, or those in the file."""
        with self._lock:
            return [self.settings.annotator] if self.settings.annotator else self._file.annotators()

    def state(self, annotator: str) -> State:
        """What one person is shown now: the same message until it is judged.

        Parameters
        ----------
        annotator : str
            The person's name.

        Raises
        ------
        RefusedError
            If it is no name.
        """
        with self._lock:
            return self._state(self._name(annotator))

    def context(self, annotator: str, key: Key) -> ContextView:
        """What is shown beside a message that one person has been shown.

        Parameters
        ----------
        annotator : str
            The person's name.
        key : Key
            The message.

        Raises
        ------
        RefusedError
            If it was not shown.
        """
        with self._lock:
            candidate = self._queue.find(key) if (self._name(annotator), key) in self._handed else None
        if candidate is None:
            raise RefusedError("This message was not shown to you.")
        record = self._messages.read(candidate.number)
        return context_view(record, self._conversations.before(record))

    def judge(self, answer: Answer) -> State:
        """Take an answer, and give the next message; the answer is on the disk before.

        Parameters
        ----------
        answer : Answer
            What the page sent.

        Raises
        ------
        RefusedError
            If it does not answer what was asked.
        TriageError
            If it cannot be written.
        """
        with self._lock:
            annotator, key = self._name(answer.annotator), Key(answer.user, answer.fingerprint)
            if self._file.has(annotator, key):
                return self._state(annotator, "You have already judged that message, in another tab perhaps.")
            candidate = self._queue.find(key) if (annotator, key) in self._handed else None
            if candidate is None:
                return self._state(annotator, "That message was not shown by this run; here is the next one.")
            self._file.append(self._judgement(answer, annotator, candidate))
            if self._in_hand.get(annotator, candidate).key == key:
                self._in_hand.pop(annotator, None)
            return self._state(annotator)

    def undo(self, annotator: str) -> State:
        """Take a person's last judgement back, and show its message again.

        Parameters
        ----------
        annotator : str
            The person's name.

        Raises
        ------
        RefusedError
            If it is no name.
        TriageError
            If it cannot be written.
        """
        with self._lock:
            annotator = self._name(annotator)
            undone = self._file.undo(annotator)
            if undone is None:
                return self._state(annotator, "There is nothing to undo.")
            candidate = self._queue.find(Key(undone.user, undone.fingerprint))
            if candidate is None:
                return self._state(annotator, "Undone; its message is not one of this run's.")
            self._in_hand[annotator] = candidate
            return self._state(annotator, "Undone: judge it again.")

    def _name(self, annotator: str) -> str:
        name = person_name(annotator)
        if self.settings.annotator and name.casefold() != self.settings.annotator.casefold():
            raise RefusedError(f"This page is for {self.settings.annotator} alone.")
        return self._file.known_name(name)

    def _state(self, annotator: str, notice: str = "") -> State:
        candidate = self._in_hand.get(annotator)
        if candidate is None or self._file.has(annotator, candidate.key):
            candidate = self._next(annotator)
        if candidate is None:
            self._in_hand.pop(annotator, None)
            return State(annotator, None, self._progress(annotator), notice)
        self._in_hand[annotator] = candidate
        self._handed.add((annotator, candidate.key))
        item = Item(
            user=candidate.key.user,
            fingerprint=candidate.key.fingerprint,
            message=message_view(self._messages.read(candidate.number)),
            candidates=self._queue.pair(candidate, annotator),
            policy=_policy(candidate) if self.settings.show_policy else None,
        )
        return State(annotator, item, self._progress(annotator), notice)

    def _next(self, annotator: str) -> Candidate | None:
        others = self._file.judged_by_others(annotator)
        others |= {candidate.key for name, candidate in self._in_hand.items() if name != annotator}
        judged = Counter(judgement.user for judgement in self._file.by(annotator))

        def skip(key: Key) -> bool:
            if self._file.has(annotator, key):
                return True
            taken = key in others or Key("", key.fingerprint) in others
            return taken and not self._queue.is_shared(key)

        return self._queue.choose(skip, judged)

    def _progress(self, annotator: str) -> Progress:
        judgements = self._file.by(annotator)
        judged = [judgement for judgement in judgements if judgement.is_judged]
        seconds = [judgement.seconds for judgement in judged[-_PACE_OF:] if judgement.seconds is not None]
        return Progress(
            judged=len(judged),
            skipped=len(judgements) - len(judged),
            target=self.settings.target,
            pace=statistics.median(seconds) if seconds else None,
            can_undo=bool(judgements and judgements[-1].id),
        )

    def _judgement(self, answer: Answer, annotator: str, candidate: Candidate) -> Judgement:
        pair = self._queue.pair(candidate, annotator)
        given = (answer.chosen is not None, answer.tie, answer.action is not None, answer.skipped)
        if sum(given) != 1:
            raise RefusedError("Give one answer: one action, a tie, or skip.")
        if answer.chosen is not None and (answer.kind != "pair" or answer.chosen not in pair):
            raise RefusedError("The chosen action is not one of the two that were shown.")
        if answer.kind == "action" and answer.tie:
            raise RefusedError("A choice among all actions has no tie.")
        if answer.kind == "pair" and answer.action in pair:
            raise RefusedError("That action is one of the two that were shown: choose it.")
        return Judgement(
            fingerprint=candidate.key.fingerprint,
            user=candidate.key.user,
            annotator=annotator,
            kind=answer.kind,
            chosen=answer.chosen,
            rejected=None if answer.chosen is None else pair[pair[0] == answer.chosen],
            tie=answer.tie,
            action=answer.action,
            candidates=pair if answer.kind == "pair" else (),
            skipped=answer.skipped,
            note=answer.note.strip(),
            policy=_policy(candidate),
            policy_shown=self.settings.show_policy and candidate.probabilities is not None,
            strategy=self._queue.selection.strategy,
            seconds=None if answer.seconds is None else round(min(answer.seconds, _MOST_SECONDS), 2),
        )


def person_name(name: str) -> str:
    """A person's name in one form.

    Parameters
    ----------
    name : str
        The name as it was typed.

    Raises
    ------
    RefusedError
        If it is empty, too long, or holds what cannot be seen.
    """
    name = unicodedata.normalize("NFC", " ".join(name.split()))
    if not name or len(name) > _MOST_IN_NAME or visible_line(name) != name:
        raise RefusedError(f"Give a name of at most {_MOST_IN_NAME} visible characters.")
    return name


def _policy(candidate: Candidate) -> dict[Action, float] | None:
    if candidate.probabilities is None:
        return None
    return {action: round(value, 6) for action, value in zip(ACTIONS, candidate.probabilities, strict=True)}
