//! The Rust face on the smallest golden model: every type, what errors look like, what threads and panics do.
use puna::*;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const TOKENS: [i32; 7] = [11, 22, 33, 44, 55, 66, 77];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap()
}
fn path() -> PathBuf {
    root().join("tests/data/golden/multimodal")
}
fn model() -> Model {
    Model::open(path()).unwrap()
}
fn go_on<T>(_: T) -> ControlFlow<()> {
    ControlFlow::Continue(())
}
fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("puna-rust-{}-{name}", std::process::id()))
}
fn ids(answer: Answer<'_>) -> Vec<i32> {
    answer.map(|t| t.unwrap().id).collect()
}

#[test]
fn bindings_are_what_the_header_says() {
    let script = root().join("bindings/rust/generate.py");
    let done = std::process::Command::new("python3").arg(script).arg("--check").output().expect("python3");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn models_are_shared_and_sessions_move() {
    fn shared<T: Send + Sync>() {}
    fn moves<T: Send>() {}
    shared::<Model>();
    shared::<Context>();
    shared::<Tokenizer>();
    shared::<Adapter>();
    shared::<Canceller>();
    shared::<Chat>();
    shared::<Grammar>();
    shared::<Image>();
    shared::<Sampler>();
    shared::<Ranker>();
    moves::<Session>();
    moves::<Answer<'_>>();
    moves::<Matcher>();
}

#[test]
fn a_model_describes_itself() {
    let model = model();
    let info = model.info().unwrap();
    assert_eq!(info.architecture, "llama4");
    let parameters: i64 = model.tensors().unwrap().iter().map(|t| t.shape.iter().product::<i64>()).sum();
    assert_eq!(parameters as u64, info.parameters);
    assert!(version().starts_with("0."));
    let keys = model.metadata_keys().unwrap();
    assert!(keys.windows(2).all(|two| two[0] < two[1]));
    assert_eq!(model.metadata("model_type").unwrap(), "\"llama4\"");
    assert!(model.metadata("no such key").is_err());
    assert!(model.unused().unwrap().starts_with('{'));
}

#[test]
fn the_plan_is_what_is_allocated() {
    let plan = Plan::of(path(), &PlanOptions { positions: 100, ..Default::default() }).unwrap();
    let context = Context::new(&ContextOptions { threads: 2, ..Default::default() }).unwrap();
    let model =
        Model::open_with(Some(&context), path(), &ModelOptions::default(), |_, _| ControlFlow::Continue(())).unwrap();
    model.session().unwrap().append(&[1; 100]).unwrap();
    let peak = context.info().unwrap().memory_peak;
    assert!(peak <= plan.total_bytes && peak as f64 >= 0.99 * plan.total_bytes as f64, "{peak} {}", plan.total_bytes);
}

#[test]
fn steps_forks_rewinds_snapshots_and_batches_give_the_same_bits() {
    let model = model();
    let mut session = model.session().unwrap();
    session.append(&TOKENS).unwrap();
    let want = session.logits().unwrap().to_vec();

    let mut stepped = model.session().unwrap();
    stepped.begin(&TOKENS).unwrap();
    assert_eq!(stepped.append(&TOKENS).unwrap_err().status, Status::WrongState);
    let mut steps = 1;
    while stepped.step(Duration::from_micros(1)).unwrap().is_none() {
        steps += 1;
    }
    assert!(steps > 10);
    assert_eq!(stepped.logits().unwrap(), want);

    assert_eq!(session.fork().unwrap().logits().unwrap(), want);
    assert_eq!(model.restore(&session.snapshot().unwrap()).unwrap().logits().unwrap(), want);
    session.append(&[1, 2]).unwrap();
    session.truncate(6).unwrap();
    session.append(&TOKENS[6..]).unwrap();
    assert_eq!(session.logits().unwrap(), want);
    assert_eq!(session.tokens().unwrap(), TOKENS);

    let (mut a, mut b) = (model.session().unwrap(), model.session().unwrap());
    append_batch(&mut [(&mut a, &TOKENS), (&mut b, &[5, 6])]).unwrap();
    assert_eq!(a.logits().unwrap(), want);
    assert_eq!(b.len(), 2);
    assert!(session.timings().unwrap().prompt_tokens >= 9);
}

#[test]
fn an_answer_is_an_iterator_and_may_be_left() {
    let model = model();
    let sampler = SamplerOptions { temperature: 0.8, top_k: 40, seed: 3, bias: vec![(5, -1.0)], ..Default::default() };
    let options = GenerateOptions { max_tokens: 10, sampler, ignore_eos: true, ..Default::default() };
    let mut session = model.session().unwrap();
    let want = ids(session.generate_tokens(&TOKENS, &options).unwrap());
    assert_eq!(want.len(), 10);

    let mut again = model.session().unwrap();
    let mut sliced = again.generate_tokens(&TOKENS, &options).unwrap();
    let (mut got, mut pauses) = (vec![], 0);
    loop {
        match sliced.step(Duration::from_micros(20)).unwrap() {
            Step::Token(t) => got.push(t.id),
            Step::Paused => pauses += 1,
            Step::Ended => break,
        }
    }
    assert_eq!(got, want);
    assert!(pauses > 0);
    let result = sliced.result().unwrap();
    assert_eq!((result.stop_reason, result.prompt_tokens, result.generated_tokens), (StopReason::MaxTokens, 7, 10));
    assert_eq!(sliced.session().len(), 17);
    drop(sliced);

    let mut left = model.session().unwrap();
    assert_eq!(
        left.generate_tokens(&TOKENS, &options).unwrap().take(3).map(|t| t.unwrap().id).collect::<Vec<_>>(),
        want[..3]
    );
    assert_eq!(left.tokens().unwrap()[TOKENS.len()..], want[..3]);
    assert!(left.info().unwrap().pending);
    left.append(&[1]).unwrap();
    assert!(!left.info().unwrap().pending && left.logits().is_ok());
}

#[test]
fn drafts_change_nothing_but_the_time() {
    let model = Model::open(root().join("examples/bundled/puna-austen.gguf")).unwrap();
    let prompt = model.tokenizer().unwrap().encode("It was a truth, it was a truth, it was").unwrap();
    let draft = Draft::new(model.session().unwrap());
    let plain = GenerateOptions { max_tokens: 40, ignore_eos: true, ..Default::default() };
    let drafted = GenerateOptions { lookup_tokens: 4, draft: Some(draft.clone()), draft_tokens: 3, ..plain.clone() };
    let mut session = model.session().unwrap();
    let want = ids(session.generate_tokens(&prompt, &plain).unwrap());
    session.truncate(0).unwrap();
    let mut answer = session.generate_tokens(&prompt, &drafted).unwrap();
    let mut got = vec![];
    for token in answer.by_ref() {
        got.push(token.unwrap().id);
    }
    assert_eq!(got, want);
    assert!(answer.result().unwrap().accepted_drafts > 5);
    let mut other = model.session().unwrap();
    assert_eq!(other.generate_tokens(&prompt, &drafted).err().unwrap().status, Status::WrongState);
    drop(answer);
    assert_eq!(ids(other.generate_tokens(&prompt, &drafted).unwrap()), want);
    let too_many = GenerateOptions { lookup_tokens: 65, ..plain };
    let refused = session.generate_tokens(&prompt, &too_many).err().unwrap();
    assert_eq!(refused.message, "lookup_tokens is 65, expected 0 to 64");
}

#[test]
fn after_an_answer_the_session_holds_all_of_it_and_the_last_token_is_pending() {
    let model = model();
    let options = GenerateOptions { max_tokens: 5, ignore_eos: true, ..Default::default() };
    let mut session = model.session().unwrap();
    let answer = ids(session.generate_tokens(&TOKENS, &options).unwrap());
    let all: Vec<i32> = TOKENS.iter().chain(&answer).copied().collect();
    assert_eq!(session.tokens().unwrap(), all);
    assert!(session.info().unwrap().pending);
    assert_eq!(session.logits().unwrap_err().status, Status::WrongState);
    // Forks and snapshots keep it, and an append of nothing computes it.
    let mut copies = [session.fork().unwrap(), model.restore(&session.snapshot().unwrap()).unwrap()];
    for copy in &mut copies {
        assert!(copy.info().unwrap().pending);
        let done = copy.append(&[]).unwrap();
        assert_eq!((done.kept, done.appended, copy.len()), (12, 0, 12));
    }
    let mut again = model.session().unwrap();
    again.append(&all).unwrap();
    assert!(copies.iter().all(|c| c.logits().unwrap() == again.logits().unwrap()));
    assert_eq!(again.append(&[]).unwrap_err().status, Status::InvalidArgument);
    // Without the pending token there are the logits that drew it.
    session.truncate(11).unwrap();
    assert!(!session.info().unwrap().pending && session.logits().is_ok());
}

#[test]
fn an_append_keeps_what_it_shares_and_hands_out_logits_and_embeddings() {
    let model = model();
    let info = model.info().unwrap();
    let (vocabulary, hidden) = (info.vocabulary as usize, info.hidden as usize);
    let mut session = model.session().unwrap();
    session.append(&TOKENS).unwrap();
    let mut next = TOKENS.to_vec();
    next.splice(5.., [1, 2, 3]);
    let options = AppendOptions::new().keep_shared().logits().embeddings(Pooling::None);
    let plan = session.plan_append(&next, &options).unwrap();
    assert_eq!((plan.kept, plan.appended, session.tokens().unwrap()), (5, 3, &TOKENS[..]));
    let mut stepped = session.fork().unwrap();
    let out = session.append_with(&next, &options).unwrap();
    assert_eq!((out.kept, out.appended, out.logits.len(), out.embeddings.len()), (5, 3, 3 * vocabulary, 3 * hidden));
    assert_eq!(session.tokens().unwrap(), next);
    assert_eq!(out.logits[2 * vocabulary..], *session.logits().unwrap());

    let mut whole = model.session().unwrap();
    let all = whole.append_with(&next, &AppendOptions::new().logits().embeddings(Pooling::None)).unwrap();
    assert_eq!((all.kept, all.appended), (0, 8));
    assert_eq!((&all.logits[5 * vocabulary..], &all.embeddings[5 * hidden..]), (&out.logits[..], &out.embeddings[..]));

    stepped.begin_with(&next, &options).unwrap();
    assert!(stepped.info().unwrap().under_way);
    let mut moved = Box::new(stepped);
    let done = loop {
        if let Some(done) = moved.step(Duration::from_micros(1)).unwrap() {
            break done;
        }
    };
    assert_eq!(done, out);

    // What is dropped is given nothing, and the session is as before.
    moved.begin_with(&TOKENS, &options).unwrap();
    moved.step(Duration::from_micros(1)).unwrap();
    moved.truncate(8).unwrap();
    assert_eq!(moved.step(Duration::ZERO).unwrap_err().status, Status::WrongState);
    assert_eq!(moved.tokens().unwrap(), next);
    moved.begin_with(&TOKENS, &options).unwrap();
    moved.canceller().cancel();
    assert_eq!(moved.step(Duration::ZERO).unwrap_err().status, Status::Cancelled);
    assert_eq!((moved.tokens().unwrap(), moved.info().unwrap().under_way), (&next[..], false));
    moved.canceller().cancel();
    moved.clear_cancel().unwrap();
    moved.append(&[1]).unwrap();
}

#[test]
fn a_score_is_the_log_softmax_of_what_came() {
    let model = model();
    let vocabulary = model.info().unwrap().vocabulary as usize;
    let nll = model.session().unwrap().score(&TOKENS).unwrap();
    let rows = model.session().unwrap().append_with(&TOKENS, &AppendOptions::new().logits()).unwrap().logits;
    for (i, row) in rows.chunks(vocabulary).take(6).enumerate() {
        let sum: f64 = row.iter().map(|&x| f64::from(x).exp()).sum();
        let want = sum.ln() - f64::from(row[TOKENS[i + 1] as usize]);
        assert!((f64::from(nll[i]) - want).abs() < 1e-4, "{i}: {} {want}", nll[i]);
    }
    assert_eq!(model.session().unwrap().score(&[]).unwrap_err().status, Status::InvalidArgument);
}

#[test]
fn log_probabilities_are_the_models_own() {
    let model = model();
    let options = GenerateOptions {
        max_tokens: 6,
        ignore_eos: true,
        log_probabilities: 4,
        sampler: SamplerOptions { temperature: 2.0, seed: 5, ..Default::default() },
        ..Default::default()
    };
    let mut session = model.session().unwrap();
    let tokens: Vec<Token> = session.generate_tokens(&TOKENS, &options).unwrap().map(|t| t.unwrap()).collect();
    let mut again = model.session().unwrap();
    again.append(&TOKENS).unwrap();
    for token in &tokens {
        let logits = again.logits().unwrap();
        let normalizer = logits.iter().map(|&x| f64::from(x).exp()).sum::<f64>().ln();
        assert_eq!((token.log_probabilities.len(), token.log_probabilities[0].0), (4, token.id));
        for &(id, p) in &token.log_probabilities {
            assert!((f64::from(p) - (f64::from(logits[id as usize]) - normalizer)).abs() < 1e-5);
        }
        assert!(token.log_probabilities[1..].windows(2).all(|two| two[0].1 >= two[1].1));
        again.append(&[token.id]).unwrap();
    }
    let without = GenerateOptions { log_probabilities: 0, ..options.clone() };
    assert!(session.generate_tokens(&[], &without).unwrap().all(|t| t.unwrap().log_probabilities.is_empty()));
    let many = GenerateOptions { log_probabilities: i32::MAX, ..options };
    assert!(session.generate_tokens(&[], &many).err().unwrap().message.contains("log_probabilities"));
}

#[test]
fn every_filter_of_the_sampler_is_passed_on() {
    let logits: Vec<f32> = [4.0, 3.0, 2.0, 1.0, 0.0].to_vec();
    let history = [1, 2, 1];
    let kept = |options: SamplerOptions| {
        let all = Sampler::new(&options).unwrap().distribution(&logits, &history).unwrap();
        assert!((all.iter().map(|p| p.exp()).sum::<f32>() - 1.0).abs() < 1e-5);
        all.iter().filter(|p| p.is_finite()).count()
    };
    let plain = || SamplerOptions { temperature: 1.0, ..Default::default() };
    assert_eq!(kept(SamplerOptions::default()), 1);
    assert_eq!(kept(plain()), 5);
    assert_eq!(kept(SamplerOptions { top_k: 2, ..plain() }), 2);
    assert_eq!(kept(SamplerOptions { top_p: 0.8, ..plain() }), 2);
    assert_eq!(kept(SamplerOptions { min_p: 0.1, ..plain() }), 3); // e^-2 = 0.135 of the largest
    assert!(kept(SamplerOptions { typical_p: 0.5, ..plain() }) < 5);
    assert_eq!(kept(SamplerOptions { epsilon: 0.05, ..plain() }), 3);
    assert!(kept(SamplerOptions { eta: 0.3, ..plain() }) < 5);
    assert_eq!(kept(SamplerOptions { no_repeat_ngram: 2, ..plain() }), 4); // 1 2 was there
    assert_eq!(kept(SamplerOptions { bias: vec![(4, f32::NEG_INFINITY), (3, f32::NEG_INFINITY)], ..plain() }), 3);
    let of = |options: SamplerOptions| Sampler::new(&options).unwrap().distribution(&logits, &history).unwrap();
    let base = of(plain());
    let ratio = |p: &[f32], a: usize| (p[a] - p[0]) - (base[a] - base[0]); // against a token that nobody saw
    let near = |a: f32, b: f32| assert!((a - b).abs() < 1e-4, "{a} {b}");
    near(ratio(&of(SamplerOptions { repetition_penalty: 2.0, ..plain() }), 1), -1.5);
    near(ratio(&of(SamplerOptions { presence_penalty: 0.5, ..plain() }), 1), -0.5);
    near(ratio(&of(SamplerOptions { frequency_penalty: 0.5, ..plain() }), 1), -1.0);
    near(ratio(&of(SamplerOptions { frequency_penalty: 0.5, penalty_window: 1, ..plain() }), 1), -0.5);
    near(ratio(&of(SamplerOptions { temperature: 0.5, ..Default::default() }), 1), -1.0);

    let sampler = Sampler::new(&SamplerOptions { seed: 9, ..plain() }).unwrap();
    let draws: Vec<_> = (0..50).map(|i| sampler.sample(&logits, &history, i).unwrap()).collect();
    assert!(draws.iter().any(|d| d.0 != draws[0].0));
    assert!(draws.iter().all(|&(id, p)| p == base[id as usize]));
    assert_eq!(draws[7], sampler.sample(&logits, &history, 7).unwrap());
    assert!(Sampler::new(&SamplerOptions { min_p: 1.5, ..plain() }).err().unwrap().message.contains("min_p"));
}

#[test]
fn a_closure_edits_the_logits() {
    let model = model();
    let seen = Arc::new(Mutex::new(vec![]));
    let lengths = seen.clone();
    let only = LogitsProcessor::new(move |logits, history| {
        lengths.lock().unwrap().push(history.len());
        logits.fill(f32::NEG_INFINITY);
        logits[history.len()] = 0.0;
        ControlFlow::Continue(())
    });
    let options = GenerateOptions { max_tokens: 4, ignore_eos: true, process_logits: Some(only), ..Default::default() };
    let mut session = model.session().unwrap();
    let answer = session.generate_tokens(&TOKENS, &options).unwrap();
    drop(options); // the answer keeps the closure
    assert_eq!(ids(answer), [7, 8, 9, 10]);
    assert_eq!(*seen.lock().unwrap(), [7, 8, 9, 10]);
    assert_eq!(Arc::strong_count(&seen), 1);

    let ends = |process: LogitsProcessor| {
        let options = GenerateOptions { max_tokens: 4, process_logits: Some(process), ..Default::default() };
        let mut session = model.session().unwrap();
        let mut answer = session.generate_tokens(&TOKENS, &options).unwrap();
        let status = answer.next().unwrap().unwrap_err().status;
        assert_eq!(answer.session().len(), TOKENS.len()); // the prompt is there
        status
    };
    assert_eq!(ends(LogitsProcessor::new(|_, _| ControlFlow::Break(()))), Status::Cancelled);
    assert_eq!(quietly(|| ends(LogitsProcessor::new(|_, _| panic!("from the processor")))), Status::Cancelled);
}

#[test]
fn a_full_session_stops_or_drops_its_oldest_tokens() {
    let model = model();
    let small = SessionOptions { max_positions: 12, ..Default::default() };
    let mut session = model.session_with(&small).unwrap();
    let options = GenerateOptions { max_tokens: 20, ignore_eos: true, ..Default::default() };
    let mut answer = session.generate_tokens(&TOKENS, &options).unwrap();
    assert_eq!(answer.by_ref().count(), 6); // five fit, the sixth is handed out and not held
    assert_eq!(answer.result().unwrap().stop_reason, StopReason::ContextFull);
    drop(answer);
    assert_eq!(session.len(), 12);
    let drops = GenerateOptions { when_full: WhenFull::DropOldest { keep_prefix: 2 }, ..options };
    let mut session = model.session_with(&small).unwrap();
    assert_eq!(session.generate_tokens(&TOKENS, &drops).unwrap().count(), 20);
    assert_eq!(session.tokens().unwrap()[..2], TOKENS[..2]);
}

#[test]
fn text_goes_in_and_comes_out() {
    let model = model();
    let tokenizer = model.tokenizer().unwrap();
    let text = "Hello, wörld 42";
    let ids = tokenizer.encode(text).unwrap();
    assert_eq!(tokenizer.decode(&ids, false).unwrap(), text.as_bytes());
    assert!(tokenizer.encode("").unwrap().is_empty() && tokenizer.decode(&[], true).unwrap().is_empty());
    let info = tokenizer.info().unwrap();
    let by_itself = Tokenizer::open(path()).unwrap();
    assert_eq!(by_itself.info().unwrap(), info);
    assert_eq!(by_itself.encode(text).unwrap(), ids);
    let bos = info.bos.unwrap();
    let named = tokenizer.token(bos).unwrap();
    assert!(named.is_special && !named.bytes.is_empty());
    assert_eq!(tokenizer.find(named.bytes).unwrap(), Some(bos));
    assert_eq!(tokenizer.find("no such piece").unwrap(), None);
    assert_eq!(tokenizer.token(-1).unwrap_err().status, Status::InvalidArgument);

    let mut session = model.session().unwrap();
    let options = GenerateOptions { max_tokens: 4, parse_special: true, ..Default::default() };
    assert!(session.generate(text, &options).unwrap().map(|t| t.unwrap()).count() >= 1);
    assert_eq!(session.tokens().unwrap()[0] == bos, info.add_bos);
}

#[test]
fn a_text_that_is_all_the_session_holds_begins_with_bos() {
    let model = Model::open(root().join("examples/bundled/puna-austen.gguf")).unwrap();
    let info = model.tokenizer().unwrap().info().unwrap();
    assert!(info.add_bos);
    let options = GenerateOptions { max_tokens: 2, ignore_eos: true, keep_shared: true, ..Default::default() };
    let mut session = model.session().unwrap();
    for text in ["She was", "She was not"] {
        assert_eq!(session.generate(text, &options).unwrap().map(|t| t.unwrap()).count(), 2);
        assert_eq!(session.tokens().unwrap().iter().filter(|&&id| Some(id) == info.bos).count(), 1);
        assert_eq!(session.tokens().unwrap()[0], info.bos.unwrap());
    }
}

#[test]
fn a_models_tokenizer_outlives_the_model() {
    let tokenizer = {
        let model = model();
        let first = model.tokenizer().unwrap();
        drop(model.tokenizer().unwrap());
        first.clone()
    };
    assert!(!tokenizer.encode("Hi").unwrap().is_empty());
    let bytes = tokenizer.token(40).unwrap().bytes;
    assert_eq!(tokenizer.decode(&[40], true).unwrap(), bytes);
}

fn specials(model: &Model) -> Vec<i32> {
    let t = model.tokenizer().unwrap();
    (0..t.info().unwrap().size).filter(|&id| t.token(id).unwrap().is_special).collect()
}

#[test]
fn a_users_text_never_becomes_a_turn() {
    let model = model();
    let (tokenizer, special) = (model.tokenizer().unwrap(), specials(&model));
    let count = |ids: &[i32]| ids.iter().filter(|id| special.contains(id)).count();
    let names = tokenizer.decode(&special[..special.len().min(20)], true).unwrap();
    let json = |text: &str| format!(r#"[{{"role":"user","content":"{text}"}}]"#);
    let hostile = json(std::str::from_utf8(&names).unwrap());
    let benign = count(model.chat(&json("hi")).unwrap().tokens());
    assert!(benign > 0);
    let chat = model.chat(&hostile).unwrap();
    assert!(!chat.content().is_empty() && chat.dropped().is_empty());
    assert_eq!(count(chat.tokens()), benign);
    let parsed = EncodeOptions { parse_special: true, ..Default::default() };
    let with_content = EncodeOptions { content: chat.content(), ..parsed.clone() };
    assert_eq!(tokenizer.encode_with(chat.text(), &with_content).unwrap(), chat.tokens());
    assert_eq!(count(&tokenizer.encode(chat.text()).unwrap()), 0);
    // All of it parsed, on request.
    let all = tokenizer.encode_with(chat.text(), &parsed).unwrap();
    assert!(count(&all) > benign);
    let trusted = ChatOptions { parse_content: true, ..Default::default() };
    assert_eq!(model.chat_with(&hostile, &trusted).unwrap().tokens(), all);
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let long = "word ".repeat(2_000_000);
    let stopped = EncodeOptions { stop: Some(stop), ..Default::default() };
    assert_eq!(tokenizer.encode_with(&long, &stopped).unwrap_err().status, Status::Cancelled);
}

#[test]
fn a_conversation_computes_its_turns_once() {
    let model = model();
    let options = GenerateOptions { max_tokens: 5, ..Default::default() };
    let mut session = model.session().unwrap();
    let mut messages =
        r#"{"role":"system","content":"Be brief."},{"role":"user","content":"Hello there!"}"#.to_string();
    let first = model.chat(&format!("[{messages}]")).unwrap();
    let mut tokens = vec![];
    let result = first.generate(&mut session, &options, |token| go_on(tokens.push(token))).unwrap();
    assert_eq!((result.prompt_tokens as usize, result.generated_tokens as usize), (first.tokens().len(), tokens.len()));
    assert!(session.info().unwrap().pending);
    assert_eq!(session.len(), first.tokens().len() + tokens.len());

    messages += r#",{"role":"assistant","content":"Hi."},{"role":"user","content":"And now?"}"#;
    let second = model.chat(&format!("[{messages}]")).unwrap();
    assert!(first.text().len() < second.text().len());
    let mut other = session.fork().unwrap();
    let want: Vec<Token> = second.answer(&mut other, &options).unwrap().map(|t| t.unwrap()).collect();
    tokens.clear();
    let result = second.generate(&mut session, &options, |token| go_on(tokens.push(token))).unwrap();
    assert_eq!(tokens, want);
    assert!((result.prompt_tokens as usize) < second.tokens().len() - 5, "{result:?}");
    assert_eq!(session.tokens().unwrap()[..second.tokens().len()], *second.tokens());
    let fresh = second.answer(&mut model.session().unwrap(), &options).unwrap().map(|t| t.unwrap()).collect::<Vec<_>>();
    assert_eq!(fresh, want);
    // A turn that is other than it was costs what follows it.
    let third = model.chat(&format!("[{}]", messages.replace("And now?", "And where?"))).unwrap();
    let shared = third.tokens().iter().zip(session.tokens().unwrap()).take_while(|(a, b)| a == b).count();
    let result = third.generate(&mut session, &options, |_| go_on(())).unwrap();
    assert_eq!(result.prompt_tokens as usize, third.tokens().len() - shared);
    // keep_shared does by hand what a chat does.
    let by_hand = GenerateOptions { keep_shared: true, ..options.clone() };
    assert_eq!(
        session.generate_tokens(second.tokens(), &by_hand).unwrap().map(|t| t.unwrap()).collect::<Vec<_>>(),
        want
    );

    let stopped = first.generate(&mut session, &options, |_| ControlFlow::Break(())).unwrap();
    assert_eq!((stopped.stop_reason, stopped.generated_tokens), (StopReason::Callback, 1));
    assert_eq!(session.len(), first.tokens().len() + 1);
    let panicked = quietly(|| first.generate(&mut session, &options, |_| panic!("from on_token")));
    assert_eq!(panicked.unwrap_err().status, Status::Cancelled);
    let canceller = session.canceller();
    let cancelled = first.generate(&mut session, &options, |_| go_on(canceller.cancel()));
    assert_eq!(cancelled.unwrap_err().status, Status::Cancelled);
    let another = crate::model();
    for failed in [
        first.generate(&mut another.session().unwrap(), &options, go_on).unwrap_err(),
        first.answer(&mut another.session().unwrap(), &options).err().unwrap(),
    ] {
        assert!(failed.message.contains("another model"), "{failed}");
    }
}

#[test]
fn templates_are_named() {
    let model = model();
    assert_eq!(model.chat_templates().unwrap(), ["default"]);
    let named = |name: &str| ChatOptions { template: Some(name.into()), ..Default::default() };
    let json = r#"[{"role":"user","content":"Hi"}]"#;
    let chat = model.chat(json).unwrap();
    assert!(chat.text().contains("Hi") && chat.dropped().is_empty());
    let calls = r#"[{"role":"user","content":"Hi"},
                    {"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{}}}]}]"#;
    // Its template writes contents only.
    let plain = Model::open(root().join("examples/bundled/puna-austen.gguf")).unwrap();
    assert_eq!(plain.chat(calls).unwrap().dropped(), ["messages[1].tool_calls"]);
    assert_eq!(chat.content().iter().map(|r| &chat.text()[r.clone()]).collect::<Vec<_>>(), ["Hi"]);
    assert_eq!(model.chat_with(json, &named("default")).unwrap().tokens(), chat.tokens());
    assert!(model.chat_with(json, &named("defalt")).unwrap_err().message.contains("did you mean 'default'"));
    assert_eq!(model.chat_with(json, &named("a\0b")).unwrap_err().status, Status::InvalidArgument);
    assert!(model.chat("[").is_err());
}

#[test]
fn a_text_that_grows_as_it_is_normalized_has_room() {
    // Bytes in GPT-2's spelling, and NFKC in front.
    let plain = |b: u32| (33..127).contains(&b) || (161..173).contains(&b) || (174..256).contains(&b);
    let mut next = 255;
    let vocab: Vec<String> = (0..256u32)
        .map(|b| {
            let c = if plain(b) {
                b
            } else {
                next += 1;
                next
            };
            let c = char::from_u32(c).unwrap();
            let c = if c == '"' || c == '\\' { format!("\\{c}") } else { c.to_string() };
            format!("\"{c}\": {b}")
        })
        .collect();
    let file = format!(
        r#"{{"normalizer": {{"type": "NFKC"}},
            "pre_tokenizer": {{"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}},
            "decoder": {{"type": "ByteLevel"}},
            "model": {{"type": "BPE", "vocab": {{{}}}, "merges": []}}, "added_tokens": []}}"#,
        vocab.join(", ")
    );
    let path = temporary("tokenizer.json");
    std::fs::write(&path, file).unwrap();
    let tokenizer = Tokenizer::open(&path).unwrap();
    assert_eq!(tokenizer.encode("l\u{bd}").unwrap().len(), 6);
    assert_eq!(tokenizer.encode("\u{fdfa}").unwrap().len(), 33);
    assert_eq!(tokenizer.encode("\u{fdfa}".repeat(500)).unwrap().len(), 33 * 500);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn embeddings_are_pooled_hidden_states() {
    let model = model();
    let hidden = model.info().unwrap().hidden as usize;
    let embed = |options: AppendOptions| model.session().unwrap().append_with(&TOKENS, &options).unwrap().embeddings;
    let rows = embed(AppendOptions::new().embeddings(Pooling::None));
    assert_eq!(embed(AppendOptions::new().embeddings(Pooling::Last)), rows[6 * hidden..]);
    let unit = embed(AppendOptions::new().embeddings(Pooling::Mean).normalize());
    assert!((unit.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
    assert!(embed(AppendOptions::new()).is_empty());
}

#[test]
fn errors_say_what_was_wrong() {
    let e = Model::open("/no/such/model").err().unwrap();
    assert_eq!(e.status, Status::Io);
    assert!(e.to_string().contains("/no/such/model"));
    assert_eq!(Model::open("a\0b").err().unwrap().status, Status::InvalidArgument);
    assert_eq!(Model::open(PathBuf::from("a\0b")).err().unwrap().status, Status::InvalidArgument);
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        let e = Model::open(std::ffi::OsStr::from_bytes(b"\xff.gguf")).err().unwrap();
        assert!(e.status == Status::InvalidArgument && e.message.contains("not UTF-8"), "{e}");
    }
    let mut session = model().session_with(&SessionOptions { max_positions: 4, ..Default::default() }).unwrap();
    assert_eq!(session.logits().unwrap_err().status, Status::WrongState);
    assert_eq!(session.append(&TOKENS).unwrap_err().status, Status::ContextFull);
    assert!(session.append(&[-1]).unwrap_err().message.contains("token 0"));
    assert!(session.is_empty());
    let mut snapshot = session.snapshot().unwrap();
    snapshot.pop();
    assert_eq!(model().restore(&snapshot).err().unwrap().status, Status::BadFile);
}

// Without the panic's message on standard error: the hook is the process's, so one at a time.
fn quietly<T>(call: impl FnOnce() -> T) -> T {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let out = call();
    std::panic::set_hook(hook);
    out
}

#[test]
fn a_panic_in_a_callback_becomes_a_cancelled_call() {
    let plain = ModelOptions::default();
    let panicked = quietly(|| Model::open_with(None, path(), &plain, |_, _| panic!("from progress")));
    assert_eq!(panicked.err().unwrap().status, Status::Cancelled);
    assert_eq!(
        Model::open_with(None, path(), &plain, |_, _| ControlFlow::Break(())).err().unwrap().status,
        Status::Cancelled
    );
    let mut seen = (0, 0);
    Model::open_with(None, path(), &plain, |done, total| go_on(seen = (done, total))).unwrap();
    assert!(seen.0 == seen.1 && seen.1 > 0);
}

#[test]
fn packed_weights_give_the_same_bits_and_parts_can_be_left_out() {
    let packed = temporary("packed");
    let options = ModelOptions { packed_path: Some(packed.clone()), verify_packed: true, ..Default::default() };
    let logits = |model: Model| {
        let mut session = model.session().unwrap();
        session.append(&TOKENS).unwrap();
        session.logits().unwrap().to_vec()
    };
    let want = logits(model());
    for _ in 0..2 {
        assert_eq!(logits(Model::open_with(None, path(), &options, |_, _| go_on(())).unwrap()), want);
        assert!(packed.exists());
    }
    let plan = Plan::of(path(), &PlanOptions { positions: 8, packed_path: Some(packed.clone()), ..Default::default() })
        .unwrap();
    assert!(plan.mapped_bytes > 0);
    std::fs::remove_file(packed).unwrap();
    let blind =
        Model::open_with(None, path(), &ModelOptions { no_vision: true, ..Default::default() }, |_, _| go_on(()))
            .unwrap();
    assert_eq!((blind.info().unwrap().image_tile, model().info().unwrap().image_tile > 0), (0, true));
    let sessions = blind.plan(&PlanOptions { sessions: 2, positions: 8, ..Default::default() }).unwrap();
    assert!(sessions.weight_bytes == 0 && sessions.kv_bytes > 0);
}

#[test]
fn another_thread_cancels_and_sessions_run_in_parallel() {
    let model = model();
    let mut session = model.session().unwrap();
    let canceller = session.canceller();
    let started = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(30));
            canceller.cancel();
        });
        let options = GenerateOptions { ignore_eos: true, ..Default::default() };
        let end = session.generate_tokens(&TOKENS, &options).unwrap().find_map(|t| t.err());
        assert_eq!(end.map(|e| e.status), Some(Status::Cancelled));
    });
    assert!(started.elapsed() < Duration::from_secs(5));
    let logits: Vec<_> = std::thread::scope(|scope| {
        let work: Vec<_> = (0..4)
            .map(|_| {
                let model = model.clone();
                scope.spawn(move || {
                    let mut s = model.session().unwrap();
                    s.append(&TOKENS).unwrap();
                    s.logits().unwrap().to_vec()
                })
            })
            .collect();
        work.into_iter().map(|w| w.join().unwrap()).collect()
    });
    assert!(logits.iter().all(|l| *l == logits[0]));
}

#[test]
fn pictures_are_cut_encoded_and_asked_about() {
    let model = model();
    let wide = Image::from_rgb(&model, &vec![100; 190 * 60 * 3], 190, 60).unwrap();
    let info = wide.info().unwrap();
    assert_eq!((info.rows, info.columns, info.tiles, info.encoded), (2, 4, 9, false));
    assert_eq!(wide.pixels().unwrap().len() as i32, info.tiles * 3 * info.tile * info.tile);
    assert_eq!(wide.tokens().unwrap().len() as i64, info.tokens);
    assert_eq!(wide.encode().unwrap().len() as i64, info.features * i64::from(info.hidden));
    assert!(wide.info().unwrap().encoded);
    let prepared = Image::from_pixels(&model, wide.pixels().unwrap(), info.rows, info.columns).unwrap();
    assert_eq!(prepared.encode().unwrap(), wide.encode().unwrap());
    assert!(Image::from_pixels(&model, &[0.0; 5], 1, 1).is_err());
    // What <|image|> becomes, by hand and by the library.
    let place = model.tokenizer().unwrap().find("<|image|>").unwrap().unwrap();
    let (mut by_place, mut by_patches) = (model.session().unwrap(), model.session().unwrap());
    let with = AppendOptions::new().images(std::slice::from_ref(&wide));
    assert_eq!(by_place.plan_append(&[1, place, 2], &with).unwrap().appended, wide.tokens().unwrap().len() + 2);
    by_place.append_with(&[1, place, 2], &with).unwrap();
    by_patches.append_with(&[&[1], wide.tokens().unwrap(), &[2]].concat(), &with).unwrap();
    assert_eq!(by_place.logits().unwrap(), by_patches.logits().unwrap());
    assert_eq!(by_place.tokens().unwrap(), by_patches.tokens().unwrap());
    let mut session = model.session().unwrap();
    let options = GenerateOptions {
        max_tokens: 3,
        ignore_eos: true,
        parse_special: true,
        images: vec![wide.clone()],
        ..Default::default()
    };
    assert_eq!(session.generate("<|image|> What?", &options).unwrap().count(), 3);
    assert!(session.len() > info.tokens as usize);
    let none = GenerateOptions { images: vec![wide.clone(), wide], ..options };
    assert_eq!(
        model.session().unwrap().generate("<|image|>", &none).err().map(|e| e.status),
        Some(Status::InvalidArgument)
    );
    assert_eq!(Image::from_rgb(&model, &[0; 5], 1, 1).err().map(|e| e.status), Some(Status::InvalidArgument));
}

#[test]
fn an_adapter_is_learned_saved_used_and_cancelled() {
    let model = model();
    let lines = "{\"prompt\": \"one two\", \"completion\": \" three\"}\n{\"text\": \"four five six\"}\n";
    let options = FinetuneOptions { steps: 6, learning_rate: 2e-2, targets: vec!["all".into()], ..Default::default() };
    let mut losses = vec![];
    let adapter = model
        .finetune(lines, &options, |r| {
            losses.push(r.loss);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(losses.len() == 6 && losses[5] < losses[0], "{losses:?}");
    let answer = |adapter: Option<&Adapter>| {
        let mut session = model.session().unwrap();
        session.use_adapter(adapter).unwrap();
        session.append(&TOKENS).unwrap();
        assert_eq!(session.use_adapter(None).unwrap_err().status, Status::WrongState);
        session.logits().unwrap().to_vec()
    };
    let folder = temporary("adapter");
    adapter.save(&folder).unwrap();
    let learned = answer(Some(&adapter));
    assert_eq!(answer(Some(&Adapter::open(&model, &folder).unwrap())), learned);
    assert_ne!(answer(None), learned);
    std::fs::remove_dir_all(folder).unwrap();

    assert_eq!(
        model.finetune(lines, &options, |_| ControlFlow::Break(())).err().map(|e| e.status),
        Some(Status::Cancelled)
    );
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let stopped = FinetuneOptions { stop: Some(stop), ..options.clone() };
    assert_eq!(
        model.finetune(lines, &stopped, |_| panic!("there is no step")).err().map(|e| e.status),
        Some(Status::Cancelled)
    );
    assert!(model
        .finetune("{\"prompt\": \"x\"}", &options, |_| ControlFlow::Continue(()))
        .err()
        .unwrap()
        .message
        .contains("line 1"));
}

#[test]
fn a_recommender_learns_who_walks_where() {
    let events: Vec<Event> = (0..60)
        .flat_map(|u| (0..10).map(move |i| Event { user: u, item: 1 + ((u + i) % 12) as i32, time: 100 * i }))
        .collect();
    let names: Vec<String> = (1..=12).map(|i| format!("item {i}")).collect();
    let options = RecommenderOptions {
        max_sequence: 16,
        epochs: 150,
        learning_rate: 3e-3,
        dropout: 0.2,
        item_names: names,
        ..Default::default()
    };
    let recommender = Recommender::train(None, &events, &options).unwrap();
    let info = recommender.info().unwrap();
    assert_eq!((info.items, info.max_sequence, info.sasrec), (12, 16, false));
    assert_eq!((recommender.item_name(12).unwrap(), recommender.find_item("item 3").unwrap()), ("item 12", 3));
    assert!(recommender.find_item("itme 3").unwrap_err().message.contains("item 3"));
    assert!(recommender.item_name(13).is_err());
    let mut user = recommender.user().unwrap();
    assert_eq!(user.recommend(0, 3).err().map(|e| e.status), Some(Status::InvalidArgument));
    for (i, item) in [5, 6, 7].into_iter().enumerate() {
        user.append(item, 100 * i as i64).unwrap();
    }
    let best = user.recommend(300, 3).unwrap();
    assert_eq!((best.len(), best[0].0), (3, 8));
    assert_eq!(user.recommend(300, 100).unwrap().len(), 9);
    assert!(user.recommend(300, 0).is_err());
    let seen = RecommendOptions { include_seen: true, allowed: Some(&[6, 7]) };
    let mut among: Vec<i32> = user.recommend_with(300, 5, &seen).unwrap().into_iter().map(|b| b.0).collect();
    among.sort();
    assert_eq!(among, [6, 7]);
    assert!(user.recommend_with(300, 5, &RecommendOptions { allowed: Some(&[13]), ..seen }).is_err());

    let file = temporary("recommender");
    recommender.save(&file).unwrap();
    let again = Recommender::open(None, &file).unwrap();
    assert_eq!((again.item_name(1).unwrap(), again.info().unwrap()), ("item 1", info));
    std::fs::remove_file(file).unwrap();
    assert!(Recommender::open(None, "/no/such/file").is_err());
    assert!(Recommender::train(None, &events, &RecommenderOptions { items: 11, ..options.clone() })
        .err()
        .unwrap()
        .message
        .contains("12 names of 11"));
    let stopped =
        Recommender::train_with(
            None,
            &events,
            &options,
            |r| if r.step == 2 { ControlFlow::Break(()) } else { go_on(()) },
        );
    assert_eq!(stopped.err().map(|e| e.status), Some(Status::Cancelled));
}

#[test]
fn without_dropout_is_the_default() {
    let events: Vec<Event> =
        (0..6).flat_map(|u| (0..4).map(move |i| Event { user: u, item: 1 + ((u + i) % 5) as i32, time: i })).collect();
    let losses = |dropout: f64| {
        let mut losses = vec![];
        let options = RecommenderOptions { epochs: 3, dropout, ..Default::default() };
        Recommender::train_with(None, &events, &options, |r| go_on(losses.push(r.loss))).unwrap();
        losses
    };
    assert_ne!(losses(0.0), losses(0.5));
    let wrong = RecommenderOptions { dropout: 1.0, ..Default::default() };
    assert!(Recommender::train(None, &events, &wrong).err().unwrap().message.contains("dropout"));
}

#[test]
fn a_ranker_learns_while_its_copy_serves() {
    let config = r#"{"surfaces": ["feed"], "tasks": [{"name": "like"}, {"name": "survey"}],
                     "features": [{"name": "user", "rows": 6}, {"name": "item", "rows": 6}],
                     "interaction": "fm", "dim": 4, "hidden": []}"#;
    let mut ranker = Ranker::new(
        None,
        config,
        &RankerOptions { adagrad: true, learning_rate: 0.05, table_rate: 0.2, ..Default::default() },
    )
    .unwrap();
    let (mut shown, mut came) = (Examples::new(), Vec::new());
    for user in 0..6 {
        for item in 0..6 {
            shown.add(0, &[&[user], &[item]], &[]).unwrap();
            came.extend([f32::from(u8::from(user % 3 == item % 3)), f32::NAN]);
        }
    }
    let guesses = ranker.score(&shown).unwrap();
    let outcomes = Outcomes { values: &came, weights: &[] };
    let first = ranker.learn(&shown, outcomes).unwrap();
    assert_eq!((first.step, &first.predicted), (1, &guesses));
    let serving = ranker.copy(RankerTable::F16).unwrap();
    let before = serving.score(&shown).unwrap();
    let last = (0..100).map(|_| ranker.learn(&shown, outcomes).unwrap()).last().unwrap();
    assert!(last.loss < 0.5 * first.loss);
    assert_eq!(serving.score(&shown).unwrap(), before);
    assert!(ranker.learn(&shown, Outcomes { values: &came[1..], weights: &[] }).is_err());
    assert!(ranker.learn(&shown, Outcomes { values: &came, weights: &[1.0] }).is_err());
    let nothing = Outcomes { values: &came, weights: &[0.0; 36] };
    assert!(ranker.learn(&shown, nothing).unwrap_err().message.contains("nothing to learn"));
    assert!(shown.add(0, &[&[1]], &[]).is_err());
    assert_eq!(
        (ranker.info().unwrap().tasks, ranker.info().unwrap().steps, serving.info().unwrap().steps),
        (2, 101, 0)
    );
    assert!(ranker.config().unwrap().contains("\"survey\""));

    let (file, state) = (temporary("ranker"), temporary("ranker-state"));
    ranker.set_names(0, &["ann", "bo"]).unwrap();
    ranker.save(&file).unwrap();
    ranker.save_state(&state).unwrap();
    let options = RankerOptions { adagrad: true, learning_rate: 0.05, table_rate: 0.2, ..Default::default() };
    let mut again = Ranker::open(None, &file, &options).unwrap();
    assert_eq!((again.find_id(0, "bo").unwrap(), again.find_id(0, "cy").unwrap()), (Some(1), None));
    assert!(again.find_id(1, "bo").is_err());
    again.restore_state(&state).unwrap();
    assert_eq!(again.learn(&shown, outcomes).unwrap(), ranker.learn(&shown, outcomes).unwrap());
    let scores: Vec<f32> = ranker.score(&shown).unwrap().into_iter().step_by(2).collect();
    let liked: Vec<f32> = came.iter().copied().step_by(2).collect();
    ranker.calibrate(0, 0, Calibration::Platt, &scores, &liked).unwrap();
    assert_ne!(ranker.score(&shown).unwrap()[0], scores[0]);
    ranker.calibrate(0, 0, Calibration::None, &[], &[]).unwrap();
    assert_eq!(ranker.score(&shown).unwrap()[0], scores[0]);
    std::fs::remove_file(file).unwrap();
    std::fs::remove_file(state).unwrap();
    let mut wrong = Examples::new();
    wrong.add(0, &[&[1], &[6]], &[]).unwrap();
    assert!(ranker.score(&wrong).err().unwrap().message.contains("feature 'item': id 6"));
}

#[test]
fn a_pipeline_ranks_what_a_user_would_take_and_what_the_host_adds() {
    let events: Vec<Event> = (0..60)
        .flat_map(|u| (0..8).map(move |i| Event { user: u, item: 1 + ((u + i) % 12) as i32, time: 100 * i }))
        .collect();
    let recommender =
        Recommender::train(None, &events, &RecommenderOptions { max_sequence: 16, epochs: 2, ..Default::default() })
            .unwrap();
    let mut user = recommender.user().unwrap();
    user.append(5, 0).unwrap();
    let config = r#"{"surfaces": ["feed", "reels"], "tasks": [{"name": "like"}, {"name": "skip"}],
                     "features": [{"name": "user", "rows": 60}, {"name": "item", "rows": 14}],
                     "numbers": ["hour"], "dim": 4, "hidden": [8]}"#;
    let ranker = Ranker::new(None, config, &RankerOptions::default()).unwrap();
    let (mut items, mut about) = (Examples::new(), Examples::new());
    for item in 0..14 {
        items.add(0, &[&[], &[item]], &[]).unwrap();
    }
    about.add(0, &[&[7], &[]], &[0.5]).unwrap();
    let kinds: Vec<i32> = (0..14).map(|i| i % 2).collect();
    let options =
        PipelineOptions { count: 6, per_category: 3, weights: vec![1.0, 0.0, 1.0, -1.0], ..Default::default() };
    let pipeline = Pipeline::new(
        ranker.copy(RankerTable::F32).unwrap(),
        &Catalogue { items: &items, categories: &kinds, ..Default::default() },
        &options,
    )
    .unwrap();
    let feed = pipeline
        .recommend(Request {
            surface: 1,
            about: Some(&about),
            user: Some(&mut user),
            time: 100,
            candidates: &[13, 0],
            scores: &[9.0, 8.0],
            exclude: &[3],
            ..Default::default()
        })
        .unwrap();
    assert_eq!((feed.items.len(), feed.candidates), (6, 12));
    assert!(feed.items.iter().all(|s| s.item != 3
        && s.item != 5
        && s.propensity == 1.0
        && !s.explored
        && s.probabilities.len() == 2));
    assert!(feed.items.windows(2).all(|two| two[0].value >= two[1].value));
    assert_eq!(feed.items.iter().filter(|s| s.item % 2 == 0).count(), 3);
    let mut shown = Examples::new();
    shown.add(1, &[&[7], &[feed.items[0].item]], &[0.5]).unwrap();
    assert_eq!(ranker.score(&shown).unwrap(), feed.items[0].probabilities);
    assert!(feed.seconds.iter().all(|&s| s > 0.0));

    assert!(pipeline.recommend(Request::default()).err().unwrap().message.contains("neither a user nor candidates"));
    assert!(pipeline
        .recommend(Request { candidates: &[14], ..Default::default() })
        .err()
        .unwrap()
        .message
        .contains("candidate 14"));
    assert!(pipeline.recommend(Request { candidates: &[1, 2], scores: &[1.0], ..Default::default() }).is_err());
    assert!(Pipeline::new(
        ranker.copy(RankerTable::F32).unwrap(),
        &Catalogue { items: &items, categories: &[1], ..Default::default() },
        &options
    )
    .is_err());
    let allowed = pipeline
        .recommend(Request { user: Some(&mut user), time: 100, allowed: Some(&[7, 9]), ..Default::default() })
        .unwrap();
    let mut among: Vec<i64> = allowed.items.iter().map(|s| s.item).collect();
    among.sort();
    assert_eq!(among, [7, 9]);
    // The first place is 0, and it is the one that explores when nobody says another.
    let explores = PipelineOptions { explore: 1.0, explore_pool: 12, ..options.clone() };
    let exploring = Pipeline::new(
        ranker.copy(RankerTable::F32).unwrap(),
        &Catalogue { items: &items, ..Default::default() },
        &explores,
    )
    .unwrap();
    let candidates: Vec<i64> = (0..14).collect();
    let lists: Vec<Feed> = (0..20)
        .map(|number| exploring.recommend(Request { number, candidates: &candidates, ..Default::default() }).unwrap())
        .collect();
    assert!(lists
        .iter()
        .all(|l| l.items[0].propensity < 1.0 && l.items[1..].iter().all(|s| !s.explored && s.propensity == 1.0)));
    assert!(lists.iter().any(|l| l.items[0].explored && l.items[0].item != lists[0].items[0].item));

    let other = Ranker::new(None, config, &RankerOptions { seed: 1, ..Default::default() }).unwrap();
    let before = pipeline.recommend(Request { candidates: &[1], ..Default::default() }).unwrap().items[0].value;
    pipeline.use_ranker(other).unwrap();
    assert_ne!(pipeline.recommend(Request { candidates: &[1], ..Default::default() }).unwrap().items[0].value, before);
}

fn austen() -> Model {
    Model::open(root().join("examples/bundled/puna-austen.gguf")).unwrap()
}
fn constrained(model: &Model, grammar: &Grammar, seed: u64) -> (String, GenerateResult) {
    let sampler = SamplerOptions { temperature: 1.2, seed, ..Default::default() };
    let options = GenerateOptions { max_tokens: 200, sampler, ..Default::default() }.grammar(grammar);
    let mut session = model.session().unwrap();
    let mut answer = session.generate("It is a truth", &options).unwrap();
    let text: String = answer.by_ref().map(|t| t.unwrap().text).collect();
    (text, answer.result().unwrap())
}

#[test]
fn answers_are_what_their_grammar_lets_through() {
    let model = austen();
    let schema = r#"{"type": "object", "properties": {"age": {"type": "integer", "minimum": 1, "maximum": 99}},
                     "required": ["age"], "additionalProperties": false, "titel": 1}"#;
    let person = Grammar::json_schema(schema).unwrap();
    assert!(person.notes().unwrap()[0].contains("titel"));
    let compact =
        Grammar::json_schema_with(schema, &GrammarOptions { max_whitespace: -1, ..Default::default() }).unwrap();
    let choices = ["yes", "say \"no\"\n", "\u{1f999}\\"];
    let one_of = Grammar::choices(choices).unwrap();
    for seed in 0..4 {
        let (text, result) = constrained(&model, &person, seed);
        assert!(text.starts_with('{') && text.ends_with('}') && text.contains("\"age\""), "{text}");
        assert!(!result.incomplete && result.stop_reason == StopReason::Grammar);
        let (text, _) = constrained(&model, &compact, seed);
        assert!(text.starts_with("{\"age\":") && !text.contains([' ', '\n']), "{text}");
        let (text, _) = constrained(&model, &one_of, seed);
        assert!(choices.contains(&text.as_str()), "{text}");
    }
    assert_eq!(constrained(&model, &Grammar::regex("ab{3}c").unwrap(), 1).0, "abbbc");
    assert_eq!(constrained(&model, &Grammar::gbnf("root ::= \"so\" \"!\"\n").unwrap(), 1).0, "so!");
    assert_eq!(constrained(&model, &Grammar::ebnf("a = \"so\", \"?\" ;").unwrap(), 1).0, "so?");

    let options = GenerateOptions { max_tokens: 2, ..Default::default() }.grammar(&person);
    let mut session = model.session().unwrap();
    let mut answer = session.generate("It", &options).unwrap();
    assert_eq!(answer.by_ref().count(), 2);
    let result = answer.result().unwrap();
    assert!(result.incomplete && result.stop_reason == StopReason::MaxTokens);

    for (wrong, status, word) in [
        (Grammar::json_schema(r#"{"properties": {"a": {"type": "strin"}}}"#), Status::InvalidArgument, "/properties/a"),
        (Grammar::json_schema(r#"{"uniqueItems": true}"#), Status::Unsupported, "/uniqueItems"),
        (Grammar::regex("(a"), Status::InvalidArgument, ""),
        (Grammar::gbnf("root ::= missing\n"), Status::InvalidArgument, "missing"),
        (Grammar::choices::<&str>([]), Status::InvalidArgument, "empty"),
    ] {
        let error = wrong.err().unwrap();
        assert!(error.status == status && error.message.contains(word), "{error:?}");
    }
}

#[test]
fn a_matcher_follows_an_answer() {
    let model = austen();
    let tokenizer = model.tokenizer().unwrap();
    let mut matcher = Grammar::choices(["yes", "yesterday", "no"]).unwrap().matcher(&model).unwrap();
    let start = matcher.mask().unwrap();
    assert_eq!(start.iter().map(|w| u64::from(w.count_ones())).sum::<u64>(), matcher.token_count().unwrap());
    for id in 0..model.info().unwrap().vocabulary {
        if start[id as usize / 32] >> (id % 32) & 1 == 1 {
            let text = tokenizer.decode(&[id], false).unwrap();
            assert!("yesterday".as_bytes().starts_with(&text) || "no".as_bytes().starts_with(&text));
        } else if id % 50 == 0 {
            assert!(matcher.accept(id).is_err());
        }
    }
    assert_eq!(matcher.mask().unwrap(), start);
    matcher.accept_text("y").unwrap();
    assert_eq!((matcher.forced_text().unwrap().as_str(), matcher.completion().unwrap().as_str()), ("es", "es"));
    let mut copy = matcher.fork().unwrap();
    copy.accept_text("es").unwrap();
    assert!(copy.is_whole().unwrap() && !copy.is_ended().unwrap() && !matcher.is_whole().unwrap());
    copy.accept_text("terday").unwrap();
    assert!(copy.is_ended().unwrap());
    copy.reset().unwrap();
    assert_eq!(copy.mask().unwrap(), start);
}
