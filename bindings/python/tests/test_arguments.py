"""What is given that cannot be used is a TypeError which names the parameter and what was expected, wherever it is."""

import pathlib

import numpy as np
import pytest

import puna
from puna import ads, evaluation, labels

MODEL = str(pathlib.Path(__file__).parents[3] / "examples" / "bundled" / "puna-austen.gguf")


RANKER = {"surfaces": ["s"], "tasks": [{"name": "t"}], "features": [{"name": "f", "rows": 4}], "dim": 2, "hidden": [2]}
EXAMPLES = puna.Examples([0], [[[1]]])


@pytest.fixture(scope="module")
def model():
    return puna.Model(MODEL)


CALLS = {
    "brief is 5, an int, expected JSON": lambda m: ads.Lint(brief=5),
    "rules is 5.0, a float, expected JSON": lambda m: ads.Lint(rules=5.0),
    "language is 5, an int, expected a str": lambda m: ads.Lint(language=5),
    "text is None, expected a str or bytes": lambda m: ads.Lint().check(None),
    "placement is 1, an int, expected a str": lambda m: ads.Lint().check("a", placement=1),
    "brief is None, expected JSON": lambda m: ads.plan(m, None),
    "model is None, expected a Model": lambda m: ads.plan(None, {}),
    "model is 'm', a str, expected a Model": lambda m: ads.plan("m", {}),
    "adapter is 'a', a str, expected an Adapter": lambda m: ads.plan(m, {}, adapter="a"),
    "made_at is 5, an int, expected a str": lambda m: ads.plan(m, {}, made_at=5),
    "cap is 'x', a str, expected an int": lambda m: ads.Ledger().add_account("x"),
    "at is 'x', a str, expected a number": lambda m: ads.SpendPlan([1.0]).spent_by("x"),
    "yesterday is None, expected a Day": lambda m: ads.SpendPlan.learn(None, 5),
    "examples is 5, an int, expected an Examples": lambda m: puna.Ranker(RANKER).score(5),
    "examples is None, expected an Examples": lambda m: puna.Ranker(RANKER).learn(None, [[1]]),
    "outcomes is None, expected an Outcomes": lambda m: puna.Ranker(RANKER).learn(EXAMPLES, None),
    "sessions is None, expected a list": lambda m: puna.append_batch(None, [[1]]),
    "ranker is None, expected a Ranker": lambda m: puna.Pipeline(None, EXAMPLES),
    "items is None, expected an Examples": lambda m: puna.Pipeline(puna.Ranker(RANKER), None),
    "config is 5, an int, expected JSON": lambda m: puna.Ranker(5),
    "plan is 5, an int, expected a SpendPlan": lambda m: ads.Pacer(budget=1, expected_auctions=1, plan=5),
    "draft is 'd', a str, expected a Model": lambda m: puna.Engine(m, draft="d"),
    "model is None, expected a Model ": lambda m: puna.Engine(None),
    "grammar is 'a', a str, expected a Grammar": lambda m: puna.Matcher("a", m),
    "model is 5, an int, expected a Model": lambda m: puna.Matcher(puna.Grammar.regex("a"), 5),
    "text is 5, an int, expected a str or bytes": lambda m: puna.Grammar.regex(5),
    "token is 5.5, a float, expected an int": lambda m: puna.Matcher(puna.Grammar.regex("a"), m).accept(5.5),
    "model is 5, an int, expected a Model ": lambda m: puna.Tools([], 5),
    "task is 5, an int, expected JSON": lambda m: evaluation.Evaluation(m, 5, []),
    "items is 5, an int, expected rows": lambda m: evaluation.Evaluation(m, {}, 5),
    "texts is 'abc', a str, expected a list": lambda m: labels.duplicates("abc"),
    "texts is 5, an int, expected a str or bytes": lambda m: labels.duplicates([5]),
    "token ids is 5, an int, expected a list of integers": lambda m: m.session().append(5),
    "the path is 5, an int, expected a str or a path": lambda m: puna.Model(5),
    "context is 5, an int, expected a Context": lambda m: puna.Model(MODEL, context=5),
    "max_positions is 'x', a str, expected an int": lambda m: m.session(max_positions="x"),
    "piece is 5, an int, expected a str or bytes": lambda m: m.tokenizer.find(5),
    "sessions is 5, an int, expected a Session": lambda m: puna.append_batch([5], [[1]]),
}


@pytest.mark.parametrize("said", CALLS)
def test_what_is_of_another_type_names_its_parameter(model, said):
    with pytest.raises(TypeError) as raised:
        CALLS[said](model)
    assert said.strip() in str(raised.value)


def test_a_number_that_does_not_fit_names_its_parameter():
    with pytest.raises(
        OverflowError, match="^cap is 1267650600228229401496703205376, an int, which does not fit int64_t"
    ):
        ads.Ledger().add_account(2**100)


def test_json_is_text_bytes_or_a_dict():
    rules = {"date": "2026-12-01", "rules": []}
    for given in (rules, '{"date": "2026-12-01", "rules": []}', b'{"date": "2026-12-01", "rules": []}'):
        assert not ads.Lint(rules=given).check("SALE!!!").errors
    with pytest.raises(TypeError, match="^rules: Object of type set is not JSON serializable"):
        ads.Lint(rules={"rules": {1}})
    assert np.isfinite(ads.SpendPlan([1.0, 2.0]).spent_by(0.5))
