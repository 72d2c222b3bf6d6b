"""Tools that a model may call, and the calls in its answers."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Union

from .grammar import Grammar
from .native import (
    c_text,
    check,
    check_watched,
    created,
    ffi,
    handle_of,
    handle_or_none,
    json_bytes,
    lib,
    read,
    sized,
    text_bytes,
    watch,
)

if TYPE_CHECKING:
    from .model import Model


ToolChoice = Union[str, Mapping[str, Any]]


class ToolCall(NamedTuple):
    """A call that a model made: the tool's name and its arguments, as JSON and as what the JSON says."""

    name: str
    json: str

    @property
    def arguments(self) -> Dict[str, Any]:
        return dict(json.loads(self.json))


class Said(NamedTuple):
    """More of what a model said: text, or the beginning, more arguments (JSON) or the end of the call of that number.
    `complete` of an end: whether the arguments are whole."""

    kind: str  # "text", "call_begin", "arguments", "call_end"
    text: str
    call: int
    complete: bool


KINDS = ("text", "call_begin", "arguments", "call_end", "thought")  # from PUNA_TOOL_TEXT on


class Tools:
    """A list of tools, in OpenAI's form or the bare one, and the format in which calls are written: the model's own, or
    `format` ("llama3_json", "llama4_json", "pythonic", "function_tag", "hermes", "mistral", "mistral_args", "granite",
    "harmony", "gemma", "tool_code", "phi"), which needs no model.

    >>> tools = Tools([{"name": "get_weather"}], format="pythonic")
    >>> text, calls = tools.parse("Let me see. [get_weather(city='Puno', days=2)]")
    >>> text, calls[0].name, calls[0].arguments
    ('Let me see. ', 'get_weather', {'city': 'Puno', 'days': 2})
    >>> tools.write([{"name": "get_weather", "arguments": {"city": "Puno"}}])
    '[get_weather(city="Puno")]'
    """

    def __init__(
        self, tools: Iterable[Mapping[str, Any]], model: "Optional[Model]" = None, format: Optional[str] = None
    ) -> None:
        if isinstance(tools, (str, bytes, Mapping)):
            raise TypeError(f"tools is one {type(tools).__name__}, expected a list")
        data = json_bytes(list(tools), "tools")
        options = sized("puna_tools_options", format=c_text(format, "format"))
        handle = handle_or_none(model, "Model", "model") or ffi.NULL
        self._handle = created(
            lib.puna_tools_free, lib.puna_tools_create, handle, data, len(data), options, type="puna_tools"
        )
        self._info = read("puna_tools_info", lib.puna_tools_get_info, self._handle)

    def __len__(self) -> int:
        return int(self._info.count)

    @property
    def format(self) -> str:
        return str(ffi.string(self._info.format).decode())

    @property
    def definitions(self) -> List[Any]:
        """In OpenAI's form, as chat templates take them."""
        return list(json.loads(bytes(ffi.buffer(self._info.json, self._info.json_size))))

    def write(self, calls: "Iterable[Union[ToolCall, Mapping[str, Any]]]") -> str:
        """Calls, {"name", "arguments"}, as a model of this format writes them: for training data."""
        listed = [{"name": c.name, "arguments": c.json} if isinstance(c, ToolCall) else dict(c) for c in calls]
        data = json_bytes(listed, "calls")
        text = created(lib.puna_buffer_free, lib.puna_buffer_create, type="puna_buffer")
        check(lib.puna_tools_write(self._handle, data, len(data), text))
        return bytes(ffi.buffer(lib.puna_buffer_data(text), lib.puna_buffer_size(text))).decode()

    def grammar(
        self,
        tool_choice: ToolChoice = "auto",
        *,
        parallel_tool_calls: bool = True,
        max_whitespace: Optional[int] = None,
    ) -> Optional[Grammar]:
        """What an answer may be that may, or must, call these tools, with arguments of their parameters. `tool_choice`,
        as OpenAI has it: "auto" (text and calls), "required" (calls alone), "none", or {"type": "function",
        "function": {"name": "f"}}, also just "f". None = nothing is constrained ("none"). `max_whitespace`: see
        Grammar.

        >>> days = {"properties": {"days": {"type": "integer"}}}
        >>> tools = Tools([{"name": "get_weather", "parameters": days}], format="pythonic")
        >>> tools.grammar("required")
        Grammar('tools')
        >>> tools.grammar("none") is None
        True
        """
        choice = json.dumps(dict(tool_choice)) if isinstance(tool_choice, Mapping) else tool_choice
        options = sized(
            "puna_grammar_options", max_whitespace=-1 if max_whitespace == 0 else max_whitespace, watch=watch()
        )
        chosen = sized(
            "puna_tools_grammar_options",
            tool_choice=c_text(choice, "tool_choice"),
            one_call=not parallel_tool_calls,
            json=options,
        )
        out = ffi.new("puna_grammar**")
        check_watched(lib.puna_tools_create_grammar(self._handle, chosen, out))
        if out[0] == ffi.NULL:
            return None
        grammar = Grammar._of("tools", ffi.gc(out[0], lib.puna_grammar_free))
        for note in grammar.notes:
            warnings.warn(note, stacklevel=2)
        return grammar

    def parser(self, early: bool = False, thoughts: bool = False, in_thought: bool = False) -> "ToolParser":
        """Of one answer. `early`: calls are told as soon as their names are known, arguments as they come; what then
        goes wrong ends incomplete. `thoughts`: what the model thinks before it answers is told apart, without its
        marks; `in_thought`: the prompt ended with the first of them (`Chat.in_thought`)."""
        return ToolParser(self, early, thoughts, in_thought)

    def parse(self, answer: str) -> "tuple[str, List[ToolCall]]":
        """What a whole answer says, and the calls in it."""
        parser = self.parser()
        said = [s for events in (parser.push(answer), parser.finish()) for s in events]
        return "".join(s.text for s in said if s.kind == "text"), parser.calls


class ToolParser:
    """Reads an answer as it comes; `calls` are those that are whole. What a model wrote is never an error: what is no
    call of one of the tools is text."""

    def __init__(self, tools: Tools, early: bool = False, thoughts: bool = False, in_thought: bool = False) -> None:
        options = sized("puna_tool_parser_options", early=early, thoughts=2 if in_thought else int(thoughts))
        self._handle = created(
            lib.puna_tool_parser_free,
            lib.puna_tool_parser_create,
            handle_of(tools, "Tools", "tools"),
            options,
            type="puna_tool_parser",
        )
        self.calls: List[ToolCall] = []
        self._name, self._arguments = "", ""

    def push(self, text: str, token: int = -1) -> List[Said]:
        """The next piece. `token`: its id, by which special tokens are known, of which the text has nothing."""
        data = text_bytes(text, "text", "surrogateescape")
        check(lib.puna_tool_parser_push(self._handle, token, data, len(data)))
        return list(self._events())

    def finish(self) -> List[Said]:
        """The answer is over."""
        check(lib.puna_tool_parser_finish(self._handle))
        return list(self._events())

    def _events(self) -> Iterator[Said]:
        event = sized("puna_tool_event")
        while True:
            check(lib.puna_tool_parser_next(self._handle, event))
            if event.kind == lib.PUNA_TOOL_NONE:
                return
            said = Said(
                KINDS[event.kind - lib.PUNA_TOOL_TEXT],
                bytes(ffi.buffer(event.text, event.size)).decode("utf-8", "replace"),
                int(event.call),
                bool(event.complete),
            )
            if said.kind == "call_begin":
                self._name, self._arguments = said.text, ""
            elif said.kind == "arguments":
                self._arguments += said.text
            elif said.kind == "call_end" and said.complete:
                self.calls.append(ToolCall(self._name, self._arguments))
            yield said
