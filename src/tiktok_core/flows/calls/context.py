"""What every flow is given: the app, the ports, the limits, and the log.

What belongs here: the value `Context`. It does nothing by itself.

Its tests: `tests/flows/calls/test_pace.py`.
"""

from collections.abc import Callable
from typing import Literal

from attrs import evolve, field, frozen

from tiktok_core.domain.app import App, Endpoints
from tiktok_core.domain.retry import RetryLimits
from tiktok_core.domain.tokens import Unsaved
from tiktok_core.flows.calls.pace import Budgets, Cooldown, Told
from tiktok_core.logs import Log
from tiktok_core.ports import (
    AsyncBackground,
    AsyncClock,
    AsyncJournal,
    AsyncPacer,
    AsyncProbe,
    AsyncProtect,
    AsyncTokenStore,
    AsyncTransport,
    AsyncUploadSlots,
    HasPath,
    OpenDestination,
    Source,
)

__all__ = ["Context"]


@frozen(kw_only=True)
class Context:
    """What a flow works with.

    Attributes:
        app: the app in whose name calls are made.
        endpoints: where TikTok is.
        transport: sends requests.
        tokens: keeps tokens and leases.
        unsaved: renewed tokens that the store could not take yet.
        journal: keeps the record of each post.
        clock: time and waiting.
        protect: finishes what must not be cut in two.
        entropy: returns that many unpredictable bytes.
        open_source: opens a named file; None where the embedder gives sources only.
        open_destination: says where a named file is kept; None where the embedder gives destinations only.
        timeout: seconds for each single wait of a request.
        retry_limits: how often and how long to try a call.
        pacer: keeps to TikTok's quotas.
        budgets: how many repetitions each account has left.
        cooldown: until when TikTok has asked for no more calls.
        told: of which quotas a warning was given in the last minute.
        log: writes lines with the fields that are known so far.
        slots: bounds how many uploads run at once; None lets all of them.
        probe: looks into videos that the core cannot read; None where none is installed. False: nobody reads their properties.
        background: makes calls that wait for a disk.
        patience: seconds to follow a post before saying that it is still processing.
    """

    app: App
    endpoints: Endpoints
    transport: AsyncTransport = field(repr=False)
    tokens: AsyncTokenStore = field(repr=False)
    journal: AsyncJournal = field(repr=False)
    clock: AsyncClock = field(repr=False)
    protect: AsyncProtect = field(repr=False)
    entropy: Callable[[int], bytes] = field(repr=False)
    open_source: Callable[[str | HasPath], Source] | None = field(repr=False)
    timeout: float
    retry_limits: RetryLimits
    pacer: AsyncPacer = field(repr=False)
    unsaved: set[Unsaved] = field(factory=set, repr=False)
    budgets: Budgets = field(factory=Budgets, repr=False)
    cooldown: Cooldown = field(factory=Cooldown, repr=False)
    told: Told = field(factory=Told, repr=False)
    log: Log = field(factory=Log, repr=False)
    slots: AsyncUploadSlots | None = field(default=None, repr=False)
    probe: AsyncProbe | Literal[False] | None = field(default=None, repr=False)
    background: AsyncBackground = field(repr=False)
    open_destination: OpenDestination | None = field(default=None, repr=False)
    patience: float

    def about(self, *, account: str = "", key: str | None = None, publish_id: str | None = None) -> "Context":
        """Return the same context for work on this account or post: each line of its log says so."""
        log = self.log.about(account=account, key=key, publish_id=publish_id)
        return self if log == self.log else evolve(self, log=log)

    def jitter(self) -> float:
        """Return a random number from 0 to 1."""
        return int.from_bytes(self.entropy(4), "big") / 2**32
