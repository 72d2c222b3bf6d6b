"""Models: immutable, shared by sessions and threads."""

from __future__ import annotations

import datetime
import json
import os
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from . import evaluation
from . import image as images
from .adapter import Adapter, FinetuneReport, finetune
from .chat import Chat, ChatText, Messages
from .context import Context
from .evaluation import Scores
from .image import Image
from .native import (
    c_path,
    c_text,
    check,
    created,
    ffi,
    handle_or_none,
    lib,
    on_worker,
    one_of,
    read,
    sized,
    text_of,
    values_of,
)
from .session import Session
from .tokenizer import Tokenizer


class ModelInfo(NamedTuple):
    """The numbers that define a model."""

    architecture: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    parameters: int
    file_bytes: int
    max_positions: int
    attention_chunk: int
    experts: int
    experts_used: int
    has_tokenizer: bool
    has_chat_template: bool
    load_seconds: float
    image_tile: int
    image_tile_rows: int


class Tensor(NamedTuple):
    """A tensor of the model's file."""

    name: str
    dtype: str
    shape: Tuple[int, ...]
    bytes: int


class Plan(NamedTuple):
    """Memory in bytes before it is taken; see puna_plan in puna.h."""

    sessions: int
    positions: int
    mapped_bytes: int
    weight_bytes: int
    load_peak_bytes: int
    kv_bytes: int
    scratch_bytes: int
    logits_bytes: int
    total_bytes: int


def _kv_type(name: str) -> int:
    return one_of(name, {"": lib.PUNA_KV_DEFAULT, "f16": lib.PUNA_KV_F16, "q8_0": lib.PUNA_KV_Q8_0}, "kv_type")


def _optional_path(path: "str | os.PathLike[str] | None") -> Any:
    return None if path is None else c_text(os.fsencode(path), "the path")


def _plan(
    call: Any, what: Any, positions: int, sessions: int, exact: bool, prefill_chunk: int, kv_type: str, **more: Any
) -> Plan:
    options = sized(
        "puna_plan_options",
        positions=positions,
        sessions=sessions,
        exact=exact,
        prefill_chunk=prefill_chunk,
        kv_type=_kv_type(kv_type),
        **more,
    )
    return Plan(*values_of(read("puna_plan", call, what, options), Plan))


def plan(
    path: "str | os.PathLike[str]",
    *,
    positions: int = 0,
    sessions: int = 1,
    exact: bool = False,
    prefill_chunk: int = 0,
    kv_type: str = "",
    packed: "str | os.PathLike[str] | None" = None,
    mmproj: "str | os.PathLike[str] | None" = None,
    vision: bool = True,
) -> Plan:
    """What a model and its sessions will take. Reads the file's header only. `packed`, `mmproj`, `vision`: as in Model.

    >>> p = plan(MODEL, positions=100)
    >>> p.total_bytes == p.weight_bytes + p.kv_bytes + p.scratch_bytes + p.logits_bytes
    True
    """
    return _plan(
        lib.puna_model_plan,
        c_path(path),
        positions,
        sessions,
        exact,
        prefill_chunk,
        kv_type,
        packed_path=_optional_path(packed),
        projector_path=_optional_path(mmproj),
        no_vision=not vision,
    )


class Model:
    """A GGUF file or a Hugging Face folder.

    `progress(done, total)` is called with bytes while it loads; an exception in it, KeyboardInterrupt too, ends the
    load. `packed`: a file for the packed weights, made when it is missing or stale, then mapped: the next start takes
    milliseconds. `verify_packed`: read all of it and compare hashes, not its structure only.
    `mmproj`: a GGUF with the vision encoder of a text model's GGUF. `vision=False` leaves the model's own out.
    `image_cache_bytes`: for encoded images, found again by content; 0 = 256 MB, at most an eighth of the memory limit;
    1 = none.

    >>> model = Model(MODEL)
    >>> model.info.architecture, model.info.layers > 0
    ('llama4', True)
    """

    _data: Any  # what from_bytes() was given

    def __init__(
        self,
        path: "str | os.PathLike[str]",
        *,
        context: Optional[Context] = None,
        progress: Optional[Callable[[int, int], Any]] = None,
        packed: "str | os.PathLike[str] | None" = None,
        verify_packed: bool = False,
        mmproj: "str | os.PathLike[str] | None" = None,
        vision: bool = True,
        image_cache_bytes: int = 0,
    ) -> None:
        self._open(
            lib.puna_model_open,
            context,
            progress,
            c_path(path),
            packed_path=_optional_path(packed),
            verify_packed=verify_packed,
            projector_path=_optional_path(mmproj),
            no_vision=not vision,
            image_cache_bytes=image_cache_bytes,
        )

    @classmethod
    def from_bytes(
        cls,
        data: "bytes | bytearray | memoryview",
        *,
        context: Optional[Context] = None,
        progress: Optional[Callable[[int, int], Any]] = None,
    ) -> "Model":
        """A GGUF in memory: an mmap or bytes. It is not copied, and kept alive."""
        self = cls.__new__(cls)
        self._data = ffi.from_buffer(data)
        self._open(lib.puna_model_open_memory, context, progress, self._data, len(self._data))
        return self

    def _open(
        self,
        call: Any,
        context: Optional[Context],
        progress: Optional[Callable[[int, int], Any]],
        *where: Any,
        **more: Any,
    ) -> None:
        raised: List[BaseException] = []

        def remember(_kind, error, _trace):  # type: ignore[no-untyped-def]
            raised.append(error)

        @ffi.callback("int32_t(void*, uint64_t, uint64_t)", error=1, onerror=remember)  # type: ignore[untyped-decorator,unused-ignore]
        def report(_user, done, total):  # type: ignore[no-untyped-def]
            if progress is not None:
                progress(done, total)
            return 0

        options = sized("puna_model_options", progress=report, **more)
        self._context = context  # its log callback is called as long as the model lives
        try:
            self._handle = created(
                lib.puna_model_free,
                call,
                handle_or_none(context, "Context", "context") or ffi.NULL,
                *where,
                options,
                type="puna_model",
            )
        except Exception:
            if raised:
                raise raised[0] from None
            raise

    @property
    def info(self) -> ModelInfo:
        i = self._info()
        return ModelInfo(*values_of(i, ModelInfo))._replace(
            architecture=ffi.string(i.architecture).decode(),
            has_tokenizer=bool(i.has_tokenizer),
            has_chat_template=bool(i.has_chat_template),
        )

    def _info(self) -> Any:
        return read("puna_model_info", lib.puna_model_get_info, self._handle)

    @property
    def metadata(self) -> Dict[str, Any]:
        """The file's keys and values."""
        out, key = {}, ffi.new("const char**")
        for index in range(self._info().metadata_count):
            check(lib.puna_model_get_metadata_key(self._handle, index, key))
            out[ffi.string(key[0]).decode("utf-8", "replace")] = json.loads(
                text_of(lib.puna_model_get_metadata, self._handle, key[0])
            )
        return out

    @property
    def unused(self) -> Dict[str, Any]:
        """What the model's files say and nothing reads: {"tensors": [{"name", "note"}], "keys": [...]}. It changes no
        number."""
        return dict(json.loads(text_of(lib.puna_model_get_unused, self._handle)))

    def plan(
        self, *, positions: int = 0, sessions: int = 1, exact: bool = False, prefill_chunk: int = 0, kv_type: str = ""
    ) -> Plan:
        """What sessions will add to it."""
        return _plan(lib.puna_session_plan, self._handle, positions, sessions, exact, prefill_chunk, kv_type)

    @property
    def tensors(self) -> List[Tensor]:
        """The file's tensors, in its order."""
        out = []
        for index in range(self._info().tensor_count):
            t = read("puna_tensor_info", lib.puna_model_get_tensor_info, self._handle, index)
            out.append(
                Tensor(
                    ffi.string(t.name).decode("utf-8", "replace"),
                    ffi.string(t.dtype).decode(),
                    tuple(t.dims)[: t.rank],
                    t.bytes,
                )
            )
        return out

    @property
    def tokenizer(self) -> Tokenizer:
        return Tokenizer._of_model(self._handle)

    def session(
        self, *, exact: bool = False, max_positions: int = 0, prefill_chunk: int = 0, kv_type: str = ""
    ) -> Session:
        """A new conversation. `exact`: float32 throughout, the slower reference. `kv_type`: "f16", or "q8_0" for half
        the memory of keys and values."""
        options = sized(
            "puna_session_options",
            exact=exact,
            max_positions=max_positions,
            prefill_chunk=prefill_chunk,
            kv_type=_kv_type(kv_type),
        )
        return Session(
            self, created(lib.puna_session_free, lib.puna_session_create, self._handle, options, type="puna_session")
        )

    def score_continuations(
        self,
        requests: "Iterable[Tuple[Iterable[int], Iterable[int]]]",
        *,
        progress: "Optional[Callable[[int, int], Any]]" = None,
        **options: Any,
    ) -> Scores:
        """How likely each continuation is after its context: pairs of token lists, neither empty. What contexts have in
        common is computed once, and the bits are those of each alone. `options`: exact, max_positions, rows, unshared,
        adapter (puna_score_options). `progress(done, total)` may return False to stop.

        >>> Model(MODEL).score_continuations([([1, 2], [3]), ([1, 2], [4, 5])]).log_likelihoods.shape
        (2,)
        """
        return evaluation.score_continuations(self, requests, progress=progress, **options)

    def image(self, picture: Any) -> Image:
        """A picture for this model: a uint8 array [height, width, 3], a Pillow image, a path, or a file's bytes (PNG,
        JPEG, WebP, BMP).

        >>> import numpy as np
        >>> Model(MODEL).image(np.zeros((60, 190, 3), np.uint8)).info.tiles
        9
        """
        return images.make(self, picture)

    def image_from_pixels(self, pixels: Any, rows: int = 1, columns: int = 1) -> Image:
        """From prepared pixels, float32 [tiles, 3, tile, tile], of a grid of tiles and, when there are several, the
        whole picture as one more."""
        return images.from_pixels(self, pixels, rows, columns)

    def restore(self, snapshot: "bytes | bytearray | memoryview") -> Session:
        """The session of which these bytes are the snapshot."""
        data = ffi.from_buffer(snapshot)
        return Session(
            self,
            on_worker(
                lambda: created(
                    lib.puna_session_free, lib.puna_session_restore, self._handle, data, len(data), type="puna_session"
                ),
                None,
            ),
        )

    def adapter(self, folder: "str | os.PathLike[str]") -> Adapter:
        """A LoRA adapter from a folder as PEFT writes it."""
        return Adapter(
            self,
            created(lib.puna_adapter_free, lib.puna_adapter_open, self._handle, c_path(folder), type="puna_adapter"),
        )

    def finetune(
        self,
        examples: Iterable[Mapping[str, Any]],
        *,
        preferences: bool = False,
        rank: int = 8,
        alpha: float = 0,
        learning_rate: float = 3e-4,
        weight_decay: float = 0,
        steps: int = 0,
        epochs: int = 1,
        warmup_steps: int = 0,
        step_tokens: int = 0,
        max_tokens: int = 0,
        seed: int = 0,
        targets: "str | Sequence[str]" = ("q_proj", "v_proj"),
        dpo_beta: float = 0,
        date: "Optional[str | datetime.date]" = None,
        parse_content: bool = False,
        progress: Optional[Callable[[FinetuneReport], Any]] = None,
    ) -> Adapter:
        """Teaches by examples; the model stays as it is and the adapter holds what was learned. An example is {"text"},
        {"prompt", "completion"},
        {"messages"}, Alpaca's {"instruction", "input", "output"}, ShareGPT's {"conversations"}, or with `preferences`
        {"prompt", "chosen", "rejected"}. `date` (YYYY-MM-DD; today by default) answers chat templates that ask. Special
        tokens in what messages say are text unless parse_content. progress(report) after each step; False stops:
        puna.Cancelled."""
        return finetune(
            self,
            examples,
            progress,
            targets,
            preferences=preferences,
            rank=rank,
            alpha=alpha,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            steps=steps,
            epochs=epochs,
            warmup_steps=warmup_steps,
            step_tokens=step_tokens,
            max_tokens=max_tokens,
            seed=seed,
            dpo_beta=dpo_beta,
            date=date,
            parse_content=parse_content,
        )

    @property
    def chat_templates(self) -> List[str]:
        """The names of the chat templates that can be used: "default", "tool_use", ..."""
        all_of_them = (
            read("puna_chat_template_info", lib.puna_model_get_chat_template_info, self._handle, i)
            for i in range(self._info().chat_template_count)
        )
        return [ffi.string(t.name).decode("utf-8", "replace") for t in all_of_them if not ffi.string(t.error)]

    def render_chat(
        self,
        messages: Messages,
        *,
        add_generation_prompt: bool = True,
        tools: Optional[Iterable[Any]] = None,
        date: "Optional[str | datetime.date]" = None,
        template: Optional[str] = None,
        parse_content: bool = False,
        **variables: Any,
    ) -> ChatText:
        """The prompt text of a chat, by the model's template. It remembers what the messages, tools and other variables
        brought, and that stays text where the rest is parsed for special tokens; `parse_content`: forget it. `date`
        (YYYY-MM-DD; today by default) answers templates that ask. `template`: which one by name (chat_templates); by
        default "tool_use" where there are tools and one of that name, else "default".

        >>> m = Model(MODEL); text = m.render_chat([{"role": "user", "content": "<|eot|>"}])
        >>> bool((m.tokenizer.encode(text) == m.chat_tokens([{"role": "user", "content": "<|eot|>"}])).all())
        True
        """
        return Chat(self._handle, messages, tools, date, template, parse_content, add_generation_prompt, variables).text

    def chat_tokens(
        self,
        messages: Messages,
        *,
        add_generation_prompt: bool = True,
        tools: Optional[Iterable[Any]] = None,
        date: "Optional[str | datetime.date]" = None,
        template: Optional[str] = None,
        parse_content: bool = False,
        **variables: Any,
    ) -> "np.ndarray[Any, Any]":
        """The ids of a chat, int32: render_chat and encode in one."""
        return Chat(
            self._handle, messages, tools, date, template, parse_content, add_generation_prompt, variables
        ).tokens
