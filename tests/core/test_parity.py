"""The blocking and the asynchronous client are the same: names, parameters, defaults, docstrings."""

import ast
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from pydoc import render_doc
from typing import Any, Self, get_type_hints

import attrs
import pytest

import tiktok_core.blocking
from tiktok_core import Account, AsyncAccount, AsyncTikTok, PhotoPost, TikTok, VideoPost

API = Path(__file__).parents[1] / "typing" / "api.py"
PAIRS = [(AsyncTikTok, TikTok), (AsyncAccount, Account)]


def public(cls: type) -> dict[str, Any]:
    """Return the public members of a class, inherited or not."""
    return {name: inspect.getattr_static(cls, name) for name in dir(cls) if not name.startswith("_")}


@pytest.mark.parametrize(("asynchronous", "plain"), PAIRS)
def test_both_faces_offer_the_same_names(asynchronous: type, plain: type) -> None:
    """Each of the two classes has every method of the other."""
    assert public(asynchronous).keys() == public(plain).keys()


@pytest.mark.parametrize(
    ("name", "asynchronous", "plain"),
    [(name, left, right) for left, right in PAIRS for name in public(left)],
)
def test_each_member_is_the_same_on_both_faces(name: str, asynchronous: type, plain: type) -> None:
    """A method has the same parameters, defaults and docstring in both classes, and no docstring is empty."""
    one, other = public(asynchronous)[name], public(plain)[name]
    if isinstance(one, property):
        assert isinstance(other, property)
        assert one.__doc__ == other.__doc__
        return
    assert parameters(one) == parameters(other)
    assert one.__doc__
    assert one.__doc__ == other.__doc__
    assert not inspect.iscoroutinefunction(inspect.unwrap(other, stop=lambda f: f is other))


@pytest.mark.parametrize(("cls", "name"), [(cls, name) for _, cls in PAIRS for name in public(cls)])
def test_the_blocking_face_says_what_the_blocking_face_returns(cls: type, name: str) -> None:
    """Where a blocking class comes back, neither `help` nor the documents promise an asynchronous one, nor name one."""
    member = public(cls)[name]
    if isinstance(member, property):
        return
    assert (member.__module__, member.__qualname__) == (cls.__module__, f"{cls.__name__}.{name}")
    assert "Async" not in render_doc(member) + repr(member)
    returned = get_type_hints(member, vars(tiktok_core.blocking))["return"]
    assert inspect.signature(member, eval_str=True, globals=vars(tiktok_core.blocking)).return_annotation in {
        returned,
        None,
    }
    assert "Async" not in str(returned)
    faces = {"with_options": Self, "videos": tiktok_core.Videos, "account": Account}
    faces |= dict.fromkeys(("sign_in", "sign_in_with_code", "sign_in_by_qr_code"), Account)
    assert faces.get(name, returned) is returned


def parameters(method: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
    """Return name, kind and default of each parameter except the first."""
    found = list(inspect.signature(method).parameters.values())[1:]
    return [(parameter.name, parameter.kind, parameter.default) for parameter in found]


def test_both_clients_are_made_with_the_same_words() -> None:
    """The constructors differ only in blocking and asynchronous ports."""
    made = [
        {
            (parameter.name, parameter.kind, parameter.default)
            for parameter in inspect.signature(cls).parameters.values()
        }
        for cls in (AsyncTikTok, TikTok)
    ]
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("function", "classes"), [("blocking_face", (TikTok, Account)), ("asynchronous_face", (AsyncTikTok, AsyncAccount))]
)
def test_a_type_checker_sees_every_member(function: str, classes: tuple[type, ...]) -> None:
    """The code that the two strict type checkers check uses each member, so that none stays untyped."""
    (body,) = (node for node in ast.parse(API.read_text()).body if getattr(node, "name", "") == function)
    used = {node.attr for node in ast.walk(body) if isinstance(node, ast.Attribute)}
    assert {name for cls in classes for name in public(cls)} <= used


@pytest.mark.parametrize("face", [Account, AsyncAccount])
@pytest.mark.parametrize(("name", "post"), [("post_video", VideoPost), ("post_photos", PhotoPost)])
def test_the_settings_of_a_post_are_described_where_it_is_posted(name: str, post: type, face: type) -> None:
    """`help(account.post_video)` has each setting in the words of the post itself, with its limits."""
    method = getattr(face, name)
    words = re.findall(r"^    ((\w+): .*)$", inspect.getdoc(post) or "", re.MULTILINE)
    assert {setting for _, setting in words} == {field.name for field in attrs.fields(post)}
    assert [line for line, _ in words if f"    {line}\n" not in (inspect.getdoc(method) or "")] == []
    assert {setting for _, setting in words} <= inspect.signature(method).parameters.keys()
    assert "{" not in method.__doc__ + f"{post.__doc__}"
