"""Data Portability: ask TikTok for a copy of a person's data, and download it.

This module only gathers the public names of those calls from the layer below.
"""

from tiktok_core.domain.portability import DataArchive, DataCategory, DataFormat, DataRequest, DataStatus

__all__ = ["DataArchive", "DataCategory", "DataFormat", "DataRequest", "DataStatus"]
