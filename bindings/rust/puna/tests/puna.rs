//! The Rust face on the smallest golden model: every type, what errors look like, what threads and panics do.
use puna::*;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

const TOKENS: [i32; 7] = [11, 22, 33, 44, 55, 66, 77];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap()
}
fn path() -> String {
    root().join("tests/data/golden/multimodal").to_str().unwrap().into()
}
fn model() -> Model {
    Model::open(&path()).unwrap()
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
    moves::<Session>();
    moves::<Answer<'_>>();
}

#[test]
fn a_model_describes_itself() {
    let model = model();
    let info = model.info().unwrap();
    assert_eq!(info.architecture, "llama4");
    let parameters: i64 = model.tensors().unwrap().iter().map(|t| t.shape.iter().product::<i64>()).sum();
    assert_eq!(parameters as u64, info.parameters);
    assert!(version().starts_with("0."));
}

#[test]
fn the_plan_is_what_is_allocated() {
    let plan = Plan::of(&path(), &PlanOptions { positions: 100, ..Default::default() }).unwrap();
    let context = Context::new(&ContextOptions { threads: 2, ..Default::default() }).unwrap();
    let model = Model::open_with(Some(&context), &path(), |_, _| ControlFlow::Continue(())).unwrap();
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
    while !stepped.step(Duration::from_micros(1)).unwrap() {
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
    let sampling = Sampling { temperature: 0.8, top_k: 40, seed: 3, bias: vec![(5, -1.0)], ..Default::default() };
    let options = Generate { max_tokens: 10, sampling, ignore_eos: true, ..Default::default() };
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
    assert_eq!(sliced.stop_reason().unwrap(), StopReason::MaxTokens);
    drop(sliced);

    let mut left = model.session().unwrap();
    assert_eq!(left.generate_tokens(&TOKENS, &options).unwrap().take(3).map(|t| t.unwrap().id).collect::<Vec<_>>(), want[..3]);
    assert_eq!(left.len(), TOKENS.len() + 2);
    left.append(&[1]).unwrap();
}

#[test]
fn text_goes_in_and_comes_out() {
    let model = model();
    let tokenizer = model.tokenizer().unwrap();
    let text = "Hello, wörld 42";
    assert_eq!(tokenizer.decode(&tokenizer.encode(text, false).unwrap(), false).unwrap(), text.as_bytes());
    assert_eq!(Tokenizer::open(&path()).unwrap().size().unwrap(), tokenizer.size().unwrap());
    let chat = model.render_chat(r#"{"messages":[{"role":"user","content":"Hi"}],"add_generation_prompt":true}"#, None).unwrap();
    assert!(chat.contains("Hi"));
    let mut session = model.session().unwrap();
    let answer = session.generate(&chat, &Generate { max_tokens: 4, parse_special: true, ..Default::default() }).unwrap();
    assert!(answer.map(|t| t.unwrap()).count() >= 1);
}

fn specials(model: &Model) -> Vec<i32> {
    // The names of special tokens are those whose text is one id when parsed and several when not.
    let t = model.tokenizer().unwrap();
    (0..t.size().unwrap())
        .filter(|&id| {
            let name = t.decode(&[id], true).unwrap();
            !name.is_empty() && t.decode(&[id], false).unwrap().is_empty()
        })
        .collect()
}

#[test]
fn a_users_text_never_becomes_a_turn() {
    let model = model();
    let (tokenizer, special) = (model.tokenizer().unwrap(), specials(&model));
    let count = |ids: &[i32]| ids.iter().filter(|id| special.contains(id)).count();
    let names: Vec<u8> = tokenizer.decode(&special[..special.len().min(20)], true).unwrap();
    let chat = |text: &str| format!(r#"{{"messages":[{{"role":"user","content":"{text}"}}],"add_generation_prompt":true}}"#);
    let hostile = chat(std::str::from_utf8(&names).unwrap());
    let benign = count(&model.chat_tokens(&chat("hi"), &RenderOptions::default()).unwrap());
    assert!(benign > 0);
    let text = model.render_chat(&hostile, None).unwrap();
    assert!(!text.content().is_empty() && text.dropped().is_empty());
    assert_eq!(count(&tokenizer.encode(&text, true).unwrap()), benign);
    assert_eq!(count(&model.chat_tokens(&hostile, &RenderOptions::default()).unwrap()), benign);
    assert_eq!(tokenizer.encode(&text, true).unwrap(), model.chat_tokens(&hostile, &RenderOptions::default()).unwrap());
    assert_eq!(count(&tokenizer.encode(&text, false).unwrap()), 0);
    let mut session = model.session().unwrap();
    session.generate(&text, &Generate { max_tokens: 1, ignore_eos: true, ..Default::default() }).unwrap().next().unwrap().unwrap();
    assert_eq!(count(&session.tokens().unwrap()), benign);
    // The old way, on request.
    assert!(count(&tokenizer.encode(text.as_str(), true).unwrap()) > benign);
    let old = RenderOptions { parse_content: true, ..Default::default() };
    assert_eq!(model.chat_tokens(&hostile, &old).unwrap(), tokenizer.encode(text.as_str(), true).unwrap());
}

#[test]
fn templates_are_named() {
    let model = model();
    assert_eq!(model.chat_templates().unwrap(), ["default"]);
    let named = |name: &str| RenderOptions { template: Some(name.into()), ..Default::default() };
    let chat = r#"{"messages":[{"role":"user","content":"Hi"}]}"#;
    assert_eq!(model.render_chat_with(chat, &named("default")).unwrap(), model.render_chat(chat, None).unwrap());
    assert!(model.render_chat_with(chat, &named("defalt")).unwrap_err().message.contains("did you mean 'default'"));
    assert_eq!(model.render_chat_with(chat, &named("a\0b")).unwrap_err().status, Status::InvalidArgument);
}

#[test]
fn a_text_that_grows_as_it_is_normalized_has_room() {
    // Bytes in GPT-2's spelling, and NFKC in front.
    let plain = |b: u32| (33..127).contains(&b) || (161..173).contains(&b) || (174..256).contains(&b);
    let mut next = 255;
    let vocab: Vec<String> = (0..256u32)
        .map(|b| {
            let c = if plain(b) { b } else { next += 1; next };
            let c = char::from_u32(c).unwrap();
            let c = if c == '"' || c == '\\' { format!("\\{c}") } else { c.to_string() };
            format!("\"{c}\": {b}")
        })
        .collect();
    let file = format!(
        r#"{{"normalizer": {{"type": "NFKC"}}, "pre_tokenizer": {{"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}},
            "decoder": {{"type": "ByteLevel"}}, "model": {{"type": "BPE", "vocab": {{{}}}, "merges": []}}, "added_tokens": []}}"#,
        vocab.join(", ")
    );
    let path = std::env::temp_dir().join(format!("puna-rust-{}-tokenizer.json", std::process::id()));
    std::fs::write(&path, file).unwrap();
    let tokenizer = Tokenizer::open(path.to_str().unwrap()).unwrap();
    assert_eq!(tokenizer.encode("l\u{bd}", false).unwrap().len(), 6);
    assert_eq!(tokenizer.encode("\u{fdfa}", false).unwrap().len(), 33);
    assert_eq!(tokenizer.encode("\u{fdfa}".repeat(500), false).unwrap().len(), 33 * 500);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn an_embedding_of_another_width_is_refused() {
    let model = model();
    let hidden = model.info().unwrap().hidden as usize;
    for wrong in [0, hidden - 1, 2 * hidden] {
        assert!(model.session().unwrap().embed(&TOKENS, Pooling::Mean, false, wrong).unwrap_err().message.contains("hidden"));
    }
}

#[test]
fn embeddings_are_pooled_hidden_states() {
    let model = model();
    let hidden = model.info().unwrap().hidden as usize;
    let rows = model.session().unwrap().embed(&TOKENS, Pooling::None, false, hidden).unwrap();
    assert_eq!(model.session().unwrap().embed(&TOKENS, Pooling::Last, false, hidden).unwrap(), rows[6 * hidden..]);
    let unit = model.session().unwrap().embed(&TOKENS, Pooling::Mean, true, hidden).unwrap();
    assert!((unit.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
}

#[test]
fn errors_say_what_was_wrong() {
    let e = Model::open("/no/such/model").err().unwrap();
    assert_eq!(e.status, Status::Io);
    assert!(e.to_string().contains("/no/such/model"));
    assert_eq!(Model::open("a\0b").err().unwrap().status, Status::InvalidArgument);
    let mut session = model().session_with(&SessionOptions { max_positions: 4, ..Default::default() }).unwrap();
    assert_eq!(session.logits().unwrap_err().status, Status::WrongState);
    assert_eq!(session.append(&TOKENS).unwrap_err().status, Status::ContextFull);
    assert!(session.append(&[-1]).unwrap_err().message.contains("token 0"));
    assert!(session.is_empty());
    let mut snapshot = session.snapshot().unwrap();
    snapshot.pop();
    assert_eq!(model().restore(&snapshot).err().unwrap().status, Status::BadFile);
}

#[test]
fn a_panic_in_a_callback_becomes_a_cancelled_call() {
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let panicked = Model::open_with(None, &path(), |_, _| panic!("from progress"));
    std::panic::set_hook(quiet);
    assert_eq!(panicked.err().unwrap().status, Status::Cancelled);
    assert_eq!(Model::open_with(None, &path(), |_, _| ControlFlow::Break(())).err().unwrap().status, Status::Cancelled);
    let mut seen = (0, 0);
    Model::open_with(None, &path(), |done, total| {
        seen = (done, total);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(seen.0 == seen.1 && seen.1 > 0);
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
        let options = Generate { ignore_eos: true, ..Default::default() };
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
    wide.encode().unwrap();
    assert!(wide.info().unwrap().encoded);
    let mut session = model.session().unwrap();
    let options = Generate { max_tokens: 3, ignore_eos: true, parse_special: true, images: vec![wide.clone()], ..Default::default() };
    assert_eq!(session.generate("<|image|> What?", &options).unwrap().count(), 3);
    assert!(session.len() > info.tokens as usize);
    let none = Generate { images: vec![wide.clone(), wide], ..options };
    assert_eq!(model.session().unwrap().generate("<|image|>", &none).err().map(|e| e.status), Some(Status::InvalidArgument));
    assert_eq!(Image::from_rgb(&model, &[0; 5], 1, 1).err().map(|e| e.status), Some(Status::InvalidArgument));
}

#[test]
fn an_adapter_is_learned_saved_used_and_cancelled() {
    let model = model();
    let lines = "{\"prompt\": \"one two\", \"completion\": \" three\"}\n{\"text\": \"four five six\"}\n";
    let options = Finetune { steps: 6, learning_rate: 2e-2, targets: vec!["all".into()], ..Default::default() };
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
    let folder = std::env::temp_dir().join(format!("puna-rust-adapter-{}", std::process::id()));
    adapter.save(folder.to_str().unwrap()).unwrap();
    let learned = answer(Some(&adapter));
    assert_eq!(answer(Some(&Adapter::open(&model, folder.to_str().unwrap()).unwrap())), learned);
    assert_ne!(answer(None), learned);
    std::fs::remove_dir_all(folder).unwrap();

    assert_eq!(model.finetune(lines, &options, |_| ControlFlow::Break(())).err().map(|e| e.status), Some(Status::Cancelled));
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let stopped = Finetune { stop: Some(stop), ..options.clone() };
    assert_eq!(model.finetune(lines, &stopped, |_| panic!("there is no step")).err().map(|e| e.status), Some(Status::Cancelled));
    assert!(model.finetune("{\"prompt\": \"x\"}", &options, |_| ControlFlow::Continue(())).err().unwrap().message.contains("line 1"));
}

#[test]
fn a_recommender_learns_who_walks_where() {
    let events: Vec<Event> = (0..60).flat_map(|u| (0..10).map(move |i| Event { user: u, item: 1 + ((u + i) % 12) as i32, time: 100 * i })).collect();
    let options = TrainRecommender { max_sequence: 16, epochs: 150, learning_rate: 3e-3, ..Default::default() };
    let recommender = Recommender::train(&events, &options, None).unwrap();
    assert_eq!(recommender.items().unwrap(), 12);
    let mut user = recommender.user().unwrap();
    assert_eq!(user.recommend(0, 3).err().map(|e| e.status), Some(Status::InvalidArgument));
    for (i, item) in [5, 6, 7].into_iter().enumerate() {
        user.append(item, 100 * i as i64).unwrap();
    }
    let best = user.recommend(300, 3).unwrap();
    assert_eq!((best.len(), best[0].0), (3, 8));
    assert!(Recommender::open("/no/such/file", None).is_err());
}

#[test]
fn a_ranker_learns_while_its_copy_serves() {
    let config = r#"{"surfaces": ["feed"], "tasks": [{"name": "like"}, {"name": "survey"}],
                     "features": [{"name": "user", "rows": 6}, {"name": "item", "rows": 6}], "interaction": "fm", "dim": 4, "hidden": []}"#;
    let mut ranker = Ranker::new(config, &LearnRanker { adagrad: true, learning_rate: 0.05, table_rate: 0.2, ..Default::default() }, None).unwrap();
    let (mut shown, mut came) = (Examples::new(), Vec::new());
    for user in 0..6 {
        for item in 0..6 {
            shown.add(0, &[&[user], &[item]], &[]).unwrap();
            came.extend([f32::from(u8::from(user % 3 == item % 3)), f32::NAN]);
        }
    }
    let first = ranker.learn(&shown, &came).unwrap();
    let serving = ranker.copy(RankerTable::F16).unwrap();
    let before = serving.score(&shown).unwrap();
    let last = (0..100).map(|_| ranker.learn(&shown, &came).unwrap()).last().unwrap();
    assert!(last < 0.5 * first);
    assert_eq!(serving.score(&shown).unwrap(), before);
    assert!(shown.add(0, &[&[1]], &[]).is_err());
    let mut wrong = Examples::new();
    wrong.add(0, &[&[1], &[6]], &[]).unwrap();
    assert!(ranker.score(&wrong).err().unwrap().message.contains("feature 'item': id 6"));
}

#[test]
fn a_pipeline_ranks_what_a_user_would_take_and_what_the_host_adds() {
    let events: Vec<Event> = (0..60).flat_map(|u| (0..8).map(move |i| Event { user: u, item: 1 + ((u + i) % 12) as i32, time: 100 * i })).collect();
    let recommender = Recommender::train(&events, &TrainRecommender { max_sequence: 16, epochs: 2, ..Default::default() }, None).unwrap();
    let mut user = recommender.user().unwrap();
    user.append(5, 0).unwrap();
    let config = r#"{"surfaces": ["feed", "reels"], "tasks": [{"name": "like"}, {"name": "skip"}],
                     "features": [{"name": "user", "rows": 60}, {"name": "item", "rows": 14}], "numbers": ["hour"], "dim": 4, "hidden": [8]}"#;
    let ranker = Ranker::new(config, &LearnRanker::default(), None).unwrap();
    let (mut items, mut about) = (Examples::new(), Examples::new());
    for item in 0..14 {
        items.add(0, &[&[], &[item]], &[]).unwrap();
    }
    about.add(0, &[&[7], &[]], &[0.5]).unwrap();
    let kinds: Vec<i32> = (0..14).map(|i| i % 2).collect();
    let options = PipelineOptions { count: 6, per_category: 3, weights: vec![1.0, 0.0, 1.0, -1.0], ..Default::default() };
    let pipeline = Pipeline::new(ranker.copy(RankerTable::F32).unwrap(), &Catalogue { items: &items, categories: &kinds, ..Default::default() }, &options).unwrap();
    let feed = pipeline.recommend(Request { surface: 1, about: Some(&about), user: Some(&mut user), time: 100, candidates: &[13, 0], scores: &[9.0, 8.0], exclude: &[3], ..Default::default() }).unwrap();
    assert_eq!((feed.items.len(), feed.candidates), (6, 12));
    assert!(feed.items.iter().all(|s| s.item != 3 && s.item != 5 && s.propensity == 1.0 && !s.explored && s.probabilities.len() == 2));
    assert!(feed.items.windows(2).all(|two| two[0].value >= two[1].value));
    assert_eq!(feed.items.iter().filter(|s| s.item % 2 == 0).count(), 3);
    let mut shown = Examples::new();
    shown.add(1, &[&[7], &[feed.items[0].item]], &[0.5]).unwrap();
    assert_eq!(ranker.score(&shown).unwrap(), feed.items[0].probabilities);
    assert!(feed.seconds.iter().all(|&s| s > 0.0));

    assert!(pipeline.recommend(Request::default()).err().unwrap().message.contains("neither a user nor candidates"));
    assert!(pipeline.recommend(Request { candidates: &[14], ..Default::default() }).err().unwrap().message.contains("candidate 14"));
    assert!(pipeline.recommend(Request { candidates: &[1, 2], scores: &[1.0], ..Default::default() }).is_err());
    assert!(Pipeline::new(ranker.copy(RankerTable::F32).unwrap(), &Catalogue { items: &items, categories: &[1], ..Default::default() }, &options).is_err());
    let other = Ranker::new(config, &LearnRanker { seed: 1, ..Default::default() }, None).unwrap();
    let before = pipeline.recommend(Request { candidates: &[1], ..Default::default() }).unwrap().items[0].value;
    pipeline.use_ranker(other).unwrap();
    assert_ne!(pipeline.recommend(Request { candidates: &[1], ..Default::default() }).unwrap().items[0].value, before);
}
