"""Times as a person types them: each means one moment, or is refused with what to type instead."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_adapters.cli import times
from tiktok_adapters.cli.times import left_until, local_zone, read_time, spelled_time, zone_name

ZONES: Final = sorted(available_timezones())
DATABASE: Final = Path("/usr/share/zoneinfo")
XMAS: Final = datetime(2026, 12, 24, 17, tzinfo=UTC)
READINGS: Final = re.compile(r": type (\S+) or (\S+)$")


def change_in(zone: ZoneInfo, year: int) -> datetime:
    """Return the moment of a year just before which the clocks of a zone showed another offset; its beginning if there is none."""
    months = [datetime(year, month, 1, tzinfo=UTC) for month in range(1, 13)]
    for before, after in pairwise(months):
        if before.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset():
            return narrowed(zone, before, after)
    return months[0]


def narrowed(zone: ZoneInfo, first: datetime, last: datetime) -> datetime:
    """Return the moment of a change between two moments whose offsets differ."""
    while last - first > timedelta(seconds=1):
        middle = first + timedelta(seconds=(last - first) // timedelta(seconds=2))
        is_before = middle.astimezone(zone).utcoffset() == first.astimezone(zone).utcoffset()
        first, last = (middle, last) if is_before else (first, middle)
    return last


@st.composite
def moments(draw: st.DrawFn) -> tuple[datetime, ZoneInfo]:
    """Draw a zone, and a moment to the second: often one that is near a change of its clocks."""
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    base = change_in(zone, draw(st.integers(1900, 2100)))
    away = draw(st.one_of(st.integers(-7_200, 7_200), st.integers(-(10**7), 10**7)))
    return base + timedelta(seconds=away), zone


@given(moments(), st.sampled_from([" ", "T", "   "]))
def test_what_a_clock_shows_is_typed_back(drawn: tuple[datetime, ZoneInfo], between: str) -> None:
    """It gives the same moment. Where the clock shows it twice, both readings are named, one is the moment, and each can be typed."""
    moment, zone = drawn
    shown = moment.astimezone(zone)
    typed = f"{shown.replace(tzinfo=None).isoformat(between[0])} {zone.key}".replace(between[0], between, 1)
    other = moment.astimezone(zone).replace(fold=1 - shown.fold)
    if other.utcoffset() == shown.utcoffset():
        found = read_time(typed)
        assert (found, zone_name(found)) == (moment, zone.key)
        return
    with pytest.raises(ValueError, match="comes twice in") as refused:
        read_time(typed)
    first, second = (read_time(one) for one in READINGS.search(str(refused.value)).groups())  # type: ignore[union-attr]
    assert first < second
    assert moment in (first, second)
    assert first.astimezone(zone).replace(tzinfo=None) == second.astimezone(zone).replace(tzinfo=None)


@given(moments())
def test_a_time_that_clocks_skip_is_refused_with_the_times_around_it(drawn: tuple[datetime, ZoneInfo]) -> None:
    """No time between what the clock shows a second before and at a change is taken; the two readings are as far apart."""
    moment, zone = drawn
    change = change_in(zone, moment.year)
    before, after = ((change - timedelta(seconds=second)).astimezone(zone).replace(tzinfo=None) for second in (1, 0))
    skipped = after - before - timedelta(seconds=1)
    if skipped <= timedelta(0):
        return
    wall = after - timedelta(seconds=1 + moment.second % skipped.total_seconds())
    with pytest.raises(ValueError, match="does not exist in") as refused:
        read_time(f"{wall.isoformat()} {zone.key}")
    first, second = (read_time(one) for one in READINGS.search(str(refused.value)).groups())  # type: ignore[union-attr]
    assert second - first == skipped
    assert first < change <= second


@given(moments())
def test_an_offset_is_enough(drawn: tuple[datetime, ZoneInfo]) -> None:
    """Every moment can be typed with an offset, in the two forms of ISO 8601, and in UTC with a Z."""
    moment, zone = drawn
    shown = moment.astimezone(zone).isoformat()
    for typed in (shown, shown[:19] + shown[19:].replace(":", ""), f"{moment:%Y-%m-%dT%H:%M:%SZ}"):
        assert read_time(typed) == moment
        assert zone_name(read_time(typed)) == ""


@pytest.mark.parametrize(
    "typed",
    [
        "2026-12-24 18:00 Europe/Berlin",
        "  2026-12-24 18:00   europe/berlin ",
        "2026-12-24T18:00:00 Europe/Berlin",
        "2026-12-24 18:00+01:00",
        "2026-12-24 18:00 +01",
        "2026-12-24T17:00Z",
        "2026-12-24t17:00:00.000z",
        "2026-12-24 17:00 UTC",
        "2026-12-24 17:00 utc",
        "2026-12-24 18:00",
        "2026-12-24 12:00 america/new york",
    ],
)
def test_the_forms_of_a_time(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name in any case, an offset, or neither for the machine's zone; seconds may be left out."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    assert read_time(typed) == XMAS


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("tomorrow", "'tomorrow' is not a time, such as "),
        ("2026-12-24", "is not a time, such as "),
        ("2026-13-24 18:00", "is not a time: month must be in 1..12"),
        ("2026-12-24 25:00 UTC", "is not a time: hour must be in 0..23"),
        ("2026-12-24 18:00 Europe/Berln", "did you mean Europe/Berlin"),
        ("2026-12-24 18:00 Paris", "did you mean Europe/Paris?"),
        ("2026-12-24 18:00 new york", "did you mean America/New_York?"),
        ("2026-12-24 18:00 Etc/GMT5", "did you mean Etc/GMT-5 or Etc/GMT+5"),
        ("2026-12-24 18:00 zzzzzzzzzz", "is not the name of a time zone, such as Europe/Berlin or America/New_York"),
        ("2026-12-24 18:00 /etc/passwd", "is not the name of a time zone"),
        ("2026-12-24 18:00 ../../etc/passwd", "is not the name of a time zone"),
        ("2026-12-24 18:00 Europe", "is not the name of a time zone"),
        ("2026-12-24 18:00+24:00", "'+24:00' is not an offset, such as"),
        ("2026-12-24 18:00+01:60", "'+01:60' is not an offset, such as"),
        ("9999-12-31 23:59 America/New_York", "is not a time: it is too far away"),
        ("0001-01-01 00:00 Asia/Tokyo", "is not a time: it is too far away"),
        ("2026-03-29 02:30 Europe/Berlin", ": type 2026-03-29T01:30+01:00 or 2026-03-29T03:30+02:00"),
        ("2026-10-25 02:30:15 Europe/Berlin", ": type 2026-10-25T02:30:15+02:00 or 2026-10-25T02:30:15+01:00"),
        ("2011-12-30 12:00 Pacific/Apia", ": type 2011-12-29T12:00-10:00 or 2011-12-31T12:00+14:00"),
    ],
)
def test_what_means_no_moment_is_refused(typed: str, said: str) -> None:
    """In one sentence that says what to type."""
    with pytest.raises(ValueError, match=re.escape(said)):
        read_time(typed)


# --- The machine's zone ----------------------------------------------------------------------------------------------


@pytest.fixture
def localtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without a zone: no `TZ`, and no file yet where `/etc/localtime` is."""
    monkeypatch.delenv("TZ", raising=False)
    path = tmp_path / "localtime"
    monkeypatch.setattr(times, "LOCALTIME", path)
    return path


def berlin(folder: Path) -> Path:
    """Make a database of one zone, and return its file."""
    file = folder / "zoneinfo" / "Europe" / "Berlin"
    file.parent.mkdir(parents=True)
    with next(path for path in map(Path, _FILES) if path.exists()).open("rb") as source:
        file.write_bytes(source.read())
    return file


def _files() -> list[str]:
    found = [str(DATABASE / "Europe" / "Berlin")]
    try:
        import tzdata  # type: ignore[import-not-found]  # noqa: PLC0415 - where the system has no database
    except ImportError:
        return found
    return [*found, str(Path(tzdata.__file__).parent / "zoneinfo" / "Europe" / "Berlin")]


_FILES: Final = _files()


@pytest.mark.parametrize("typed", ["Europe/Berlin", ":Europe/Berlin"])
def test_the_variable_tz_names_the_zone(typed: str, localtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for every other program of the machine, with or without the colon."""
    monkeypatch.setenv("TZ", typed)
    assert zone_name(read_time("2026-12-24 18:00")) == "Europe/Berlin"


def test_the_link_of_the_machine_names_the_zone(localtime: Path, tmp_path: Path) -> None:
    """The name is the link's end, so that a schedule keeps it."""
    localtime.symlink_to(berlin(tmp_path))
    assert zone_name(read_time("2026-12-24 18:00")) == "Europe/Berlin"
    assert read_time("2026-12-24 18:00") == XMAS


@pytest.mark.parametrize("by_variable", [False, True])
def test_a_copy_of_a_zone_has_no_name_and_the_same_times(
    by_variable: bool, localtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Times are read and shown by it, and a skipped one is that of this machine's zone."""
    localtime.write_bytes(berlin(tmp_path).read_bytes())
    if by_variable:
        monkeypatch.setenv("TZ", str(localtime))
        monkeypatch.setattr(times, "LOCALTIME", tmp_path / "none")
    found = read_time("2026-12-24 18:00")
    assert (found, zone_name(found)) == (XMAS, "")
    assert spelled_time(XMAS) == "2026-12-24 18:00 CET (2026-12-24 17:00 UTC)"
    with pytest.raises(ValueError, match="this machine's zone, where the clocks are set forward"):
        read_time("2026-03-29 02:30")


@pytest.mark.parametrize("there", ["nothing", "no zone", "a link to nowhere"])
def test_a_machine_that_does_not_say_its_zone_wants_one_typed(there: str, localtime: Path) -> None:
    """Nothing is guessed; times with a zone are read as ever, and shown in UTC."""
    if there == "no zone":
        localtime.write_bytes(b"none")
    elif there == "a link to nowhere":
        localtime.symlink_to("/zoneinfo/No/Where")
    with pytest.raises(
        ValueError, match="this machine does not say in which time zone it is: type a zone or an offset"
    ):
        read_time("2026-12-24 18:00")
    assert read_time("2026-12-24 18:00 Europe/Berlin") == XMAS
    assert spelled_time(XMAS) == "2026-12-24 17:00 UTC"


@pytest.mark.parametrize("typed", ["CET-1CEST", "Europe/Berln", "/no/file"])
def test_a_zone_of_the_machine_that_is_not_known_is_told(
    typed: str, localtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule in the variable has no name in the database."""
    monkeypatch.setenv("TZ", typed)
    with pytest.raises(ValueError, match=f"TZ={typed}, is not known by that name"):
        local_zone()


def test_without_a_database_utc_and_offsets_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what to install."""

    def missing(name: str) -> ZoneInfo:
        raise times.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(times, "ZoneInfo", missing)
    monkeypatch.setattr(times, "available_timezones", set)
    monkeypatch.setenv("TZ", "")
    with pytest.raises(ValueError, match="no database of time zones: install the package tzdata"):
        read_time("2026-12-24 18:00 Europe/Berlin")
    for typed in ("2026-12-24 17:00 UTC", "2026-12-24 18:00+01:00", "2026-12-24 17:00"):
        assert read_time(typed) == XMAS
    assert spelled_time(XMAS, "Europe/Berlin") == "2026-12-24 17:00 UTC"


# --- Times that are shown --------------------------------------------------------------------------------------------


def test_a_time_is_shown_in_its_zone_and_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the machine's zone where it has none of its own, or one that is not known here."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert spelled_time(XMAS, "Europe/Berlin") == "2026-12-24 18:00 Europe/Berlin (2026-12-24 17:00 UTC)"
    assert spelled_time(XMAS, "No/Where") == "2026-12-25 02:00 Asia/Tokyo (2026-12-24 17:00 UTC)"
    assert spelled_time(XMAS.replace(second=5)) == "2026-12-25 02:00:05 Asia/Tokyo (2026-12-24 17:00:05 UTC)"
    assert spelled_time(XMAS, "Etc/UTC") == "2026-12-24 17:00 UTC"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "in less than a minute"),
        (59, "in less than a minute"),
        (3_599, "in 59 min"),
        (11_520, "in 3 h 12 min"),
        (172_800, "in 2 days"),
    ],
)
def test_how_long_it_is_until_then(seconds: int, said: str) -> None:
    """In the unit that a person counts in."""
    assert left_until(XMAS + timedelta(seconds=seconds), XMAS) == said
