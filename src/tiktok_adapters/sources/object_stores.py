"""The stores that obstore opens: with what credentials, over what connection, and with how much patience.

What belongs here: everything that obstore is told, and what it does not find by itself. obstore reads the environment: `AWS_...`,
`GOOGLE_...` and `AZURE_...`, Google's application default credentials, and the metadata service of the machine. It does not read
AWS's profiles: for these it needs boto3.

Source: https://developmentseed.org/obstore/latest/authentication/ and the keys of `S3Config`, `GCSConfig` and `AzureConfig`.
"""

import ipaddress
import os
from collections.abc import Mapping
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from attrs import frozen

from tiktok_adapters.sources.object_faults import setup_fault
from tiktok_adapters.sources.object_names import ObjectName
from tiktok_core.errors import InvalidPost, Problem
from tiktok_core.hidden import Hidden

if TYPE_CHECKING:
    from obstore.store import AzureStore, GCSStore, S3Store

__all__ = ["HERE", "Limits", "make_store"]

NEEDS_OBSTORE: Final = "{}:// names are opened by obstore, which is not installed: pip install 'tiktok-open[objects]'"
BOTO3: Final = "boto3"
NEEDS_BOTO3: Final = "an AWS profile is read by boto3, which is not installed: pip install 'tiktok-open[aws]'"
ENDPOINTS: Final = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "gs": ("GOOGLE_BASE_URL",),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
"""The variables that name another storage, in obstore's order."""
PLAIN: Final = {"s3": "AWS_ALLOW_HTTP", "gs": "GOOGLE_ALLOW_HTTP", "az": "AZURE_ALLOW_HTTP"}
"""The variables that allow plain http."""
FOUND_BY_OBSTORE: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
"""Where one of them is set, the credentials come from there, as in AWS's own tools."""
YES: Final = ("1", "true", "t", "yes", "y", "on")
HERE: Final = "localhost,127.0.0.0/8,::1"
NO_PROXY_HERE: Final = {"proxy_url": "http://127.0.0.1:9", "proxy_excludes": HERE}
"""An endpoint on this machine is reached directly, also where `HTTP_PROXY` is set."""


@frozen(kw_only=True)
class Limits:
    """How long to wait for the storage. A request that brings no byte ends within `silence` and `again` together.

    Attributes:
        connect: seconds for a connection.
        silence: seconds without a byte.
        whole: seconds for a request and its answer, of at most 8 MiB.
        again: seconds from the first try in which a request may be tried anew.
        tries: how often a request is tried anew.
    """

    connect: float = 5.0
    silence: float = 10.0
    whole: float = 120.0
    again: float = 15.0
    tries: int = 2


def make_store(
    name: ObjectName, client_options: Hidden[Mapping[str, Any]], limits: Limits
) -> "tuple[S3Store | GCSStore | AzureStore, str]":
    """Return obstore's store of the object's bucket, and the URL of the proxy on the way, without a password; empty without one.

    No request is made, unless boto3 asks for credentials.

    Args:
        name: the object.
        client_options: the proxy and the authorities, as obstore's `ClientConfig` names them.
        limits: how long to wait.

    Raises:
        InvalidPost: obstore or boto3 is not installed, or a setting in the environment cannot be used.
    """
    try:
        from obstore.store import AzureStore, GCSStore, S3Store  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "obstore":
            raise
        raise _refusal(NEEDS_OBSTORE.format(name.scheme)) from None
    options: Hidden[dict[str, Any]] = Hidden(
        {
            **client_options.reveal(),
            **_way(name.scheme),
            "connect_timeout": timedelta(seconds=limits.connect),
            "read_timeout": timedelta(seconds=limits.silence),
            "timeout": timedelta(seconds=limits.whole),
        }
    )
    retries: Any = {
        "max_retries": limits.tries,
        "retry_timeout": timedelta(seconds=limits.again),
        "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=1), "base": 2},
    }
    make: Any = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}[name.scheme]
    more: dict[str, Any] = {"credential_provider": _profile()} if name.scheme == "s3" else {}
    if name.scheme == "az" and (account := os.environ.get("AZURE_STORAGE_ACCOUNT_NAME")):
        more["account_name"] = account  # The store's `repr` aborts if only the environment has it.
    try:
        return make(name.bucket, client_options=options.reveal(), retry_config=retries, **more), _shown_proxy(options)
    except Exception as error:  # noqa: BLE001 - obstore's own, whose texts may quote a setting
        fault = setup_fault(error, name.scheme)
    # Outside of the handler, so that the refusal does not refer to an error that quotes a setting.
    raise _refusal(fault.sentence)


def _way(scheme: str) -> dict[str, Any]:
    """Return whether plain http is allowed, and no proxy for an endpoint on this machine.

    Raises:
        InvalidPost: the endpoint is plain http on another machine, and no setting allows that.
    """
    for variable in ENDPOINTS[scheme]:
        if endpoint := os.environ.get(variable):
            break
    else:
        return {}
    covered = Hidden(endpoint)
    del endpoint  # A URL may hold a password.
    try:
        scheme_of, host = urlsplit(covered.reveal()).scheme.lower(), urlsplit(covered.reveal()).hostname or ""
    except ValueError:
        raise _refusal(f"{variable} is no URL: write it as in https://storage.example.com") from None
    is_plain = scheme_of == "http"
    if _is_here(host):
        return {"allow_http": is_plain, **NO_PROXY_HERE}
    if is_plain and os.environ.get(PLAIN[scheme], "").lower() not in YES:
        said = f"{variable} is plain http, which every machine on the way can read and change: use https, or set {PLAIN[scheme]}=true"
        raise _refusal(said)
    return {"allow_http": is_plain}


def _shown_proxy(options: Hidden[dict[str, Any]]) -> str:
    parts = Hidden(urlsplit(options.reveal().get("proxy_url", "")))
    if not parts.reveal().hostname or options.reveal()["proxy_url"] == NO_PROXY_HERE["proxy_url"]:
        return ""
    return f"{parts.reveal().scheme}://{parts.reveal().netloc.rpartition('@')[2]}"


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


def _profile() -> Any:
    """Return what gets credentials from AWS's profiles, if one is chosen or there are files of profiles; None without.

    Raises:
        InvalidPost: boto3 is not installed, or it finds no credentials in the profile.
    """
    if any(os.environ.get(variable) for variable in FOUND_BY_OBSTORE):
        return None
    if os.environ.get("AWS_SKIP_SIGNATURE", "").lower() in YES:
        return None
    chosen = os.environ.get("AWS_PROFILE")
    secrets = _file("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
    if not chosen and not secrets and not _file("AWS_CONFIG_FILE", "~/.aws/config"):
        return None
    if find_spec(BOTO3) is None:
        if chosen or secrets:
            raise _refusal(NEEDS_BOTO3)
        return None  # A file with a region and the like: the machine may have a role.
    import boto3  # noqa: PLC0415 - an extra
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415

    named = f"the AWS profile {chosen or 'default'!r}"
    try:
        session = boto3.Session()
        if session.get_credentials() is not None:
            return Boto3CredentialProvider(session)
    except BotoCoreError as error:
        raise _refusal(
            f"{named} cannot be used ({type(error).__name__}): see ~/.aws/config, or sign in again"
        ) from None
    if chosen:
        raise _refusal(f"{named} has no credentials: see ~/.aws/credentials and ~/.aws/config")
    return None


def _file(variable: str, usual: str) -> bool:
    # Not `Path.expanduser`, which raises where there is no home folder.
    return Path(os.path.expanduser(os.environ.get(variable) or usual)).is_file()  # noqa: PTH111


def _refusal(message: str) -> InvalidPost:
    return InvalidPost((Problem("video", message),))
