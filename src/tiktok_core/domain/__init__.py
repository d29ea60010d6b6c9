"""What is allowed: frozen values and plain functions. No I/O, no clock, no spelling of the wire."""
