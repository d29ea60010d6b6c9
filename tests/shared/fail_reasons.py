"""What the documents say of the reasons why a post fails."""

from typing import Final

__all__ = ["FAIL_REASONS"]

FAIL_REASONS: Final = {
    "file_format_check_failed": False,
    "duration_check_failed": False,
    "frame_rate_check_failed": False,
    "picture_size_check_failed": False,
    "internal": True,
    "video_pull_failed": True,
    "photo_pull_failed": True,
    "publish_cancelled": False,
    "auth_removed": False,
    "spam_risk_too_many_posts": True,
    "spam_risk_user_banned_from_posting": False,
    "spam_risk_text": False,
    "spam_risk": False,
}
"""Each reason of a failed post, and whether the same may be asked for again, now or later. Source:
/doc/content-posting-api-reference-get-video-status."""
