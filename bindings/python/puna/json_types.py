"""Python's types as JSON Schemas, and JSON as their values: dataclasses of str, int, float, bool, None, list, dict,
Optional, Union, Literal, Enum and dataclasses."""

from __future__ import annotations

import dataclasses
import enum
import json
import sys
import types
from typing import Any, Dict, List, Literal, Tuple, Union, get_args, get_origin, get_type_hints

_UNIONS = (Union, types.UnionType) if sys.version_info >= (3, 10) else (Union,)
_SIMPLE: Dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, enum.Enum)


def _is_dataclass(kind: Any) -> bool:
    return isinstance(kind, type) and dataclasses.is_dataclass(kind)


def _fields(kind: Any) -> List[Tuple[str, Any, bool]]:
    """Of a dataclass, those of its __init__: name, type, whether it has no default."""
    try:
        hints = get_type_hints(kind)
    except NameError as e:
        raise TypeError(f"{kind.__name__}: a field's type is not known here: {e}") from None
    missing = dataclasses.MISSING
    return [
        (f.name, hints[f.name], f.default is missing and f.default_factory is missing)
        for f in dataclasses.fields(kind)
        if f.init
    ]


class _Schema:
    """Dataclasses go to $defs, each once, so that they may hold themselves."""

    def __init__(self) -> None:
        self.defs: Dict[str, Any] = {}
        self.names: Dict[Any, str] = {}

    def of(self, kind: Any, where: str) -> Dict[str, Any]:
        if kind is None:
            kind = type(None)
        if isinstance(kind, type) and kind in _SIMPLE:
            return {"type": _SIMPLE[kind]}
        if _is_dataclass(kind):
            return {"$ref": "#/$defs/" + self.defined(kind)}
        if _is_enum(kind):
            return {"enum": [self.scalar(member.value, where) for member in kind]}
        origin, arguments = get_origin(kind), get_args(kind)
        if origin is Literal:
            return {"enum": [self.scalar(value, where) for value in arguments]}
        if origin in _UNIONS:
            return {"anyOf": [self.of(member, where) for member in arguments]}
        if origin is list and len(arguments) == 1:
            return {"type": "array", "items": self.of(arguments[0], where)}
        if origin is dict and len(arguments) == 2 and arguments[0] is str:
            return {"type": "object", "additionalProperties": self.of(arguments[1], where)}
        raise TypeError(
            f"{where} is {getattr(kind, '__name__', kind) if isinstance(kind, type) else kind}, expected str, int, float, bool, None, list[...], "
            "dict[str, ...], Optional, Union, Literal, an Enum or a dataclass"
        )

    @staticmethod
    def scalar(value: Any, where: str) -> Any:
        if value is not None and type(value) not in (str, int, bool):
            raise TypeError(f"{where} has the value {value!r}, expected a str, an int, a bool or None")
        return value

    def defined(self, kind: Any) -> str:
        if kind not in self.names:
            name, number = str(kind.__name__), 1
            while name in self.defs:  # another class of that name
                number += 1
                name = f"{kind.__name__}{number}"
            self.names[kind] = name
            self.defs[name] = {}
            fields = _fields(kind)
            self.defs[name].update(
                type="object",
                properties={f: self.of(t, f"{kind.__name__}.{f}") for f, t, _ in fields},
                required=[f for f, _, required in fields if required],
                additionalProperties=False,
            )
        return self.names[kind]


def schema_of(kind: Any) -> Dict[str, Any]:
    """Of a dataclass: its fields in their order, those without a default required.

    >>> Point = dataclasses.make_dataclass("Point", [("x", int), ("y", float, 0.5)])
    >>> schema_of(Point)["$defs"]["Point"]["properties"], schema_of(Point)["$defs"]["Point"]["required"]
    ({'x': {'type': 'integer'}, 'y': {'type': 'number'}}, ['x'])
    """
    schema = _Schema()
    top = schema.of(kind, kind.__name__)
    return {**top, "$defs": schema.defs}


def closed(schema: Any) -> Any:
    """A pydantic model's schema without other properties than its fields, which it would ignore, and without OpenAPI's
    discriminator.

    >>> inner = {"type": "object", "properties": {}, "additionalProperties": True}
    >>> closed({"type": "object", "properties": {"a": inner}})["additionalProperties"]
    False
    """
    if not isinstance(schema, dict):
        return schema
    out = {key: value for key, value in schema.items() if key != "discriminator"}
    if "properties" in out:
        out.setdefault("additionalProperties", False)
    for key in ("items", "additionalProperties", "propertyNames"):
        if key in out:
            out[key] = closed(out[key])
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        if key in out:
            out[key] = [closed(part) for part in out[key]]
    for key in ("properties", "patternProperties", "$defs"):
        if key in out:
            out[key] = {name: closed(part) for name, part in out[key].items()}
    return out


def _same(wanted: Any, value: Any) -> bool:
    """To JSON 1.0 is 1, and true is not."""
    return bool((type(wanted) is type(value) or type(wanted) is int and type(value) is float) and wanted == value)


def value_of(kind: Any, value: Any, where: str) -> Any:
    """The value of that type which JSON's value stands for; ValueError where it is none."""
    if kind is None:
        kind = type(None)
    if kind is bool or kind is str or kind is type(None):
        if type(value) is kind:
            return value
    elif kind is int:
        if type(value) is int or isinstance(value, float) and value.is_integer():
            return int(value)
    elif kind is float:
        if type(value) in (int, float):
            return float(value)
    elif _is_dataclass(kind):
        fields = _fields(kind)
        names = [name for name, _, _ in fields]
        if (
            isinstance(value, dict)
            and set(value) <= set(names)
            and all(name in value for name, _, required in fields if required)
        ):
            return kind(**{name: value_of(t, value[name], f"{where}.{name}") for name, t, _ in fields if name in value})
    elif _is_enum(kind):
        for member in kind:
            if _same(member.value, value):
                return member
    else:
        origin, arguments = get_origin(kind), get_args(kind)
        if origin is Literal:
            for literal in arguments:
                if _same(literal, value):
                    return literal
        elif origin in _UNIONS:
            for member in arguments:
                try:
                    return value_of(member, value, where)
                except ValueError:
                    continue
        elif origin is list and isinstance(value, list):
            return [value_of(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value)]
        elif origin is dict and isinstance(value, dict):
            return {key: value_of(arguments[1], item, f"{where}[{key!r}]") for key, item in value.items()}
    raise ValueError(f"{where}: {json.dumps(value)} is no {getattr(kind, '__name__', kind)}")
