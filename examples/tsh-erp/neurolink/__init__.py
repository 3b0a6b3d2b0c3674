"""NeuroLink: takes in events from the other services and turns them into notifications for people."""

__version__ = "1.0.0"
