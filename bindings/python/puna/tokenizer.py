"""Text to token ids and back."""

from __future__ import annotations

import os
from typing import Any, Iterable, NamedTuple, Optional

import numpy as np

from .chat import ChatText, spans_in_bytes
from .native import (
    c_path,
    check,
    created,
    ffi,
    ids_of,
    int32_pointer,
    lib,
    on_worker,
    read,
    sized,
    text_bytes,
    text_of,
    token_array,
    watch,
)


class TokenInfo(NamedTuple):
    """One entry of the vocabulary."""

    bytes: bytes
    is_special: bool
    is_stop: bool


class Tokenizer:
    """A model's tokenizer, or one opened by itself: a GGUF file, a Hugging Face folder, a tokenizer.json or a
    tokenizer.model.

    >>> t = Tokenizer(MODEL)
    >>> t.decode(t.encode("two words"))
    'two words'
    """

    def __init__(self, path: "str | os.PathLike[str]") -> None:
        where = c_path(path)
        self._handle = on_worker(
            lambda: created(lib.puna_tokenizer_free, lib.puna_tokenizer_open, where, type="puna_tokenizer"), None
        )

    @classmethod
    def _of_model(cls, model: Any) -> "Tokenizer":
        self, out = cls.__new__(cls), ffi.new("const puna_tokenizer**")
        check(lib.puna_model_get_tokenizer(model, out))
        self._handle = ffi.gc(out[0], lambda _, keep=model: None)  # the model's own
        return self

    def _info(self) -> Any:
        return read("puna_tokenizer_info", lib.puna_tokenizer_get_info, self._handle)

    def __len__(self) -> int:
        return int(self._info().size)

    @property
    def bos(self) -> int:
        """The beginning-of-text token, -1 when there is none."""
        return int(self._info().bos)

    @property
    def eos(self) -> int:
        """The end-of-text token, -1 when there is none."""
        return int(self._info().eos)

    def encode(
        self, text: "str | bytes", *, parse_special: Optional[bool] = None, add_bos: bool = False
    ) -> "np.ndarray[Any, Any]":
        """The ids of a text, int32. `parse_special`: "<|eot|>" is the special token; else it is ordinary text, which is
        the default for all but a rendered chat (ChatText). In that, what the messages say is ordinary text in any case;
        str(chat) forgets which part that is."""
        if not isinstance(text, (str, bytes)):
            raise TypeError(f"the text is a {type(text).__name__}, expected a str or bytes")
        special = isinstance(text, ChatText) if parse_special is None else parse_special
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        content = ffi.new("puna_text_span[]", spans_in_bytes(text) if special and isinstance(text, ChatText) else [])
        options = sized(
            "puna_encode_options",
            parse_special=special,
            add_bos=add_bos,
            content=content,
            content_count=len(content),
            watch=watch(),
        )
        return ids_of(lib.puna_tokenizer_encode, self._handle, data, len(data), options)

    def decode_bytes(self, tokens: Iterable[int], *, keep_special: bool = False) -> bytes:
        """The bytes of all tokens joined."""
        ids = token_array(tokens)
        return text_of(lib.puna_tokenizer_decode, self._handle, int32_pointer(ids), ids.size, keep_special)

    def decode(self, tokens: Iterable[int], *, keep_special: bool = False) -> str:
        """The same as text; what is no UTF-8 becomes U+FFFD."""
        return self.decode_bytes(tokens, keep_special=keep_special).decode("utf-8", "replace")

    def find(self, piece: "str | bytes") -> int:
        """The id of a special token or a piece, -1 when there is none."""
        data, token = text_bytes(piece, "piece"), ffi.new("int32_t*")
        check(lib.puna_tokenizer_find_token(self._handle, data, len(data), token))
        return int(token[0])

    def __getitem__(self, token: int) -> TokenInfo:
        info = read("puna_token_info", lib.puna_tokenizer_get_token_info, self._handle, token)
        return TokenInfo(bytes(ffi.buffer(info.bytes, info.size)), bool(info.is_special), bool(info.is_stop))
