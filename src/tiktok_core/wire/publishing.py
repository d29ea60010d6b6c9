"""The formats of the Content Posting API: creator info, init, the upload of a chunk, and status.

Sources: developers.tiktok.com/doc/content-posting-api-reference-query-creator-info, -direct-post, -upload-video,
-photo-post, -get-video-status; /doc/content-posting-api-media-transfer-guide.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import asdict, evolve, frozen

from tiktok_core.domain.app import Endpoints
from tiktok_core.domain.chunk_answers import ChunkAnswer
from tiktok_core.domain.chunks import ChunkPlan
from tiktok_core.domain.creator import CreatorInfo
from tiktok_core.domain.media import MediaType
from tiktok_core.domain.posts import PhotoPost, VideoPost
from tiktok_core.domain.publishing import Begun, Publication, is_publish_id
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import ForeignUploadHost
from tiktok_core.wire.envelope import api_request, open_envelope, retry_after, structured, unexpected
from tiktok_core.wire.http import FileSlice, Request, Response, Source
from tiktok_core.wire.reading import plain

__all__ = [
    "cancel_request",
    "chunk_request",
    "creator_info_request",
    "photo_init_request",
    "read_begun",
    "read_chunk_answer",
    "read_creator_info",
    "read_publication",
    "status_request",
    "video_init_request",
]

CREATOR_INFO: Final = "/v2/post/publish/creator_info/query/"
DIRECT_VIDEO: Final = "/v2/post/publish/video/init/"
INBOX_VIDEO: Final = "/v2/post/publish/inbox/video/init/"
PHOTOS: Final = "/v2/post/publish/content/init/"
STATUS: Final = "/v2/post/publish/status/fetch/"
CANCEL: Final = "/v2/post/publish/cancel/"
NO_URL: Final = Secret("")
CONTENT_RANGE: Final = re.compile(r"bytes\s+(?:0-)?(\d{1,15})/(?:\d{1,15}|\*)", re.IGNORECASE | re.ASCII)


def cancel_request(endpoints: Endpoints, access_token: Secret, publish_id: str) -> Request:
    """Return the request that makes TikTok stop pulling. Its answer has no data."""
    return api_request(endpoints, "POST", CANCEL, access_token, {"publish_id": publish_id})


def creator_info_request(endpoints: Endpoints, access_token: Secret) -> Request:
    """Return the request for the creator info. It has no body."""
    return api_request(endpoints, "POST", CREATOR_INFO, access_token)


def read_creator_info(request: Request, response: Response) -> CreatorInfo:
    """Return the creator info in an answer.

    Raises:
        PostingRefused: the creator may not post now; TikTok says so with HTTP 200.
    """
    return structured(CreatorInfo, request, response, open_envelope(request, response))


def video_init_request(
    endpoints: Endpoints, access_token: Secret, post: VideoPost, source: ChunkPlan | Secret
) -> Request:
    """Return the request that begins a video post, from a file (by its chunk plan) or from a URL that TikTok pulls."""
    document: dict[str, Any] = {} if post.draft else {"post_info": _video_info(post)}
    if isinstance(source, Secret):
        document["source_info"] = {"source": "PULL_FROM_URL", "video_url": source.reveal()}
    else:
        document["source_info"] = {"source": "FILE_UPLOAD", **asdict(source)}
    return api_request(endpoints, "POST", INBOX_VIDEO if post.draft else DIRECT_VIDEO, access_token, document)


def photo_init_request(endpoints: Endpoints, access_token: Secret, post: PhotoPost) -> Request:
    """Return the request that begins a photo post. Unlike a video's, its AI label lies at the root of the document."""
    document: dict[str, Any] = {
        "media_type": "PHOTO",
        "post_mode": "MEDIA_UPLOAD" if post.draft else "DIRECT_POST",
        "post_info": _photo_info(post),
        "source_info": {
            "source": "PULL_FROM_URL",
            "photo_images": list(post.photo_images),
            "photo_cover_index": post.photo_cover_index,
        },
    }
    if post.is_aigc:
        document["is_aigc"] = True
    return api_request(endpoints, "POST", PHOTOS, access_token, document)


def read_begun(request: Request, response: Response, endpoints: Endpoints, *, uploads: bool) -> Begun:
    """Return the publish id, and for an upload the upload URL, of a post that has begun.

    Raises:
        ForeignUploadHost: the upload URL does not lie on TikTok's hosts, so the library must not send the video there.
        UnexpectedResponse: the answer has no usable publish id, or no upload URL although `uploads` is true.
    """
    answer = structured(_BegunAnswer, request, response, open_envelope(request, response))
    if not is_publish_id(answer.publish_id):
        # The library could neither ask for its status nor store it.
        raise unexpected(request, response, "its publish_id cannot be one")
    if not uploads:
        return Begun(publish_id=answer.publish_id)
    if not answer.upload_url:
        raise unexpected(request, response, "it has no upload_url")
    if not endpoints.allows_upload_to(answer.upload_url):
        raise ForeignUploadHost(
            request.name,
            f"the upload URL of {answer.publish_id} is not on TikTok's hosts, so no byte was sent",
            response.status,
        )
    return Begun(publish_id=answer.publish_id, upload_url=answer.upload_url)


@frozen(kw_only=True)
class _BegunAnswer:
    publish_id: str
    upload_url: Secret = NO_URL


def chunk_request(
    upload_url: Secret,
    source: Source,
    chunk: tuple[int, int],
    media_type: MediaType,
    on_sent: Callable[[int], None] | None = None,
) -> Request:
    """Return the request that uploads a chunk, from its first to its last byte (inclusive). It has no access token."""
    first, last = chunk
    return Request(
        method="PUT",
        url=upload_url,
        headers={"Content-Type": media_type.value, "Content-Range": f"bytes {first}-{last}/{source.size}"},
        body=FileSlice(source, first, last - first + 1),
        on_sent=on_sent,
    )


def read_chunk_answer(_request: Request, response: Response) -> ChunkAnswer:
    """Return the answer to a chunk. The function does not read the body, which is undocumented."""
    found = CONTENT_RANGE.fullmatch(response.headers.get("content-range", "").strip())
    wait = retry_after(response.headers) if response.status == 429 else 0.0
    return ChunkAnswer(response.status, int(found[1]) if found else None, wait)


def status_request(endpoints: Endpoints, access_token: Secret, publish_id: str) -> Request:
    """Return the request for a post's status."""
    return api_request(endpoints, "POST", STATUS, access_token, {"publish_id": publish_id})


def read_publication(request: Request, response: Response, publish_id: str) -> Publication:
    """Return the state of a post. Every field but the status may be missing in the answer."""
    data = open_envelope(request, response)
    # These fields are ours. The answer must not set them.
    ours = {"publish_id": publish_id, "post_ids": _post_ids(data), "key": None}
    read = structured(Publication, request, response, data, **ours)
    return evolve(
        read,
        status=plain(read.status),
        fail_reason=plain(read.fail_reason),
        uploaded_bytes=_count(read.uploaded_bytes),
        downloaded_bytes=_count(read.downloaded_bytes),
    )


def _video_info(post: VideoPost) -> dict[str, Any]:
    info = asdict(post, filter=lambda attribute, value: attribute.name != "draft" and value is not None)
    return info if post.title else {name: value for name, value in info.items() if name != "title"}


def _photo_info(post: PhotoPost) -> dict[str, Any]:
    # The title is sent even if it is empty, because TikTok refuses a post_info without any member.
    info: dict[str, Any] = {"title": post.title}
    if post.description:
        info["description"] = post.description
    if not post.draft:
        info |= {
            "privacy_level": post.privacy_level,
            "disable_comment": post.disable_comment,
            "auto_add_music": post.auto_add_music,
            "brand_content_toggle": post.brand_content_toggle,
            "brand_organic_toggle": post.brand_organic_toggle,
        }
    return info


def _count(said: int | None) -> int | None:
    return None if said is None or said < 0 else said


def _post_ids(data: Mapping[str, Any]) -> list[Any]:
    # TikTok spells it so. Real answers had a list of numbers, a list of strings, a single value, or none. No post has the id 0.
    found = data.get("publicaly_available_post_id")
    several = found if isinstance(found, list) else [found]
    return [one for one in several if one not in (None, "", 0)]
