"""The JSON Schema of the signaling protocol, made from the types of its messages."""

from collections.abc import Sequence
from typing import Any

import msgspec

from signaling.messages import CLIENT_MESSAGES, SERVER_MESSAGES

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(others: Sequence[type] = ()) -> dict[str, Any]:
    """A schema that every message of the protocol fits.

    `$defs` has one schema for each message and each object, by the names of their types, and
    `ClientMessage` and `ServerMessage` for all that a client or a server may send.

    Args:
        others: Further types that shall be in `$defs`.
    """
    _, definitions = msgspec.json.schema_components(
        [*CLIENT_MESSAGES, *SERVER_MESSAGES, *others], ref_template="#/$defs/{name}"
    )
    for name, types in (("ClientMessage", CLIENT_MESSAGES), ("ServerMessage", SERVER_MESSAGES)):
        definitions[name] = {"anyOf": [{"$ref": f"#/$defs/{kind.__name__}"} for kind in types]}
    return {
        "$schema": DIALECT,
        "title": "aiosfu signaling protocol",
        "anyOf": [{"$ref": "#/$defs/ClientMessage"}, {"$ref": "#/$defs/ServerMessage"}],
        "$defs": definitions,
    }
