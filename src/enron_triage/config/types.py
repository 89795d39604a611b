"""The types of the configuration's values, with the words in which an error names them."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

import msgspec


class Section(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A part of the configuration; refuses keys that it does not know."""


class Choices(msgspec.Struct, frozen=True):
    """The names that a key takes: the keys of a table elsewhere in the package.

    The configuration is the lowest layer and some tables need torch, so the table is named and not imported. It is
    looked up only where a value is not the default.

    Attributes
    ----------
    table : str
        Where the table is: ``module:NAME``, a mapping by name.
    also : tuple of str
        Further values that are allowed, such as ``auto``.
    """

    table: str
    also: tuple[str, ...] = ()


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
PositiveInt = Annotated[int, msgspec.Meta(ge=1)]
Workers = Annotated[Literal["auto"] | PositiveInt, msgspec.Meta(description="auto, or a number of processes from 1 on")]
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
DeviceName = Literal["auto", "cpu", "cuda", "mps"]
DecisionStages = Literal["one", "two"]
SelectionMetric = Literal["macro_f1", "accuracy", "balanced_accuracy", "loss", "mean_reward"]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(duration: str) -> int:
    """The length of a duration.

    Parameters
    ----------
    duration : str
        A number and a unit, such as ``90s``, ``5m``, ``1h`` or ``30d``.

    Returns
    -------
    int
        In seconds.

    Examples
    --------
    >>> seconds("1h"), seconds("30d"), seconds("1.5m")
    (3600, 2592000, 90)
    """
    return round(float(duration[:-1]) * _SECONDS[duration[-1]])
