"""The five actions, in the order of their class index."""

from enum import StrEnum


class Action(StrEnum):
    """What a mailbox owner does with a message; JSON holds the value."""

    REPLY_NOW = "reply_now"
    REPLY_LATER = "reply_later"
    FORWARD = "forward"
    ARCHIVE = "archive"
    DELETE = "delete"


ACTIONS: tuple[Action, ...] = tuple(Action)
ACTION_NAMES: tuple[str, ...] = tuple(
    action.value for action in ACTIONS
)  # plain strings, as JSON and checkpoints hold them
ACTION_INDEX: dict[Action, int] = {action: index for index, action in enumerate(ACTIONS)}
REPLIES: tuple[int, ...] = (ACTION_INDEX[Action.REPLY_NOW], ACTION_INDEX[Action.REPLY_LATER])
