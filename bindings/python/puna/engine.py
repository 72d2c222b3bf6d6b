"""Engines: many answers at once on one model. Any thread may submit, read and cancel; asyncio has `async for`."""

from __future__ import annotations

import asyncio
import atexit
import threading
import weakref
from typing import (
    TYPE_CHECKING,
    Any,
    AsyncIterator,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Union,
)

import numpy as np

from .adapter import Adapter
from .chat import Chat, Messages
from .errors import BY_STATUS, Error
from .grammar import Grammar
from .model import Model
from .native import (
    c_string,
    check,
    created,
    ffi,
    handle_of,
    handle_or_none,
    int32_pointer,
    lib,
    one_of,
    read,
    sized,
    token_array,
    values_of,
)
from .session import POOLING, STOP_REASONS, AnswerOptions, generate_options

if TYPE_CHECKING:
    from typing_extensions import Unpack

Adapters = Union[None, Adapter, Sequence[Union[Adapter, Tuple[Adapter, float]]]]
WAIT_US = 50_000  # between two looks at Python's signals, while a request has no news


class EngineToken(NamedTuple):
    """A token of one of a request's answers."""

    answer: int
    id: int
    text: str
    probabilities: List[Tuple[int, float]]


class Reply(NamedTuple):
    """One of a request's answers, once it has ended."""

    text: str
    tokens: "np.ndarray[Any, Any]"
    stop_reason: str
    mean_log_probability: float
    accepted_drafts: int
    rejected_drafts: int
    incomplete: bool


class RequestInfo(NamedTuple):
    """What became of a request so far; times in seconds from its submission on."""

    ended: bool
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    queued_seconds: float
    first_token_seconds: float
    total_seconds: float
    pauses: int


class EngineInfo(NamedTuple):
    """What an engine does now, and has done."""

    queued: int
    running: int
    paused: int
    stalled: int
    submitted: int
    finished: int
    cancelled: int
    timed_out: int
    failed: int
    refused: int
    passes: int
    decode_rows: int
    prompt_rows: int
    generated_tokens: int
    pauses: int
    pass_seconds: float
    cache_lookups: int
    cache_hits: int
    cache_hit_tokens: int
    cache_evictions: int
    cache_bytes: int
    cache_pages: int
    retry_after_us: int


class _Handle:
    """What the two kinds of requests have in common."""

    _handle: Any

    def cancel(self) -> None:
        """From any thread; it ends, and no other does."""
        check(lib.puna_request_cancel(self._handle))

    @property
    def info(self) -> RequestInfo:
        i = read("puna_request_info", lib.puna_request_get_info, self._handle)
        return RequestInfo(bool(i.ended), *values_of(i, RequestInfo)[1:])

    @property
    def answers(self) -> List[Reply]:
        """All of its answers, once it has ended; with best_of and beams the best first."""
        count = read("puna_request_info", lib.puna_request_get_info, self._handle).answer_count
        replies = []
        for i in range(count):
            a = read("puna_answer", lib.puna_request_get_answer, self._handle, i)
            tokens = np.empty(a.token_count, np.int32)
            ffi.memmove(tokens, a.tokens, tokens.nbytes)
            replies.append(
                Reply(
                    bytes(ffi.buffer(a.text, a.size)).decode(),
                    tokens,
                    STOP_REASONS[a.stop_reason],
                    a.mean_log_probability,
                    a.accepted_drafts,
                    a.rejected_drafts,
                    bool(a.incomplete),
                )
            )
        return replies

    def prompt_probabilities(self, position: int) -> List[Tuple[int, float]]:
        """(id, log-probability) of the prompt's token at `position`, 1 or more: its own, then the most likely others.
        There once the prompt has been read, which is before the first token."""
        likely, count = ffi.new("const puna_token_probability**"), ffi.new("size_t*")
        check(lib.puna_request_get_prompt_probabilities(self._handle, position, likely, count))
        return [(likely[0][i].token, likely[0][i].log_probability) for i in range(count[0])]

    @property
    def embedding(self) -> "np.ndarray[Any, Any]":
        """What `embed` asked for: [hidden], or with "none" the tokens' one after the other. There likewise."""
        values, count = ffi.new("const float**"), ffi.new("size_t*")
        check(lib.puna_request_get_embedding(self._handle, values, count))
        out = np.empty(count[0], np.float32)
        ffi.memmove(out, values[0], out.nbytes)
        return out


def _token_of(event: Any) -> EngineToken:
    likely = event.probabilities
    return EngineToken(
        event.answer,
        event.id,
        bytes(ffi.buffer(event.text, event.size)).decode(),
        [(likely[i].token, likely[i].log_probability) for i in range(event.probability_count)],
    )


def _failure_of(event: Any) -> Optional[Error]:
    if event.status == 0:
        return None
    return BY_STATUS.get(event.status, Error)(bytes(ffi.string(event.message)).decode("utf-8", "replace"))


class Request(_Handle):
    """Answers on their way: iterate over the pieces of text (of the first answer), or over tokens(); result() waits for
    the end. A request that nobody holds any more is cancelled. One that failed or was cancelled raises."""

    def __init__(self, engine: "Engine", handle: Any, grammar: Optional[Grammar]) -> None:
        self._engine, self._handle, self._grammar = engine, handle, grammar
        self._failure: Optional[Error] = None
        self._ended = False

    def tokens(self) -> Iterator[EngineToken]:
        event = sized("puna_event")
        while not self._ended:
            check(lib.puna_request_next(self._handle, WAIT_US, event))
            if event.kind == lib.PUNA_EVENT_TOKEN:
                yield _token_of(event)
            elif event.kind == lib.PUNA_EVENT_ENDED:
                self._ended, self._failure = True, _failure_of(event)
        if self._failure is not None:
            raise self._failure

    def __iter__(self) -> Iterator[str]:
        for token in self.tokens():
            if token.answer == 0 and token.text:
                yield token.text

    def result(self) -> Reply:
        """The first answer, when all have ended."""
        for _ in self.tokens():
            pass
        return self.answers[0]


class AsyncRequest(_Handle):
    """The same for asyncio: `async for` gives the pieces of text of the first answer, tokens() all tokens, `await
    request.result()` the first answer. Leaving the loop early cancels the request."""

    def __init__(self, engine: "Engine", loop: "asyncio.AbstractEventLoop", grammar: Optional[Grammar]) -> None:
        self._engine, self._grammar, self._loop = engine, grammar, loop
        self._news: "asyncio.Queue[Any]" = asyncio.Queue()
        self._ended = False
        self._failure: Optional[Error] = None
        self._me = ffi.new_handle(self)

    def _tell(self, item: Any) -> None:
        """On the engine's thread."""
        try:
            self._loop.call_soon_threadsafe(self._news.put_nowait, item)
        except RuntimeError:  # the loop is closed: nobody listens
            pass

    async def tokens(self) -> AsyncIterator[EngineToken]:
        try:
            while not self._ended:
                item = await self._news.get()
                if isinstance(item, EngineToken):
                    yield item
                else:
                    self._ended, self._failure = True, item[0]
        finally:
            if not self._ended:
                self.cancel()
        if self._failure is not None:
            raise self._failure

    async def __aiter__(self) -> AsyncIterator[str]:
        async for token in self.tokens():
            if token.answer == 0 and token.text:
                yield token.text

    async def result(self) -> Reply:
        async for _ in self.tokens():
            pass
        return self.answers[0]


@ffi.callback("int32_t(void*, const puna_event*)", error=1)  # type: ignore[untyped-decorator,unused-ignore]
def _on_event(user: Any, event: Any) -> int:
    request = ffi.from_handle(user)
    if event.kind == lib.PUNA_EVENT_TOKEN:
        request._tell(_token_of(event))
    elif event.kind == lib.PUNA_EVENT_ENDED:
        request._tell((_failure_of(event),))
        request._engine._listening.pop(id(request), None)
    return 0


_open: "weakref.WeakSet[Engine]" = weakref.WeakSet()


class Engine:
    """Answers many requests together, on a thread of its own. Each gets the tokens that it would get alone; prompts
    that begin alike are read once. `with Engine(model) as engine:` closes it; what has not ended then is cancelled.

    >>> with Engine(Model(MODEL)) as engine:
    ...     requests = [engine.submit("Once", max_tokens=3, sampling={"temperature": 1, "seed": i}) for i in range(4)]
    ...     [len(r.result().tokens) for r in requests]
    [3, 3, 3, 3]
    """

    def __init__(
        self,
        model: Model,
        *,
        exact: bool = False,
        kv_type: str = "",
        max_running: int = 0,
        max_queued: int = 0,
        max_positions: int = 0,
        prompt_rows: int = 0,
        prompt_share: float = 0.0,
        cache_bytes: Optional[int] = None,
        draft: Optional[Model] = None,
    ) -> None:
        """`cache_bytes`: of prefixes that are kept, inside the context's memory limit; None = ours, 0 = none. `draft`:
        a smaller model with the same vocabulary, for requests with draft_tokens. See puna_engine_options."""
        options = sized(
            "puna_engine_options",
            exact=exact,
            kv_type=one_of(
                kv_type, {"": lib.PUNA_KV_DEFAULT, "f16": lib.PUNA_KV_F16, "q8_0": lib.PUNA_KV_Q8_0}, "kv_type"
            ),
            max_running=max_running,
            max_queued=max_queued,
            max_positions=max_positions,
            prompt_rows=prompt_rows,
            prompt_share=prompt_share,
            cache_bytes=0 if cache_bytes is None else cache_bytes or 2**64 - 1,
            draft=handle_or_none(draft, "Model", "draft"),
        )
        self.model = model
        self._listening: Dict[int, AsyncRequest] = {}  # the library has pointers to them
        self._lock = threading.Lock()
        self._handle = created(
            lib.puna_engine_free,
            lib.puna_engine_create,
            handle_of(model, "Model", "model"),
            options,
            type="puna_engine",
        )
        check(lib.puna_engine_start(self._handle))
        _open.add(self)

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Cancels what has not ended. Requests can still be read; nothing can be submitted."""
        with self._lock:
            handle, self._handle = self._handle, None
        if handle is not None:
            ffi.release(handle)

    def _begin(
        self,
        prompt: "str | Iterable[int]",
        loop: "Optional[asyncio.AbstractEventLoop]",
        messages: Optional[Messages],
        tools: "Optional[Iterable[Any]]",
        *,
        parse_special: Optional[bool] = None,
        adapters: Adapters = None,
        n: int = 1,
        best_of: int = 0,
        beams: int = 0,
        length_penalty: float = 0.0,
        priority: int = 0,
        deadline: float = 0.0,
        key: str = "",
        salt: str = "",
        cache: bool = True,
        max_events: int = 0,
        prompt_log_probabilities: int = 0,
        embed: str = "",
        normalize: bool = False,
        prompt_only: bool = False,
        **answer: "Unpack[AnswerOptions]",
    ) -> Any:
        if self._handle is None:
            raise ValueError("the engine is closed")
        generate, constraint = generate_options(answer, Engine._begin.__kwdefaults__)
        mixed = [adapters] if isinstance(adapters, Adapter) else list(adapters or ())
        shares = [(a, 1.0) if isinstance(a, Adapter) else a for a in mixed]
        if messages is not None:
            ids = Chat(self.model._handle, messages, tools, None, None).tokens
        elif isinstance(prompt, str):
            ids = self.model.tokenizer.encode(prompt, parse_special=parse_special, add_bos=True)
        else:
            ids = token_array(prompt)
        request = None if loop is None else AsyncRequest(self, loop, constraint)
        options = sized(
            "puna_request_options",
            generate=generate,
            adapters=ffi.new("const puna_adapter*[]", [handle_of(a, "Adapter", "adapters") for a, _ in shares]),
            weights=ffi.new("float[]", [w for _, w in shares]),
            adapter_count=len(shares),
            priority=priority,
            deadline_us=int(deadline * 1e6),
            key=ffi.new("char[]", c_string(key, "key")),
            salt=ffi.new("char[]", c_string(salt, "salt")),
            no_cache=not cache,
            n=n,
            best_of=best_of,
            beams=beams,
            length_penalty=length_penalty,
            max_events=max_events,
            on_event=_on_event if request is not None else None,
            user=request._me if request is not None else None,
            prompt_log_probabilities=prompt_log_probabilities,
            embed=bool(embed),
            pooling=one_of(embed, POOLING, "embed") if embed else 0,
            normalize=normalize,
            prompt_only=prompt_only,
        )
        if request is not None:
            self._listening[id(request)] = request
        try:
            handle = created(
                lib.puna_request_free,
                lib.puna_engine_submit_tokens,
                self._handle,
                int32_pointer(ids),
                ids.size,
                options,
                type="puna_request",
            )
        except BaseException:
            if request is not None:
                self._listening.pop(id(request), None)
            raise
        if request is None:
            return Request(self, handle, constraint)
        request._handle = handle
        return request

    def submit(self, prompt: "str | Iterable[int]", **options: Any) -> Request:
        """A request for a prompt (a text, or ids taken literally). Options are those that Session.generate shares with
        it (AnswerOptions), `parse_special`, and `adapters` (one, or several with weights), `n`, `best_of`, `beams` and
        `length_penalty` (beam search, whose `n` best are the answers), `priority`, `deadline` (seconds), `key` (whom
        the work is for), `salt`, `cache`, `max_events`; `prompt_log_probabilities` (of the prompt's own tokens, so many
        each), `embed` ("mean", "last" or "none", how hidden states are pooled) with `normalize`, and `prompt_only`,
        which generates nothing. Raises Busy when too many wait."""
        request: Request = self._begin(prompt, None, None, None, **options)
        return request

    def submit_chat(self, messages: Messages, *, tools: "Optional[Iterable[Any]]" = None, **options: Any) -> Request:
        """The same for a chat, rendered by the model's template."""
        request: Request = self._begin((), None, messages, tools, **options)
        return request

    def stream(self, prompt: "str | Iterable[int]", **options: Any) -> AsyncRequest:
        """submit() for asyncio, from a coroutine."""
        request: AsyncRequest = self._begin(prompt, asyncio.get_running_loop(), None, None, **options)
        return request

    def stream_chat(
        self, messages: Messages, *, tools: "Optional[Iterable[Any]]" = None, **options: Any
    ) -> AsyncRequest:
        """submit_chat() for asyncio, from a coroutine."""
        request: AsyncRequest = self._begin((), asyncio.get_running_loop(), messages, tools, **options)
        return request

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(*values_of(read("puna_engine_info", lib.puna_engine_get_info, self._handle), EngineInfo))

    def clear_cache(self) -> None:
        check(lib.puna_engine_clear_cache(self._handle))

    def save_cache(self) -> bytes:
        """The prefixes that were read without adapters: for restore_cache() of an engine of the same model and mode."""
        buffer = created(lib.puna_buffer_free, lib.puna_buffer_create, type="puna_buffer")
        check(lib.puna_engine_save_cache(self._handle, buffer))
        return bytes(ffi.buffer(lib.puna_buffer_data(buffer), lib.puna_buffer_size(buffer)))

    def restore_cache(self, saved: "bytes | bytearray | memoryview") -> None:
        data = ffi.from_buffer(saved)
        check(lib.puna_engine_restore_cache(self._handle, data, len(data)))


@atexit.register
def _close_all() -> None:
    """While Python can still run what the engines' threads call."""
    for engine in list(_open):
        engine.close()
