//! Generation and samplers.
use crate::*;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

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
