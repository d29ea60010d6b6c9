"""Transports: they send a request over an HTTP library, or to a function in memory."""
