"""From logits to a token."""

from __future__ import annotations

import dataclasses
from typing import Any, Iterable, Mapping, Tuple, TypedDict

import numpy as np

from .native import check, created, did_you_mean, ffi, int32_pointer, lib, sized, token_array


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How tokens are drawn. The default is greedy; zero switches a filter off. See puna_sampler_options in puna.h."""

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 0.0
    min_p: float = 0.0
    typical_p: float = 0.0
    epsilon: float = 0.0
    eta: float = 0.0
    repetition_penalty: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    penalty_window: int = 0
    no_repeat_ngram: int = 0
    seed: int = 0
    bias: Mapping[int, float] = dataclasses.field(default_factory=dict)

    def _to_c(self) -> Any:
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "bias"}
        return sized(
            "puna_sampler_options",
            **fields,
            bias_tokens=int32_pointer(token_array(list(self.bias))),
            bias_values=ffi.new("float[]", list(self.bias.values())),
            bias_count=len(self.bias),
        )


class SamplingFields(TypedDict, total=False):
    """The fields of Sampling as a dict, where one is at hand."""

    temperature: float
    top_k: int
    top_p: float
    min_p: float
    typical_p: float
    epsilon: float
    eta: float
    repetition_penalty: float
    presence_penalty: float
    frequency_penalty: float
    penalty_window: int
    no_repeat_ngram: int
    seed: int
    bias: Mapping[int, float]


def sampling_of(sampling: "Sampling | SamplingFields") -> Sampling:
    if isinstance(sampling, Sampling):
        return sampling
    if not isinstance(sampling, Mapping):
        raise TypeError(f"sampling is a {type(sampling).__name__}, expected puna.Sampling or a dict of its fields")
    names = [f.name for f in dataclasses.fields(Sampling)]
    for name in sampling:
        if name not in names:
            raise TypeError(f"sampling has no field {name!r}{did_you_mean(name, names)}")
    return Sampling(**sampling)


class Sampler:
    """Draws tokens from logits that you have.

    >>> import numpy as np
    >>> Sampler().sample(np.array([0.0, 3.0, 1.0], np.float32))
    (1, 0.0)
    """

    def __init__(self, sampling: "Sampling | SamplingFields" = Sampling()) -> None:
        self._handle = created(
            lib.puna_sampler_free, lib.puna_sampler_create, sampling_of(sampling)._to_c(), type="puna_sampler"
        )

    def sample(
        self, logits: "np.ndarray[Any, Any]", history: "Iterable[int]" = (), draw_index: int = 0
    ) -> Tuple[int, float]:
        """A token and its log-probability. Depends on the arguments and the seed alone: count draw_index up from 0."""
        values, past, token, log_p = (
            np.ascontiguousarray(logits, np.float32),
            token_array(history),
            ffi.new("int32_t*"),
            ffi.new("float*"),
        )
        check(
            lib.puna_sampler_sample(
                self._handle,
                ffi.from_buffer("float[]", values),
                values.size,
                int32_pointer(past),
                past.size,
                draw_index,
                token,
                log_p,
            )
        )
        return token[0], log_p[0]

    def distribution(self, logits: "np.ndarray[Any, Any]", history: "Iterable[int]" = ()) -> "np.ndarray[Any, Any]":
        """The log-probability of every token after all filters."""
        values, past = np.ascontiguousarray(logits, np.float32), token_array(history)
        out = np.empty_like(values)
        check(
            lib.puna_sampler_distribution(
                self._handle,
                ffi.from_buffer("float[]", values),
                values.size,
                int32_pointer(past),
                past.size,
                ffi.from_buffer("float[]", out),
            )
        )
        return out
