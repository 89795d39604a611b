"""From an HTML document to its readable text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree, html

_CELLS = frozenset({"td", "th"})
_BLOCKS = frozenset("address blockquote br div h1 h2 h3 h4 h5 h6 hr li p pre table tr".split())
# Comments, scripts and styles, which are no text, and tags, whose attributes none of it needs: the parser takes time in
# the square of their number, and memory for each. Whatever is unclosed ends with the document; nothing is read twice.
_MARKUP = re.compile(
    r"<!--.*?(?:-->|\Z)|<(?P<raw>script|style)\b[^>]*+(?:>.*?(?:</(?P=raw)\b[^>]*+>?|\Z)|\Z)"
    r"""|<(?P<tag>/?[A-Za-z][^\s/<>]{0,40}+)(?:[^>=]++|=\s*+(?:"[^"]*+"|'[^']*+')?+)*+(?:>|\Z)""",
    re.DOTALL | re.IGNORECASE,
)
_MAX_TAGS = 400_000  # some microseconds each; a long newsletter has ten thousand
_CHUNK = 2**18  # characters of tags and text that are in the parser at once: its trees take a hundred times their size
_DECLARED = re.compile(
    rb"<meta\b[^>]{0,500}?\bcharset\s*=\s*[\"']?\s*([\w.:-]{1,60})|<\?xml\b[^>]{0,200}?\bencoding\s*=\s*[\"']([\w.:-]{1,60})",
    re.IGNORECASE,
)
_DECLARED_WITHIN = 4096  # bytes; browsers look at 1,024, mail programs put styles first


def declared_charset(document: bytes) -> str:
    """The character set that an HTML document declares in itself.

    Parameters
    ----------
    document : bytes
        The document as it was sent.

    Returns
    -------
    str
        The name in its ``meta`` element or XML declaration; empty if there is none.

    Examples
    --------
    >>> declared_charset(b'<meta http-equiv="Content-Type" content="text/html; charset=koi8-r">')
    'koi8-r'
    """
    found = _DECLARED.search(document, 0, _DECLARED_WITHIN)
    name = (found[1] or found[2]).decode("ascii", "replace").lower() if found else ""
    return "utf-8" if name.startswith("utf-16") else name  # WHATWG HTML, 13.2.3.2: it could not have been read


def html_to_text(markup: str) -> str:
    r"""Reduce an HTML document to its readable text.

    Parameters
    ----------
    markup : str
        The document, or any other text.

    Returns
    -------
    str
        A line for each block, with its white space normalised; no empty lines, scripts or styles.

    Raises
    ------
    ValueError
        If it has more tags than any mail.

    Examples
    --------
    >>> html_to_text("<style>p {}</style><p>Hello <b>you</b></p><p>Bye</p>")
    'Hello you\nBye'
    """
    pieces = ["".join((*_pieces(chunk), "\n")) for chunk in _chunks(markup.replace("\0", ""))]
    lines = (" ".join(line.split()) for line in "".join(pieces).split("\n"))
    return "\n".join(line for line in lines if line)


def _chunks(markup: str) -> Iterator[str]:
    """The document without what is no text, in pieces that the parser can hold."""
    chunk: list[str] = []
    size = end = 0
    for number, match in enumerate(_MARKUP.finditer(markup)):
        if number > _MAX_TAGS:
            raise ValueError(f"HTML of more than {_MAX_TAGS:,} tags")
        tag = match["tag"]
        chunk += (markup[end : match.start()], f"<{tag}>" if tag else " " if match["raw"] else "")
        size += match.start() - end + len(tag or "")
        end = match.end()
        if size > _CHUNK:
            yield "".join(chunk)
            chunk, size = [], 0
    yield "".join((*chunk, markup[end:]))


def _pieces(chunk: str) -> list[str]:
    """The texts of a document, with line ends between its blocks."""
    # lxml bounds the depth and the time of hostile markup, which the pure-Python parsers do not.
    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        document = html.document_fromstring(chunk.encode("utf-8", "replace"), parser=parser)
    except etree.ParserError:  # nothing but white space and comments
        return []
    etree.strip_elements(document, "script", "style", "head", with_tail=False)
    pieces: list[str] = []
    for event, element in etree.iterwalk(document, events=("start", "end")):
        if element.tag in _BLOCKS:
            pieces.append("\n")
        elif element.tag in _CELLS:
            pieces.append(" ")
        pieces.append((element.text if event == "start" else element.tail) or "")
    return pieces
