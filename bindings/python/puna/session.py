"""Sessions: one conversation, one thread at a time. Answers are pulled in slices of time, so that Ctrl-C is heard between them."""
from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Callable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .image import Image, handles
from .native import check, created, ffi, float_view, int32_pointer, lib, sized, token_array
from .sampler import Sampling

if TYPE_CHECKING:
    from .adapter import Adapter
    from .model import Model

SLICE_US = 20_000  # between two looks at Python's signals
POOLING = {"mean": 0, "last": 1, "none": 2}
STOP_REASONS = ("max_tokens", "stop_token", "stop_string", "context_full", "callback", "interrupted")


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
        return self._info().length

    def use(self, adapter: "Optional[Adapter]") -> None:
        """From now on the answers are the adapter's, or the bare model's (None). The session must be empty."""
        check(lib.puna_session_use_adapter(self._handle, adapter._handle if adapter is not None else ffi.NULL))

    @property
    def max_positions(self) -> int:
        return self._info().max_positions

    @property
    def kv_bytes(self) -> int:
        """Memory of keys and values now."""
        return self._info().kv_bytes

    @property
    def timings(self) -> Timings:
        t = sized("puna_session_timings")
        check(lib.puna_session_get_timings(self._handle, t))
        return Timings(*(getattr(t, name) for name in Timings._fields))

    @property
    def tokens(self) -> np.ndarray:
        """The tokens held, int32."""
        count = ffi.new("size_t*")
        check(lib.puna_session_tokens(self._handle, ffi.NULL, 0, count))
        ids = np.empty(count[0], np.int32)
        if ids.size:
            check(lib.puna_session_tokens(self._handle, int32_pointer(ids), ids.size, count))
        return ids

    def append(self, tokens: "Sequence[int] | str") -> None:
        """Computes tokens (or a text's) and adds them: all or none."""
        ids = self.model.tokenizer.encode(tokens, add_bos=len(self) == 0) if isinstance(tokens, str) else token_array(tokens)
        finished = ffi.new("int32_t*")
        check(lib.puna_session_begin(self._handle, int32_pointer(ids), ids.size))
        try:
            while not finished[0]:
                check(lib.puna_session_step(self._handle, SLICE_US, finished))
        except BaseException:
            self._drop()
            raise

    def append_images(self, tokens: "Sequence[int] | str", images: "Sequence[Image]", *, reuse: bool = False) -> int:
        """As append, with an image for each <|image|> (or for the <|patch|> ids, when they are there). `reuse`: the whole conversation is given;
        what the session shares with it, images by content, is not computed again. Returns how many positions were computed."""
        ids = self.model.tokenizer.encode(tokens, parse_special=True, add_bos=len(self) == 0) if isinstance(tokens, str) else token_array(tokens)
        list_, before, computed = handles(images), len(self), ffi.new("int64_t*")
        if reuse:
            check(lib.puna_session_append_rest_images(self._handle, int32_pointer(ids), ids.size, list_, len(images), computed))
            return int(computed[0])
        check(lib.puna_session_append_images(self._handle, int32_pointer(ids), ids.size, list_, len(images), ffi.NULL, 0))
        return len(self) - before

    def _drop(self) -> None:
        if self._info().under_way:
            check(lib.puna_session_truncate(self._handle, len(self)))

    def logits(self) -> np.ndarray:
        """The logits [vocabulary] that predict the next token: the library's own memory, read-only, until the next call."""
        data, count = ffi.new("const float**"), ffi.new("size_t*")
        check(lib.puna_session_logits(self._handle, data, count))
        return float_view(data[0], count[0], self._handle)

    def next_token(self) -> int:
        """The most likely next token."""
        return int(self.logits().argmax())

    def append_logits(self, tokens: Sequence[int], out: Optional[np.ndarray] = None) -> np.ndarray:
        """As append; the logits behind every token, [len(tokens), vocabulary] float32, into `out` if given."""
        ids, shape = token_array(tokens), (len(tokens), self._info().vocabulary)
        if out is None:
            out = np.empty(shape, np.float32)
        if out.shape != shape or out.dtype != np.float32 or not out.flags.c_contiguous:
            raise ValueError(f"out is {out.dtype}{out.shape}, expected contiguous float32{shape}")
        check(lib.puna_session_append_logits(self._handle, int32_pointer(ids), ids.size, ffi.from_buffer("float[]", out, require_writable=True), out.size))
        return out

    def embed(self, text: "str | Sequence[int]", *, pooling: str = "mean", normalize: bool = False) -> np.ndarray:
        """As append; the final hidden states, pooled: "mean" or "last" [hidden], "none" [tokens, hidden]."""
        ids = self.model.tokenizer.encode(text, add_bos=len(self) == 0) if isinstance(text, str) else token_array(text)
        hidden = self.model.info.hidden
        out = np.empty((ids.size, hidden) if pooling == "none" else hidden, np.float32)
        options = sized("puna_embed_options", pooling=POOLING[pooling], normalize=normalize)
        check(lib.puna_session_embed(self._handle, int32_pointer(ids), ids.size, options, ffi.from_buffer("float[]", out) if out.size else ffi.NULL, out.size))
        return out

    def score(self, tokens: Sequence[int]) -> np.ndarray:
        """Negative log-likelihoods of tokens 1.. given those before; the session must be empty."""
        ids = token_array(tokens)
        out = np.empty(max(ids.size - 1, 1), np.float32)
        check(lib.puna_session_score(self._handle, int32_pointer(ids), ids.size, ffi.from_buffer("float[]", out), out.size))
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
        data = bytearray(size[0])
        check(lib.puna_session_snapshot(self._handle, ffi.from_buffer(data), len(data), size))
        return bytes(data)

    def cancel(self) -> None:
        """From any thread: the call that is running, or the next one that computes, raises Cancelled."""
        check(lib.puna_session_cancel(self._handle))

    def clear_cancel(self) -> None:
        """Forgets a cancel that no call has heard: for the start of a turn."""
        check(lib.puna_session_clear_cancel(self._handle))

    def generate(self, prompt: "str | Sequence[int]" = "", *, max_tokens: int = 0, sampling: Sampling = Sampling(), stop: Sequence[str] = (),
                 stop_tokens: Sequence[int] = (), ignore_eos: bool = False, keep_special: bool = False, parse_special: bool = False,
                 log_probabilities: int = 0, drop_oldest: bool = False, keep_prefix: int = 0, images: "Sequence[Image]" = ()) -> "Answer":
        """An answer to a prompt (a text, or ids taken literally): an iterator over its pieces of text. `images`: one for each <|image|> of
        the prompt (with parse_special)."""
        pointers: List[Any] = [ffi.new("char[]", s.encode()) for s in stop]
        strings, tokens = ffi.new("const char*[]", pointers), ffi.new("int32_t[]", list(stop_tokens))
        sampler, keep = sampling._to_c()
        options = sized("puna_generate_options", ignore_eos=ignore_eos, max_tokens=max_tokens, sampler=sampler, stop_tokens=tokens,
                        stop_token_count=len(stop_tokens), stop_strings=strings, stop_string_count=len(pointers), keep_special=keep_special,
                        parse_special=parse_special, log_probabilities=log_probabilities, context_policy=int(drop_oldest), keep_prefix=keep_prefix)
        shown = handles(images)
        options.images, options.image_count = shown, len(images)
        if isinstance(prompt, str):
            text = prompt.encode("utf-8", "surrogatepass")
            call, arguments = lib.puna_generation_create, (text, len(text))
        else:
            ids = token_array(prompt)
            call, arguments = lib.puna_generation_create_tokens, (int32_pointer(ids), ids.size)
        earlier = self._answer()
        if earlier is not None:
            earlier.close()  # a session has one answer at a time
        handle = created(lib.puna_generation_free, call, self._handle, *arguments, options, type="puna_generation")
        del keep, pointers  # copied
        answer = Answer(self, handle)
        self._answer = weakref.ref(answer)
        return answer

    def chat(self, messages: Sequence[Mapping[str, Any]], *, date: Optional[str] = None, **options: Any) -> "Answer":
        """The answer to a chat, rendered by the model's template. For an empty session."""
        return self.generate(self.model.render_chat(messages, date=date), parse_special=True, **options)


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
        return self._result().last_token


def append_batch(sessions: Sequence[Session], tokens: Sequence[Sequence[int]]) -> None:
    """One pass over several different sessions of one model; faster than one by one, same bits."""
    if len(sessions) != len(tokens):
        raise ValueError(f"{len(sessions)} sessions, but {len(tokens)} token lists")
    arrays = [token_array(t) for t in tokens]
    handles = ffi.new("puna_session*[]", [s._handle for s in sessions])
    lists = ffi.new("const int32_t*[]", [int32_pointer(a) for a in arrays])
    check(lib.puna_session_append_batch(handles, lists, ffi.new("size_t[]", [a.size for a in arrays]), len(sessions)))
