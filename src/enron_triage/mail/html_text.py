"""From an HTML document to its readable text."""

from __future__ import annotations

from lxml import etree, html

_CELLS = frozenset({"td", "th"})
_BLOCKS = frozenset("address blockquote br div h1 h2 h3 h4 h5 h6 hr li p pre table tr".split())


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

    Examples
    --------
    >>> html_to_text("<style>p {}</style><p>Hello <b>you</b></p><p>Bye</p>")
    'Hello you\nBye'
    """
    # lxml bounds the depth and the time of hostile markup, which the pure-Python parsers do not.
    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        document = html.document_fromstring(markup.replace("\0", "").encode(), parser=parser)
    except etree.ParserError:  # nothing but white space and comments
        return ""
    etree.strip_elements(document, "script", "style", "head", with_tail=False)
    pieces: list[str] = []
    for event, element in etree.iterwalk(document, events=("start", "end")):
        if element.tag in _BLOCKS:
            pieces.append("\n")
        elif element.tag in _CELLS:
            pieces.append(" ")
        pieces.append((element.text if event == "start" else element.tail) or "")
    lines = (" ".join(line.split()) for line in "".join(pieces).split("\n"))
    return "\n".join(line for line in lines if line)
