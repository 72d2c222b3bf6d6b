"""Answers that always parse: by a JSON Schema, a regular expression, GBNF, EBNF, or a list of choices."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any, Callable, Iterable, List, Mapping, Optional, Tuple, Union

import numpy as np

from .json_types import _is_dataclass, closed, schema_of, value_of
from .native import (
    check,
    created,
    ffi,
    handle_of,
    int32_pointer,
    lib,
    one_of,
    read,
    sized,
    text_bytes,
    text_of,
    token_array,
    watch,
)

if TYPE_CHECKING:
    from .model import Model

KINDS = {"json_schema": 0, "regex": 1, "gbnf": 2, "ebnf": 3, "choices": 4, "any_json": 5}
Schema = Union[str, bool, Mapping[str, Any], type]


class Grammar:
    """What an answer may be: for any model, any session and any number of answers. Made by json_schema(), regex(),
    gbnf(), ebnf(), choices() or any_json(); of tools, by Tools.grammar().

    >>> Grammar.choices(["yes", "no"])
    Grammar('choices')
    >>> Grammar.regex("(a")
    Traceback (most recent call last):
    puna.errors.InvalidArgument: ...
    """

    def __init__(
        self,
        kind: str,
        text: "str | bytes" = "",
        *,
        max_whitespace: Optional[int] = None,
        parse: "Optional[Callable[[str], Any]]" = None,
    ) -> None:
        """`max_whitespace`, of JSON: between two lexemes there is nothing, one space, or a line break and at most so
        many spaces or tabs; 0: always nothing. None = ours. `parse` makes an answer's value of its text."""
        self.kind = kind
        data = text_bytes(text, "text")
        options = sized(
            "puna_grammar_options",
            kind=one_of(kind, KINDS, "kind"),
            max_whitespace=-1 if max_whitespace == 0 else max_whitespace,
            watch=watch(),
        )
        self._handle = created(
            lib.puna_grammar_free, lib.puna_grammar_create, data, len(data), options, type="puna_grammar"
        )
        self._parse = parse
        for note in self.notes:
            warnings.warn(note, stacklevel=3)

    @classmethod
    def _of(cls, kind: str, handle: Any) -> "Grammar":
        grammar = cls.__new__(cls)
        grammar.kind, grammar._handle, grammar._parse = kind, handle, None
        return grammar

    def __repr__(self) -> str:
        return f"Grammar({self.kind!r})"

    @classmethod
    def json_schema(cls, schema: Schema, *, max_whitespace: Optional[int] = None) -> "Grammar":
        """JSON by a schema: a dict, a JSON text, a pydantic model's class, or a dataclass. Answer.parsed is then the
        value; of a class, an instance, and the answer has its fields and no others (unless a pydantic model says
        extra="allow")."""
        text, parse = _schema(schema)
        return cls("json_schema", text, max_whitespace=max_whitespace, parse=parse)

    @classmethod
    def any_json(cls, *, max_whitespace: Optional[int] = None) -> "Grammar":
        """Any JSON."""
        return cls("any_json", max_whitespace=max_whitespace, parse=json.loads)

    @classmethod
    def regex(cls, pattern: str) -> "Grammar":
        """The whole answer matches; ECMA-262's syntax."""
        return cls("regex", pattern)

    @classmethod
    def gbnf(cls, text: str) -> "Grammar":
        """llama.cpp's GBNF, from the rule `root`."""
        return cls("gbnf", text)

    @classmethod
    def ebnf(cls, text: str) -> "Grammar":
        """W3C's or ISO 14977's EBNF, from the first rule."""
        return cls("ebnf", text)

    @classmethod
    def choices(cls, texts: Iterable[str]) -> "Grammar":
        """One of these texts."""
        if isinstance(texts, (str, bytes)):
            raise TypeError(f"choices is one {type(texts).__name__}, expected a list")
        return cls("choices", json.dumps(list(texts)))

    @property
    def notes(self) -> List[str]:
        """What the text says that constrains nothing: unknown keywords, formats that are not checked. They are warned
        of as well."""
        info = read("puna_grammar_info", lib.puna_grammar_get_info, self._handle)
        return [ffi.string(info.notes[i]).decode("utf-8", "replace") for i in range(info.note_count)]

    def parse(self, text: str) -> Any:
        """The value of an answer's text; None where the grammar is not JSON's."""
        return self._parse(text) if self._parse is not None else None


class Matcher:
    """Follows one answer through a grammar: for hosts with a sampler of their own. One thread at a time.

    >>> m = Matcher(Grammar.choices(["yes", "no"]), Model(MODEL))
    >>> m.accept("y")
    >>> m.forced, m.whole, m.ended
    ('es', False, False)
    """

    def __init__(
        self, grammar: Grammar, model: "Model", stop_tokens: "Optional[Iterable[int]]" = None, *, _handle: Any = None
    ) -> None:
        """`stop_tokens` may come where the answer may end; None = the model's own."""
        self.grammar, self.model = grammar, model
        stops = token_array([] if stop_tokens is None else stop_tokens)
        options = sized(
            "puna_matcher_options",
            stop_tokens=int32_pointer(stops) if stops.size else None,
            stop_token_count=stops.size,
        )
        self._handle = _handle or created(
            lib.puna_matcher_free,
            lib.puna_matcher_create,
            handle_of(grammar, "Grammar", "grammar"),
            handle_of(model, "Model", "model"),
            options,
            type="puna_matcher",
        )

    def _info(self) -> Any:
        return read("puna_matcher_info", lib.puna_matcher_get_info, self._handle)

    @property
    def whole(self) -> bool:
        """What came so far is a whole answer."""
        return bool(self._info().whole)

    @property
    def ended(self) -> bool:
        """Nothing may follow."""
        return bool(self._info().ended)

    def mask(self) -> "np.ndarray[Any, Any]":
        """Which tokens may come next: bool [vocabulary]."""
        vocabulary = self.model.info.vocabulary
        words = np.zeros((vocabulary + 31) // 32, np.uint32)
        check(lib.puna_matcher_mask(self._handle, ffi.from_buffer("uint32_t[]", words), words.size))
        bits: "np.ndarray[Any, Any]" = np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")
        return bits[:vocabulary].astype(bool)

    def accept(self, what: "int | str | bytes") -> None:
        """A token came, or a text. InvalidArgument when it may not: the matcher is as before."""
        if isinstance(what, (str, bytes)):
            data = text_bytes(what, "what")
            check(lib.puna_matcher_accept_text(self._handle, data, len(data)))
        else:
            check(lib.puna_matcher_accept(self._handle, what))

    @property
    def forced(self) -> str:
        """Text that comes next whatever is drawn; "" where there is a choice."""
        return text_of(lib.puna_matcher_forced_text, self._handle).decode("utf-8", "replace")

    @property
    def completion(self) -> str:
        """The shortest text that makes the answer whole; "" when it is."""
        return text_of(lib.puna_matcher_completion, self._handle).decode("utf-8", "replace")

    def fork(self) -> "Matcher":
        """An independent copy."""
        return Matcher(
            self.grammar,
            self.model,
            _handle=created(lib.puna_matcher_free, lib.puna_matcher_fork, self._handle, type="puna_matcher"),
        )

    def reset(self) -> None:
        """To the start."""
        check(lib.puna_matcher_reset(self._handle))


def _schema(schema: Any) -> "Tuple[str, Callable[[str], Any]]":
    """Its JSON text, and what makes a value of an answer."""
    if isinstance(schema, str):
        return schema, json.loads
    if isinstance(schema, (Mapping, bool)):
        return json.dumps(schema), json.loads
    if isinstance(schema, type) and hasattr(schema, "model_json_schema") and hasattr(schema, "model_validate_json"):
        model: Any = schema
        return json.dumps(closed(model.model_json_schema())), model.model_validate_json
    if _is_dataclass(schema):
        return json.dumps(schema_of(schema)), lambda text: value_of(schema, json.loads(text), schema.__name__)
    raise TypeError(
        f"json_schema is {schema!r:.80}, expected a dict, a JSON text, a pydantic model's class or a dataclass"
    )


def grammar_of(
    json_schema: "Optional[Schema]",
    regex: Optional[str],
    choices: "Optional[Iterable[str]]",
    grammar: "Grammar | str | None",
) -> Optional[Grammar]:
    """The one that was given, or None. A str is GBNF."""
    given = [
        name
        for name, value in (("json_schema", json_schema), ("regex", regex), ("choices", choices), ("grammar", grammar))
        if value is not None
    ]
    if len(given) > 1:
        raise TypeError(f"{' and '.join(given)} are given, expected one of them")
    if json_schema is not None:
        return Grammar.json_schema(json_schema)
    if regex is not None:
        return Grammar.regex(regex)
    if choices is not None:
        return Grammar.choices(choices)
    if isinstance(grammar, str):
        return Grammar.gbnf(grammar)
    if grammar is not None and not isinstance(grammar, Grammar):
        raise TypeError(f"grammar is a {type(grammar).__name__}, expected puna.Grammar or a GBNF text")
    return grammar
