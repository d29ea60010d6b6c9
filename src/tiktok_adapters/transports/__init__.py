"""Ways to send a request: over a library, or to a function in memory."""
