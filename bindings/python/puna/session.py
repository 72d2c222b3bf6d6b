"""Sessions: one conversation, one thread at a time. Answers are pulled in slices of time, so that Ctrl-C takes effect
between them."""

from __future__ import annotations

import weakref
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Iterable,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    TypedDict,
)

import numpy as np

from .chat import Chat, Messages
from .grammar import Grammar, Schema, grammar_of
from .image import Image, handles
from .native import (
    SLICE_US,
    borrowed,
    check,
    copied_ids,
    created,
    described,
    did_you_mean,
    ffi,
    float_view,
    handle_of,
    handle_or_none,
    int32_pointer,
    lib,
    on_worker,
    one_of,
    read,
    sized,
    text_list,
    token_array,
    values_of,
)
from .sampler import Sampling, SamplingFields, sampling_of
from .tools import Said, ToolCall, ToolChoice, ToolParser, Tools

if TYPE_CHECKING:
    import datetime

    from typing_extensions import Unpack

    from .adapter import Adapter
    from .model import Model

POOLING = {"mean": 0, "last": 1, "none": 2}
STOP_REASONS = ("max_tokens", "stop_token", "stop_string", "context_full", "callback", "interrupted", "grammar")


class Timings(NamedTuple):
    """What a session has computed since it was made."""

    prompt_tokens: int
    decoded_tokens: int
    prompt_seconds: float
    decode_seconds: float


class Appended(NamedTuple):
    """What an append did: positions held before that stayed, and those that its tokens took behind them."""

    kept: int
    appended: int


class Drafts(NamedTuple):
    """Tokens that were guessed right and needed no pass of their own, and those that were computed in vain."""

    accepted: int
    rejected: int


class Token(NamedTuple):
    """A token of an answer: `text` is what it made final (may be empty), `probabilities` the chosen one, then the most
    likely others."""

    id: int
    text: str
    probabilities: List[Tuple[int, float]]


class AnswerOptions(TypedDict, total=False):
    """What an answer is like, for sessions and engines alike. Session.generate says what they mean."""

    max_tokens: int
    sampling: "Sampling | SamplingFields"
    stop: "str | Sequence[str]"
    stop_tokens: "Iterable[int]"
    ignore_eos: bool
    keep_special: bool
    log_probabilities: int
    images: "Image | Sequence[Image]"
    lookup: int
    draft_tokens: int
    json_schema: "Optional[Schema]"
    regex: Optional[str]
    choices: "Optional[Iterable[str]]"
    grammar: "Grammar | str | None"
    close_answer: bool


def generate_options(
    answer: AnswerOptions, own: "Optional[Mapping[str, Any]]", **others: Any
) -> "Tuple[Any, Optional[Grammar]]":
    """The library's struct, and the grammar that the answer was given; `others` are more fields of the struct. `own`:
    what the caller takes besides, for words that are near to it."""
    for name in answer:
        if name not in AnswerOptions.__annotations__:
            near = did_you_mean(name, [*AnswerOptions.__annotations__, *(own or ())])
            raise TypeError(f"unexpected keyword argument {name!r}{near}")
    constraint = grammar_of(
        answer.get("json_schema"), answer.get("regex"), answer.get("choices"), answer.get("grammar")
    )
    strings, tokens, shown = (
        text_list(answer.get("stop", ()), "stop"),
        token_array(answer.get("stop_tokens", ())),
        handles(answer.get("images", ())),
    )
    options = sized(
        "puna_generate_options",
        ignore_eos=answer.get("ignore_eos", False),
        max_tokens=answer.get("max_tokens", 0),
        sampler=sampling_of(answer.get("sampling", Sampling()))._to_c(),
        stop_tokens=int32_pointer(tokens),
        stop_token_count=tokens.size,
        stop_strings=strings,
        stop_string_count=len(strings),
        keep_special=answer.get("keep_special", False),
        log_probabilities=answer.get("log_probabilities", 0),
        images=shown,
        image_count=len(shown),
        lookup_tokens=answer.get("lookup", 0),
        draft_tokens=answer.get("draft_tokens", 0),
        grammar=constraint._handle if constraint is not None else None,
        close_answer=answer.get("close_answer", False),
        **others,
    )
    return options, constraint


class Session:
    """One conversation; made by Model.session().

    >>> s = Model(MODEL).session()
    >>> s.append([1, 2, 3, 4])
    Appended(kept=0, appended=4)
    >>> len(s), int(s.logits().argmax()) == s.next_token()
    (4, True)
    """

    def __init__(self, model: "Model", handle: Any) -> None:
        self.model = model
        self._handle = handle
        self._answer: "Callable[[], Optional[Answer]]" = lambda: None  # the latest, while somebody holds it

    def _info(self) -> Any:
        return read("puna_session_info", lib.puna_session_get_info, self._handle)

    def __len__(self) -> int:
        return int(self._info().length)

    def use(self, adapter: "Optional[Adapter]") -> None:
        """From now on the answers are the adapter's, or the bare model's (None). The session must be empty."""
        check(lib.puna_session_use_adapter(self._handle, adapter._handle if adapter is not None else ffi.NULL))

    @property
    def pending(self) -> bool:
        """The last token was generated and is not computed yet: the next append or answer does it, and append([]) does
        nothing else."""
        return bool(self._info().pending)

    @property
    def max_positions(self) -> int:
        return int(self._info().max_positions)

    @property
    def kv_bytes(self) -> int:
        """Memory of keys and values now."""
        return int(self._info().kv_bytes)

    @property
    def timings(self) -> Timings:
        return Timings(*values_of(read("puna_session_timings", lib.puna_session_get_timings, self._handle), Timings))

    @property
    def tokens(self) -> "np.ndarray[Any, Any]":
        """The tokens held, int32."""
        return copied_ids(*borrowed("int32_t", lib.puna_session_get_tokens, self._handle))

    def _ids(
        self, tokens: "Iterable[int] | str", parse_special: Optional[bool] = None, keep_shared: bool = False
    ) -> "np.ndarray[Any, Any]":
        if isinstance(tokens, str):
            return self.model.tokenizer.encode(
                tokens, parse_special=parse_special, add_bos=keep_shared or len(self) == 0
            )
        return token_array(tokens)

    def _in_slices(self, begin: Any, *arguments: Any) -> None:
        """An append from its beginning to its end. Ctrl-C takes effect between the slices; then, or when it fails, the
        session is as before."""
        finished = ffi.new("int32_t*")
        try:
            check(begin(*arguments))
            while not finished[0]:
                check(lib.puna_session_step(self._handle, SLICE_US, finished))
        except BaseException:
            self._drop()
            raise

    def _drop(self) -> None:
        if self._info().under_way:
            check(lib.puna_session_truncate(self._handle, len(self)))

    def _plan(self, ids: "np.ndarray[Any, Any]", options: Any) -> Appended:
        return Appended(
            *values_of(
                read(
                    "puna_append_result",
                    lib.puna_session_plan_append,
                    self._handle,
                    int32_pointer(ids),
                    ids.size,
                    options,
                ),
                Appended,
            )
        )

    def append(
        self,
        tokens: "Iterable[int] | str",
        *,
        parse_special: Optional[bool] = None,
        images: "Image | Sequence[Image]" = (),
        keep_shared: bool = False,
    ) -> Appended:
        """Computes tokens (or a text's, see Tokenizer.encode) and adds them: all or none. `images`: one for each
        <|image|> (with parse_special, in a text), or for the <|patch|> ids, when they are there. `keep_shared`: the
        tokens are all that the session shall hold; what it shares with them, images by content, stays and is not
        computed again, the rest is replaced."""
        return self._append(self._ids(tokens, parse_special, keep_shared), _append_options(images, keep_shared))

    def _append(self, ids: "np.ndarray[Any, Any]", options: Any) -> Appended:
        plan = self._plan(ids, options)
        self._in_slices(lib.puna_session_begin, self._handle, int32_pointer(ids), ids.size, options)
        return plan

    def append_images(
        self, tokens: "Iterable[int] | str", images: "Image | Sequence[Image]", *, reuse: bool = False
    ) -> int:
        """append() with images, special tokens of a text parsed and `reuse` for keep_shared. Returns how many positions
        were computed."""
        return self.append(tokens, parse_special=True, images=images, keep_shared=reuse).appended

    def append_logits(
        self,
        tokens: "Iterable[int]",
        out: "Optional[np.ndarray[Any, Any]]" = None,
        *,
        images: "Image | Sequence[Image]" = (),
        keep_shared: bool = False,
    ) -> "np.ndarray[Any, Any]":
        """As append; the logits behind every position that was appended, [appended, vocabulary] float32, into `out` if
        given."""
        ids, options = token_array(tokens), _append_options(images, keep_shared)
        shape = (self._plan(ids, options).appended, self._info().vocabulary)
        if out is None:
            out = np.empty(shape, np.float32)
        if out.shape != shape or out.dtype != np.float32 or not out.flags.c_contiguous:
            raise ValueError(f"out is {out.dtype}{out.shape}, expected contiguous float32{shape}")
        options.logits, options.logits_capacity = ffi.from_buffer("float[]", out, require_writable=True), out.size
        self._append(ids, options)
        return out

    def embed(
        self,
        tokens: "Iterable[int] | str",
        *,
        pooling: str = "mean",
        normalize: bool = False,
        parse_special: Optional[bool] = None,
        images: "Image | Sequence[Image]" = (),
        keep_shared: bool = False,
    ) -> "np.ndarray[Any, Any]":
        """As append; the final hidden states of what was appended, pooled: "mean" or "last" [hidden], "none" [appended,
        hidden]."""
        options = _append_options(images, keep_shared, pooling=one_of(pooling, POOLING, "pooling"), normalize=normalize)
        ids, hidden = self._ids(tokens, parse_special, keep_shared), self.model.info.hidden
        out = np.empty((self._plan(ids, options).appended, hidden) if pooling == "none" else hidden, np.float32)
        options.embeddings, options.embeddings_capacity = ffi.from_buffer("float[]", out), out.size
        self._append(ids, options)
        return out

    def logits(self) -> "np.ndarray[Any, Any]":
        """The logits [vocabulary] that predict the next token: the library's own memory, read-only, until the next
        call."""
        return float_view(*borrowed("float", lib.puna_session_get_logits, self._handle), self._handle)

    def next_token(self) -> int:
        """The most likely next token."""
        return int(self.logits().argmax())

    def score(self, tokens: "Iterable[int]") -> "np.ndarray[Any, Any]":
        """Negative log-likelihoods of tokens 1.. given those before; the session must be empty."""
        ids = token_array(tokens)
        out = np.empty(max(ids.size - 1, 1), np.float32)
        into = ffi.from_buffer("float[]", out)
        try:
            on_worker(
                lambda: check(lib.puna_session_score(self._handle, int32_pointer(ids), ids.size, into, out.size)),
                self.cancel,
            )
        except KeyboardInterrupt:
            self.clear_cancel()  # it may have come too late to end a call
            raise
        return out

    def truncate(self, length: int) -> None:
        """Keeps the first `length` tokens."""
        check(lib.puna_session_truncate(self._handle, length))

    def fork(self) -> "Session":
        """An independent copy that shares memory until either goes on."""
        return Session(
            self.model, created(lib.puna_session_free, lib.puna_session_fork, self._handle, type="puna_session")
        )

    def snapshot(self) -> bytes:
        """The session as bytes, for Model.restore()."""
        size = ffi.new("size_t*")
        check(lib.puna_session_snapshot(self._handle, ffi.NULL, 0, size))
        copy = self.fork()  # which shares the memory: after Ctrl-C nobody reads this session any more

        def write() -> bytes:
            data = bytearray(size[0])
            check(lib.puna_session_snapshot(copy._handle, ffi.from_buffer(data), len(data), size))
            return bytes(data)

        return on_worker(write, None)

    def cancel(self) -> None:
        """From any thread: the call that is running, or the next one that computes, raises Cancelled."""
        check(lib.puna_session_cancel(self._handle))

    def clear_cancel(self) -> None:
        """Withdraws a cancel that has ended no call yet: for the start of a turn."""
        check(lib.puna_session_clear_cancel(self._handle))

    def generate(
        self,
        prompt: "str | Iterable[int]" = "",
        *,
        parse_special: Optional[bool] = None,
        drop_oldest: bool = False,
        keep_prefix: int = 0,
        keep_shared: bool = False,
        process_logits: "Optional[Callable[[np.ndarray, np.ndarray], Any]]" = None,
        draft: "Optional[Session]" = None,
        **answer: "Unpack[AnswerOptions]",
    ) -> "Answer":
        """An answer to a prompt (a text, see Tokenizer.encode, or ids taken literally): an iterator over its pieces of
        text. The prompt may be empty: then it goes on with what the session holds. The further options are those of
        AnswerOptions, which sessions and engines take. `max_tokens`: 0 = until something else stops it. `stop`: a text,
        or several; `stop_tokens`: besides the model's own, which `ignore_eos` switches off. `keep_special`: special
        tokens appear in the text. `log_probabilities`: of how many tokens at each place, the chosen one first.
        `images`: one for each <|image|> of the prompt (with parse_special). `keep_shared`: as in append(), the prompt
        is all that the session shall hold before the answer. `process_logits(logits, history)` may edit the float32
        logits in place, after the penalties and before the temperature; history is the ids so far. An exception in it
        goes on from the iteration; so does False, as Cancelled. `lookup`, `draft`: speculation, which changes the time
        and never the answer. Up to `lookup` tokens at once are guessed from what stood in prompt or answer before, up
        to `draft_tokens` (0 = ours) by a session of a smaller model with the same vocabulary, which is the answer's
        alone until that has ended. `json_schema` (a dict, a JSON text, a pydantic model's class or a dataclass),
        `regex`, `choices` or `grammar` (a Grammar, or a GBNF text): what the answer may be, one of them at most;
        Answer.parsed is then the value of the JSON. `close_answer`: where max_tokens, or the context, would cut it in
        the middle, its last tokens write the shortest end that it can have."""
        options, constraint = generate_options(
            answer,
            Session.generate.__kwdefaults__,
            context_policy=bool(drop_oldest),
            keep_prefix=keep_prefix,
            keep_shared=keep_shared,
            draft=handle_or_none(draft, "Session", "draft"),
        )
        process = None if process_logits is None else _Processor(process_logits)
        if process is not None:
            options.process_logits = process.callback
        ids = self._ids(prompt, parse_special, keep_shared)
        earlier = self._answer()
        if earlier is not None:
            earlier.close()  # a session has one answer at a time
        handle = created(
            lib.puna_generation_free,
            lib.puna_generation_create_tokens,
            self._handle,
            int32_pointer(ids),
            ids.size,
            options,
            type="puna_generation",
        )
        begun = Answer(self, handle, process, constraint)
        self._answer = weakref.ref(begun)
        return begun

    def chat(
        self,
        messages: Messages,
        *,
        tools: "Optional[Iterable[Any]]" = None,
        tool_choice: "Optional[ToolChoice]" = None,
        parallel_tool_calls: bool = True,
        date: "Optional[str | datetime.date]" = None,
        template: Optional[str] = None,
        **options: Any,
    ) -> "Answer":
        """The answer to a chat, rendered by the model's template (Model.render_chat); options are generate's. A
        conversation is all its messages each time: of earlier turns, what the session holds already is not computed
        again, and what it holds besides is replaced.

        `tools`: what the model may call, a list in OpenAI's form or puna.Tools. Calls in the answer are no text then,
        but in the answer's tool_calls. `tool_choice`: by a grammar calls are well formed and their arguments of the
        tools' parameters (Tools.grammar). "auto": text and calls; "required": calls alone; {"type": "function",
        "function": {"name": "f"}} or "f": of this tool; "none": what the model says is all text. None = calls are read
        and not constrained. `parallel_tool_calls` False: one call at most, where a tool_choice says so."""
        known = tools if tools is None or isinstance(tools, Tools) else Tools(tools, self.model)
        if tool_choice is not None:
            if known is None:
                raise TypeError("tool_choice without tools")
            constraint = known.grammar(tool_choice, parallel_tool_calls=parallel_tool_calls)
            if constraint is not None and options.get("grammar") is not None:
                raise TypeError("tool_choice and grammar are given, expected one of them")
            if constraint is not None:
                options["grammar"] = constraint
        answer = self.generate(
            Chat(self.model._handle, messages, known, date, template).tokens, keep_shared=True, **options
        )
        if known is not None and tool_choice != "none":
            answer._parser = known.parser()
        return answer


class Answer:
    """An answer on its way: iterate over its pieces of text, or over tokens(). `text` is what has come so far, and
    `tool_calls` the calls of the tools that the chat was given."""

    def __init__(
        self, session: Session, handle: Any, process: "Optional[_Processor]" = None, grammar: Optional[Grammar] = None
    ) -> None:
        self.session = session
        self.grammar = grammar
        self.text = ""
        self._handle = handle
        self._process = process  # the library has a pointer to it
        self._closed: Any = None  # its result, once it was closed
        self._parser: Optional[ToolParser] = None

    def __iter__(self) -> Iterator[str]:
        told = len(self.text)
        for _ in self.tokens():
            if len(self.text) > told:
                yield self.text[told:]
                told = len(self.text)
        if len(self.text) > told:  # what might have become a call
            yield self.text[told:]

    @property
    def tool_calls(self) -> List[ToolCall]:
        return list(self._parser.calls) if self._parser else []

    def _said(self, events: "Iterable[Said]") -> None:
        self.text += "".join(said.text for said in events if said.kind == "text")

    def tokens(self) -> Iterator[Token]:
        """The tokens one by one. Interrupted, the session holds what was generated so far."""
        token, state = sized("puna_generated_token"), ffi.new("int32_t*")
        try:
            while self._closed is None:
                status = lib.puna_generation_step(self._handle, SLICE_US, token, state)
                if status and self._process is not None and self._process.raised:
                    raise self._process.raised.pop()
                check(status)
                if state[0] == lib.PUNA_GENERATION_ENDED:
                    if self._parser:
                        self._said(self._parser.finish())
                    return
                if state[0] == lib.PUNA_GENERATION_TOKEN:
                    text = bytes(ffi.buffer(token.text, token.size)).decode()
                    if self._parser:
                        self._said(self._parser.push(text, token.id))
                    else:
                        self.text += text
                    likely = token.probabilities
                    yield Token(
                        token.id,
                        text,
                        [(likely[i].token, likely[i].log_probability) for i in range(token.probability_count)],
                    )
        finally:
            if self._closed is None:
                self.session._drop()

    def close(self) -> None:
        """Ends it early. The session holds what was generated so far; the next answer of the session closes it, too."""
        if self._closed is None:
            self._closed = self._result()
            ffi.release(self._handle)
            if self._parser:
                self._said(self._parser.finish())

    def _result(self) -> Any:
        if self._closed is not None:
            return self._closed
        return read("puna_generate_result", lib.puna_generation_get_result, self._handle)

    @property
    def stop_reason(self) -> str:
        """ "max_tokens", "stop_token", "stop_string", "context_full" or "grammar" (whole, and nothing may follow), once
        it has ended."""
        return STOP_REASONS[self._result().stop_reason]

    @property
    def prompt_tokens(self) -> int:
        """Positions of the prompt that had to be computed; 0 while they are not."""
        return int(self._result().prompt_tokens)

    @property
    def incomplete(self) -> bool:
        """So far the answer is in the middle of what its grammar asks for; ended so, it was cut (by max_tokens, a stop
        string, ...)."""
        return bool(self._result().incomplete)

    @property
    def parsed(self) -> Any:
        """The value of an answer by a JSON grammar: what json.loads() gives, or the instance of the class that was its
        schema. The rest of the answer is computed first. ValueError when it was cut, or no JSON was asked for."""
        if self.grammar is None or self.grammar._parse is None:
            raise ValueError("the answer was not asked to be JSON: json_schema= does")
        for _ in self:
            pass
        if self.incomplete:
            raise ValueError(f"the answer is incomplete ({self.stop_reason}): {self.text!r:.200}")
        return self.grammar.parse(self.text)

    @property
    def drafts(self) -> Drafts:
        """What became of the guesses so far."""
        return Drafts(int(self._result().accepted_drafts), int(self._result().rejected_drafts))

    @property
    def generated_tokens(self) -> int:
        """Tokens so far, the one that stopped the answer included."""
        return int(self._result().generated_tokens)

    @property
    def prompt_seconds(self) -> float:
        """What the prompt took."""
        return float(self._result().prompt_seconds)

    @property
    def generate_seconds(self) -> float:
        """What the tokens took."""
        return float(self._result().generate_seconds)


class _Processor:
    """A Python function behind process_logits: what it raises is kept for whoever steps the answer."""

    def __init__(self, function: "Callable[[np.ndarray, np.ndarray], Any]") -> None:
        self.raised: List[BaseException] = []

        def keep(_type: Any, value: BaseException, _traceback: Any) -> None:
            self.raised.append(value)

        @ffi.callback("int32_t(void*, float*, uint64_t, const int32_t*, uint64_t)", error=1, onerror=keep)  # type: ignore[untyped-decorator,unused-ignore]
        def call(_user: Any, logits: Any, vocabulary: int, history: Any, count: int) -> int:
            editable = np.frombuffer(ffi.buffer(logits, 4 * vocabulary), np.float32)
            return int(function(editable, copied_ids(history, count)) is False)

        self.callback = call


def _append_options(images: "Image | Sequence[Image]", keep_shared: bool, **more: Any) -> Any:
    shown = handles(images)
    return sized("puna_append_options", keep_shared=keep_shared, images=shown, image_count=len(shown), **more)


def append_batch(sessions: Sequence[Session], tokens: "Sequence[Iterable[int]]") -> None:
    """One pass over several different sessions of one model; faster than one by one, same bits."""
    for given, what in ((sessions, "sessions"), (tokens, "tokens")):
        if not isinstance(given, (list, tuple)):
            raise TypeError(f"{what} is {described(given)}, expected a list")
    if len(sessions) != len(tokens):
        raise ValueError(f"{len(sessions)} sessions, but {len(tokens)} token lists")
    arrays = [token_array(t) for t in tokens]
    handles = ffi.new("puna_session*[]", [handle_of(s, "Session", "sessions") for s in sessions])
    lists = ffi.new("const int32_t*[]", [int32_pointer(a) for a in arrays])
    sessions[0]._in_slices(
        lib.puna_session_begin_batch, handles, lists, ffi.new("size_t[]", [a.size for a in arrays]), len(sessions)
    )
