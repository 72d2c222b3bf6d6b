"""Fine-tuning: an adapter that changes answers, saves itself, and stops when asked."""

import numpy as np
import pytest

import puna

EXAMPLES = [{"prompt": "one two", "completion": " three"}, {"prompt": "three four", "completion": " five"}]


def logits(model, adapter):
    session = model.session()
    session.use(adapter)
    session.append([1, 2, 3])
    return session.logits().copy()


def test_an_adapter_is_learned_saved_and_used(model, tmp_path):
    reports = []
    adapter = model.finetune(EXAMPLES, steps=6, learning_rate=2e-2, targets=["all"], progress=reports.append)
    assert [r.step for r in reports] == [1, 2, 3, 4, 5, 6]
    assert reports[-1].loss < reports[0].loss
    adapter.save(tmp_path / "adapter")
    again = model.adapter(tmp_path / "adapter")
    assert (logits(model, adapter) == logits(model, again)).all()
    assert np.abs(logits(model, adapter) - logits(model, None)).max() > 0


def test_preferences_are_learned(model):
    pairs = [{"prompt": "one two", "chosen": " three", "rejected": " four"}]
    reports = []
    model.finetune(pairs, preferences=True, steps=5, learning_rate=2e-2, progress=reports.append)
    assert reports[-1].preferred == 1


def test_progress_may_stop_it_or_raise(model):
    with pytest.raises(puna.Cancelled):
        model.finetune(EXAMPLES, steps=6, progress=lambda r: False)

    def fail(_report):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.finetune(EXAMPLES, steps=6, progress=fail)
    with pytest.raises(puna.BadFile, match="line 1"):
        model.finetune([{"prompt": "x"}])


def test_forms_of_other_trainers_are_read_and_options_reach_the_library(model):
    rows = [
        {"conversations": [{"from": "human", "value": "one"}, {"from": "gpt", "value": "two"}]},
        {"instruction": "one", "input": "", "output": "two"},
    ]
    tokens = []
    model.finetune(rows, steps=1, date="2026-01-02", parse_content=True, progress=lambda r: tokens.append(r.tokens))
    assert tokens[0] > 0
    with pytest.raises(puna.BadFile, match="did you mean 'messages'"):
        model.finetune([{"mesages": []}])
