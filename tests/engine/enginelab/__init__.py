"""A laboratory for engines: a scriptable provider, tiny programs, and one way to run and compare them.

Nothing in here imports the embedded engine except `embedded` and `spawned`, so that the same scenarios run on the
official CLI when it is there. State and secrets are read by code of their own, written from the published formats.
"""
