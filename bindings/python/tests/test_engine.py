"""puna.Engine: requests from many threads and coroutines, each answered as alone."""

import asyncio
import threading
import time

import puna
import pytest


def options(seed):
    return {"max_tokens": 9, "ignore_eos": True, "sampling": {"temperature": 1.0, "seed": seed}}


def alone(model, prompt, seed):
    return "".join(model.session().generate(prompt, **options(seed)))


def test_threads_get_the_answers_of_a_session(model):
    prompts = [f"It is a truth number {i}" for i in range(6)]
    want = [alone(model, p, i) for i, p in enumerate(prompts)]
    got = [None] * len(prompts)
    with puna.Engine(model, max_running=3) as engine:

        def ask(i):
            request = engine.submit(prompts[i], **options(i))
            got[i] = "".join(request)

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(prompts))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert engine.info.finished == len(prompts)
    assert got == want


def test_prompts_are_scored_and_embedded_as_by_a_session(model):
    ids = model.tokenizer.encode("It is a truth universally acknowledged", add_bos=True)
    with puna.Engine(model) as engine:
        scored = engine.submit(ids, prompt_log_probabilities=2, prompt_only=True)
        embedded = engine.submit(ids, embed="mean", normalize=True, prompt_only=True)
        with pytest.raises(ValueError):
            engine.submit(ids, embed="median")
        assert scored.result().tokens.size == embedded.result().tokens.size == 0
    nll = model.session().score(ids)
    likely = [scored.prompt_probabilities(i) for i in range(1, len(ids))]
    assert [p[0][0] for p in likely] == list(ids[1:])
    assert [p[0][1] for p in likely] == [-x for x in nll.tolist()]
    assert embedded.embedding.tolist() == model.session().embed(ids, normalize=True).tolist()
    with pytest.raises(puna.Error):
        scored.embedding


def test_coroutines_stream_and_a_loop_that_is_left_cancels(model):
    want = [alone(model, "It is a truth", i) for i in range(5)]

    async def run():
        with puna.Engine(model) as engine:

            async def one(i):
                return "".join([piece async for piece in engine.stream("It is a truth", **options(i))])

            got = await asyncio.gather(*[one(i) for i in range(5)])
            left = engine.stream("It is a truth", max_tokens=100_000, ignore_eos=True)
            tokens = left.tokens()
            async for _ in tokens:
                break
            await tokens.aclose()
            end = time.monotonic() + 20
            while engine.info.cancelled == 0 and time.monotonic() < end:
                await asyncio.sleep(0.001)
            assert engine.info.cancelled == 1
            return got

    assert asyncio.run(run()) == want


def test_several_answers_share_a_prompt_and_failures_raise(model):
    with puna.Engine(model, max_queued=2) as engine:
        request = engine.submit("It is a truth", n=3, **options(4))
        request.result()
        assert [a.text for a in request.answers] == [alone(model, "It is a truth", 4 + i) for i in range(3)]
        assert request.info.generated_tokens == 27
        again = engine.submit("It is a truth", **options(4))
        assert again.result().text == request.answers[0].text
        assert again.info.cached_tokens == again.info.prompt_tokens - 1
        saved = engine.save_cache()
        engine.clear_cache()
        assert engine.info.cache_bytes == 0
        engine.restore_cache(saved)
        assert engine.info.cache_bytes > 0
        with pytest.raises(puna.BadFile):
            engine.restore_cache(saved[:-1])
        late = engine.submit("It is a truth", max_tokens=100_000, ignore_eos=True, deadline=0.02)
        with pytest.raises(puna.Cancelled, match="deadline"):
            late.result()
        gone = engine.submit("It is a truth", max_tokens=100_000, ignore_eos=True)
        gone.cancel()
        with pytest.raises(puna.Cancelled):
            gone.result()
        with pytest.raises(TypeError, match="unexpected keyword argument 'max_tokenz', did you mean 'max_tokens'"):
            engine.submit("It", max_tokenz=1)
        with pytest.raises(TypeError, match="unexpected keyword argument 'prioritee', did you mean 'priority'"):
            engine.submit("It", prioritee=1)
        with pytest.raises(puna.InvalidArgument, match="empty"):
            engine.submit([])
        answer = engine.submit("It is", choices=["yes", "no"], max_tokens=20).result()
        assert answer.text in ("yes", "no")
    with pytest.raises(ValueError, match="closed"):
        engine.submit("It")


def test_an_answer_that_is_cut_is_closed(model):
    schema = {"type": "array", "items": {"type": "integer"}, "minItems": 3}
    cut = {"json_schema": schema, "max_tokens": 12, "sampling": {"temperature": 1.0, "seed": 5}, "close_answer": True}
    want = model.session().generate("It is a truth", **cut)
    assert len(want.parsed) >= 3
    with puna.Engine(model) as engine:
        request = engine.submit("It is a truth", **cut)
        assert request.result().text == want.text
        assert not request.result().incomplete


def test_a_full_queue_is_busy(model):
    with puna.Engine(model, max_queued=1, max_running=1) as engine:
        held = []
        with pytest.raises(puna.Busy, match="try again"):
            for _ in range(50):
                held.append(engine.submit("It is a truth", max_tokens=100_000, ignore_eos=True, max_events=1))
        assert engine.info.retry_after_us > 0
