"""The Python face: the README first, then every class, what errors look like, and what threads, signals and memory
do."""

import asyncio
import gc
import pathlib
import re
import signal
import threading
import time
import weakref

import numpy as np
import pytest

import puna
from conftest import MODEL

TOKENS = [11, 22, 33, 44, 55, 66, 77]


def test_the_readmes_example_runs(monkeypatch, capsys, smollm2):
    readme = (pathlib.Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", readme, re.S)[1]
    main_readme = pathlib.Path(__file__).parents[3] / "README.md"
    if "**Puna** runs" in (
        main_readme.read_text(encoding="utf-8") if main_readme.exists() else ""
    ):  # not when the wheel is tested
        assert code in main_readme.read_text(encoding="utf-8")
    real = puna.Model
    monkeypatch.setattr(puna, "Model", lambda path: smollm2 if path == "model.gguf" else real(path))
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip().startswith("Paris")
    many = re.findall(r"```python\n(.*?)```", readme, re.S)[1]
    names = {"puna": puna, "model": smollm2, "prompts": ["One, two,", "Red, green,"]}
    exec(compile(many, "README.md", "exec"), names)
    assert names["texts"] == ["".join(smollm2.session().generate(p, max_tokens=64)) for p in names["prompts"]]
    with puna.Engine(smollm2) as engine:
        asyncio.run(names["answer"](engine, "One, two,"))
    assert capsys.readouterr().out == names["texts"][0]


def test_a_model_describes_itself(model):
    assert model.info.vocabulary == len(model.tokenizer) or model.info.vocabulary > len(model.tokenizer) > 256
    assert model.metadata["model_type"]
    assert sum(int(np.prod(t.shape)) for t in model.tensors) == model.info.parameters
    assert model.info.load_seconds > 0


def test_the_plan_is_what_is_allocated():
    context = puna.Context()
    plan = puna.plan(MODEL, positions=100)
    session = puna.Model(MODEL, context=context).session()
    session.append([1] * 100)
    assert 0.99 * plan.total_bytes <= context.info.memory_peak <= plan.total_bytes


def test_a_model_plans_its_sessions_and_says_what_nothing_read(model):
    plan = model.plan(sessions=2, positions=100)
    assert (plan.weight_bytes, plan.sessions) == (0, 2) and plan.kv_bytes == 2 * model.plan(positions=100).kv_bytes > 0
    assert set(model.unused) == {"tensors", "keys"}


def test_a_model_opens_without_its_vision_encoder_and_with_a_verified_packed_file(tmp_path, model):
    assert puna.plan(MODEL, positions=8, vision=False).weight_bytes < puna.plan(MODEL, positions=8).weight_bytes
    packed = tmp_path / "packed"
    for verify in (False, True):
        blind = puna.Model(MODEL, vision=False, packed=packed, verify_packed=verify)
        assert blind.info.image_tile == 0 < model.info.image_tile
    assert puna.plan(MODEL, positions=8, vision=False, packed=packed).mapped_bytes > 0
    with pytest.raises(puna.InvalidArgument, match="/no/such: the model has a vision encoder"):
        puna.Model(MODEL, mmproj="/no/such")


def test_an_answer_counts_its_tokens_and_seconds(model):
    answer = model.session().generate(TOKENS, max_tokens=5, ignore_eos=True)
    list(answer)
    assert (answer.prompt_tokens, answer.generated_tokens) == (7, 5)
    assert answer.prompt_seconds > 0 and answer.generate_seconds > 0


def test_a_function_edits_the_logits(model):
    seen = []

    def only_the_length(logits, history):
        seen.append(history.tolist())
        logits[:] = -np.inf
        logits[len(history)] = 0

    session = model.session()
    answer = session.generate(TOKENS, max_tokens=3, ignore_eos=True, process_logits=only_the_length)
    assert [t.id for t in answer.tokens()] == [7, 8, 9]
    assert seen == [TOKENS, TOKENS + [7], TOKENS + [7, 8]]

    def fails(logits, history):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        list(session.generate(TOKENS, max_tokens=3, process_logits=fails))
    with pytest.raises(puna.Cancelled):
        list(session.generate(TOKENS, max_tokens=3, process_logits=lambda logits, history: False))


def test_a_memory_limit_is_an_exception_that_leaves_the_session_usable():
    limited = puna.Context(memory_limit=puna.plan(MODEL, positions=10).total_bytes)
    session = puna.Model(MODEL, context=limited).session()
    with pytest.raises(MemoryError, match="memory limit"):
        session.append([1] * 200)
    session.append([1] * 10)
    assert len(session) == 10


def test_logits_are_a_view_that_keeps_its_session_alive(model):
    session = model.session()
    session.append(TOKENS)
    logits = session.logits()
    assert logits.dtype == np.float32 and not logits.flags.owndata and not logits.flags.writeable
    assert np.shares_memory(logits, session.logits())
    want, gone = logits.copy(), weakref.ref(session)
    del session
    gc.collect()
    assert gone() is None
    assert (logits == want).all()


def test_append_logits_fills_the_callers_array(model):
    out = np.zeros((3, model.info.vocabulary), np.float32)
    session = model.session()
    assert session.append_logits(TOKENS[:3], out) is out
    assert (out[2] == session.logits()).all() and out[0].any()
    with pytest.raises(ValueError, match="expected contiguous"):
        session.append_logits(TOKENS[:3], np.zeros((2, 2), np.float32))


def test_token_ids_of_every_kind_are_the_same(model):
    want = None
    for tokens in (
        TOKENS,
        tuple(TOKENS),
        np.array(TOKENS, np.int32),
        np.array(TOKENS, np.int64),
        np.array(TOKENS, np.uint8),
    ):
        session = model.session()
        session.append(tokens)
        want = session.logits().copy() if want is None else want
        assert (session.logits() == want).all() and session.tokens.tolist() == TOKENS
    for wrong in ([1.5], [[1, 2]], ["a"], [2**40]):
        with pytest.raises((TypeError, ValueError, OverflowError)):
            model.session().append(wrong)


def test_rewind_fork_snapshot_and_batch_give_the_same_bits(model):
    session = model.session()
    session.append(TOKENS)
    want = session.logits().copy()
    session.append([1, 2, 3])
    session.truncate(len(TOKENS) - 1)
    session.append(TOKENS[-1:])
    assert (session.logits() == want).all()
    assert (session.fork().logits() == want).all()
    assert (model.restore(session.snapshot()).logits() == want).all()
    pair = [model.session(), model.session()]
    puna.append_batch(pair, [TOKENS, [5, 6]])
    assert (pair[0].logits() == want).all()
    with pytest.raises(puna.BadFile, match="snapshot"):
        model.restore(session.snapshot()[:-1])


def test_pieces_tokens_and_text_of_an_answer_agree(model):
    sampling = puna.Sampling(temperature=0.8, top_p=0.9, seed=3, bias={5: -1.0})
    pieces = "".join(model.session().generate(TOKENS, max_tokens=12, sampling=sampling))
    answer = model.session().generate(TOKENS, max_tokens=12, sampling=sampling, log_probabilities=2)
    tokens = list(answer.tokens())
    assert "".join(t.text for t in tokens) == pieces == answer.text
    assert all(len(t.probabilities) == 2 and t.probabilities[0][0] == t.id for t in tokens)
    assert answer.prompt_tokens == len(TOKENS) and answer.stop_reason in ("max_tokens", "stop_token")


def test_an_answer_left_early_leaves_the_session_usable(model):
    session = model.session()
    for n, _ in enumerate(session.generate(TOKENS, ignore_eos=True).tokens()):
        if n == 2:
            break
    gc.collect()
    assert len(session) == len(TOKENS) + 3 and session.pending
    session.append([1])


def test_the_next_answer_closes_the_one_before_and_a_changed_session_is_noticed(model):
    session = model.session()
    first = session.generate(TOKENS, max_tokens=5, ignore_eos=True)
    tokens = first.tokens()
    drawn = next(tokens)
    second = session.generate([7, 8], max_tokens=4, ignore_eos=True)
    assert list(tokens) == [] and list(first) == [] and first.prompt_tokens == len(TOKENS)
    assert list(session.tokens) == [*TOKENS, drawn.id]
    rest = second.tokens()
    next(rest)
    session.append([3])
    with pytest.raises(puna.Error, match="was changed"):
        next(rest)
    session.cancel()
    session.clear_cancel()
    session.append([4])


def test_a_sampler_draws_what_generate_draws(model):
    sampling = puna.Sampling(temperature=1.0, top_k=30, seed=9)
    sampler, session, drawn = puna.Sampler(sampling), model.session(), []
    session.append(TOKENS)
    for _ in range(5):
        token, log_p = sampler.sample(session.logits(), session.tokens, len(session))
        assert log_p == pytest.approx(sampler.distribution(session.logits(), session.tokens)[token])
        drawn.append(token)
        session.append([token])
    assert [
        t.id for t in model.session().generate(TOKENS, max_tokens=5, sampling=sampling, ignore_eos=True).tokens()
    ] == drawn
    with pytest.raises(puna.InvalidArgument, match="top_p"):
        puna.Sampler(puna.Sampling(temperature=1, top_p=2))


def test_embeddings_and_scores(model):
    rows = model.session(exact=True).embed(TOKENS, pooling="none")
    assert np.allclose(model.session(exact=True).embed(TOKENS), rows.mean(axis=0, dtype=np.float64), atol=1e-6)
    assert np.linalg.norm(model.session().embed(TOKENS, normalize=True)) == pytest.approx(1, rel=1e-6)
    logits = model.session(exact=True).append_logits(TOKENS).astype(np.float64)
    want = np.log(np.exp(logits).sum(axis=1))[:-1] - logits[np.arange(len(TOKENS) - 1), TOKENS[1:]]
    assert np.allclose(model.session(exact=True).score(TOKENS), want, atol=1e-5)


def test_tokenizer_round_trips_and_knows_its_tokens(model):
    t = puna.Tokenizer(MODEL)
    text = "Hello, wörld \U0001f999\n\t42"
    assert t.decode(t.encode(text)) == text and t.encode(text).tolist() == model.tokenizer.encode(text).tolist()
    assert t[t.bos].is_special and t.find(t[t.bos].bytes) == t.bos
    assert t.encode(b"\xff\xfe").size >= 2
    with pytest.raises(puna.InputOutput, match="/no/such"):
        puna.Tokenizer("/no/such")


def test_chat_is_the_rendered_template(model):
    messages = [{"role": "user", "content": "Hi"}]
    assert "Hi" in model.render_chat(messages)
    assert "".join(model.session().chat(messages, max_tokens=3)) == "".join(
        model.session().generate(model.render_chat(messages), parse_special=True, max_tokens=3)
    )


def test_errors_are_exceptions_of_python_and_of_puna(model):
    with pytest.raises(puna.InputOutput, match="/no/such/model") as e:
        puna.Model("/no/such/model")
    assert isinstance(e.value, OSError) and e.value.status == 3
    with pytest.raises(ValueError, match="token 0"):
        model.session().append([-1])
    with pytest.raises(puna.WrongState, match="append"):
        model.session().logits()
    with pytest.raises(puna.ContextFull):
        model.session(max_positions=4).append(TOKENS)
    with pytest.raises(puna.Unsupported, match="mmx"):
        puna.Context(isa="mmx")
    with pytest.raises(puna.BadFile):
        puna.Model.from_bytes(b"GGUF\3\0\0\0" + b"\xff" * 100)


def test_an_exception_in_progress_ends_the_load():
    class Enough(Exception):
        pass

    def progress(done, total):
        raise Enough

    with pytest.raises(Enough):
        puna.Model(MODEL, progress=progress)
    seen = []
    puna.Model(MODEL, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] > 0


def test_the_gil_is_released_while_the_library_computes(smollm2):
    prompt, ticks, done = list(range(100, 500)), 0, threading.Event()

    def work():
        smollm2.session().append_logits(prompt)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not done.is_set():
        time.sleep(0.001)
        ticks += 1
    thread.join()
    assert ticks > 10


def test_cancel_from_another_thread(smollm2):
    session = smollm2.session()
    timer = threading.Timer(0.1, session.cancel)
    timer.start()
    with pytest.raises(puna.Cancelled):
        session.append_logits(list(range(100, 2000)))
    assert len(session) == 0
    session.append([1, 2])


def test_control_c_interrupts_a_prompt_an_answer_and_fine_tuning(smollm2):
    session = smollm2.session()
    for run in (
        lambda: session.append(list(range(100, 2000))),
        lambda: list(session.generate("Once", ignore_eos=True)),
        lambda: smollm2.finetune([{"text": "A long way from here. " * 100}], steps=50),
    ):
        main = threading.main_thread().ident
        timer = threading.Timer(0.2, lambda: signal.pthread_kill(main, signal.SIGINT))
        started = time.monotonic()
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            run()
        assert time.monotonic() - started < 2
        timer.join()
    session.append([1])


def test_control_c_cancels_while_a_tokenizer_opens_and_a_session_becomes_bytes_and_back(monkeypatch):
    class Slow:
        """The library, of which some calls take long."""

        def __getattr__(self, name):
            call = getattr(puna.native.lib, name)
            if name not in ("puna_tokenizer_open", "puna_session_restore", "puna_session_snapshot"):
                return call

            def slow(*arguments):
                if (
                    threading.current_thread() is not threading.main_thread()
                ):  # a snapshot's size is asked on the main thread
                    time.sleep(1)
                return call(*arguments)

            return slow

    model = puna.Model(MODEL)
    session = model.session()
    session.append(TOKENS)
    snapshot = session.snapshot()
    with monkeypatch.context() as patched:
        for module in (puna.tokenizer, puna.model, puna.session):
            patched.setattr(module, "lib", Slow())
        for run in (lambda: puna.Tokenizer(MODEL), lambda: model.restore(snapshot), session.snapshot):
            main = threading.main_thread().ident
            timer = threading.Timer(0.1, lambda: signal.pthread_kill(main, signal.SIGINT))
            started = time.monotonic()
            timer.start()
            with pytest.raises(KeyboardInterrupt):
                run()
            assert time.monotonic() - started < 0.8
            timer.join()
        with pytest.raises(puna.Error):
            puna.Tokenizer("/no/such/tokenizer.json")
    time.sleep(1.5)  # what was left behind ends
    assert session.snapshot() == snapshot
    assert model.restore(snapshot).snapshot() == snapshot


def test_many_models_come_and_go():
    context = puna.Context(threads=2)
    for _ in range(50):
        s = puna.Model(MODEL, context=context).session()
        s.append(TOKENS)
        del s
    gc.collect()
    assert context.info.memory_used == 0


def test_a_context_with_a_provider_answers_about_the_same():
    with pytest.raises(ValueError, match="expected one of none, f32, bf16"):
        puna.Context(providers="cuda")
    tokens = [(i * 37 + 11) % 256 for i in range(100)]

    def logits(**options):
        session = puna.Model(MODEL, context=puna.Context(threads=2, **options)).session()
        session.append(tokens)
        return session.logits().copy()

    try:
        provided = logits(providers="f32")
    except puna.Unsupported as e:  # not in the wheel
        pytest.skip(str(e))
    np.testing.assert_allclose(provided, logits(), atol=1e-3 * np.abs(provided).max())
