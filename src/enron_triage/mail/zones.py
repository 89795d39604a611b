"""The time zones that mail names by letters or words, as minutes east of UTC.

Abbreviations are those of RFC 5322, section 4.3, and of PostgreSQL's default list (``src/timezone/tznames/Default``),
which settles what an ambiguous one means; names in words are those of Windows (Unicode CLDR, ``windowsZones.xml``). No
library has both: ``dateutil`` and ``email.utils`` know the zones of the United States alone, and take others for UTC.
"""

from __future__ import annotations

import re

_ABBREVIATIONS = {
    name: int(float(hours) * 60)
    for line in (
        "-10 HST",
        "-9 AKST",
        "-8 PST AKDT",
        "-7 MST PDT",
        "-6 CST MDT",
        "-5 EST CDT COT PET",
        "-4 EDT AST VET CLT",
        "-3 ADT BRT ART UYT CLST",
        "-3.5 NST",
        "-2.5 NDT",
        "-2 BRST",
        "0 UT UTC GMT Z WET WEZ AZOST",
        "1 CET MET MEZ BST WEST WAT",
        "2 CEST MEST MESZ EET OEZ SAST CAT",
        "3 EEST OESZ MSK EAT IDT TRT",
        "3.5 IRST",
        "4 MSD GST SAMT",
        "4.5 AFT IRDT",
        "5 PKT UZT YEKT",
        "5.5 IST",
        "5.75 NPT",
        "6 BDT NOVT OMST",
        "6.5 MMT",
        "7 ICT WIB KRAT",
        "8 HKT SGT MYT PHT AWST WITA IRKT",
        "9 JST KST WIT YAKT",
        "9.5 ACST",
        "10 AEST CHST VLAT",
        "10.5 ACDT",
        "11 AEDT MAGT",
        "12 NZST FJT PETT",
        "13 NZDT",
    )
    for hours, *names in [line.split()]
    for name in names
}
# Of the names "... Standard Time"; "... Daylight Time" and "... Summer Time" are an hour further east.
_WORDS = {
    name: int(float(hours) * 60)
    for line in (
        "-10 hawaiian,hawaii,aleutian",
        "-9 alaskan,alaska",
        "-8 pacific,north american pacific",
        "-7 mountain,us mountain,north american mountain,mexican pacific",
        "-6 central,canada central,central america,north american central,mexico,central mexico",
        "-5 eastern,us eastern,sa pacific,north american eastern,colombia,peru,cuba,haiti",
        "-4 atlantic,sa western,pacific sa,central brazilian,venezuela,bolivia,chile,paraguay,amazon",
        "-3.5 newfoundland",
        "-3 e. south america,sa eastern,argentina,brasilia,montevideo,greenland,bahia,uruguay",
        "-1 azores,cape verde",
        "0 gmt,greenwich,greenwich mean,british,irish,western european,coordinated universal,universal,morocco,utc",
        "1 w. europe,central europe,central european,romance,w. central africa,middle european,west africa",
        "2 e. europe,eastern european,fle,gtb,south africa,egypt,israel,jerusalem,middle east,jordan,syria,libya"
        ",kaliningrad,central africa,namibia",
        "3 russian,moscow,arab,arabic,arabian peninsula,e. africa,east africa,turkey,belarus",
        "3.5 iran",
        "4 arabian,gulf,azerbaijan,georgian,caucasus,mauritius,samara",
        "4.5 afghanistan",
        "5 west asia,pakistan,ekaterinburg,uzbekistan",
        "5.5 india,indian,sri lanka",
        "5.75 nepal",
        "6 central asia,bangladesh,n. central asia,omsk",
        "6.5 myanmar",
        "7 se asia,indochina,north asia,krasnoyarsk,western indonesia",
        "8 china,singapore,malay peninsula,malaysia,taipei,w. australia,western australia,australian western,hong kong"
        ",philippine,north asia east,irkutsk,ulaanbaatar",
        "9 tokyo,japan,korea,korean,yakutsk",
        "9.5 aus central,cen. australia,central australia,australian central",
        "10 aus eastern,e. australia,eastern australia,australian eastern,tasmania,west pacific,vladivostok",
        "11 central pacific,magadan",
        "12 new zealand,fiji,kamchatka",
    )
    for hours, _, names in [line.partition(" ")]
    for name in names.split(",")
}
_NUMBER = re.compile(r"(?:\b(?:GMT|UTC|UT|Z)\s?)?([+-])(\d{1,2})(?::?(\d\d))?(?![\d:])", re.IGNORECASE)
_IN_WORDS = re.compile(r"([a-z][a-z. ]*?)\s+(standard|daylight|summer)?\s*time\b")
_MAX_NAME = 100  # characters; the expression takes time in the cube of it
_CLOCK_CHANGE = {"standard": 0, None: 0, "daylight": 60, "summer": 60}


def zone_offset(zone: str) -> int | None:
    """The offset of a time zone, however a header gives it.

    Parameters
    ----------
    zone : str
        What follows the time in a date.

    Returns
    -------
    int or None
        Minutes east of UTC: of a number, else of a name; 0 where there is neither; None where the name is not known, or
        the number is of no zone.

    Examples
    --------
    >>> zone_offset("+0530"), zone_offset("GMT+01:00"), zone_offset("CEST"), zone_offset("Pacific Daylight Time")
    (330, 60, 120, -420)
    """
    number = _NUMBER.search(zone)
    if number:
        hours, minutes = int(number[2]), int(number[3] or 0)
        offset = hours * 60 + minutes
        return None if hours > 23 or minutes > 59 else -offset if number[1] == "-" else offset
    name = " ".join(zone.lower().replace(",", " ").strip(" \t\"'()").split())
    words = _IN_WORDS.search(name[:_MAX_NAME])
    if words:
        standard = _WORDS.get(words[1])
        return None if standard is None else standard + _CLOCK_CHANGE[words[2]]
    if len(name) == 1:  # RFC 5322, 4.3: the military zones were used both ways, and say nothing
        return 0
    return _ABBREVIATIONS.get(name.upper()) if name else 0
