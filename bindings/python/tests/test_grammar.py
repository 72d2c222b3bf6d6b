"""Answers by grammars: every way to say what an answer may be gives answers that are that, as values of Python."""

import dataclasses
import enum
import json
import pathlib
import warnings
from typing import Any, Dict, List, Literal, Optional, Union

import pytest

import puna
from puna.json_types import schema_of, value_of

AUSTEN = pathlib.Path(__file__).resolve().parents[3] / "examples/bundled/puna-austen.gguf"
PROMPT = "It is a truth universally acknowledged, that"
WARM = puna.Sampling(temperature=0.9, seed=3)


class Rank(enum.Enum):
    MR = "Mr."
    MISS = "Miss"


@dataclasses.dataclass
class House:
    name: Literal["Pemberley", "Longbourn"]
    rooms: int


@dataclasses.dataclass
class Person:
    rank: Rank
    age: int
    married: bool
    income: float
    lives_in: Optional[House]
    sisters: List[Literal["Jane", "Lydia"]]
    nothing: None
    either: Union[bool, Literal["unknown"]]


@dataclasses.dataclass
class Tree:
    value: int
    children: List["Tree"] = dataclasses.field(default_factory=list)


@pytest.fixture(scope="module")
def austen():
    return puna.Model(str(AUSTEN))


def answer(model, **options):
    options.setdefault("max_tokens", 300)
    options.setdefault("sampling", WARM)
    return model.session().generate(PROMPT, **options)


def test_an_answer_by_a_schema_is_its_value(austen):
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer", "maximum": 99, "minimum": 0}, "ok": {"type": "boolean"}},
        "required": ["n", "ok"],
        "additionalProperties": False,
    }
    for given in (schema, json.dumps(schema), puna.Grammar.json_schema(schema)):
        made = answer(austen, grammar=given) if isinstance(given, puna.Grammar) else answer(austen, json_schema=given)
        assert isinstance(made.parsed["n"], (int, float)) and isinstance(made.parsed["ok"], bool)
        assert (
            made.parsed == json.loads(made.text)
            and not made.incomplete
            and made.stop_reason in ("grammar", "stop_token")
        )


def test_a_regex_choices_and_a_grammar_give_their_texts(austen):
    assert "".join(answer(austen, regex="[a-c]{3}-[0-9]{2}")).count("-") == 1
    texts = ["Elizabeth", "Mr. Darcy", "na\u00efve \U0001f999"]
    for seed in range(6):
        assert "".join(answer(austen, choices=texts, sampling=puna.Sampling(temperature=1.5, seed=seed))) in texts
    assert "".join(answer(austen, grammar='root ::= "it is " ("late" | "early")')) in ("it is late", "it is early")
    assert "".join(answer(austen, grammar=puna.Grammar.ebnf('day = "Mon" | "Tue";'))) in ("Mon", "Tue")
    json.loads("".join(answer(austen, json_schema={"enum": [[1, {"a": None}]]})))
    assert "".join(answer(austen, grammar=puna.Grammar("any_json", max_whitespace=0), max_tokens=5))


def test_a_dataclass_gives_instances(austen):
    for seed in range(3):
        p = answer(
            austen, json_schema=Person, sampling=puna.Sampling(temperature=1.0, frequency_penalty=0.5, seed=seed)
        ).parsed
        assert (
            isinstance(p, Person)
            and isinstance(p.rank, Rank)
            and type(p.age) is int
            and type(p.income) is float
            and p.nothing is None
        )
        assert p.lives_in is None or isinstance(p.lives_in, House)
        assert set(p.sisters) <= {"Jane", "Lydia"} and p.either in (True, False, "unknown")


def test_a_chat_is_constrained_too(austen):
    made = austen.session().chat(
        [{"role": "user", "content": "Where does Jane live?"}], json_schema=House, max_tokens=200, sampling=WARM
    )
    assert isinstance(made.parsed, House)


def test_pydantic_models_give_instances(austen):
    pydantic = pytest.importorskip("pydantic")

    class Inner(pydantic.BaseModel):
        kind: Literal["ball", "dinner"]

    class Other(pydantic.BaseModel):
        kind: Literal["walk"]

    class Event(pydantic.BaseModel):
        guests: int = pydantic.Field(ge=0, le=500)
        inner: Inner
        tags: List[Literal["a", "b"]] = pydantic.Field(max_length=2)
        either: Union[Inner, Other] = pydantic.Field(discriminator="kind")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = answer(austen, json_schema=Event)
        event = made.parsed
    assert list(json.loads(made.text)) == ["guests", "inner", "tags", "either"]
    assert (
        isinstance(event, Event)
        and isinstance(event.either, (Inner, Other))
        and 0 <= event.guests <= 500
        and event.inner.kind in ("ball", "dinner")
    )


def test_an_answer_that_is_cut_says_so(austen):
    made = answer(austen, json_schema=House, max_tokens=3)
    "".join(made)
    assert made.incomplete and made.stop_reason == "max_tokens"
    with pytest.raises(ValueError, match="incomplete .max_tokens."):
        made.parsed
    with pytest.raises(ValueError, match="json_schema"):
        answer(austen, choices=["a"]).parsed
    with pytest.raises(puna.InvalidArgument, match="ignore_eos"):
        answer(austen, choices=["a"], ignore_eos=True)


def test_what_is_wrong_is_named(austen):
    with pytest.raises(puna.InvalidArgument, match="/properties/a/type"):
        puna.Grammar.json_schema({"properties": {"a": {"type": "strin"}}})
    with pytest.raises(puna.Unsupported, match="/uniqueItems"):
        puna.Grammar.json_schema({"type": "array", "uniqueItems": True})
    with pytest.raises(TypeError, match="json_schema and regex"):
        answer(austen, json_schema={}, regex="a")
    for bad in (3, House("Pemberley", 1), [1], int):
        with pytest.raises(TypeError, match="json_schema is"):
            puna.Grammar.json_schema(bad)
    with pytest.raises(TypeError, match="expected a list"):
        puna.Grammar.choices("abc")
    with pytest.raises(TypeError, match="grammar is a int"):
        answer(austen, grammar=3)
    with pytest.raises(ValueError, match="did you mean 'gbnf'"):
        puna.Grammar("gbfn", "")


def test_notes_are_warnings():
    with pytest.warns(UserWarning, match="maxLenght"):
        grammar = puna.Grammar.json_schema({"type": "string", "maxLenght": 3})
    assert len(grammar.notes) == 1


@pytest.mark.parametrize("kind", [Any, bytes, list, List, tuple, Dict[int, str], object, complex])
def test_a_field_of_another_type_is_named(kind):
    made = dataclasses.make_dataclass("Made", [("fine", int), ("wrong", Optional[kind])])
    with pytest.raises(TypeError, match=r"Made\.wrong"):
        puna.Grammar.json_schema(made)


def test_schemas_and_values_of_types_agree():
    assert schema_of(Tree)["$defs"]["Tree"]["properties"]["children"] == {
        "type": "array",
        "items": {"$ref": "#/$defs/Tree"},
    }
    assert value_of(Tree, {"value": 1.0, "children": [{"value": 2}]}, "Tree") == Tree(1, [Tree(2)])
    for kind, value in (
        (int, True),
        (int, 1.5),
        (str, 1),
        (bool, 0),
        (None, False),
        (Rank, "Mrs."),
        (House, {"name": "Pemberley"}),
        (House, {"name": "Pemberley", "rooms": 1, "x": 2}),
        (List[int], {}),
        (Dict[str, int], {"a": "b"}),
        (Literal[1], True),
    ):
        with pytest.raises(ValueError):
            value_of(kind, value, "value")
    assert (
        value_of(Literal["a", 2], 2.0, "") == 2
        and value_of(Union[int, str], "3", "") == "3"
        and value_of(Dict[str, List[float]], {"a": [1]}, "") == {"a": [1.0]}
    )


def test_a_matcher_follows_an_answer(austen):
    matcher = puna.Matcher(puna.Grammar.choices(["yes", "yesterday", "no"]), austen)
    start = matcher.mask()
    assert start.shape == (austen.info.vocabulary,) and start.dtype == bool
    starts = {austen.tokenizer.decode([int(i)]) for i in start.nonzero()[0]}
    assert {"y", "n"} <= starts and all(any(c.startswith(t) for c in ("yesterday", "no")) for t in starts)
    matcher.accept(int(austen.tokenizer.encode("y", add_bos=False)[0]))
    assert matcher.forced == "es" and matcher.completion == "es" and not matcher.whole
    copy = matcher.fork()
    copy.accept("es")
    assert copy.whole and not copy.ended and matcher.forced == "es"
    with pytest.raises(puna.InvalidArgument):
        copy.accept("x")
    copy.accept(b"terday")
    assert copy.ended and not copy.mask()[[int(i) for i in start.nonzero()[0]]].any()
    copy.reset()
    assert (copy.mask() == start).all()


def test_an_answer_is_closed_in_time(austen):
    schema = {
        "type": "object",
        "properties": {"said": {"type": "string"}, "rooms": {"type": "integer"}},
        "required": ["said", "rooms"],
    }
    options = dict(json_schema=schema, max_tokens=24, sampling=puna.Sampling(temperature=1.0, seed=3))
    cut = austen.session().generate("The house", **options)
    assert "".join(cut) and cut.incomplete
    closed = austen.session().generate("The house", close_answer=True, **options)
    assert set(closed.parsed) >= {"said", "rooms"} and not closed.incomplete
