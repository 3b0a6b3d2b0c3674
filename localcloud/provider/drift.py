"""The inputs that a read reports: what the program would have to say to get what is there.

Pure. A refresh stores them together with the outputs. An input keeps the program's own spelling as long as it still
means what was observed, so user data stays the text that it was although only its hash can be compared. What the
provider filled in stays, too: the next check would take a name that somebody changed by hand for the generated one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from localcloud.provider.checks import DEFAULTS
from localcloud.provider.states import canonical

if TYPE_CHECKING:
    from localcloud.provider.resources.base import Resource
    from localcloud.provider.values import Properties


def observed_inputs(resource: Resource, inputs: Properties, outputs: Properties) -> Properties:
    """Give the inputs that match observed outputs; `inputs` are those of the last run, {} for an import."""
    noted = inputs.get(DEFAULTS)
    filled = cast("list[str]", noted) if isinstance(noted, list) else []
    result: Properties = {DEFAULTS: filled}
    for name, item in resource.shape.inputs.items():
        have, said = outputs.get(name), inputs.get(name)
        is_something = canonical(item, have) is not None
        if said is not None and (name in filled or resource.is_same(name, have, said, inputs)):
            result[name] = said
        elif said is not None:
            if is_something or item.default is not None:
                result[name] = have
        elif is_something and not (item.computed and inputs) and have != item.default:
            result[name] = have
    return result
