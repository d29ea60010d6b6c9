"""Times as a person types them, such as `2026-12-24 18:00 Europe/Berlin`, and as the command line shows them.

What belongs here: reading and spelling times. When a post may be begun is decided in the core.
"""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import click

from tiktok_adapters.cli.spelling import near

__all__ = ["Time", "left_until", "local_zone", "read_time", "spelled_time", "zone_name"]

LOCALTIME: Final = Path("/etc/localtime")
"""The machine's own zone, on the systems that have this file."""
HOW: Final = 'such as "2026-12-24 18:00 Europe/Berlin", or 2026-12-24T18:00+01:00'
TIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[Tt]|\s+)([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?\s*(.*)"
)
OFFSET: Final = re.compile(r"([+-])([0-9]{2})(?::?([0-9]{2})(?::?([0-9]{2}))?)?")
NOT_A_ZONE: Final = (ZoneInfoNotFoundError, ValueError, OSError)
"""What `ZoneInfo` raises for a text that is no name: it may be a folder of the database, or no path at all."""

if TYPE_CHECKING:
    TimeType = click.ParamType[datetime]
else:
    TimeType = click.ParamType  # Before click 8.4 the class cannot be subscripted.


class Time(TimeType):
    """A time with its zone: a name after it, or an offset; without either, the machine's own zone."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the time."""
        try:
            return read_time(str(value))
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


def read_time(text: str) -> datetime:
    """Return the time that a person typed, in the zone that the person named.

    Raises:
        ValueError: it is no time, its zone is unknown, or the clocks there skip it or show it twice.
    """
    found = TIME.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a time, {HOW}")
    year, month, day, hour, minute, second, fraction, rest = found.groups(default="")
    parts = (year, month, day, hour, minute, second or "0", fraction.ljust(6, "0")[:6])
    try:
        wall = datetime(*map(int, parts))  # type: ignore[arg-type]  # noqa: DTZ001 - what a clock on the wall shows
    except ValueError as error:
        raise ValueError(f"{text!r} is not a time: {error}") from None
    zone = _zone(rest)
    try:
        return _on_the_wall(wall, zone)
    except OverflowError:
        raise ValueError(f"{text!r} is not a time: it is too far away") from None


def _on_the_wall(wall: datetime, zone: tzinfo) -> datetime:
    """Return the one time at which the clocks of a zone show this.

    Raises:
        ValueError: there is none, or there are two; the sentence has both readings, so that each can be typed.
    """
    moments = sorted({wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)})
    shown = [moment for moment in moments if moment.astimezone(zone).replace(tzinfo=None, fold=0) == wall]
    if len(shown) == 1:
        return shown[0].astimezone(zone)
    where = getattr(zone, "key", None) or "this machine's zone"
    first, second = (
        moment.astimezone(zone).isoformat(timespec="auto" if moment.second or moment.microsecond else "minutes")
        for moment in (moments[0], moments[-1])
    )
    why = (
        "comes twice in {}, where the clocks are set back"
        if shown
        else "does not exist in {}, where the clocks are set forward"
    )
    raise ValueError(f"{_to_the_minute(wall)} {why.format(where)}: type {first} or {second}")


# --- Zones -----------------------------------------------------------------------------------------------------------


def _zone(text: str) -> tzinfo:
    """Return the zone of what stands behind a time: a name, an offset, or nothing for the machine's own.

    Raises:
        ValueError: there is no such zone.
    """
    if not text:
        return local_zone()
    if text in {"Z", "z"}:
        return UTC
    if (offset := OFFSET.fullmatch(text)) is None:
        return _named(re.sub(r"\s+", "_", text))
    sign, *numbers = offset.groups(default="0")
    hours, minutes, seconds = map(int, numbers)
    if hours >= 24 or minutes >= 60 or seconds >= 60:
        raise ValueError(f"{text!r} is not an offset, such as +01:00")
    ahead = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return timezone(-ahead if sign == "-" else ahead)


def _named(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except NOT_A_ZONE:
        pass
    if name.upper() == "UTC":
        return UTC  # Needs no database.
    known = available_timezones()
    if not known:
        raise ValueError(
            "this machine has no database of time zones: install the package tzdata, or type an offset, such as 2026-12-24T18:00+01:00"
        )
    # Of names, only the case is forgiven: Etc/GMT-5 and Etc/GMT+5 are ten hours apart.
    if (meant := next((one for one in known if one.lower() == name.lower()), None)) is not None:
        return ZoneInfo(meant)
    cities = sorted(one for one in known if one.rpartition("/")[2].lower() == name.lower())
    said = f"; did you mean {' or '.join(cities[:3])}?" if cities else near(name, known)
    raise ValueError(f"{name!r} is not the name of a time zone{said or ', such as Europe/Berlin or America/New_York'}")


def local_zone() -> tzinfo:
    """Return the machine's own zone: that of the variable `TZ`, or else of `/etc/localtime`.

    Raises:
        ValueError: the machine does not say which it is.
    """
    named = os.environ.get("TZ")
    if named is None:
        found, where = _of_file(LOCALTIME), "this machine does not say in which time zone it is"
    else:
        name = named.removeprefix(":")
        found = _of_file(Path(name)) if name.startswith("/") else _of_name(name or "UTC")
        where = f"the time zone of this machine, TZ={named}, is not known by that name"
    if found is None:
        raise ValueError(f"{where}: type a zone or an offset behind the time, {HOW}")
    return found


def _of_name(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except NOT_A_ZONE:
        return UTC if name == "UTC" else None


def _of_file(path: Path) -> tzinfo | None:
    """Return the zone of a file of the database, by its name where a link or the path says it."""
    try:
        for name in _names(path):
            if (found := _of_name(name)) is not None:
                return found
        with path.open("rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError):
        return None


def _names(path: Path) -> Iterator[str]:
    # The first link has the name that a person chose; the database itself may lead from there to another one.
    for target in (path.readlink() if path.is_symlink() else path, path.resolve()):
        _, folder, name = target.as_posix().partition("zoneinfo/")
        if folder:
            yield name.removeprefix("posix/")


# --- Times that are shown --------------------------------------------------------------------------------------------


def spelled_time(moment: datetime, zone: str = "") -> str:
    """Return a time as a sentence shows it: in its zone, or else in that of the machine, and in UTC.

    Args:
        moment: the time.
        zone: the zone in which a person gave it; empty if it is not known.
    """
    universal = f"{_to_the_minute(moment.astimezone(UTC))} UTC"
    own = _of_name(zone) if zone else None
    if own is None:
        try:
            own = local_zone()
        except ValueError:
            return universal
    name = getattr(own, "key", None) or f"{moment.astimezone(own):%Z}"
    if name.rpartition("/")[2] == "UTC":
        return universal
    return f"{_to_the_minute(moment.astimezone(own))} {name} ({universal})"


def zone_name(moment: datetime) -> str:
    """Return the name of the zone of a time; empty if it has an offset alone."""
    return getattr(moment.tzinfo, "key", None) or ""


def _to_the_minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}".removesuffix(":00")


def left_until(moment: datetime, now: datetime) -> str:
    """Return how long it is until a time, such as `in 3 h 12 min`."""
    minutes = max(0, int((moment - now).total_seconds() // 60))
    if minutes >= 48 * 60:
        return f"in {minutes // 1440} days"
    if minutes >= 60:
        return f"in {minutes // 60} h {minutes % 60} min"
    return f"in {minutes} min" if minutes else "in less than a minute"
