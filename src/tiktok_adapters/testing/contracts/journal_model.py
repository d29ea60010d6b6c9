"""A plain model of a journal, and a state machine that makes calls in any order and compares the results.

What belongs here: the model only. The module `journals` tests the single promises.
"""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from attrs import define, evolve
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tiktok_adapters.testing.contracts import PassTime, Run
from tiktok_core.domain.journal import Record, Stage, Wish
from tiktok_core.domain.posts import VideoPost
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import LeaseLost
from tiktok_core.ports import AsyncJournal, Journal

__all__ = ["JournalMachine", "forget_before"]

START: Final = datetime(2026, 3, 1, tzinfo=UTC)
LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
DAY: Final = timedelta(days=1)
NO_TIME: Final = timedelta(0)
SAYS_MORE: Final = (Stage.ABANDONED, Stage.GIVEN_UP, Stage.FAILED, Stage.IN_INBOX, Stage.COMPLETE)
KEYS = st.sampled_from(["key-1", "key-2"])
OWNERS = st.sampled_from(["a", "b"])
SECONDS = st.integers(0, 4)
FENCES = st.sampled_from(["none", "newest", "older", "another's"])
URLS = st.none() | st.text(max_size=20).map(Secret)

_examples = itertools.count()


def forget_before(journal: Journal | AsyncJournal, run: Run, before: datetime) -> None:
    """Make a journal forget all records that ended before a time, independent of the times it has seen so far."""
    for now in (LONG_AGO, before, before + DAY):
        run(journal.forget(now, keep=NO_TIME))


@define
class _Lease:
    """The newest lease of a post. A released lease has no owner."""

    number: int
    owner: str | None
    until: datetime
    may_be_forgotten: bool = False


class JournalMachine(RuleBasedStateMachine):
    """Makes the same calls to a journal and to the model. Each example has its own account in the same journal.

    Args:
        journal: the journal, blocking or asynchronous.
        run: awaits the results of asynchronous calls.
        pass_time: lets time pass for a journal that has a clock of its own.
        unit: how long the shortest wait and the shortest lease last.
    """

    def __init__(
        self,
        journal: Journal | AsyncJournal,
        run: Run,
        *,
        pass_time: PassTime = lambda _seconds: None,
        unit: timedelta = timedelta(seconds=1),
    ) -> None:
        super().__init__()
        self.journal = journal
        self.run = run
        self.pass_time = pass_time
        self.unit = unit
        self.account = f"example {next(_examples)}"
        self.now = START
        self.records: dict[str, Record] = {}
        self.leases: dict[str, _Lease] = {}
        self.given: dict[str, list[int]] = {}
        self.traces: dict[str, tuple[Stage, str | None]] = {}
        self.seen = LONG_AGO

    @initialize()
    def sees_a_time_long_ago(self) -> None:
        """Start with a known latest time, because earlier examples may have shown any time to the journal."""
        self.run(self.journal.forget(LONG_AGO, keep=NO_TIME))

    @rule(units=SECONDS)
    def wait(self, units: int) -> None:
        """Let time pass."""
        self.now += self.unit * units
        self.pass_time((self.unit * units).total_seconds())

    @rule(key=KEYS, owner=OWNERS, units=SECONDS)
    def try_lease(self, key: str, owner: str, units: int) -> None:
        """Try to take or renew a lease."""
        until = self.now + self.unit * units
        got = self.run(self.journal.try_lease(self.named(key).name, owner=owner, now=self.now, until=until))
        held = self.leases.get(key)
        if held and held.owner == owner and (got == held.number or not held.may_be_forgotten):
            assert got == held.number
        elif (
            held
            and held.owner not in {None, owner}
            and held.until > self.now
            and (got is None or not held.may_be_forgotten)
        ):
            assert got is None
            return
        else:
            assert got > max(self.given.get(key, [got - 1]))
            self.given.setdefault(key, []).append(got)
        self.leases[key] = _Lease(got, owner, until)

    @rule(key=KEYS, owner=OWNERS)
    def release(self, key: str, owner: str) -> None:
        """Release a lease that the owner may hold or not."""
        self.run(self.journal.release(self.named(key).name, owner=owner))
        held = self.leases.get(key)
        if held and held.owner == owner:
            held.owner = None

    @rule(key=KEYS, fence=FENCES, stage=st.sampled_from(Stage), age=SECONDS, url=URLS)
    def save(self, key: str, fence: str, stage: Stage, age: int, url: Secret | None) -> None:
        """Save under a valid or an invalid fence."""
        born = START + timedelta(seconds=age)
        record = evolve(
            self.named(key),
            stage=stage,
            created_at=born,
            updated_at=self.now,
            upload_url=url,
            publish_id=f"post-{age}" if age else None,
        )
        number = self.fence(key, fence)
        held = self.leases.get(key)
        if self.saved(record, number):
            assert number is None or (held is not None and held.number == number)
            self.records[key] = record
        else:
            assert number is not None
            assert held is None or held.number != number or held.may_be_forgotten

    @rule(key=KEYS, is_seen=st.booleans(), stage=st.sampled_from(Stage), url=URLS)
    def replace(self, key: str, is_seen: bool, stage: Stage, url: Secret | None) -> None:
        """Replace the stored record, or one that is not stored."""
        there = self.records.get(key)
        seen = there if is_seen and there is not None else evolve(self.named(key), offset=-1)
        record = evolve(seen, stage=stage, upload_url=url, updated_at=self.now)
        assert self.run(self.journal.replace(record, seen=seen)) is (seen == there)
        if seen == there:
            self.records[key] = record

    @rule(ago=SECONDS)
    def forget(self, ago: int) -> None:
        """Forget records that ended before a time. Leases that expired before it may be forgotten, too."""
        before = self.now - timedelta(seconds=ago)
        forget_before(self.journal, self.run, before)
        self.seen = before + DAY
        self.forgotten(before)

    @rule(hours=st.integers(-100, 100), keep=SECONDS)
    def look(self, hours: int, keep: int) -> None:
        """Show a time to the journal that may be wrong. It counts only once a later time confirms it."""
        now = self.now + timedelta(hours=hours)
        self.run(self.journal.forget(now, keep=timedelta(seconds=keep)))
        if now >= self.seen + DAY:
            self.forgotten(self.seen - timedelta(seconds=keep))
        if now >= self.seen + DAY or now < self.seen:
            self.seen = now

    @rule(key=KEYS)
    def remove(self, key: str) -> None:
        """Remove a record that has ended or not."""
        there = self.records.get(key)
        may_go = there is not None and there.is_ended
        assert self.run(self.journal.remove(self.named(key).name)) is may_go
        if may_go:
            self.leave(key)

    def forgotten(self, before: datetime) -> None:
        """Make the model forget."""
        for key, record in list(self.records.items()):
            if record.is_ended and record.updated_at < before:
                self.leave(key)
        for key, lease in self.leases.items():
            lease.may_be_forgotten |= key not in self.records and lease.until <= before

    def leave(self, key: str) -> None:
        """Replace a record in the model by its trace."""
        record = self.records.pop(key)
        older = self.traces.get(key)
        if older is None or SAYS_MORE.index(record.stage) > SAYS_MORE.index(older[0]):
            self.traces[key] = record.stage, record.publish_id

    @invariant()
    def it_has_what_the_model_has(self) -> None:
        """Compare all records with the model, one by one and together."""
        for key in ("key-1", "key-2"):
            assert self.run(self.journal.load(self.named(key).name)) == self.records.get(key)
            trace = self.run(self.journal.trace(self.named(key).name))
            assert (trace and (trace.end, trace.publish_id)) == self.traces.get(key)
        listed = [record for record in self.run(self.journal.records()) if record.account == self.account]
        assert {record.key: record for record in listed} == self.records
        assert len(listed) == len(self.records)
        assert [record.created_at for record in listed] == sorted(record.created_at for record in listed)

    def saved(self, record: Record, number: int | None) -> bool:
        """Save, and return whether the journal accepted the fence."""
        try:
            self.run(self.journal.save(record, fence=number))
        except LeaseLost:
            return False
        return True

    def named(self, key: str) -> Record:
        """Return a record of this example."""
        wish = Wish(post=VideoPost(title=key))
        return Record(key=key, app="app", account=self.account, wish=wish, created_at=START, updated_at=self.now)

    def fence(self, key: str, which: str) -> int | None:
        """Return a lease number of the wanted sort. If there is none, return one that the journal never gave."""
        other = "key-2" if key == "key-1" else "key-1"
        numbers: dict[str, Any] = {
            "newest": self.given.get(key, [])[-1:],
            "older": self.given.get(key, [])[-2:-1],
            "another's": [number for number in self.given.get(other, []) if number not in self.given.get(key, [])],
        }
        return None if which == "none" else next(iter(numbers[which]), -1)
