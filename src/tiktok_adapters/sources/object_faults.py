"""What obstore's errors mean: one sentence each, which says whose fault it is and what to do.

What belongs here: reading an error of obstore, and the sentences. Nothing of its text is quoted but the words that are looked for here:
it may hold a key's id, a signature or what was signed.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html,
https://docs.cloud.google.com/storage/docs/xml-api/reference-status,
https://learn.microsoft.com/en-us/rest/api/storageservices/blob-service-error-codes
"""

import re
from typing import Final

from attrs import frozen

from tiktok_adapters.sources.object_names import ObjectName

__all__ = ["Fault", "fault_of", "is_answered", "is_replaced", "setup_fault"]

STATUS: Final = re.compile(r"status code: (\d{3})\b")
CODE: Final = re.compile(r"<Code>([A-Za-z]{1,64})</Code>")
REGION: Final = re.compile(r"<Region>([a-z0-9-]{1,32})</Region>")
HOST: Final = re.compile(r"Error performing (?:GET|HEAD) (https?://[\w.:\[\]-]{1,253})/")
DETAILS: Final = "Debug source"
"""What follows in an error's text is the chain of its causes."""
REFUSED_TUNNEL: Final = re.compile(
    r"ProxyAuthRequired|proxy authorization required|TunnelUnsuccessful|unsuccessful tunnel"
)

NOT_LOCATED: Final = "redirect without LOCATION"
NO_CREDENTIALS: Final = re.compile(r"token request: |Error performing (?:PUT|POST) |http://169\.254\.")
"""For an object obstore sends GET and HEAD only. It asks the machine for credentials last, once it has found none elsewhere."""
BAD_CREDENTIALS: Final = frozenset(
    {
        "AuthenticationFailed",
        "AuthenticationRequired",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidAuthenticationInfo",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
    }
)
NO_BUCKET: Final = frozenset({"NoSuchBucket", "ContainerNotFound"})
OTHER_REGION: Final = frozenset(
    {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"}
)
TRANSIENT: Final = frozenset({408, 425, 429, 500, 502, 503, 504})

LABELS: Final = {"s3": "S3", "gs": "Google Cloud Storage", "az": "Azure Blob Storage"}
GIVEN_BY: Final = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; for a public bucket, AWS_SKIP_SIGNATURE=true",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS, or run 'gcloud auth application-default login'; "
    "for a public bucket, GOOGLE_SKIP_SIGNATURE=true",
    "az": "set AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN, or AZURE_USE_AZURE_CLI=true; "
    "for a public container, AZURE_SKIP_SIGNATURE=true",
}
RIGHTS: Final = {
    "s3": "allow them s3:GetObject. S3 also answers so for an object that does not exist, unless they may s3:ListBucket",
    "gs": "allow them storage.objects.get",
    "az": "give them the role Storage Blob Data Reader",
}


@frozen
class Fault:
    """What keeps an object from being read.

    Attributes:
        sentence: what is wrong, whose fault it is, and what to do.
        passes: whether the same request may work later.
    """

    sentence: str
    passes: bool = False


def fault_of(error: Exception, name: ObjectName, *, proxy: str = "") -> Fault:
    """Return what an error of obstore means.

    Args:
        error: what a request for the object raised.
        name: the object.
        proxy: the URL of the proxy that requests go through, without a password; empty without one.
    """
    text = str(error)
    found, code, host = STATUS.search(text), CODE.search(text), HOST.search(text)
    status, word = int(found[1]) if found else 0, code[1] if code else ""
    label = LABELS[name.scheme]
    at = f" at {host[1]}" if host else ""
    if NO_CREDENTIALS.search(text.partition(DETAILS)[0]):
        return Fault(f"no credentials for {label} could be found or renewed: {GIVEN_BY[name.scheme]}")
    if name.scheme == "s3" and (NOT_LOCATED in text or word in OTHER_REGION):
        return _other_region(name, REGION.search(text))
    if status == 407 or (not status and REFUSED_TUNNEL.search(text)):
        return Fault(
            f"the proxy{proxy and f' {proxy}'} does not let requests to {label} through: check its user and password"
        )
    if "InvalidCertificate" in text or "certificate" in text.partition(DETAILS)[0]:
        return Fault(f"the certificate of {label}{at} is not trusted: name the authority's file in TIKTOK_CA_FILE")
    if status:
        return _answered(status, word, name, at)
    if "non-partial response" in text:
        return Fault(
            f"{label}{at} ignores ranges, so {name} cannot be read in parts: it does not speak the protocol of {label}"
        )
    if "ETag Header missing" in text:
        return Fault(f"{label}{at} gives no strong ETag for {name}, so a change could not be noticed")
    through = f" through the proxy {proxy}" if proxy else ""
    what = "does not answer in time" if "TimedOut" in text or "Timeout" in text else "cannot be reached"
    return Fault(f"{label}{at} {what}{through}: check the network and the endpoint, and go on later", passes=True)


def is_answered(error: Exception) -> bool:
    """Return whether the storage gave an answer, which says more if it has a body."""
    return STATUS.search(str(error)) is not None or NOT_LOCATED in str(error)


def is_replaced(error: Exception) -> bool:
    """Return whether the storage said that another object lies there than the request was for."""
    found = STATUS.search(str(error))
    return found is not None and found[1] in {"412", "416"}


def setup_fault(error: Exception, scheme: str) -> Fault:
    """Return what an error means that obstore raised before any request."""
    text, label = str(error), LABELS[scheme]
    if "Account must be specified" in text:
        return Fault("the storage account of az:// names is not known: set AZURE_STORAGE_ACCOUNT_NAME")
    if "Missing AccessKeyId" in text or "Missing SecretAccessKey" in text:
        return Fault("AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is missing: set both")
    if "service account file" in text or "credentials file" in text:
        return Fault("the file that GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_SERVICE_ACCOUNT names cannot be read")
    prefix = {"s3": "AWS_", "gs": "GOOGLE_", "az": "AZURE_"}[scheme]
    return Fault(f"a setting for {label} cannot be used: check the environment variables that begin with {prefix}")


def _answered(status: int, word: str, name: ObjectName, at: str) -> Fault:
    label = LABELS[name.scheme]
    said = f"HTTP {status} {word}".rstrip()
    if word in NO_BUCKET:
        kind = "container" if name.scheme == "az" else "bucket"
        return Fault(
            f"there is no {kind} {name.bucket}{at}: check the name, and the endpoint and account in the environment"
        )
    if status in {404, 405, 410}:
        return Fault(f"there is no object {name}{at}")
    if word == "RequestTimeTooSkewed":
        return Fault(f"{label} refuses this machine's clock ({said}): set it right")
    if status == 401 or word in BAD_CREDENTIALS:
        return Fault(
            f"{label}{at} does not accept the credentials ({said}): they are wrong or have expired; {GIVEN_BY[name.scheme]}"
        )
    if status == 403:
        return Fault(f"the credentials may not read {name} ({said}): {RIGHTS[name.scheme]}")
    if status in TRANSIENT:
        return Fault(f"{label}{at} has trouble of its own ({said}): go on later", passes=True)
    return Fault(f"{label}{at} refuses to give {name} ({said}): check the name and the endpoint")


def _other_region(name: ObjectName, found: re.Match[str] | None) -> Fault:
    where = f"in the region {found[1]}" if found else "in another region"
    return Fault(f"the bucket {name.bucket} lies {where}: set AWS_REGION to that of the bucket")
