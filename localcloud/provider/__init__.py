"""The `digitalocean` resource provider for where the official plugin can't be had.

It speaks Pulumi's provider protocol over gRPC and calls the DigitalOcean API with `pydo`. Property names, shapes,
defaults and identifiers are those of the official provider, so that the official plugin can take a stack over and give
it back. Its waiters are its own: they poll with a short, capped back-off where the official ones sleep ten seconds.
Start it as `python -m localcloud.provider ENGINE_ADDRESS`; it prints the port that it listens on.
"""
