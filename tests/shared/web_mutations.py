"""Changes of the applications in `examples/web`, each of which takes one check of their security away.

What belongs here: for each application the changes by name, each with the check of `tests/examples/test_web_apps.py` that notices it.
A change is a list of replacements, each of which has to match exactly once.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

__all__ = ["MUTATIONS"]

Mutation: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]
KEPT: Final = 'globals().setdefault("KEPT", {})'
"""A place that all sessions share."""
FLASK: Final[Mapping[str, Mutation]] = {
    "any state": (
        "state",
        (("Authorization.restore(kept)", 'Authorization.restore({**kept, "state": request.args["state"]})'),),
    ),
    "a verifier for all sessions": (
        "verifier",
        (('session["tiktok"]', f'{KEPT}["tiktok"]'), ("session.pop(", f"{KEPT}.pop(")),
    ),
    "a verifier that serves again": ("verifier", (("session.pop(", "session.get("),)),
    "any form": (
        "forged",
        ((" and not secrets.compare_digest(", " and not isinstance("), ("token.encode())", "object)")),
    ),
    "any film": ("ownership", ((" WHERE id = ? AND user = ?", " WHERE id = ? OR user = ?"),)),
    "a film that others can read": ("ownership", (("0o600", "0o644"),)),
    "the only account": ("account", (('if g.user["open_id"] is None:  # Without', "if False:  # Without"),)),
    "an account of two users": ("account", (("open_id TEXT UNIQUE", "open_id TEXT"),)),
    "no login": ("login", (('users WHERE id = ?", session', 'users WHERE id = ? OR 1", session'),)),
    "any password": (
        "login",
        (
            (
                "if not check_password_hash(",
                "if not (found and True) and (",
            ),
        ),
    ),
    "a password as it was typed": (
        "login",
        (
            ("hashed = generate_password_hash(password)", "hashed = password"),
            ("if not check_password_hash(", "if not secrets.compare_digest("),
        ),
    ),
    "a cookie for scripts": ("cookies", (("SESSION_COOKIE_HTTPONLY=True", "SESSION_COOKIE_HTTPONLY=False"),)),
    "a cookie for other sites": ("cookies", (('SESSION_COOKIE_SAMESITE="Lax"', 'SESSION_COOKIE_SAMESITE="None"'),)),
}
SAME: Final = ("any film", "a film that others can read", "an account of two users")
FASTAPI: Final[Mapping[str, Mutation]] = {
    **{name: FLASK[name] for name in SAME},
    "any state": (
        "state",
        (("Authorization.restore(kept)", 'Authorization.restore({**kept, "state": request.query_params["state"]})'),),
    ),
    "a verifier for all sessions": (
        "verifier",
        (('request.session["tiktok"]', f'{KEPT}["tiktok"]'), ("request.session.pop(", f"{KEPT}.pop(")),
    ),
    "a verifier that serves again": ("verifier", (("request.session.pop(", "request.session.get("),)),
    "any form": (
        "forged",
        ((" and not secrets.compare_digest(", " and not isinstance("), ("token.encode())", "object)")),
    ),
    "the only account": (
        "account",
        (('if request.state.user["open_id"] is None:  # Without', "if False:  # Without"),),
    ),
    "no login": ("login", (('users WHERE id = ?", request', 'users WHERE id = ? OR 1", request'),)),
    "any password": (
        "login",
        (("if not await asyncio.to_thread(check_password_hash, stored, password):", "if not found:"),),
    ),
    "a cookie for other sites": ("cookies", (('same_site="lax"', 'same_site="none"'),)),
}
AIOHTTP: Final[Mapping[str, Mutation]] = {
    **{name: FASTAPI[name] for name in (*SAME, "any form", "any password")},
    "any state": (
        "state",
        (("Authorization.restore(kept)", 'Authorization.restore({**kept, "state": request.query["state"]})'),),
    ),
    "a verifier for all sessions": (
        "verifier",
        (('request[SESSION]["tiktok"]', f'{KEPT}["tiktok"]'), ("request[SESSION].pop(", f"{KEPT}.pop(")),
    ),
    "a verifier that serves again": ("verifier", (("request[SESSION].pop(", "request[SESSION].get("),)),
    "the only account": ("account", (('if request[USER]["open_id"] is None:  # Without', "if False:  # Without"),)),
    "no login": FLASK["no login"],
    "a cookie for scripts": ("cookies", (('"httponly": True', '"httponly": False'),)),
    "a cookie for other sites": ("cookies", (('"samesite": "Lax"', '"samesite": "None"'),)),
}
DJANGO: Final[Mapping[str, Mutation]] = {
    **{name: FLASK[name] for name in ("a film that others can read", "an account of two users")},
    "any state": (
        "state",
        (("Authorization.restore(kept)", 'Authorization.restore({**kept, "state": request.GET["state"]})'),),
    ),
    "a verifier for all sessions": (
        "verifier",
        (('request.session["tiktok"]', f'{KEPT}["tiktok"]'), ("request.session.pop(", f"{KEPT}.pop(")),
    ),
    "a verifier that serves again": ("verifier", (("request.session.pop(", "request.session.get("),)),
    "any form": ("forged", ((" middleware.csrf.CsrfView", ""),)),
    "any film": ("ownership", (("WHERE id = %s AND user = %s", "WHERE id = %s OR user = %s"),)),
    "the only account": (
        "account",
        (("            if open_id is None:  # Without", "            if False:  # Without"),),
    ),
    "no login": ("login", (("contrib.auth.middleware.LoginRequired\n", ""),)),
    "any password": (
        "login",
        (
            (
                "user = authenticate(request, username=name, password=password)",
                "user = models.User.objects.filter(username=name).first()",
            ),
        ),
    ),
    "a cookie for scripts": ("cookies", (("SESSION_COOKIE_HTTPONLY=True", "SESSION_COOKIE_HTTPONLY=False"),)),
    "a cookie for other sites": ("cookies", (('SESSION_COOKIE_SAMESITE="Lax"', 'SESSION_COOKIE_SAMESITE="None"'),)),
}
MUTATIONS: Final[Mapping[str, Mapping[str, Mutation]]] = {
    "flask": FLASK,
    "fastapi": FASTAPI,
    "django": DJANGO,
    "aiohttp": AIOHTTP,
}
