"""The model of the tests and doctests: the smallest golden model with a tokenizer; $PUNA_TEST_MODEL stands in."""

import os
import pathlib

import pytest

import puna

MODEL = os.environ.get("PUNA_TEST_MODEL") or str(
    pathlib.Path(__file__).resolve().parents[2] / "tests" / "data" / "golden" / "multimodal"
)
CACHE = pathlib.Path(
    os.environ.get("PUNA_MODELS")
    or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "puna" / "models"
)


@pytest.fixture(autouse=True)
def names_of_doctests(doctest_namespace):
    doctest_namespace.update(puna=puna, MODEL=MODEL, Model=puna.Model, Context=puna.Context, Tokenizer=puna.Tokenizer)


@pytest.fixture(scope="session")
def model():
    return puna.Model(MODEL)


@pytest.fixture(scope="session")
def smollm2():
    path = CACHE / "SmolLM2-135M-Instruct.Q4_1.gguf"
    if not path.exists():
        if os.environ.get("PUNA_REQUIRE_MODELS") == "1":
            pytest.fail(f"required here, but {path} is missing")
        pytest.skip(f"{path} is missing: ./dev test fetches it")
    return puna.Model(path)
