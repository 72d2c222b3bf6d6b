"""Sessions: one conversation, one thread at a time. Answers are pulled in slices of time, so that Ctrl-C is heard between them."""
from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, TypeVar

import numpy as np

from .image import Image, handles
from .chat import Messages
from .native import SLICE_US, check, created, ffi, float_view, int32_pointer, lib, on_worker, one_of, sized, texts, token_array
from .sampler import Sampling, SamplingFields, sampling_of

if TYPE_CHECKING:
    import datetime

    from .adapter import Adapter
    from .model import Model

POOLING = {"mean": 0, "last": 1, "none": 2}
STOP_REASONS = ("max_tokens", "stop_token", "stop_string", "context_full", "callback", "interrupted")
T = TypeVar("T")


class Timings(NamedTuple):
    """What a session has computed since it was made."""

    prompt_tokens: int
    decoded_tokens: int
    prompt_seconds: float
    decode_seconds: float


class Token(NamedTuple):
    """A token of an answer: `text` is what it made final (may be empty), `probabilities` the chosen one, then the most likely others."""

    id: int
    text: str
    probabilities: List[Tuple[int, float]]


class Session:
    """One conversation; made by Model.session().

    >>> s = Model(MODEL).session()
    >>> s.append([1, 2, 3, 4])
    >>> len(s), int(s.logits().argmax()) == s.next_token()
    (4, True)
    """

    def __init__(self, model: "Model", handle: Any) -> None:
        self.model = model
        self._handle = handle
        self._answer: "Callable[[], Optional[Answer]]" = lambda: None  # the latest, while somebody holds it

    def _info(self) -> Any:
        info = sized("puna_session_info")
        check(lib.puna_session_get_info(self._handle, info))
        return info

    def __len__(self) -> int:
        return int(self._info().length)

    def use(self, adapter: "Optional[Adapter]") -> None:
        """From now on the answers are the adapter's, or the bare model's (None). The session must be empty."""
        check(lib.puna_session_use_adapter(self._handle, adapter._handle if adapter is not None else ffi.NULL))

    @property
    def max_positions(self) -> int:
        return int(self._info().max_positions)

    @property
    def kv_bytes(self) -> int:
        """Memory of keys and values now."""
        return int(self._info().kv_bytes)

    @property
    def timings(self) -> Timings:
        t = sized("puna_session_timings")
        check(lib.puna_session_get_timings(self._handle, t))
        return Timings(*(getattr(t, name) for name in Timings._fields))

    @property
    def tokens(self) -> "np.ndarray[Any, Any]":
        """The tokens held, int32."""
        count = ffi.new("size_t*")
        check(lib.puna_session_tokens(self._handle, ffi.NULL, 0, count))
        ids = np.empty(count[0], np.int32)
        if ids.size:
            check(lib.puna_session_tokens(self._handle, int32_pointer(ids), ids.size, count))
        return ids

    def _ids(self, tokens: "Iterable[int] | str", parse_special: Optional[bool] = None) -> "np.ndarray[Any, Any]":
        if isinstance(tokens, str):
            return self.model.tokenizer.encode(tokens, parse_special=parse_special, add_bos=len(self) == 0)
        return token_array(tokens)

    def _step_to_the_end(self) -> None:
        """Of an append that was begun. In slices, so that Ctrl-C is heard; then, or when it fails, the session is as before."""
        finished = ffi.new("int32_t*")
        try:
            while not finished[0]:
                check(lib.puna_session_step(self._handle, SLICE_US, finished))
        except BaseException:
            self._drop()
            raise

    def _whole(self, work: Callable[[], T]) -> T:
        """A call that cannot be sliced; Ctrl-C cancels it."""
        try:
            return on_worker(work, self.cancel)
        except KeyboardInterrupt:
            self.clear_cancel()  # it may have come too late to be heard
            raise

    def append(self, tokens: "Iterable[int] | str", *, parse_special: Optional[bool] = None) -> None:
        """Computes tokens (or a text's, see Tokenizer.encode) and adds them: all or none."""
        ids = self._ids(tokens, parse_special)
        check(lib.puna_session_begin(self._handle, int32_pointer(ids), ids.size))
        self._step_to_the_end()

    def append_images(self, tokens: "Iterable[int] | str", images: "Sequence[Image]", *, reuse: bool = False) -> int:
        """As append, with an image for each <|image|> (or for the <|patch|> ids, when they are there). Special tokens of a text are parsed, but for what the
        messages of a rendered chat say. `reuse`: the whole conversation is given; what the session shares with it, images by content, is not computed again.
        Returns how many positions were computed."""
        ids = self._ids(tokens, parse_special=True)
        list_, before, computed = handles(images), len(self), ffi.new("int64_t*")
        if reuse:
            self._whole(lambda: check(lib.puna_session_append_rest_images(self._handle, int32_pointer(ids), ids.size, list_, len(list_), computed)))
            return int(computed[0])
        check(lib.puna_session_begin_images(self._handle, int32_pointer(ids), ids.size, list_, len(list_)))
        self._step_to_the_end()
        return len(self) - before

    def _drop(self) -> None:
        if self._info().under_way:
            check(lib.puna_session_truncate(self._handle, len(self)))

    def logits(self) -> "np.ndarray[Any, Any]":
        """The logits [vocabulary] that predict the next token: the library's own memory, read-only, until the next call."""
        data, count = ffi.new("const float**"), ffi.new("size_t*")
        check(lib.puna_session_logits(self._handle, data, count))
        return float_view(data[0], count[0], self._handle)

    def next_token(self) -> int:
        """The most likely next token."""
        return int(self.logits().argmax())

    def append_logits(self, tokens: "Iterable[int]", out: "Optional[np.ndarray[Any, Any]]" = None) -> "np.ndarray[Any, Any]":
        """As append; the logits behind every token, [len(tokens), vocabulary] float32, into `out` if given."""
        ids = token_array(tokens)
        shape = (ids.size, self._info().vocabulary)
        if out is None:
            out = np.empty(shape, np.float32)
        if out.shape != shape or out.dtype != np.float32 or not out.flags.c_contiguous:
            raise ValueError(f"out is {out.dtype}{out.shape}, expected contiguous float32{shape}")
        into = ffi.from_buffer("float[]", out, require_writable=True)
        self._whole(lambda: check(lib.puna_session_append_logits(self._handle, int32_pointer(ids), ids.size, into, len(into))))
        return out

    def embed(self, text: "str | Iterable[int]", *, pooling: str = "mean", normalize: bool = False) -> "np.ndarray[Any, Any]":
        """As append; the final hidden states, pooled: "mean" or "last" [hidden], "none" [tokens, hidden]."""
        options = sized("puna_embed_options", pooling=one_of(pooling, POOLING, "pooling"), normalize=normalize)
        ids, hidden = self._ids(text), self.model.info.hidden
        out = np.empty((ids.size, hidden) if pooling == "none" else hidden, np.float32)
        into = ffi.from_buffer("float[]", out) if out.size else ffi.NULL
        self._whole(lambda: check(lib.puna_session_embed(self._handle, int32_pointer(ids), ids.size, options, into, out.size)))
        return out

    def score(self, tokens: "Iterable[int]") -> "np.ndarray[Any, Any]":
        """Negative log-likelihoods of tokens 1.. given those before; the session must be empty."""
        ids = token_array(tokens)
        out = np.empty(max(ids.size - 1, 1), np.float32)
        into = ffi.from_buffer("float[]", out)
        self._whole(lambda: check(lib.puna_session_score(self._handle, int32_pointer(ids), ids.size, into, out.size)))
        return out

    def truncate(self, length: int) -> None:
        """Keeps the first `length` tokens."""
        check(lib.puna_session_truncate(self._handle, length))

    def fork(self) -> "Session":
        """An independent copy that shares memory until either goes on."""
        return Session(self.model, created(lib.puna_session_free, lib.puna_session_fork, self._handle, type="puna_session"))

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
        """Forgets a cancel that no call has heard: for the start of a turn."""
        check(lib.puna_session_clear_cancel(self._handle))

    def generate(self, prompt: "str | Iterable[int]" = "", *, max_tokens: int = 0, sampling: "Sampling | SamplingFields" = Sampling(),
                 stop: "str | Sequence[str]" = (), stop_tokens: "Iterable[int]" = (), ignore_eos: bool = False, keep_special: bool = False,
                 parse_special: Optional[bool] = None, log_probabilities: int = 0, drop_oldest: bool = False, keep_prefix: int = 0,
                 images: "Sequence[Image]" = ()) -> "Answer":
        """An answer to a prompt (a text, see Tokenizer.encode, or ids taken literally): an iterator over its pieces of text. `stop`: a text, or several.
        `images`: one for each <|image|> of the prompt (with parse_special)."""
        pointers: List[Any] = [ffi.new("char[]", s) for s in texts(stop, "stop")]
        strings, tokens = ffi.new("const char*[]", pointers), token_array(stop_tokens)
        sampler, keep = sampling_of(sampling)._to_c()
        shown = handles(images)
        options = sized("puna_generate_options", ignore_eos=ignore_eos, max_tokens=max_tokens, sampler=sampler, stop_tokens=int32_pointer(tokens),
                        stop_token_count=tokens.size, stop_strings=strings, stop_string_count=len(pointers), keep_special=keep_special,
                        log_probabilities=log_probabilities, context_policy=bool(drop_oldest), keep_prefix=keep_prefix, images=shown, image_count=len(shown))
        ids = self._ids(prompt, parse_special)
        earlier = self._answer()
        if earlier is not None:
            earlier.close()  # a session has one answer at a time
        handle = created(lib.puna_generation_free, lib.puna_generation_create_tokens, self._handle, int32_pointer(ids), ids.size, options, type="puna_generation")
        del keep, pointers  # copied
        answer = Answer(self, handle)
        self._answer = weakref.ref(answer)
        return answer

    def chat(self, messages: Messages, *, tools: "Optional[Iterable[Any]]" = None, date: "Optional[str | datetime.date]" = None, template: Optional[str] = None,
             **options: Any) -> "Answer":
        """The answer to a chat, rendered by the model's template (Model.render_chat); options are generate's. For an empty session."""
        return self.generate(self.model.render_chat(messages, tools=tools, date=date, template=template), **options)


class Answer:
    """An answer on its way: iterate over its pieces of text, or over tokens(). `text` is what has come so far."""

    def __init__(self, session: Session, handle: Any) -> None:
        self.session = session
        self.text = ""
        self._handle = handle
        self._closed: Any = None  # its result, once it was closed

    def __iter__(self) -> Iterator[str]:
        for token in self.tokens():
            if token.text:
                yield token.text

    def tokens(self) -> Iterator[Token]:
        """The tokens one by one. Interrupted, the session holds what was generated so far."""
        token, state = sized("puna_generated_token"), ffi.new("int32_t*")
        try:
            while self._closed is None:
                check(lib.puna_generation_step(self._handle, SLICE_US, token, state))
                if state[0] == lib.PUNA_GENERATION_ENDED:
                    return
                if state[0] == lib.PUNA_GENERATION_TOKEN:
                    text = bytes(ffi.buffer(token.text, token.size)).decode()
                    self.text += text
                    likely = token.probabilities
                    yield Token(token.id, text, [(likely[i].token, likely[i].log_probability) for i in range(token.probability_count)])
        finally:
            if self._closed is None:
                self.session._drop()

    def close(self) -> None:
        """Ends it early. The session holds what was generated so far, but for the last token; the next answer of the session closes it, too."""
        if self._closed is None:
            self._closed = self._result()
            ffi.release(self._handle)

    def _result(self) -> Any:
        if self._closed is not None:
            return self._closed
        result = sized("puna_generate_result")
        check(lib.puna_generation_get_result(self._handle, result))
        return result

    @property
    def stop_reason(self) -> str:
        """"max_tokens", "stop_token", "stop_string" or "context_full", once it has ended."""
        return STOP_REASONS[self._result().stop_reason]

    @property
    def last_token(self) -> int:
        """The last one drawn, which the session does not hold yet: append it first to go on. -1 = none."""
        return int(self._result().last_token)


def append_batch(sessions: Sequence[Session], tokens: "Sequence[Iterable[int]]") -> None:
    """One pass over several different sessions of one model; faster than one by one, same bits."""
    if len(sessions) != len(tokens):
        raise ValueError(f"{len(sessions)} sessions, but {len(tokens)} token lists")
    arrays = [token_array(t) for t in tokens]
    handles = ffi.new("puna_session*[]", [s._handle for s in sessions])
    lists = ffi.new("const int32_t*[]", [int32_pointer(a) for a in arrays])
    check(lib.puna_session_begin_batch(handles, lists, ffi.new("size_t[]", [a.size for a in arrays]), len(sessions)))
    sessions[0]._step_to_the_end()
