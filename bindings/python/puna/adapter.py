"""LoRA adapters: small trained matrices beside a model's frozen ones, from PEFT's files or made by Model.finetune()."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Callable, Iterable, Mapping, NamedTuple, Optional, Sequence

from .chat import day_of
from .native import Progress, c_path, check, ffi, handle_of, lib, sized, texts

if TYPE_CHECKING:
    import datetime

    from .model import Model


class FinetuneReport(NamedTuple):
    """Where fine-tuning is, after a step."""

    step: int
    steps: int
    tokens: int
    loss: float
    grad_norm: float
    learning_rate: float
    preferred: float


class Adapter:
    """Made by Model.adapter() or Model.finetune(); sessions use it by Session.use()."""

    def __init__(self, model: "Model", handle: Any) -> None:
        self.model = model
        self._handle = handle

    def save(self, folder: "str | os.PathLike[str]") -> None:
        """Writes adapter_config.json and adapter_model.safetensors, as PEFT reads them."""
        check(lib.puna_adapter_save(self._handle, c_path(folder)))


def finetune(
    model: "Model",
    examples: Iterable[Mapping[str, Any]],
    progress: Optional[Callable[[FinetuneReport], Any]],
    targets: "str | Sequence[str]",
    date: "Optional[str | datetime.date]",
    **options: Any,
) -> Adapter:
    on_step = Progress("puna_finetune_report", FinetuneReport, progress)
    if isinstance(examples, (str, bytes, Mapping)):
        raise TypeError(f"examples is one {type(examples).__name__}, expected a list of examples")
    names = ffi.new("char[]", b",".join(texts(targets, "targets")))
    o = sized(
        "puna_finetune_options",
        targets=names,
        date=day_of(date),
        progress=on_step.callback,
        watch=on_step.watch,
        **options,
    )
    lines = "\n".join(json.dumps(e) for e in examples).encode()
    return Adapter(
        model,
        on_step.created(
            lib.puna_adapter_free,
            lib.puna_model_finetune,
            handle_of(model, "Model", "model"),
            lines,
            len(lines),
            o,
            type="puna_adapter",
        ),
    )
