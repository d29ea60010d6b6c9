"""Names of objects in object storage: `s3://bucket/key`, `gs://bucket/key`, `az://container/key`.

What belongs here: how such a name is read and shown, and nothing that needs a package.

Source: the keys that obstore can ask for, https://developmentseed.org/obstore/latest/.
"""

import re
from typing import Final
from urllib.parse import quote, unquote

from attrs import frozen

from tiktok_core.errors import InvalidPost, Problem
from tiktok_core.hidden import Hidden

__all__ = ["OBJECT", "ObjectName", "parse_name"]

OBJECT: Final = re.compile(r"(s3|gs|az)://", re.IGNORECASE)
"""How the name of an object begins."""
BUCKET: Final = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._$-]{0,254}", re.ASCII)
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
USER: Final = re.compile(r"[^/]*//[^/?]*@")
VERSION: Final = re.compile(r"[^?]*\?versionId=([^?&=\s]{1,1024})")


@frozen
class ObjectName:
    """An object's name, taken apart.

    Attributes:
        scheme: `s3`, `gs` or `az`.
        bucket: the bucket, or the container.
        key: the object's key. It is taken as it stands: `%20` is no blank.
        version: the version of an object in S3; None for the latest one.
    """

    scheme: str
    bucket: str
    key: str
    version: str | None = None

    def __str__(self) -> str:
        """Return the whole name. It holds no secret."""
        query = "" if self.version is None else f"?versionId={quote(self.version, safe='')}"
        return f"{self.scheme}://{self.bucket}/{self.key}{query}"


def parse_name(name: Hidden[str]) -> ObjectName:
    """Return the object that a name means.

    Raises:
        InvalidPost: the name means none. The message quotes only what can be no secret.
    """
    scheme = name.reveal().partition("://")[0].lower()
    example = f"{scheme}://{'container' if scheme == 'az' else 'bucket'}/key"
    if USER.match(name.reveal()):
        raise _refusal(
            f"an object's name holds no user and no password: write {example}, and set them in the environment"
        )
    found = VERSION.fullmatch(name.reveal()) if scheme == "s3" else None
    if "?" in name.reveal() and found is None:
        only = "the query of an s3:// name is ?versionId=..." if scheme == "s3" else f"a {scheme}:// name has no query"
        raise _refusal(f"{only}, and a key with a question mark can be read by a presigned https URL only")
    # From here on nothing can be a secret.
    bucket, _, key = name.reveal().partition("?")[0].partition("://")[2].partition("/")
    if not BUCKET.fullmatch(bucket):
        raise _refusal(f"the name has no bucket, or one that cannot exist: write {example}")
    if not key or key.endswith("/"):
        raise _refusal(f"{scheme}://{bucket}/ is no object: write {example}")
    if CONTROL.search(key) or any(part in {"", ".", ".."} for part in key.split("/")):
        said = "a part that is empty, . or .., or a control character"
        raise _refusal(f"the key has {said}, and such an object can be read by a presigned https URL only")
    return ObjectName(scheme, bucket, key, unquote(found[1]) if found else None)


def _refusal(message: str) -> InvalidPost:
    return InvalidPost((Problem("video", message),))
