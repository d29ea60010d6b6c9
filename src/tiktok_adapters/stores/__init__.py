"""Stores: they keep tokens and the journal, and grant the leases under which owners change them.

What belongs here: one module for each kind of store, and the code that stores share. Stores implement the ports `TokenStore`
and `Journal` or their asynchronous twins.
"""
