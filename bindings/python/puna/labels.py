"""What people's labels say: how far they agree, which labels are true, and which texts say the same."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple, Union

import numpy as np

from .native import c_string, check, check_watched, created, described, ffi, lib, one_of, read, sized, text_bytes, watch

METHODS = {"ds": 0, "majority": 1, "onecoin": 2, "mace": 3, "glad": 4}
MEASURES = {"nominal": 0, "ordinal": 1, "interval": 2, "ratio": 3}
_ITEM, _WORKER, _LABEL = 0, 1, 2


@dataclass(frozen=True)
class Alpha:
    """Krippendorff's alpha: 1 is agreement, 0 what chance gives; over `values` answers to `items` items."""

    alpha: float
    items: int
    values: int


class Answers:
    """Who answered what.

    >>> answers = Answers([("r1", "ann", "good"), ("r1", "ben", "good"), ("r2", "ann", "bad"), ("r2", "ben", "good")])
    >>> answers.add("r2", "cyd", "bad")
    >>> answers.infer("majority").labels
    {'r1': 'good', 'r2': 'bad'}
    >>> round(answers.alpha().alpha, 3)
    0.333
    """

    def __init__(self, rows: Iterable[Tuple[str, str, str]] = ()) -> None:
        """`rows` of (item, worker, label)."""
        self._handle = created(lib.puna_answers_free, lib.puna_answers_create, type="puna_answers")
        for item, worker, label in rows:
            self.add(item, worker, label)

    def add(self, item: str, worker: str, label: str) -> None:
        """One more answer."""
        check(
            lib.puna_answers_add(
                self._handle, c_string(item, "item"), c_string(worker, "worker"), c_string(label, "label")
            )
        )

    def set_gold(self, item: str, label: str) -> None:
        """Certain: inference takes it so, and learns from it who is good."""
        check(lib.puna_answers_set_gold(self._handle, c_string(item, "item"), c_string(label, "label")))

    def set_truth(self, item: str, label: str) -> None:
        """What accuracies are measured against; nothing else looks at it."""
        check(lib.puna_answers_set_truth(self._handle, c_string(item, "item"), c_string(label, "label")))

    def _info(self) -> Any:
        return read("puna_answers_info", lib.puna_answers_get_info, self._handle)

    def __len__(self) -> int:
        return int(self._info().answers)

    def _names(self, kind: int, count: int) -> List[str]:
        name = ffi.new("const char**")
        names = []
        for i in range(count):
            check(lib.puna_answers_get_name(self._handle, kind, i, name))
            names.append(ffi.string(name[0]).decode("utf-8", "replace"))
        return names

    @property
    def items(self) -> List[str]:
        """In the order they came."""
        return self._names(_ITEM, self._info().items)

    @property
    def workers(self) -> List[str]:
        """In the order they came."""
        return self._names(_WORKER, self._info().workers)

    @property
    def labels(self) -> List[str]:
        """In the order of their names."""
        return self._names(_LABEL, self._info().labels)

    def alpha(self, measure: str = "nominal") -> Alpha:
        """Krippendorff's alpha by nominal, ordinal, interval or ratio distance."""
        kind = one_of(measure, MEASURES, "measure")
        out = read("puna_alpha", lambda a, o: lib.puna_answers_get_alpha(a, kind, o), self._handle)
        return Alpha(out.alpha, out.items, out.values)

    def infer(
        self,
        method: str = "ds",
        *,
        iterations: Optional[int] = None,
        tolerance: Optional[float] = None,
        smoothing: Optional[float] = None,
        seed: Optional[int] = None,
    ) -> "Inference":
        """The true labels: by Dawid and Skene (ds), majority, onecoin, mace or glad."""
        options = sized(
            "puna_infer_options",
            method=one_of(method, METHODS, "method"),
            iterations=iterations,
            tolerance=tolerance,
            smoothing=smoothing,
            seed=seed,
            watch=watch(),
        )
        handle = created(lib.puna_inference_free, lib.puna_answers_infer, self._handle, options, type="puna_inference")
        return Inference(handle, self.items, self.workers, self.labels)


class Inference:
    """What the answers come to. `labels` and `confidence` by item, None and 0 for an item without answers;
    `reliability` by worker; `posterior` [items, classes]; `accuracy` against the truths, None without one."""

    def __init__(self, handle: Any, items: List[str], workers: List[str], classes: List[str]) -> None:
        info = read("puna_inference_info", lib.puna_inference_get_info, handle)
        self.classes = classes
        self.iterations = int(info.iterations)
        self.converged = bool(info.converged)
        self.log_likelihood = float(info.log_likelihood)
        self.accuracy: Optional[float] = None if math.isnan(info.accuracy) else float(info.accuracy)
        self.labels: Dict[str, Optional[str]] = {}
        self.confidence: Dict[str, float] = {}
        self.posterior = np.zeros((len(items), len(classes)))
        label, number = ffi.new("const char**"), ffi.new("double*")
        for i, item in enumerate(items):
            check(lib.puna_inference_get_label(handle, i, label, number))
            self.labels[item] = None if label[0] == ffi.NULL else ffi.string(label[0]).decode("utf-8", "replace")
            self.confidence[item] = float(number[0])
            row = ffi.cast("double*", self.posterior[i].ctypes.data)
            check(lib.puna_inference_get_posterior(handle, i, row, len(classes)))
        self.reliability: Dict[str, float] = {}
        for w, worker in enumerate(workers):
            check(lib.puna_inference_get_worker(handle, w, number))
            self.reliability[worker] = float(number[0])


Text = Union[str, bytes]


def _texts(values: Sequence[Text], what: str) -> Tuple[Any, Any, List[Any]]:
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise TypeError(f"{what} is {described(values)}, expected a list of texts")
    data = [text_bytes(v, what) for v in values]
    kept = [ffi.from_buffer("char[]", d) for d in data]
    return ffi.new("const char*[]", kept), ffi.new("size_t[]", [len(d) for d in data]), kept


def duplicates(texts: Sequence[Text], similarity: float = 0.8) -> List[int]:
    """Of each text the first one that says nearly the same: its own number where it is alone.

    >>> duplicates(["The plate was cold, we waited long.", "Fine.", "the plate was cold; we waited long"])
    [0, 1, 0]
    """
    pointers, sizes, _kept = _texts(texts, "texts")
    group = ffi.new("int64_t[]", max(len(texts), 1))
    options = sized("puna_overlap_options", similarity=similarity, watch=watch())
    check_watched(lib.puna_find_duplicates(pointers, sizes, len(texts), options, group))
    return [int(group[i]) for i in range(len(texts))]


def contaminated(
    items: Sequence[Text], documents: Sequence[Text], words: Optional[int] = None, fewest: Optional[int] = None
) -> List[Optional[int]]:
    """Of each item the first document in which 13 of its words in a row stand, or None.

    >>> item = "one two three four five six seven eight"
    >>> contaminated([item, "nine ten"], [f"say {item} again"])
    [0, None]
    """
    pointers, sizes, _kept = _texts(items, "items")
    searched, searched_sizes, _also = _texts(documents, "documents")
    found = ffi.new("int64_t[]", max(len(items), 1))
    options = sized("puna_overlap_options", words=words, fewest=fewest, watch=watch())
    check_watched(
        lib.puna_find_contaminated(
            pointers, sizes, len(items), searched, searched_sizes, len(documents), options, found
        )
    )
    return [None if found[i] < 0 else int(found[i]) for i in range(len(items))]
