"""How good a model is: likelihoods of continuations, tasks of lm-evaluation-harness, paired comparisons."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple, Union

import numpy as np

from .native import (
    WorkerProgress,
    c_text,
    check,
    created,
    described,
    ffi,
    handle_of,
    handle_or_none,
    json_bytes,
    lib,
    on_worker,
    one_of,
    read,
    sized,
    text_bytes,
    text_of,
)

if TYPE_CHECKING:
    from .adapter import Adapter
    from .model import Model

Rows = Union[str, bytes, Iterable[Mapping[str, Any]]]
KV_TYPES = {"": 0, "f16": 1, "q8_0": 2}


class Scores(NamedTuple):
    log_likelihoods: "np.ndarray[Any, Any]"  # float64: sums of the continuations' log-probabilities
    greedy: "np.ndarray[Any, Any]"  # bool: each of a continuation's tokens was the likeliest


def score_continuations(
    model: "Model",
    requests: "Iterable[Tuple[Iterable[int], Iterable[int]]]",
    *,
    progress: "Optional[Callable[[int, int], Any]]" = None,
    **options: Any,
) -> Scores:
    """See Model.score_continuations."""
    tokens: List[int] = []
    lengths: List[int] = []
    scored: List[int] = []
    for context, continuation in requests:
        before, after = [int(t) for t in context], [int(t) for t in continuation]
        tokens += before + after
        lengths.append(len(before) + len(after))
        scored.append(len(after))
    ids = np.asarray(tokens, np.int32)
    sizes, ends = np.asarray(lengths, np.uint64), np.asarray(scored, np.uint64)
    log_likelihoods, greedy = np.zeros(len(lengths), np.float64), np.zeros(len(lengths), np.int32)
    call = WorkerProgress(progress)
    adapter = options.pop("adapter", None)
    handle = handle_of(model, "Model", "model")
    o = sized(
        "puna_score_options", progress=call.callback, adapter=handle_or_none(adapter, "Adapter", "adapter"), **options
    )

    def work() -> None:
        check(
            lib.puna_model_score(
                handle,
                ffi.from_buffer("int32_t[]", ids),
                ffi.from_buffer("uint64_t[]", sizes),
                ffi.from_buffer("uint64_t[]", ends),
                len(lengths),
                o,
                ffi.from_buffer("double[]", log_likelihoods),
                ffi.from_buffer("int32_t[]", greedy),
            )
        )

    call.run(work)
    return Scores(log_likelihoods, greedy.astype(bool))


def _rows(rows: Rows, what: str) -> bytes:
    if isinstance(rows, (str, bytes)):
        return text_bytes(rows, what)
    if not isinstance(rows, Iterable) or isinstance(rows, Mapping):
        raise TypeError(f"{what} is {described(rows)}, expected rows: a list of dicts, or a str or bytes of JSON lines")
    return b"".join(json_bytes(row, what) + b"\n" for row in rows)


class EvaluationInfo(NamedTuple):
    items: int
    requests: int
    answered: int
    fingerprint: int  # of all that the answers depend on, but for the model


class Evaluation:
    """A task of lm-evaluation-harness on a model: `task` as a mapping or JSON, `items` and `shots` as mappings or JSON
    lines (`shots`: what examples are drawn from; the items when there are none).

    >>> task = {"task": "t", "output_type": "multiple_choice", "doc_to_text": "{{q}}",
    ...         "doc_to_choice": ["yes", "no"], "doc_to_target": "a"}
    >>> run = Evaluation(Model(MODEL), task, [{"q": "Is it?", "a": 0}, {"q": "Was it?", "a": 1}])
    >>> run.info.requests
    4
    >>> run.run()
    >>> sorted(run.result()["metrics"][0])
    ['error', 'filter', 'interval', 'metric', 'value']
    """

    def __init__(
        self,
        model: "Model",
        task: "Union[str, Mapping[str, Any]]",
        items: Rows,
        shots: Rows = b"",
        *,
        num_fewshot: Optional[int] = None,
        limit: int = 0,
        chat: bool = False,
        multiturn: bool = False,
        system: str = "",
        date: str = "",
        cluster: str = "",
        name: str = "",
        seed: int = 0,
        parallel: int = 0,
        exact: bool = False,
        kv_type: str = "",
        max_positions: int = 0,
        rows: int = 0,
        unshared: bool = False,
        adapter: "Optional[Adapter]" = None,
    ) -> None:
        """`num_fewshot`: examples before each item, None = the task's. `seed`, `parallel`, `max_positions`, `rows`: 0 =
        ours. See puna_evaluation_options."""
        data, of_items, of_shots = json_bytes(task, "task"), _rows(items, "items"), _rows(shots, "shots")
        options = sized(
            "puna_evaluation_options",
            num_fewshot=None if num_fewshot is None else num_fewshot or -1,
            limit=limit,
            chat=chat,
            multiturn=multiturn,
            system=c_text(system or None, "system"),
            date=c_text(date or None, "date"),
            cluster=c_text(cluster or None, "cluster"),
            seed=seed,
            parallel=parallel,
            exact=exact,
            kv_type=one_of(kv_type, KV_TYPES, "kv_type"),
            max_positions=max_positions,
            rows=rows,
            unshared=unshared,
            adapter=handle_or_none(adapter, "Adapter", "adapter"),
        )
        named = c_text(name or None, "name")  # lives until the call has ended
        if named is not None:
            options.name = named
        self._handle = created(
            lib.puna_evaluation_free,
            lib.puna_evaluation_create,
            handle_of(model, "Model", "model"),
            data,
            len(data),
            of_items,
            len(of_items),
            of_shots,
            len(of_shots),
            options,
            type="puna_evaluation",
        )

    @property
    def info(self) -> EvaluationInfo:
        i = read("puna_evaluation_info", lib.puna_evaluation_get_info, self._handle)
        return EvaluationInfo(i.items, i.requests, i.answered, i.fingerprint)

    def run(self, on_answer: "Optional[Callable[[str], Any]]" = None) -> None:
        """Computes what is not answered yet. `on_answer` gets each answer as a line of JSON, for restore(); False stops
        (Cancelled), and the next run() goes on. Ctrl-C stops it as well."""
        raised: List[BaseException] = []

        def keep(_type: Any, value: BaseException, _traceback: Any) -> None:
            raised.append(value)

        @ffi.callback("int32_t(void*, const char*, size_t)", error=1, onerror=keep)  # type: ignore[untyped-decorator,unused-ignore]
        def answer(_user: Any, text: Any, size: int) -> int:
            return int(on_answer is not None and on_answer(ffi.buffer(text, size)[:].decode("utf-8")) is False)

        try:
            on_worker(lambda: check(lib.puna_evaluation_run(self._handle, answer, ffi.NULL)), self.cancel)
        except Exception:
            if raised:
                raise raised[0]
            raise

    def cancel(self) -> None:
        """Ends the run under way, from any thread, or else the next one."""
        check(lib.puna_evaluation_cancel(self._handle))

    def restore(self, answer: str) -> bool:
        """An answer of another run of the same task on the same model; True: it is not computed again."""
        taken, data = ffi.new("int32_t*"), text_bytes(answer, "answer")
        check(lib.puna_evaluation_restore(self._handle, data, len(data), taken))
        return bool(taken[0])

    def result(self) -> Dict[str, Any]:
        """Scores with errors and intervals."""
        result: Dict[str, Any] = json.loads(text_of(lib.puna_evaluation_result, self._handle))
        return result

    def samples(self) -> str:
        """A line of JSON an item, as lm-evaluation-harness logs them: for compare_samples()."""
        return text_of(lib.puna_evaluation_samples, self._handle).decode("utf-8")

    def report(self) -> str:
        """A page of HTML."""
        return text_of(lib.puna_evaluation_report, self._handle).decode("utf-8")


def compare_samples(
    a: "Union[str, bytes]",
    b: "Union[str, bytes]",
    *,
    metric: str = "",
    filter: str = "",
    cluster: str = "",
    lower_is_better: bool = False,
    level: float = 0,
    draws: int = 0,
    seed: int = 0,
) -> Dict[str, Any]:
    """Whether run B is better than run A, item by item: samples, or JSON lines of answers.

    >>> a = '{"item": 1, "score": 1}\\n{"item": 2, "score": 0}\\n{"item": 3, "score": 0}\\n'
    >>> compare_samples(a, a)["differences"][0]["verdict"]
    'cannot tell'
    """
    x, y = _rows(a, "a"), _rows(b, "b")
    options = sized(
        "puna_compare_options",
        metric=c_text(metric or None, "metric"),
        filter=c_text(filter or None, "filter"),
        cluster=c_text(cluster or None, "cluster"),
        lower_is_better=lower_is_better,
        level=level,
        draws=draws,
        seed=seed,
    )
    result: Dict[str, Any] = json.loads(text_of(lib.puna_compare_samples, x, len(x), y, len(y), options))
    return result
