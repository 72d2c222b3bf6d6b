"""Rendered chats: text that knows what its template did not write, so that what people say never becomes a special
token."""

from __future__ import annotations

import datetime
import json
import warnings
from typing import Any, Iterable, List, Mapping, Optional, Tuple, Union

import numpy as np

from .native import c_text, check, copied_ids, created, ffi, lib, read, sized, watch
from .tools import Tools

Span = Tuple[int, int]
Messages = Iterable[Mapping[str, Any]]


def _merged(spans: Iterable[Span]) -> Tuple[Span, ...]:
    out: List[Span] = []
    for begin, end in spans:
        if begin >= end:
            continue
        if out and out[-1][1] == begin:
            begin = out.pop()[0]
        out.append((begin, end))
    return tuple(out)


class ChatText(str):
    """The prompt text of a chat. `content`: the characters [begin, end) that came from messages, tools and other
    variables. Where special tokens are parsed, those of `content` stay text. Slices, strip() and + keep that; str(text)
    and every other operation give a plain str, all of which is parsed. `dropped`: fields of the chat of which the
    template wrote nothing, "messages[0].content".

    >>> text = ChatText("<a>x<a>", content=[(3, 7)])
    >>> (text[2:] + "<b>").content, type(str(text))
    (((1, 5),), <class 'str'>)
    """

    content: Tuple[Span, ...]
    dropped: Tuple[str, ...]

    def __new__(cls, text: str = "", content: Iterable[Span] = (), dropped: Iterable[str] = ()) -> "ChatText":
        self = super().__new__(cls, text)
        self.content = _merged(content)
        self.dropped = tuple(dropped)
        if any(b < 0 or e > len(text) for b, e in self.content) or list(self.content) != sorted(self.content):
            raise ValueError(f"content {list(self.content)} is not in order within {len(text)} characters")
        return self

    def _with(self, text: str, spans: Iterable[Span]) -> "ChatText":
        return ChatText(text, spans, self.dropped)

    def __add__(self, other: str) -> "ChatText":
        if not isinstance(other, str):
            return NotImplemented
        theirs = other.content if isinstance(other, ChatText) else ()
        return self._with(str(self) + str(other), [*self.content, *((b + len(self), e + len(self)) for b, e in theirs)])

    def __radd__(self, other: str) -> "ChatText":
        if not isinstance(other, str):
            return NotImplemented
        return self._with(str(other) + str(self), ((b + len(other), e + len(other)) for b, e in self.content))

    def _cut(self, begin: int, end: int) -> "ChatText":
        return self._with(
            str(self)[begin:end],
            ((max(b, begin) - begin, min(e, end) - begin) for b, e in self.content if b < end and e > begin),
        )

    def __getitem__(self, key: Any) -> str:
        if not isinstance(key, slice) or key.step not in (None, 1):
            return str(self)[key]
        begin, end, _ = key.indices(len(self))
        return self._cut(begin, max(begin, end))

    def lstrip(self, chars: Optional[str] = None) -> "ChatText":
        return self._cut(len(self) - len(str(self).lstrip(chars)), len(self))

    def rstrip(self, chars: Optional[str] = None) -> "ChatText":
        return self._cut(0, len(str(self).rstrip(chars)))

    def strip(self, chars: Optional[str] = None) -> "ChatText":
        return self.rstrip(chars).lstrip(chars)

    def __getnewargs__(self) -> Any:
        return str(self), self.content, self.dropped


def spans_in_bytes(text: ChatText) -> List[Span]:
    """`content` counted in the bytes of the text's UTF-8."""
    out, done, at = [], 0, 0
    for begin, end in text.content:
        at += len(str(text)[done:begin].encode("utf-8", "surrogatepass"))
        first = at
        at += len(str(text)[begin:end].encode("utf-8", "surrogatepass"))
        out.append((first, at))
        done = end
    return out


def _of_bytes(data: bytes, spans: List[Span], dropped: List[str]) -> ChatText:
    content, done, at = [], 0, 0
    parts: List[str] = []
    for begin, end in [*spans, (len(data), len(data))]:
        written, said = data[done:begin].decode("utf-8", "replace"), data[begin:end].decode("utf-8", "replace")
        parts += [written, said]
        content.append((at + len(written), at + len(written) + len(said)))
        at, done = at + len(written) + len(said), end
    return ChatText("".join(parts), content, dropped)


def _listed(values: Any, what: str) -> List[Any]:
    """A str or a single message is no list of them, though Python can iterate over it."""
    if isinstance(values, (str, bytes, Mapping)):
        raise TypeError(f"{what} is one {type(values).__name__}, expected a list")
    return list(values)


def day_of(date: "Union[str, datetime.date, None]") -> Any:
    """What a chat template is told is today: YYYY-MM-DD; None is today."""
    date = datetime.date.today() if date is None else date
    return c_text(date.strftime("%Y-%m-%d") if isinstance(date, datetime.date) else date, "date")


class Chat:
    """A chat, rendered by the model's template and encoded."""

    def __init__(
        self,
        model: Any,
        messages: Messages,
        tools: Optional[Iterable[Any]] = None,
        date: "Union[str, datetime.date, None]" = None,
        template: Optional[str] = None,
        parse_content: bool = False,
        add_generation_prompt: bool = True,
        variables: Mapping[str, Any] = {},
    ) -> None:
        chat = {
            "messages": _listed(messages, "messages"),
            "add_generation_prompt": add_generation_prompt,
            "tools": None
            if tools is None
            else tools.definitions
            if isinstance(tools, Tools)
            else _listed(tools, "tools"),
            **variables,
        }
        data = json.dumps(chat).encode()
        options = sized(
            "puna_chat_options",
            date=day_of(date),
            template_name=c_text(template, "template"),
            parse_content=parse_content,
            watch=watch(),
        )
        self._model = model
        self._handle = created(
            lib.puna_chat_free, lib.puna_chat_create, model, data, len(data), options, type="puna_chat"
        )
        self._info = read("puna_chat_info", lib.puna_chat_get_info, self._handle)

    @property
    def tokens(self) -> "np.ndarray[Any, Any]":
        check(
            lib.puna_model_get_tokenizer(self._model, ffi.new("const puna_tokenizer**"))
        )  # says so when there is none
        if dropped := self.dropped:
            warnings.warn(f"the model's chat template writes nothing of {', '.join(dropped)}", stacklevel=3)
        return copied_ids(self._info.tokens, self._info.token_count)

    @property
    def dropped(self) -> List[str]:
        """Fields of the chat of which the template writes nothing: "tools", "messages[1].tool_calls"."""
        i = self._info
        return [ffi.string(i.dropped[n]).decode("utf-8", "replace") for n in range(i.dropped_count)]

    @property
    def in_thought(self) -> bool:
        """Whether the prompt ends with a mark behind which the model thinks, as some templates have it."""
        return bool(self._info.in_thought)

    @property
    def text(self) -> ChatText:
        i = self._info
        spans = [(i.content[n].begin, i.content[n].end) for n in range(i.content_count)]
        return _of_bytes(bytes(ffi.buffer(i.text, i.size)), spans, self.dropped)
