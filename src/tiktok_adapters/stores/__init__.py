"""Stores: where tokens and the journal are kept, and who may go on with them.

What belongs here: one module for each kind of store, behind the ports `TokenStore` and `Journal` and their asynchronous
twins, and what such stores share.
"""
