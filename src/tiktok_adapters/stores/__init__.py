"""Stores: where tokens are kept, and who may renew them.

What belongs here: one module for each kind of store, behind the `TokenStore` and `AsyncTokenStore` ports.
"""
