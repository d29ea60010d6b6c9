"""The sign-in that is under way: its address, the wait for its answer, and what became of it.

What belongs here: one sign-in at a time. The redirect URI is the app's, so the answer arrives at a listener of its own, as for
`tiktok login`, or the person pastes it.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from attrs import define, field

from tiktok_adapters.sign_in import LIFETIME, Answers, accepts_state, belongs
from tiktok_adapters.sign_in.loopback import LoopbackListener, unlistenable
from tiktok_adapters.studio.guard import Refused
from tiktok_adapters.studio.words import sentence
from tiktok_core import DEFAULT_SCOPES, AsyncTikTok, Authorization, Scope, Secret, TikTokError, Tokens

__all__ = ["SigningIn"]

ANYWHERE: Final = 3455
"""The port in place of a wildcard where no listener runs."""


@define
class SigningIn:
    """The sign-in of this process.

    Attributes:
        tiktok: the client.
        url: TikTok's page for it; empty if none is under way.
        must_paste: why the person has to paste the answer, as a clause; empty if a listener waits for it.
        account: the `open_id` that signed in last; empty before.
        trouble: why the last one failed; empty otherwise.
    """

    tiktok: AsyncTikTok
    url: str = field(default="", repr=False)
    must_paste: str = ""
    account: str = ""
    trouble: str = ""
    _task: asyncio.Task[None] | None = None
    _answers: Answers = field(factory=Answers, repr=False)
    _authorization: Authorization | None = field(default=None, repr=False)

    async def begin(self, *, switch: bool) -> None:
        """Begin a sign-in, in place of one that is under way.

        Args:
            switch: whether TikTok is to ask again, so that the person can choose another account.
        """
        await self.close()
        self.account = self.trouble = self.must_paste = ""
        scopes = _scopes(await self.tiktok.accounts(), switch=switch)
        listener = self._listener()
        try:
            uri = self.tiktok.app.redirect_on(ANYWHERE) if listener is None else listener.redirect_uri
            asked = self.tiktok.authorization(scopes, redirect_uri=uri, always_ask=switch)
        except BaseException:
            if listener is not None:
                listener.close()
            raise
        self._authorization, self._answers, self.url = asked, Answers(), asked.url
        self._task = asyncio.create_task(self._wait(asked, self._answers, listener), name="sign-in")

    def _listener(self) -> LoopbackListener | None:
        uri = self.tiktok.app.redirect_uri
        self.must_paste = unlistenable(uri)
        if self.must_paste:
            return None
        try:
            return LoopbackListener(uri)
        except OSError as error:
            why = (error.strerror or "no reason given").lower()
            self.must_paste = f"this machine cannot listen on {uri} ({why})"
            return None

    async def _wait(self, asked: Authorization, answers: Answers, listener: LoopbackListener | None) -> None:
        try:
            if listener is not None:
                listener.start(accepts_state(asked), answers)
            callback = Secret(await asyncio.to_thread(answers.wait, LIFETIME))
            self.account = (await self.tiktok.sign_in(asked, callback)).open_id
        except TikTokError as error:
            self.trouble = sentence(error)
        finally:
            self.url = ""
            if listener is not None:
                # Closing joins the listener's thread, which may be at an answer: a browser must not stop the studio.
                await asyncio.shield(asyncio.to_thread(listener.close))

    def paste(self, answer: Secret) -> None:
        """Take the address to which TikTok's page led.

        Raises:
            Refused: it is not the answer to the sign-in that is under way.
        """
        if self._authorization is None or not self.url:
            raise Refused("No sign-in is under way: begin one.", 409)
        if not belongs(answer, accepts_state(self._authorization)):
            raise Refused("That is not the answer to this sign-in: paste the whole address to which TikTok's page led.")
        self._answers.put(answer)

    @property
    def is_waiting(self) -> bool:
        """Whether a sign-in is under way."""
        return self._task is not None and not self._task.done()

    async def close(self) -> None:
        """End the sign-in that is under way."""
        if self._task is None:
            return
        # A thread waits for the answer, and would keep the process.
        self._answers.give_up()
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._task, self.url = None, ""


def _scopes(accounts: Sequence[Tokens], *, switch: bool) -> tuple[str, ...]:
    """Return what to ask for: a new sign-in replaces all that was granted, so it asks for that again."""
    known = list(Scope)
    before = () if switch else (scope for tokens in accounts for scope in tokens.scope if scope in known)
    return tuple(dict.fromkeys((*DEFAULT_SCOPES, *before)))
