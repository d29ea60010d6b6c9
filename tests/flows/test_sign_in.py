"""Signing in, renewing, and ending a grant; and the app's own token."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from attrs import evolve

from tiktok_adapters.simulator import Creator, callback_values, parse_fault
from tiktok_core import (
    AccessDenied,
    App,
    Authorization,
    ChallengeEncoding,
    Interrupted,
    InvalidInput,
    InvalidSettings,
    Secret,
    SignInFailed,
    SignInRequired,
    UnexpectedResponse,
)
from tiktok_core.errors import GrantRejected, StateMismatch
from tiktok_core.ports import Response

REDIRECT = "http://127.0.0.1:4000/callback/"


def test_a_sign_in_keeps_tokens_with_the_lifetimes_of_the_answer(bench: Any) -> None:
    """After consent the client stores the account's tokens, with the lifetimes that TikTok's answer gives."""
    bench.sim.switches.access_seconds = 1234
    account = bench.signed_in()
    tokens = bench.store.load(account.open_id)
    assert tokens.access_token.reveal().startswith("act.")
    assert tokens.expires_at - tokens.issued_at == timedelta(seconds=1234)
    assert tokens.scope == ("user.info.basic", "video.publish", "video.upload")
    assert bench.run(bench.tiktok.accounts()) == (tokens,)


def test_the_authorization_page_is_asked_as_tiktok_documents_it(bench: Any) -> None:
    """The URL has `client_key`, comma-separated scopes, a state, and a hexadecimal challenge with the method S256."""
    authorization = bench.tiktok.authorization(["user.info.basic", "video.upload"], redirect_uri=REDIRECT)
    parts = urlsplit(authorization.url)
    query = dict(parse_qsl(parts.query))
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://www.tiktok.com/v2/auth/authorize/"
    assert query["scope"] == "user.info.basic,video.upload"
    assert query["redirect_uri"] == REDIRECT
    assert query["code_challenge_method"] == "S256"
    assert len(query["code_challenge"]) == 64
    assert set(query["code_challenge"]) <= set("0123456789abcdef")
    assert "disable_auto_auth" not in query
    again = dict(parse_qsl(urlsplit(bench.tiktok.authorization(redirect_uri=REDIRECT, always_ask=True).url).query))
    assert again["disable_auto_auth"] == "1"
    assert again["state"] != query["state"]


@pytest.mark.parametrize("encoding", list(ChallengeEncoding))
def test_every_way_of_writing_the_challenge_can_sign_in_where_tiktok_takes_it(
    bench: Any, encoding: ChallengeEncoding
) -> None:
    """A hexadecimal challenge, a base64url one and none at all work with a web app that accepts them."""
    bench.sim.switches.web_pkce = "either"
    client = bench.tiktok
    web = App(bench.sim.app.client_key, bench.sim.app.client_secret, "https://app.example.com/callback/")
    # Only the app changes, so the test builds the client again around it.
    inner = getattr(client, "_face", client)
    inner._context = evolve(inner._context, app=web)
    authorization = client.authorization(challenge_encoding=encoding)
    assert (authorization.code_verifier is None) == (encoding is ChallengeEncoding.NONE)
    account = bench.run(client.sign_in(authorization, bench.sim.authorize(authorization.url)))
    assert account.open_id == bench.sim.creator.open_id
    # The settings of an app may name the form of the challenge that TikTok accepts.
    inner._context = evolve(inner._context, app=evolve(web, challenge=encoding))
    begun = client.authorization()
    sent = [dict(parse_qsl(urlsplit(one.url).query)).get("code_challenge", "") for one in (authorization, begun)]
    assert len({len(challenge) for challenge in sent}) == 1
    account = bench.run(client.sign_in(begun, bench.sim.authorize(begun.url)))
    assert account.open_id == bench.sim.creator.open_id


def test_a_sign_in_may_be_finished_by_another_process(bench: Any) -> None:
    """The stored authorization is plain text, fit for a session. A value restored from it finishes the sign-in."""
    begun = bench.tiktok.authorization(redirect_uri=REDIRECT)
    restored = Authorization.restore(json.loads(json.dumps(begun.reveal())))
    assert restored == evolve(begun, url="")
    account = bench.run(bench.tiktok.sign_in(restored, bench.sim.authorize(begun.url)))
    assert bench.store.accounts() == (account.open_id,)


@pytest.mark.parametrize(("seconds", "works"), [(600, True), (601, False)])
def test_a_sign_in_grows_old(bench: Any, seconds: float, works: bool) -> None:
    """The client accepts an answer for ten minutes. After that it spends no code, with or without a state."""
    bench.sim.switches.code_seconds = 10_000
    begun = bench.tiktok.authorization(redirect_uri=REDIRECT)
    callback = bench.sim.authorize(begun.url)
    bench.clock.advance(seconds)
    if works:
        bench.run(bench.tiktok.sign_in(begun, callback))
        return
    for attempt in (
        lambda: bench.tiktok.sign_in(begun, callback),
        lambda: bench.tiktok.sign_in_with_code(begun, callback_values(callback)["code"]),
    ):
        with pytest.raises(SignInFailed, match="10 minutes"):
            bench.run(attempt())
    assert bench.sim.count("token") == 0


def test_the_caller_may_choose_how_long_an_answer_counts(bench: Any) -> None:
    """A mailed link or a review takes its time; the code alone and the QR code have the same option."""
    began = bench.tiktok.authorization(redirect_uri="http://127.0.0.1:3455/callback/")
    bench.clock.advance(3_000)
    with pytest.raises(SignInFailed, match="more than 45 minutes ago"):
        bench.run(bench.tiktok.sign_in(began, bench.sim.authorize(began.url), max_age=2_700.0))
    callback = bench.sim.authorize(began.url)
    assert bench.run(bench.tiktok.sign_in(began, callback, max_age=3_600.0))
    code = callback_values(bench.sim.authorize(began.url))["code"]
    assert bench.run(bench.tiktok.sign_in_with_code(began, code, max_age=3_600.0))
    drawn = bench.run(bench.tiktok.qr_code())
    bench.clock.advance(3_000)
    assert bench.run(bench.tiktok.check_qr_code(drawn, max_age=3_600.0)).status


@pytest.mark.parametrize("spelled", [str, lambda code: quote(code, safe=""), lambda code: f" {code}\n"])
def test_a_code_alone_signs_in(bench: Any, spelled: Any) -> None:
    """A person may paste the code. The client spends it whether it is plain or spelled as in a URL."""
    begun = bench.tiktok.authorization(redirect_uri=REDIRECT)
    code = callback_values(bench.sim.authorize(begun.url))["code"]
    account = bench.run(bench.tiktok.sign_in_with_code(begun, spelled(code)))
    assert bench.store.accounts() == (account.open_id,)


def test_a_code_alone_is_bound_by_pkce(bench: Any) -> None:
    """No state shows that the code belongs to another sign-in.

    TikTok refuses it because of the verifier, and the client stores nothing.
    """
    begun, other = (bench.tiktok.authorization(redirect_uri=REDIRECT) for _ in range(2))
    code = callback_values(bench.sim.authorize(other.url))["code"]
    with pytest.raises(SignInFailed, match="Code verifier"):
        bench.run(bench.tiktok.sign_in_with_code(begun, code))
    assert bench.store.accounts() == ()


def test_without_a_verifier_a_code_alone_is_nobodys(bench: Any) -> None:
    """Without a challenge nothing ties a code to the sign-in, so the client spends none."""
    begun = bench.tiktok.authorization(redirect_uri=REDIRECT, challenge_encoding=ChallengeEncoding.NONE)
    with pytest.raises(SignInFailed, match="a code alone is not enough"):
        bench.run(bench.tiktok.sign_in_with_code(begun, "x" * 40))
    assert bench.sim.count("token") == 0


def test_an_address_is_no_code(bench: Any) -> None:
    """The client refuses a URL where it expects a code: the call that takes a URL checks its state."""
    begun = bench.tiktok.authorization(redirect_uri=REDIRECT)
    with pytest.raises(InvalidInput, match="code"):
        bench.run(bench.tiktok.sign_in_with_code(begun, bench.sim.authorize(begun.url)))
    # Likewise, a code alone is refused where an answer needs a state.
    with pytest.raises(StateMismatch):
        bench.run(bench.tiktok.sign_in(begun, callback_values(bench.sim.authorize(begun.url))["code"]))
    assert bench.sim.count("token") == 0


def test_an_answer_with_another_state_is_not_believed(bench: Any) -> None:
    """The client accepts a code or an error only with the state that it sent. Otherwise it spends no code."""
    authorization = bench.tiktok.authorization(redirect_uri=REDIRECT)
    for answer in ("code=stolen&state=other", "error=access_denied&state=other", "code=stolen"):
        with pytest.raises(StateMismatch):
            bench.run(bench.tiktok.sign_in(authorization, f"{REDIRECT}?{answer}"))
    assert bench.sim.count("token") == 0


def test_a_denied_consent_is_told(bench: Any) -> None:
    """When the person says no, the client raises that error, with its explanation."""
    authorization = bench.tiktok.authorization(redirect_uri=REDIRECT)
    callback = bench.sim.authorize(authorization.url, allow=False)
    with pytest.raises(AccessDenied) as raised:
        bench.run(bench.tiktok.sign_in(authorization, callback))
    assert raised.value.explanation is not None
    assert bench.store.accounts() == ()


@pytest.mark.parametrize("status", [200, 400])
def test_a_code_works_once_whatever_status_the_refusal_has(bench: Any, status: int) -> None:
    """TikTok refuses a second use of a code, and the client raises, even if the refusal comes with HTTP 200."""
    bench.sim.switches.oauth_error_status = status
    authorization = bench.tiktok.authorization(redirect_uri=REDIRECT)
    callback = bench.sim.authorize(authorization.url)
    bench.run(bench.tiktok.sign_in(authorization, callback))
    with pytest.raises(GrantRejected) as raised:
        bench.run(bench.tiktok.sign_in(authorization, callback))
    assert raised.value.status == status
    assert raised.value.log_id


def test_a_lost_answer_to_a_code_is_not_asked_for_twice(bench: Any) -> None:
    """A code works once. If the answer is lost, the client reports this and does not send the code again."""
    authorization = bench.tiktok.authorization(redirect_uri=REDIRECT)
    callback = bench.sim.authorize(authorization.url)
    bench.sim.faults.add(parse_fault("token=drop-after"))
    with pytest.raises(Interrupted):
        bench.run(bench.tiktok.sign_in(authorization, callback))
    assert bench.sim.count("token") == 1


def test_a_partial_grant_is_what_is_stored(bench: Any) -> None:
    """The client does not store a scope as granted if the person removed its tick."""
    authorization = bench.tiktok.authorization(redirect_uri=REDIRECT)
    callback = bench.sim.authorize(authorization.url, scopes=["user.info.basic"])
    account = bench.run(bench.tiktok.sign_in(authorization, callback))
    assert bench.store.load(account.open_id).scope == ("user.info.basic",)


@pytest.mark.parametrize(
    "redirect", ["http://127.0.0.1:*/callback/", "http://127.0.0.1:80/other/", "https://a.example/"]
)
def test_only_the_apps_own_redirect_uri_is_sent(bench: Any, redirect: str) -> None:
    """The client refuses a redirect URI that TikTok would refuse, before the browser opens."""
    with pytest.raises(InvalidSettings, match="redirect_uri"):
        bench.tiktok.authorization(redirect_uri=redirect)


def test_an_account_is_chosen_by_name_or_by_being_the_only_one(bench: Any) -> None:
    """With no account, one account, or several accounts signed in, the client gives a different answer each."""
    with pytest.raises(SignInRequired):
        bench.run(bench.tiktok.account())
    first = bench.signed_in()
    assert bench.run(bench.tiktok.account()).open_id == first.open_id
    bench.sim.creators.append(Creator(open_id="-000Second", username="maker_two"))
    authorization = bench.tiktok.authorization(redirect_uri=REDIRECT)
    callback = bench.sim.authorize(authorization.url, account="maker_two")
    second = bench.run(bench.tiktok.sign_in(authorization, callback))
    with pytest.raises(InvalidSettings, match="several"):
        bench.run(bench.tiktok.account())
    assert bench.run(bench.tiktok.account(second.open_id)).open_id == second.open_id
    with pytest.raises(SignInRequired, match="never signed in"):
        bench.run(bench.tiktok.account("-000Stranger"))


def test_revoking_ends_the_grant_at_tiktok_and_here(bench: Any) -> None:
    """After a revocation TikTok refuses the token and the store has none. A second revocation finds nothing to do."""
    account = bench.signed_in()
    tokens = bench.store.load(account.open_id)
    bench.run(account.revoke())
    assert bench.store.accounts() == ()
    bench.run(account.revoke())
    assert bench.sim.count("revoke") == 1
    bench.store.save(account.open_id, tokens)
    with pytest.raises(SignInRequired):
        bench.run(account.creator_info())


def test_tokens_that_tiktok_no_longer_knows_are_forgotten_all_the_same(bench: Any) -> None:
    """If another program has revoked them at TikTok already, the client treats that as success."""
    account = bench.signed_in()
    bench.sim.disconnect(account.open_id)
    bench.run(account.revoke())
    assert bench.store.accounts() == ()


def test_a_dead_access_token_does_not_save_the_grant(bench: Any) -> None:
    """TikTok no longer knows the access token, but the grant lives on.

    The client renews the token so that it can end the grant.
    """
    account = bench.signed_in()
    bench.kill_access_token(account.open_id)
    bench.run(account.revoke())
    assert bench.store.accounts() == ()
    assert all(token.dead for token in bench.sim.world.tokens.values() if token.kind == "refresh")


def test_a_newer_sign_in_is_not_forgotten(bench: Any) -> None:
    """While the client ends one sign-in, another sign-in stores new tokens. The client leaves them in the store."""
    account = bench.signed_in()
    old = bench.store.load(account.open_id)
    handle = bench.sim.handle

    def handle_then_sign_in(request: Any) -> Any:
        response = handle(request)
        if request.url.endswith("/revoke/"):
            newer = evolve(old, access_token=Secret("act.newer"), refresh_token=Secret("rft.newer"))
            bench.store.save(account.open_id, newer)
        return response

    bench.handle = handle_then_sign_in
    bench.run(account.revoke())
    assert bench.store.load(account.open_id).refresh_token == Secret("rft.newer")


def test_a_revocation_that_tiktok_did_not_hear_keeps_the_tokens(bench: Any) -> None:
    """The client keeps tokens that still open the account."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("revokex3=unreachable"))
    with pytest.raises(Exception, match="revoke"):
        bench.run(account.revoke())
    assert bench.store.accounts() == (account.open_id,)


def test_a_wrong_client_secret_is_told_as_the_apps_fault(bench: Any) -> None:
    """The explanation names the app's settings and shows no secret."""
    bench.sim.app.client_secret = "another"
    with pytest.raises(SignInFailed, match="invalid_client") as raised:
        bench.signed_in()
    assert raised.value.explanation is not None
    assert raised.value.explanation.about == "app"
    assert "simulated-client-secret" not in str(raised.value)


def test_the_app_has_a_token_of_its_own(bench: Any) -> None:
    """A client token comes with its lifetime. The client stores it nowhere, and each call returns another token."""
    token, other = bench.run(bench.tiktok.client_token()), bench.run(bench.tiktok.client_token())
    assert token.access_token.reveal().startswith("clt.")
    assert token.access_token != other.access_token
    assert token.expires_at - token.issued_at == timedelta(hours=2)
    assert not token.is_expired(bench.clock.now())
    bench.clock.advance(7200)
    assert token.is_expired(bench.clock.now())
    assert bench.store.accounts() == ()
    assert token.access_token.reveal() not in repr(token)


def test_a_question_for_the_apps_token_is_repeated(bench: Any) -> None:
    """If an answer is lost, the client asks again: the request changes nothing at TikTok."""
    bench.sim.faults.add(parse_fault("token=drop-after"))
    assert bench.run(bench.tiktok.client_token())
    assert bench.sim.count("token") == 2


def test_an_app_that_may_not_have_a_token_is_told(bench: Any) -> None:
    """The client raises TikTok's refusal and explains it."""
    bench.sim.app.grant_types = ("authorization_code",)
    with pytest.raises(SignInFailed, match="unauthorized_client") as raised:
        bench.run(bench.tiktok.client_token())
    assert raised.value.explanation is not None


def answering(bench: Any, document: dict[str, Any]) -> None:
    """From now on, let the token endpoint give this answer."""
    body = json.dumps(document).encode()
    bench.handle = lambda _request: Response(200, {}, body)


def test_tokens_of_nobody_are_not_kept(bench: Any) -> None:
    """If the answer to a code names no account, the client cannot store the tokens, and says so."""
    begun = bench.tiktok.authorization(redirect_uri=REDIRECT)
    callback = bench.sim.authorize(begun.url)
    answering(bench, {"access_token": "act.x", "refresh_token": "rft.x"})
    with pytest.raises(UnexpectedResponse, match="open_id"):
        bench.run(bench.tiktok.sign_in(begun, callback))
    assert bench.store.accounts() == ()


def test_tokens_of_another_account_are_not_kept(bench: Any) -> None:
    """If a renewal brings another account's tokens, the client changes nothing and asks for a new sign-in."""
    account = bench.signed_in()
    stored = bench.store.load(account.open_id)
    answering(bench, {"access_token": "act.x", "refresh_token": "rft.x", "open_id": "-000Stranger"})
    with pytest.raises(SignInRequired, match="another account"):
        bench.run(account.refresh())
    assert bench.store.load(account.open_id) == stored
    assert bench.store.accounts() == (account.open_id,)


def test_nobody_has_nothing_to_renew(bench: Any) -> None:
    """If the tokens are gone, renewing asks for a new sign-in and sends nothing."""
    account = bench.signed_in()
    bench.store.delete(account.open_id)
    with pytest.raises(SignInRequired, match="never signed in"):
        bench.run(account.refresh())
    assert bench.sim.count("token") == 1
