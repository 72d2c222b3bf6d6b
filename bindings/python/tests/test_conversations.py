"""Conversations: the last generated token is pending, what a session shares with a prompt stays, a chat's next turn is
a fresh session's answer bit for bit."""

import gc
import signal

import numpy as np
import pytest

import puna

TOKENS = [11, 22, 33, 44, 55, 66, 77]
HI = [{"role": "user", "content": "Hello, who are you?"}]


def answered(session, prompt=TOKENS, count=4):
    return [t.id for t in session.generate(prompt, max_tokens=count, ignore_eos=True).tokens()]


def fresh(model, tokens):
    session = model.session()
    session.append(tokens)
    return session.logits()


def test_a_session_holds_every_generated_token_and_the_last_is_pending(model):
    session = model.session()
    assert not session.pending
    ids = answered(session)
    assert session.tokens.tolist() == TOKENS + ids and session.pending
    with pytest.raises(puna.WrongState, match="not computed"):
        session.logits()
    copy = session.fork()
    restored = model.restore(session.snapshot())
    for s in (session, copy, restored):
        assert s.pending and s.append([]) == puna.Appended(len(TOKENS) + 4, 0) and not s.pending
        assert (s.logits() == fresh(model, TOKENS + ids)).all()
    with pytest.raises(puna.InvalidArgument, match="no tokens"):
        session.append([])


def test_the_next_call_computes_the_pending_token(model):
    session = model.session()
    ids = answered(session)
    batch = [session.fork(), model.session()]
    puna.append_batch(batch, [[5], [6]])
    out = session.append_logits([5, 6])
    want = model.session().append_logits([*TOKENS, *ids, 5, 6])
    assert (out == want[-2:]).all() and (batch[0].logits() == want[-2]).all()
    session.truncate(len(TOKENS) + 4)
    assert not session.pending
    whole = answered(model.session(), count=12)
    parts = model.session()
    assert answered(parts, count=5) + answered(parts, "", 3) + answered(parts, [], 4) == whole


def test_what_is_shared_stays(model):
    session = model.session()
    assert session.append(TOKENS) == puna.Appended(0, 7)
    for tokens, kept in ((TOKENS + [1, 2], 7), (TOKENS + [1, 3], 8), (TOKENS[:3], 2), (TOKENS[:3], 2), ([9, 8], 0)):
        assert session.append(tokens, keep_shared=True) == puna.Appended(kept, len(tokens) - kept)
        assert session.tokens.tolist() == tokens and (session.logits() == fresh(model, tokens)).all()
    text = "Two words"
    assert session.append(text, keep_shared=True).kept == 0
    assert session.tokens.tolist() == model.tokenizer.encode(text, add_bos=True).tolist()
    assert session.append(text + " more", keep_shared=True).kept > 0
    with pytest.raises(puna.ContextFull):
        session.append([1] * (model.info.max_positions + 1), keep_shared=True)
    with pytest.raises(puna.InvalidArgument):
        session.append([1, -1], keep_shared=True)
    assert session.tokens.tolist() == model.tokenizer.encode(text + " more", add_bos=True).tolist()


def test_logits_and_embeddings_are_of_what_was_appended(model):
    session, want = model.session(), model.session().append_logits(TOKENS)
    vectors = model.session().embed(TOKENS, pooling="none")
    session.append(TOKENS[:4] + [1])
    assert (session.append_logits(TOKENS, keep_shared=True) == want[4:]).all()
    session.append(TOKENS[:5], keep_shared=True)
    assert (session.embed(TOKENS, pooling="none", keep_shared=True) == vectors[5:]).all()
    session.append(TOKENS[:2] + [1], keep_shared=True)
    assert (
        session.embed(TOKENS, pooling="last", keep_shared=True) == vectors[-1]
    ).all() and session.tokens.tolist() == TOKENS


def test_pictures_take_their_rows(model):
    image, place = model.image(np.full((48, 48, 3), 90, np.uint8)), model.tokenizer.find("<|image|>")
    rows = image.info.tokens
    assert len(image.tokens) == rows
    tokens = [1, 2, place, 3]
    out = model.session().append_logits(tokens, images=image)
    assert out.shape == (3 + rows, model.info.vocabulary)
    session = model.session()
    assert session.append(tokens, images=[image]) == (0, 3 + rows) and (session.logits() == out[-1]).all()
    assert model.session().embed(tokens, pooling="none", images=[image]).shape == (3 + rows, model.info.hidden)
    assert session.append([*tokens, 4], images=[image], keep_shared=True) == (3 + rows, 1)
    pixels, features = (
        model.image(np.full((48, 48, 3), 90, np.uint8)).pixels,
        model.image(np.full((48, 48, 3), 90, np.uint8)).encode(),
    )
    gc.collect()  # both arrays keep their image
    assert (pixels == image.pixels).all() and (features == image.encode()).all() and not pixels.flags.writeable


def turns(model, session, **options):
    """Three turns of a chat in one session: of each the messages, and the answer's tokens with their probabilities."""
    messages, out = list(HI), []
    for question in ("And where do you live?", "Is it high?", None):
        answer = session.chat(messages, max_tokens=9, ignore_eos=True, log_probabilities=3, **options)
        tokens = list(answer.tokens())
        out.append((list(messages), tokens, answer.prompt_tokens))
        messages += [{"role": "assistant", "content": answer.text}, {"role": "user", "content": question}]
    return out


@pytest.mark.parametrize("options", [{}, {"sampling": puna.Sampling(temperature=0.9, seed=5)}], ids=["greedy", "drawn"])
@pytest.mark.parametrize("exact", [False, True])
def test_a_chats_next_turn_is_a_fresh_sessions_answer(model, options, exact):
    session = model.session(exact=exact)
    for turn, (messages, tokens, computed) in enumerate(turns(model, session, **options)):
        alone = model.session(exact=exact).chat(messages, max_tokens=9, ignore_eos=True, log_probabilities=3, **options)
        assert list(alone.tokens()) == tokens
        whole = len(model.chat_tokens(messages))
        assert alone.prompt_tokens == whole and (computed < whole if turn else computed == whole)
    assert session.pending


def test_drafts_change_nothing_but_the_time(model):
    draft, prompt = model.session(), model.chat_tokens(HI)
    for options in ({}, {"sampling": puna.Sampling(temperature=0.8, seed=2)}):
        plain = model.session().generate(prompt, max_tokens=40, ignore_eos=True, **options)
        want = [t.id for t in plain.tokens()]
        assert plain.drafts == puna.Drafts(0, 0)
        for drafts in ({"lookup": 8}, {"draft": draft}, {"lookup": 4, "draft": draft, "draft_tokens": 3}):
            answer = model.session().generate(prompt, max_tokens=40, ignore_eos=True, **drafts, **options)
            assert [t.id for t in answer.tokens()] == want
        assert answer.drafts.accepted >= 0
    first = model.session().generate(prompt, max_tokens=4, draft=draft)
    with pytest.raises(puna.WrongState):  # the draft is the first answer's
        model.session().generate(prompt, max_tokens=4, draft=draft)
    first.close()
    assert len(list(model.session().generate(prompt, max_tokens=4, ignore_eos=True, draft=draft).tokens())) == 4


def test_a_turn_that_changed_costs_what_follows_it(model):
    session, messages = (
        model.session(),
        [*HI, {"role": "assistant", "content": "A puna."}, {"role": "user", "content": "Where do you live?"}],
    )
    list(session.chat(messages, max_tokens=5, ignore_eos=True))
    messages[1] = {"role": "assistant", "content": "A puma."}
    held, ids = session.tokens.tolist(), model.chat_tokens(messages).tolist()
    shared = next(i for i, (a, b) in enumerate(zip(held, ids)) if a != b)
    answer = session.chat(messages, max_tokens=5, ignore_eos=True)
    list(answer)
    assert shared > 4 and answer.prompt_tokens == len(ids) - shared


def test_a_chat_replaces_what_the_session_held_besides(model):
    session = model.session()
    session.append([1, 2, 3])
    assert "".join(session.chat(HI, max_tokens=5)) == "".join(model.session().chat(HI, max_tokens=5))
    assert session.tokens.tolist()[: len(model.chat_tokens(HI))] == model.chat_tokens(HI).tolist()
    again = session.chat(HI, max_tokens=5)
    assert "".join(again) == "".join(model.session().chat(HI, max_tokens=5)) and again.prompt_tokens == 1


@pytest.fixture
def control_c_after(monkeypatch):
    """control_c_after(3): the third slice of an append ends with a Ctrl-C."""

    def arrange(slices):
        class Interrupted:
            left = slices

            def __getattr__(self, name):
                call = getattr(puna.native.lib, name)
                if name != "puna_session_step":
                    return call

                def step(session, _budget, finished):
                    status = call(session, 1, finished)
                    self.left -= 1
                    if self.left == 0:
                        assert not finished[0]
                        signal.raise_signal(signal.SIGINT)
                    return status

                return step

        monkeypatch.setattr(puna.session, "lib", Interrupted())

    return arrange


@pytest.mark.parametrize("name", ["append", "append_logits", "embed", "append_images"])
def test_control_c_between_two_slices_leaves_the_session_and_the_array_as_they_were(model, control_c_after, name):
    session, out = model.session(), np.zeros((5, model.info.vocabulary), np.float32)
    ids = answered(session)
    more = {"append_logits": (out,), "append_images": ([],)}.get(name, ())
    control_c_after(3)
    with pytest.raises(KeyboardInterrupt):
        getattr(session, name)([1, 2, 3, 4, 5], *more)
    assert session.tokens.tolist() == TOKENS + ids and session.pending and not out.any()
    session.append([1])
    assert (session.logits() == fresh(model, [*TOKENS, *ids, 1])).all()


def test_control_c_leaves_what_keep_shared_would_replace(model, control_c_after):
    session = model.session()
    session.append(TOKENS)
    want = session.logits().copy()
    control_c_after(2)
    with pytest.raises(KeyboardInterrupt):
        session.append([*TOKENS[:2], 5, 6], keep_shared=True)
    assert session.tokens.tolist() == TOKENS and (session.logits() == want).all()


def test_a_models_tokenizer_keeps_it():
    from conftest import MODEL

    tokenizer = puna.Model(MODEL).tokenizer
    gc.collect()
    assert tokenizer.decode(tokenizer.encode("two words")) == "two words"
