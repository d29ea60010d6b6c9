"""Help for testing: what downstream software may use in its own tests, and the contracts that every adapter keeps."""
