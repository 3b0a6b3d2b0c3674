"""Typed stack settings, read and checked in pure code; one error names everything that is wrong.

`load_file` reads a stack file without any engine, `load_config` takes what Pulumi hands to the program. Both end in the
same model and the same errors, with the file and the line.
"""

from __future__ import annotations

__all__ = ["PROJECT", "Settings", "load_config", "load_file", "written_secrets"]

from infra.settings.load import PROJECT, load_config, load_file, written_secrets
from infra.settings.model import Settings
