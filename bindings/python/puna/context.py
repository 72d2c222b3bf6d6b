"""What a host decides once: threads, instruction set, memory, log."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple, Optional

from . import errors
from .native import beside_library, c_text, created, ffi, lib, read, sized

ALLOW = {"none": 0, "f32": 1, "bf16": 2}
LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG}


class ContextInfo(NamedTuple):
    """What a context chose, and the bytes it holds."""

    threads: int
    isa: str
    memory_used: int
    memory_peak: int
    memory_limit: int


def _provider() -> Any:
    """oneDNN's, OpenBLAS's or Eigen's table: libpuna_providers is no part of the wheel; it is looked for beside libpuna
    and where the system looks."""
    name = "libpuna_providers.so.0"
    table = ffi.new("puna_gemm_provider const**")
    try:
        library = ffi.dlopen(str(beside_library(name) or name))
    except OSError as e:
        raise errors.Unsupported(f"{name}: {e}") from None
    if library.puna_providers_find(ffi.NULL, table) != lib.PUNA_OK:
        raise errors.Unsupported(f"{name} was built without oneDNN, OpenBLAS and Eigen")
    return library, table[0]


class Context:
    """Threads and memory that models share. `logger`: a logging.Logger that gets the library's lines. `providers`:
    "f32" or "bf16" lets oneDNN, OpenBLAS or Eigen make products of float weights where they are faster, in default
    mode; the bits are then no longer those of every machine.

    >>> Context(threads=2).info.threads
    2
    """

    def __init__(
        self,
        *,
        threads: int = 0,
        isa: Optional[str] = None,
        memory_limit: int = 0,
        logger: Optional[logging.Logger] = None,
        providers: str = "none",
    ) -> None:
        options = sized(
            "puna_context_options", threads=threads, memory_limit=memory_limit, isa=c_text(isa or None, "isa")
        )
        if providers not in ALLOW:
            raise ValueError(f"providers is {providers!r}, expected one of {', '.join(ALLOW)}")
        if providers != "none":
            self._library, options.gemm_provider = _provider()
            options.allow_providers = ALLOW[providers]
        if logger is not None:

            @ffi.callback("void(void*, int32_t, const char*)")  # type: ignore[untyped-decorator,unused-ignore]
            def log(_user, level, message):  # type: ignore[no-untyped-def]
                logger.log(LEVELS.get(level, logging.INFO), "%s", ffi.string(message).decode("utf-8", "replace"))

            self._log = options.log = log
        self._handle = created(lib.puna_context_free, lib.puna_context_create, options, type="puna_context")

    @property
    def info(self) -> ContextInfo:
        i = read("puna_context_info", lib.puna_context_get_info, self._handle)
        return ContextInfo(i.threads, ffi.string(i.isa).decode(), i.memory_used, i.memory_peak, i.memory_limit)
