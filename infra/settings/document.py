"""Reads a stack file as YAML, strictly, and remembers on which line each key stands.

Pulumi reads YAML 1.2 with some habits of 1.1; other readers differ. Whatever two readers could take differently (`no`,
`1e3`, `22:30`, a date), whatever expands (anchors, merge keys) and whatever builds objects (tags) is refused by name
here, so that the settings mean the same to everybody who reads them.
"""

from __future__ import annotations

__all__ = ["Document", "Path", "read_document"]

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from infra.errors import Problem

Path = tuple[str | int, ...]

SIZE_LIMIT_BYTES = 1_048_576
KEY_LIMIT = 2_000
DEPTH_LIMIT = 16
INTEGER_DIGITS = 15
"""Past 2^53 readers that go through floats lose digits."""

QUOTED = ("'", '"', "|", ">")
_BOOLEANS = {"true": True, "false": False}
_NULLS = {"", "~", "null"}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]*)\.[0-9]+")
_AMBIGUOUS = re.compile(
    r"(?i:y|n|yes|no|on|off)|True|TRUE|False|FALSE|Null|NULL"
    r"|[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+"
    r"|[-+]?0[0-9_]+|0[oxb][0-9a-fA-F_]+|[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?"
    r"|[-+]?\.(?i:inf|nan)|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?",
)


@dataclass
class Document:
    """A parsed file: its values, the line of each key, and what is wrong with its shape."""

    name: str
    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict[Path, int])
    problems: list[Problem] = field(default_factory=list[Problem])

    def where(self, path: Path) -> str:
        """Give `file:line` of a key, or of the nearest key above it."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.lines:
                return f"{self.name}:{self.lines[path[:end]]}"
        return self.name

    def refuse(self, line: int, key: str, found: str, expected: str) -> None:
        """Note one thing that is wrong with the file's shape; `line` counts from one."""
        self.problems.append(Problem(f"{self.name}:{line}", key or "(file)", found, expected))


def read_document(name: str, content: bytes) -> Document:
    """Parse `content`, never raising: everything that is wrong stands in `problems`."""
    document = Document(name)
    text = _decode(document, content)
    if text is None:
        return document
    try:
        nodes = list(yaml.compose_all(text, Loader=yaml.CSafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        document.refuse(mark.line + 1 if mark else 1, "", error.problem or "unreadable YAML", "well-formed YAML")
        return document
    except (yaml.YAMLError, RecursionError) as error:
        document.refuse(1, "", f"unreadable YAML ({type(error).__name__})", "well-formed YAML")
        return document
    if len(nodes) > 1:
        mark = nodes[1].start_mark
        document.refuse(mark.line + 1 if mark else 1, "", "a second document", "one YAML document")
    if not nodes or not isinstance(nodes[0], yaml.MappingNode):
        document.refuse(1, "", "no settings" if not nodes else "no map at the top", "a map with the key `config`")
        return document
    document.value = _Reader(document).read(nodes[0], ())
    return document


def _decode(document: Document, content: bytes) -> str | None:
    """Turn bytes into text, refusing what no editor shows."""
    if len(content) > SIZE_LIMIT_BYTES:
        document.refuse(1, "", f"{len(content)} bytes", f"at most {SIZE_LIMIT_BYTES} bytes")
        return None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        document.refuse(line, "", f"a byte that is no UTF-8 (0x{content[error.start]:02x})", "UTF-8 text")
        return None
    for character, name in (("\ufeff", "a byte order mark"), ("\0", "a NUL byte")):
        if character in text:
            line = text.count("\n", 0, text.index(character)) + 1
            document.refuse(line, "", name, "plain UTF-8 text")
            return None
    return text


class _Reader:
    """Walks the nodes of one document into plain values."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.seen: set[int] = set()
        self.keys = 0

    def read(self, node: yaml.Node, path: Path) -> Any:
        line = (node.start_mark.line if node.start_mark else 0) + 1
        key = ".".join(str(part) for part in path)
        if id(node) in self.seen:
            self.document.refuse(line, key, "an alias of another value", "the value written out")
            return None
        self.seen.add(id(node))
        self.keys += 1
        if len(path) > DEPTH_LIMIT or self.keys > KEY_LIMIT:
            if not any(problem.found == "too much" for problem in self.document.problems):
                limit = f"at most {DEPTH_LIMIT} levels and {KEY_LIMIT} values"
                self.document.refuse(line, key, "too much", limit)
            return None
        if not _is_plain(str(node.tag)):
            self.document.refuse(line, key, f"the tag {node.tag}", "a plain value")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._map(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._entry(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, key, line)

    def _entry(self, node: yaml.Node, path: Path) -> Any:
        self.document.lines[path] = (node.start_mark.line if node.start_mark else 0) + 1
        return self.read(node, path)

    def _map(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            name = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            where = ".".join(str(part) for part in path)
            if not isinstance(name, str) or name == "<<":
                self.document.refuse(line, where, "a key that is no plain name", "a name")
                continue
            if name in values:
                self.document.refuse(line, ".".join([*where.split("."), name]).strip("."), "the key twice", "it once")
                continue
            self.document.lines[(*path, name)] = line
            values[name] = self.read(value_node, (*path, name))
        return values

    def _scalar(self, node: yaml.Node, key: str, line: int) -> Any:
        text = str(node.value)
        if getattr(node, "style", None) in QUOTED:
            return text
        known, value = _plain(text)
        if not known:
            self.document.refuse(line, key, f"{text}, which YAML readers take differently", f'it quoted: "{text}"')
        return value


def _is_plain(tag: str) -> bool:
    """Whether a tag is one of YAML's own, and builds no object."""
    return tag.startswith("tag:yaml.org,2002:") and "python" not in tag


def _plain(text: str) -> tuple[bool, Any]:
    """Resolve an unquoted scalar; False when readers disagree about it."""
    if text in _BOOLEANS:
        return True, _BOOLEANS[text]
    if text in _NULLS:
        return True, None
    if _INTEGER.fullmatch(text):
        return len(text) <= INTEGER_DIGITS, int(text[:INTEGER_DIGITS])
    if _FLOAT.fullmatch(text):
        return True, float(text)
    return not _AMBIGUOUS.fullmatch(text), text
