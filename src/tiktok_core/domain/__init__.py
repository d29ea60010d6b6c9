"""The rules: frozen values and plain functions, without I/O, clock or wire format."""
