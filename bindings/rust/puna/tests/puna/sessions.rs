//! Appending, stepping, copying, cancelling.
use crate::*;
use std::time::{Duration, Instant};

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
