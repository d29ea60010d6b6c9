"""Drives tiktok-api-client, as its README does."""

from collections.abc import Mapping
from typing import Any

from driver import KEY, SECRET, TITLE, browse, code_in, documented_sign_in, serve
from tiktok_api_client import TikTok

REDIRECT = "https://app.example.com/callback/"


class Driver:
    tik: TikTok
    publish_id = ""

    def begin(self) -> None:
        self.tik = TikTok(client_key=KEY, client_secret=SECRET, redirect_uri=REDIRECT, state="s1")

    def sign_in(self, _wish: Mapping[str, Any]) -> None:
        self.begin()
        tokens = self.tik.exchange_code_for_token(code=code_in(browse(self.tik.get_authorization_url())))
        print(tokens["access_token"], tokens["refresh_token"])

    def adopt(self, _wish: Mapping[str, Any]) -> None:
        self.begin()
        self.tik.token_data = documented_sign_in(REDIRECT, "video.publish,video.upload")

    def upload(self, wish: Mapping[str, Any]) -> None:
        how = {"source": "FILE_UPLOAD", "upload_type": "POST_VIDEO_FILE", "video_path": wish["file"]}
        said = self.tik.create_video(title=TITLE, privacy_level="SELF_ONLY", **how)
        self.publish_id = said["initial_response"]["data"]["publish_id"]

    def by_url(self, wish: Mapping[str, Any]) -> None:
        how = {"source": "PULL_FROM_URL", "upload_type": "POST_VIDEO_URL", "video_url": wish["url"]}
        self.publish_id = self.tik.create_video(title=TITLE, privacy_level="SELF_ONLY", **how)["data"]["publish_id"]

    def photos(self, wish: Mapping[str, Any]) -> None:
        self.tik.create_photo(
            title=TITLE, post_mode="DIRECT_POST", privacy_level="SELF_ONLY", photo_images=wish["urls"]
        )

    def draft(self, wish: Mapping[str, Any]) -> None:
        how = {"source": "FILE_UPLOAD", "upload_type": "UPLOAD_VIDEO_FILE", "video_path": wish["file"]}
        self.tik.create_video(title=TITLE, privacy_level="SELF_ONLY", **how)


it = Driver()
serve(
    {
        "sign in": it.sign_in,
        "adopt": it.adopt,
        "creator info": lambda _: it.tik.get_creator_info()["data"]["privacy_level_options"],
        "upload": it.upload,
        "by URL": it.by_url,
        "photos": it.photos,
        "draft": it.draft,
        "status": lambda _: it.tik.check_upload_status(publish_id=it.publish_id)["data"]["status"],
        "refresh": lambda _: it.tik.refresh_access_token()["access_token"],
        "revoke": lambda _: it.tik.revoke_access_token(),
        "refresh when revoked": lambda _: it.tik.refresh_access_token()["access_token"],
    }
)
