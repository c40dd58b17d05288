"""For our own tests and for those of packages that extend us: virtual time and a simulator.

`python -m conveyor.testing.simulate --help` says how to use the latter.
"""
