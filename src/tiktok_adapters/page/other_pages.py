"""The pages around the export page: the document, the stop for a creator who cannot post now, and how a post goes on.

What belongs here: pages without choices.
"""

from tiktok_adapters.page.markup import element, filled, identity, plain
from tiktok_adapters.page.texts import ENGLISH, Texts
from tiktok_core.domain.publishing import NOT_POSTED, Publication, PublishStatus

__all__ = ["cannot_post_page", "progress_page", "whole_page"]


def whole_page(fragment: str, *, title: str, style: str, script: str, texts: Texts = ENGLISH) -> str:
    """Return a whole document around a part such as the export page.

    Args:
        fragment: the part, which is HTML.
        title: the title of the document.
        style: the URL at which the app serves `STYLE` as `text/css`.
        script: the URL at which the app serves `SCRIPT` as `text/javascript`.
        texts: the language.
    """
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", plain(title)),
        element("link", rel="stylesheet", href=style),
        element("script", src=script, defer=True),
    )
    body = element("body", element("main", fragment))
    return "<!doctype html>\n" + element("html", head, body, lang=texts.language, dir=texts.direction)


def cannot_post_page(*, nickname: str = "", reason: str = "", again: str = "", texts: Texts = ENGLISH) -> str:
    """Return the part to show in place of the export page while TikTok lets the creator not post.

    Args:
        nickname: whose account it is, where the app knows it.
        reason: why, in words, such as the explanation of a `PostingRefused`.
        again: the URL of the export page; empty for no link.
        texts: the language.
    """
    return element(
        "section",
        element("h1", plain(texts.cannot_post)),
        element("p", element("strong", element("bdi", plain(nickname)))) if nickname else "",
        element("p", plain(texts.later)),
        element("p", plain(reason), class_="tiktok-hint") if reason else "",
        element("p", element("a", plain(texts.again), href=again)) if again else "",
        class_="tiktok-page",
    )


def progress_page(publication: Publication | None = None, *, again: str = "", texts: Texts = ENGLISH) -> str:
    """Return the part to show after the person posted: that it may take a few minutes, and how the post goes on.

    Args:
        publication: the post as the app last heard of it; None if it heard nothing yet.
        again: the URL of this page. People follow its link, and the script follows it every few seconds until the post has ended.
        texts: the language.
    """
    is_final = publication is not None and publication.is_final
    return element(
        "section",
        element("h1", plain(texts.sent)),
        "" if is_final else element("p", plain(texts.minutes), data_until_final=True),
        element("h2", plain(texts.state)),
        element("div", *_state(publication, texts), id=identity("state"), role="status"),
        element("p", element("a", plain(texts.look), href=again), data_until_final=True)
        if again and not is_final
        else "",
        id=identity("progress"),
        class_="tiktok-page",
        data_again=again if again and not is_final else None,
    )


def _state(publication: Publication | None, texts: Texts) -> list[str]:
    words = {
        str(PublishStatus.PUBLISH_COMPLETE): texts.published,
        str(PublishStatus.SEND_TO_USER_INBOX): texts.inbox,
        str(PublishStatus.FAILED): texts.failed,
        NOT_POSTED: texts.not_posted,
    }
    if publication is None:
        return [element("p", plain(texts.processing))]
    lines = [element("p", plain(words.get(publication.status, texts.processing)))]
    if publication.fail_reason:
        lines.append(element("p", filled(texts.reason, reason=plain(publication.fail_reason))))
    return lines
