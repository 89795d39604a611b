"""The feature group ``text``: the words of a message, hashed, for a table that training fills.

Words and pairs of neighbouring words become bucket numbers (feature hashing, Weinberger et al. 2009),
so that no vocabulary is shipped. The same word in the subject, in what the sender wrote, in the
signature and in what is quoted has different buckets. All numbers count as the same word, and so do the
names of the months: a model must not learn the calendar.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from enron_triage.mail.addresses import domain_of
from enron_triage.mail.body import BodyParts
from enron_triage.records import Email

_BUCKET_BITS = 18  # 262,144 buckets, some five for every word or pair that train knows: few collide
NUM_BUCKETS = 1 << _BUCKET_BITS

IdArray = npt.NDArray[np.int64]

_LETTERS = b"abcdefghijklmnopqrstuvwxyz'" + bytes(range(128, 256))  # UTF-8: any script's letters are words
_NUMBER, _MONTH = b"0", b"<month>"
_KEPT = _LETTERS + b"?!$"
_TO_WORDS = bytes(c if c in _KEPT else ord("0") if c in b"0123456789" else ord(" ") for c in range(256))
_SIGNS = (b"?", b"!", b"$")  # words of their own
_MONTHS = frozenset(
    b"january february march april june july august september october november december "
    b"jan feb mar apr jun jul aug sep sept oct nov dec".split()  # "may" is a verb, too
)
SEGMENTS = ("subject", "new", "signature", "quoted", "domain")
_PAIRED = (True, True, False, False, False)  # in which segments pairs of words count, too
# Bounds the work on long mail: what decides is at the top. Quoted text counts less than new, a signature least.
_MAX_WORDS = {"subject": 40, "new": 300, "signature": 40, "quoted": 120}
_CHARACTERS_PER_WORD = 6  # with its space, on average: text is cut at this many times `_MAX_WORDS` before it is split
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio: spreads the bits (Knuth, section 6.4)
_MONTH_HASHES = np.array([zlib.crc32(month) for month in sorted(_MONTHS)], dtype=np.uint64)
_GAP = b" \xff "  # between segments: a word that no text holds, for UTF-8 has no such byte
_MAX_REMEMBERED = 200_000  # words whose hash is kept: mail can hold endless different ones


class _Hashes(dict[bytes, int]):
    """The hash of every word seen, computed when it is first asked for."""

    def __missing__(self, word: bytes) -> int:
        if len(self) >= _MAX_REMEMBERED:
            self.clear()
        seen = _NUMBER if word.startswith(_NUMBER) else _MONTH if word in _MONTHS else word
        self[word] = value = zlib.crc32(seen)
        return value


_hash = _Hashes().__getitem__


def words(email: Email, body: BodyParts) -> Iterator[list[bytes]]:
    """The words of a message, segment by segment.

    Parameters
    ----------
    email : Email
        The message: its subject and its sender's domain are segments.
    body : BodyParts
        What its body consists of: the other segments.

    Yields
    ------
    list of bytes
        The words of one segment in the order of the text, in the order of `SEGMENTS`.
    """
    for part, most in zip(_parts(email, body), _MAX_WORDS.values(), strict=True):
        yield _plain(part).split()[:most]
    yield [_domain(email)]


def _parts(email: Email, body: BodyParts) -> Iterator[bytes]:
    """The texts of the segments before the last, in small letters, cut."""
    texts = email.subject, body.new, body.signature, body.quoted
    for text, most in zip(texts, _MAX_WORDS.values(), strict=True):
        yield text[: most * _CHARACTERS_PER_WORD].lower().encode("utf-8", "surrogatepass")


def _plain(encoded: bytes) -> bytes:
    """Words with spaces between them."""
    for sign in _SIGNS:
        if sign in encoded:
            encoded = encoded.replace(sign, b" " + sign + b" ")
    return encoded.translate(_TO_WORDS)


def _domain(email: Email) -> bytes:
    return domain_of(email.sender).encode("utf-8", "surrogatepass")


def extract(emails: Sequence[Email], bodies: Sequence[BodyParts]) -> tuple[npt.NDArray[np.int32], IdArray]:
    """The buckets of the words, and pairs of words, of each message.

    Parameters
    ----------
    emails : sequence of Email
        The messages.
    bodies : sequence of BodyParts
        What the body of each message consists of.

    Returns
    -------
    buckets : array of int32, shape (words of all messages,)
        From 0 to `NUM_BUCKETS` - 1, one message after the other; those of one message ascend and are distinct.
    lengths : array of int64, shape (messages,)
        How many of the buckets belong to each message.
    """
    hashes, segment = _hashed(emails, bodies)
    buckets, message = _buckets(hashes, segment)
    found = message << _BUCKET_BITS | buckets
    found.sort()  # several times faster than numpy.unique, which hashes
    found = found[np.diff(found, prepend=-1) != 0]
    return (found & (NUM_BUCKETS - 1)).astype(np.int32), np.bincount(found >> _BUCKET_BITS, minlength=len(emails))


def _hashed(emails: Sequence[Email], bodies: Sequence[BodyParts]) -> tuple[npt.NDArray[np.uint64], IdArray]:
    """The hashes of the words of all messages, segment by segment, and the number of the segment of each.

    All texts are split and hashed at once; the words are those that `words` gives.
    """
    plain = _plain(
        _GAP.join([part for email, body in zip(emails, bodies, strict=True) for part in _parts(email, body)])
    )
    split = plain.split()
    hashes = np.fromiter(map(zlib.crc32, split), dtype=np.uint64, count=len(split))
    characters = np.frombuffer(b" " + plain, dtype=np.uint8)
    is_space = characters == ord(" ")
    first = characters[1:][is_space[:-1] & ~is_space[1:]]  # the first byte of each word
    hashes[first == _NUMBER[0]] = zlib.crc32(_NUMBER)
    for place in np.flatnonzero(np.isin(hashes, _MONTH_HASHES)).tolist():
        if split[place] in _MONTHS:
            hashes[place] = zlib.crc32(_MONTH)
    is_gap = first == _GAP[1]
    segment = np.cumsum(is_gap)  # four a message
    begins = np.concatenate([[0], np.flatnonzero(is_gap) + 1])
    most = np.array([*_MAX_WORDS.values()])
    kept = ~is_gap & (np.arange(len(segment)) - begins[segment] < most[segment % len(most)])
    segment = segment[kept]
    domains = np.arange(len(emails)) * len(SEGMENTS) + len(most)
    domain_hashes = np.array([_hash(_domain(email)) for email in emails], dtype=np.uint64)
    return np.concatenate([hashes[kept], domain_hashes]), np.concatenate([segment + segment // len(most), domains])


def buckets_of(segment: int, segment_words: Sequence[bytes]) -> list[tuple[bytes, int]]:
    """The words and pairs of words of one segment of a message, each with its bucket.

    Parameters
    ----------
    segment : int
        The segment, as an index into `SEGMENTS`.
    segment_words : sequence of bytes
        Its words, as `words` yields them.

    Returns
    -------
    list of tuple of bytes and int
        First the words, then the pairs, with a space between the two words of a pair.
    """
    hashes = np.array([_hash(word) for word in segment_words], dtype=np.uint64)
    buckets, _ = _buckets(hashes, np.full(len(hashes), segment))
    pairs = [a + b" " + b for a, b in itertools.pairwise(segment_words)] if _PAIRED[segment] else []
    return list(zip([*segment_words, *pairs], buckets.tolist(), strict=True))


def _buckets(hashes: npt.NDArray[np.uint64], segment: IdArray) -> tuple[IdArray, IdArray]:
    """The buckets of all words and pairs, and the message of each; segments are numbered through all messages."""
    message, kind = np.divmod(segment, len(SEGMENTS))
    salted = (hashes + kind.astype(np.uint64) * np.uint64(0x1_0000_0001)) * _SPREAD
    paired = (segment[1:] == segment[:-1]) & np.array(_PAIRED)[kind[1:]]
    pairs = ((salted[:-1] >> np.uint64(1)) + salted[1:])[paired] * _SPREAD
    buckets = np.concatenate([salted, pairs]) >> np.uint64(64 - _BUCKET_BITS)
    return buckets.astype(np.int64), np.concatenate([message, message[1:][paired]])
