"""Help for testing: fixtures and fakes for the tests of other programs, and the contracts that every adapter must keep."""
