"""The types of the configuration's values: their ranges, and the words that an error uses for them."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

import msgspec


class Section(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A section of the configuration; it refuses keys that it does not know."""


FUNCTION_PATTERN = r"[\w.]+:\w+"  # module:function


class Choices(msgspec.Struct, frozen=True):
    """Marks a key whose values are the names in a table of another package.

    The configuration is a layer below the tables, and some of them need torch, so the table is referred to by a string
    and not imported. It is looked up only if a value differs from the default.

    Attributes
    ----------
    table : str
        The place of the table, a mapping by name: ``module:NAME``.
    also : tuple of str
        Values that are allowed besides the names, such as ``auto``.
    functions : bool
        Whether ``module:function``, a function of the user's own, is allowed besides them.
    """

    table: str
    also: tuple[str, ...] = ()
    functions: bool = False


Duration = Annotated[
    str, msgspec.Meta(pattern=r"^\d+(\.\d+)?[smhd]$", description="a duration such as 90s, 30m, 1h or 7d")
]
Dates = Annotated[
    tuple[datetime.date, datetime.date], msgspec.Meta(description="two dates such as [1997-01-01, 2003-01-01]")
]
Sha256 = Annotated[
    str, msgspec.Meta(pattern=r"^[0-9a-fA-F]{64}$", description="64 hexadecimal digits, as sha256sum prints them")
]
RunName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9][\w.-]*$",
        description="a name such as sft_weighted, of letters, digits, _, - and . (a bare number in quotes)",
    ),
]
SchedulerAddress = Annotated[
    str, msgspec.Meta(pattern=r"^(tcp|tls|ws|wss|ucx)://\S+$", description="an address such as tcp://host:8786")
]
Address = Annotated[str, msgspec.Meta(pattern=r"^[^\s@<>,;]+@[^\s@<>,;]+$")]
Owner = Annotated[
    tuple[Address, ...] | dict[str, tuple[Address, ...]],
    msgspec.Meta(description="a list of addresses, or such a list for each of some mailboxes: {NAME: [ADDRESS]}"),
]
CheckpointNames = Annotated[str | tuple[str, ...], msgspec.Meta(description="a name, or a list of names")]
PositiveInt = Annotated[int, msgspec.Meta(ge=1)]
Workers = Annotated[Literal["auto"] | PositiveInt, msgspec.Meta(description="auto, or the number of processes")]
NonNegativeInt = Annotated[int, msgspec.Meta(ge=0)]
PositiveFloat = Annotated[float, msgspec.Meta(gt=0)]
NonNegativeFloat = Annotated[float, msgspec.Meta(ge=0)]
Fraction = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
CostRow = tuple[float, float, float, float, float]
Costs = Annotated[
    tuple[CostRow, CostRow, CostRow, CostRow, CostRow],
    msgspec.Meta(description="5 rows of 5 numbers: what the owner did, by what is predicted"),
]
DeviceName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(auto|cpu|mps|cuda(:(0|[1-9]\d*))?)$",
        description="auto, cpu, cuda, mps, or one of several GPUs such as cuda:1",
    ),
]
DecisionStages = Literal["one", "two"]
SelectionMetric = Literal["macro_f1", "accuracy", "balanced_accuracy", "loss", "mean_reward", "last"]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(duration: str) -> int:
    """Convert a duration to seconds.

    Parameters
    ----------
    duration : str
        A number and a unit (seconds, minutes, hours or days), such as ``90s``, ``5m``, ``1h`` or ``30d``.

    Returns
    -------
    int
        The number of seconds, rounded.

    Examples
    --------
    >>> seconds("1h"), seconds("30d"), seconds("1.5m")
    (3600, 2592000, 90)
    """
    return round(float(duration[:-1]) * _SECONDS[duration[-1]])
