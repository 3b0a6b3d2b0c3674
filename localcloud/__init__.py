"""A cloud on one machine: the engine, the API, the machines and the provider that stand in for the real ones."""
