"""The version of this library. The build reads it from here."""

__version__ = "0.1.0"
"""The version of this library, such as 1.2.3."""
