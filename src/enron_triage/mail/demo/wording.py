"""The words of the demo corpus: names, topics and sentences, all invented."""

from __future__ import annotations

from random import Random

COMPANY = "borealis-power.example"

GIVEN = (
    "ada bruno carla dario elena felix greta hugo ines jonas karin leo mara nils olga pavel rosa sven tilda ugo".split()
)
SURNAMES = (
    "abbott bergman calder dorsey elwood farrow gantry holloway ibsen jarrow kessler lindqvist marlow norwood okafor "
    "pemberton quillon ravenel sorrell tavener ullman varga westcott yarrow zeller ashdown brightwell crane dunmore"
).split()

# An owner files mail on some topics and forwards mail on others, so a model of the text can learn from these words.
TOPICS: dict[str, list[str]] = {
    "pipeline": "pipeline capacity nominations imbalance compressor tariff segment meter shipper throughput".split(),
    "trading": "position spread curve settlement counterparty volatility hedge basis swap exposure".split(),
    "contracts": "agreement amendment clause signature counsel draft termination indemnity exhibit guaranty".split(),
    "staff": "headcount interview candidate review promotion vacation payroll training bonus offer".split(),
    "systems": "server password upgrade database outage login ticket backup network release".split(),
    "travel": "flight hotel itinerary reservation conference taxi visa expense airport rental".split(),
    "weather": "forecast storm temperature rainfall snowpack wind humidity outlook front drought".split(),
    "leisure": "dinner golf concert weekend lake recipe tickets birthday barbecue game".split(),
}
_STATEMENTS = (
    "The {0} for the {1} is ready.",
    "We have moved the {0} ahead of the {1}.",
    "Attached is the latest {0} with notes on the {1}.",
    "Our {0} depends on the {1} this time.",
    "There was a change in the {0} and the {1}.",
    "The {0} looks fine, the {1} less so.",
)
_QUESTIONS = (
    "Can you confirm the {0}?",
    "Could you send me the {0} for the {1}?",
    "What do you think about the {0}?",
    "Do you know who looks after the {0}?",
    "Would you have time to go over the {0} with me?",
)
_URGENT = ("I need this today, please.", "This is urgent, please call me.", "Please answer as soon as possible.")
_ANSWERS = (
    "Yes, the {0} is fine with me.",
    "I will look at the {0} and let you know.",
    "Thanks, that helps with the {0}.",
    "No, we should wait for the {0}.",
    "Go ahead with the {0}.",
)
_NEWSLETTER = "To unsubscribe from this newsletter, click here: http://news.example/unsubscribe"
_AUTOMATIC = "This message was sent automatically. Please do not reply."


def subject(topic: str, random: Random) -> str:
    """Invent a subject.

    Parameters
    ----------
    topic : str
        A key of `TOPICS`.
    random : Random
        Where the choices come from.

    Returns
    -------
    str
        A few words.
    """
    first, second = random.sample(TOPICS[topic], 2)
    return (
        random.choice(("{0} and {1}", "{0} update", "New {0}", "{1} {0}", "About the {0}"))
        .format(first, second)
        .capitalize()
    )


def paragraph(topic: str, sentences: int, random: Random) -> str:
    """Invent a paragraph of statements.

    Parameters
    ----------
    topic : str
        A key of `TOPICS`.
    sentences : int
        How many statements.
    random : Random
        Where the choices come from.

    Returns
    -------
    str
        One line.
    """
    return " ".join(random.choice(_STATEMENTS).format(*random.sample(TOPICS[topic], 2)) for _ in range(sentences))


def body(
    topic: str, relation: str, *, asks_question: bool, urgent: bool, names: tuple[str, str], random: Random
) -> str:
    """Invent the text of the message that starts a conversation.

    Parameters
    ----------
    topic : str
        A key of `TOPICS`.
    relation : str
        The sender's relation to the owner; newsletters and programs close with their usual lines.
    asks_question : bool
        Whether the text has a direct question.
    urgent : bool
        Whether it asks for a quick answer.
    names : tuple of (str, str)
        The given names of the reader and of the writer.
    random : Random
        Where the choices come from.

    Returns
    -------
    str
        Several lines, the last one ended too.
    """
    if relation in ("newsletter", "alert", "broadcast"):
        closing = {"newsletter": _NEWSLETTER, "alert": _AUTOMATIC, "broadcast": "The office of the chairman"}[relation]
        return f"{paragraph(topic, random.randint(3, 8), random)}\n\n{closing}\n"
    reader, writer = names
    parts = [f"{reader},", "", paragraph(topic, random.randint(1, 4), random)]
    if asks_question:
        parts += ["", random.choice(_QUESTIONS).format(*random.sample(TOPICS[topic], 2))]
    if urgent:
        parts.append(random.choice(_URGENT))
    return "\n".join([*parts, "", f"{writer}", ""])


def answer(topic: str, writer: str, random: Random) -> str:
    """Invent the text above a quoted message.

    Parameters
    ----------
    topic : str
        A key of `TOPICS`.
    writer : str
        The name to sign with.
    random : Random
        Where the choices come from.

    Returns
    -------
    str
        A sentence, sometimes a question, and the name.
    """
    question = (
        "\n" + random.choice(_QUESTIONS).format(*random.sample(TOPICS[topic], 2)) if random.random() < 0.3 else ""
    )
    return f"{random.choice(_ANSWERS).format(random.choice(TOPICS[topic]))}{question}\n\n{writer}\n"
