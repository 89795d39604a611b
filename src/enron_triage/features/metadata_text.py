"""What the feature group ``metadata`` counts in the text of messages, for many messages at once.

The texts are joined, so that one pass of an automaton (Aho and Corasick 1975, by ``ahocorasick_rs``) finds all phrases
and one all words that count, and NumPy adds them up by message.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import ahocorasick_rs
import numpy as np
import numpy.typing as npt

from enron_triage.features.metadata_words import KINDS, PHRASES, WORD_KINDS
from enron_triage.mail.body import BodyParts

_MAX_TEXT = 4000  # characters that are counted in: what decides is at the top, and hostile mail is long
_SMALL = b"abcdefghijklmnopqrstuvwxyz'"
_TO_WORDS = bytes(c if c in _SMALL else ord(" ") for c in range(256))
_GAP = b"\0"  # between texts: in no phrase and in no word

Counts = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


class _Finder:
    """Counts the occurrences of fixed strings, by the kind of the string and by text."""

    def __init__(self, strings: Iterable[tuple[str, str]], kinds: Iterable[str]) -> None:
        pairs = list(strings)
        self._kinds = list(kinds)
        self._kind = np.array([self._kinds.index(kind) for _, kind in pairs])
        self._automaton = ahocorasick_rs.BytesAhoCorasick([string.encode() for string, _ in pairs])

    def counts(self, joined: bytes, ends: Counts) -> dict[str, Counts]:
        """How often strings of each kind are in each text; text i goes from the end of the one before to `ends[i]`."""
        found = np.array(self._automaton.find_matches_as_indexes(joined, overlapping=True), dtype=np.int64)
        string, start, _ = found.reshape(-1, 3).T
        cell = np.searchsorted(ends, start, side="right") * len(self._kinds) + self._kind[string]
        table = np.bincount(cell, minlength=len(ends) * len(self._kinds)).reshape(-1, len(self._kinds))
        return dict(zip(self._kinds, table.T, strict=True))


def _can_overlap_itself(phrase: str) -> bool:
    return any(phrase.startswith(phrase[begin:]) for begin in range(1, len(phrase)))


_ALL_PHRASES = [(phrase, kind) for kind, phrases in PHRASES.items() for phrase in phrases]
_REPEATABLE = [(phrase, kind) for phrase, kind in _ALL_PHRASES if _can_overlap_itself(phrase)]
_FIND_PHRASES = _Finder((pair for pair in _ALL_PHRASES if pair not in _REPEATABLE), PHRASES)
_FIND_WORDS = _Finder(((f" {word} ", kind) for word, kind in KINDS.items()), WORD_KINDS)


def extract(bodies: Sequence[BodyParts]) -> FloatArray:
    """The features of what the sender wrote, above what is quoted.

    Parameters
    ----------
    bodies : sequence of BodyParts
        What the body of each message consists of.

    Returns
    -------
    array of float64, shape (messages, columns)
        The last columns of `metadata.COLUMNS`, from ``text_length`` on.
    """
    if not bodies:
        return np.empty((0, 0))
    whole = [len(body.new) + len(body.signature) for body in bodies]
    texts = [(body.new[:_MAX_TEXT] + body.signature[:_MAX_TEXT])[:_MAX_TEXT] for body in bodies]
    low = [text.lower() for text in texts]
    joined, ends = _joined(low)
    phrases = _phrases(low, joined, ends)
    words, kinds = _words(joined, ends)
    quoted = np.array([len(body.quoted) for body in bodies])
    capitals, digits = _shares(texts)
    count = np.maximum(words, 1)
    columns = [
        np.log1p(whole),
        np.log1p(words),
        quoted / np.maximum(np.array(whole) + quoted, 1),
        quoted > 0,
        _signs(texts, "?"),
        [_ends_with_question(text) for text in texts],
        np.log1p(phrases["asks you"]),
        np.log1p(kinds["request"] + phrases["asks"]),
        np.log1p(kinds["urgent"]),
        np.log1p(kinds["thanks"]),
        np.log1p(kinds["meeting"]),
        phrases["informs"] > 0,
        kinds["first"] / count,
        kinds["second"] / count,
        _signs(texts, "!"),
        capitals,
        digits,
        np.log1p(phrases["links"]),
        np.log1p(phrases["attachment"]),
        _signs(texts, "$"),
        np.log1p(phrases["newsletter"]),
        np.log1p(phrases["automation"]),
        np.log1p(phrases["disclaimer"]),
    ]
    return np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)


def _joined(texts: Iterable[str]) -> tuple[bytes, Counts]:
    """The texts with a gap after each, a byte for each character, and where each ends, its gap included."""
    encoded = [text.encode("ascii", "replace") for text in texts]
    return _GAP.join([*encoded, b""]), np.cumsum([len(text) + 1 for text in encoded])


def _phrases(low: Sequence[str], joined: bytes, ends: Counts) -> dict[str, Counts]:
    """How often phrases of each kind are in each text; occurrences of the same phrase do not overlap."""
    counts = _FIND_PHRASES.counts(joined, ends)
    for phrase, kind in _REPEATABLE:
        counts[kind] = counts[kind] + np.array([text.count(phrase) for text in low])
    return counts


def _words(joined: bytes, ends: Counts) -> tuple[Counts, dict[str, Counts]]:
    """The number of words in each text, and of those of each kind."""
    plain = joined.translate(_TO_WORDS)
    in_word = _bytes(plain) != ord(" ")
    begins = in_word & np.diff(in_word, prepend=False)
    # A word is found with a space before and after it: the first of a text with the space that ends the text before.
    return _per_text(begins, ends), _FIND_WORDS.counts(b" " + plain, ends)


def _bytes(joined: bytes) -> npt.NDArray[np.uint8]:
    return np.frombuffer(joined, dtype=np.uint8)


def _per_text(flags: npt.NDArray[np.bool_], ends: Counts) -> Counts:
    """How many flags are set in each text."""
    return np.add.reduceat(flags, np.concatenate([[0], ends[:-1]]), dtype=np.int64)


def _shares(texts: Sequence[str]) -> tuple[FloatArray, FloatArray]:
    """The share of capitals among the letters A to Z, and of digits among all characters."""
    joined, ends = _joined(texts)
    letter = _bytes(joined)
    capitals, small, digits = (
        _per_text((letter >= ord(first)) & (letter <= ord(last)), ends) for first, last in ("AZ", "az", "09")
    )
    length = np.diff(ends, prepend=0) - 1
    return capitals / np.maximum(capitals + small, 1), digits / np.maximum(length, 1)


def _signs(texts: Iterable[str], sign: str) -> Any:
    return np.log1p([text.count(sign) for text in texts])


def _ends_with_question(text: str) -> bool:
    last_lines = text.rstrip().rsplit("\n", 3)[-3:]
    return "?" in text and any(line.rstrip().endswith("?") for line in last_lines)
