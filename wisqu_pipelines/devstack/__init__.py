"""The embedded stack: real engines from wheels, for a laptop, a demo and the tests. Linux only."""
