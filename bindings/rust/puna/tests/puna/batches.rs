//! Appends of several sessions together, in slices of time.
use crate::*;
use std::time::Duration;

const OTHERS: [i32; 3] = [5, 6, 7];

fn logits(session: &Session) -> Vec<f32> {
    session.logits().unwrap().to_vec()
}

#[test]
fn a_stepped_batch_gives_each_session_the_bits_of_its_own_append() {
    let model = model();
    let (mut a, mut b) = (model.session().unwrap(), model.session().unwrap());
    b.append(&[9]).unwrap();
    let mut alone = [model.session().unwrap(), b.fork().unwrap()];
    alone[0].append(&TOKENS).unwrap();
    alone[1].append(&OTHERS).unwrap();

    let mut batch = begin_batch([(&mut a, &TOKENS[..]), (&mut b, &OTHERS)]).unwrap();
    assert!(batch.sessions().all(|s| s.info().unwrap().under_way));
    let mut steps = 1;
    while !batch.step(Duration::from_micros(1)).unwrap() {
        steps += 1;
    }
    assert!(steps > 10);
    assert_eq!(batch.sessions().map(Session::len).collect::<Vec<_>>(), [7, 4]);
    assert_eq!(batch.step(Duration::ZERO).unwrap_err().status, Status::WrongState);
    drop(batch);
    assert_eq!((a.tokens().unwrap(), b.tokens().unwrap()), (&TOKENS[..], &[9, 5, 6, 7][..]));
    assert_eq!((logits(&a), logits(&b)), (logits(&alone[0]), logits(&alone[1])));
}

#[test]
fn a_batch_that_is_dropped_or_cancelled_leaves_its_sessions_as_they_were() {
    let model = model();
    let (mut a, mut b) = (model.session().unwrap(), model.session().unwrap());
    a.append(&OTHERS).unwrap();
    let before = logits(&a);
    let mut batch = begin_batch([(&mut a, &TOKENS[..]), (&mut b, &TOKENS)]).unwrap();
    batch.step(Duration::from_micros(1)).unwrap();
    drop(batch);
    assert_eq!((a.tokens().unwrap(), logits(&a), b.len()), (&OTHERS[..], before.clone(), 0));
    assert!(!a.info().unwrap().under_way && !b.info().unwrap().under_way);

    let second = b.canceller();
    let mut batch = begin_batch([(&mut a, &TOKENS[..]), (&mut b, &TOKENS)]).unwrap();
    batch.step(Duration::from_micros(1)).unwrap();
    std::thread::spawn(move || second.cancel()).join().unwrap();
    assert_eq!(batch.step(Duration::ZERO).unwrap_err().status, Status::Cancelled);
    assert!(batch.sessions().all(|s| !s.info().unwrap().under_way));
    drop(batch);
    assert_eq!((logits(&a), b.len()), (before, 0));
    b.append(&TOKENS).unwrap();
}

#[test]
fn a_batch_that_does_not_begin_lends_nothing_and_one_that_is_leaked_keeps_its_sessions() {
    let model = model();
    let (mut a, mut b) = (model.session().unwrap(), model.session().unwrap());
    assert_eq!(begin_batch([]).err().unwrap().status, Status::InvalidArgument);
    let refused = begin_batch([(&mut a, &TOKENS[..]), (&mut b, &[-1])]).err().unwrap();
    assert!(refused.message.contains("-1"), "{refused}");
    a.append(&TOKENS).unwrap();
    b.append(&TOKENS).unwrap();

    // Another thread could step a session whose batch is forgotten, were it there.
    std::mem::forget(begin_batch([(&mut a, &TOKENS[..])]).unwrap());
    assert_eq!(a.append(&TOKENS).unwrap_err().status, Status::InvalidArgument);
    assert!(a.is_empty() && a.info().is_err() && a.logits().is_err() && a.fork().is_err());
    assert!(a.generate("x", &GenerateOptions::default()).is_err());
    a.canceller().cancel();
    a = model.session().unwrap();
    a.append(&TOKENS).unwrap();
    assert_eq!(logits(&a), logits(&b));
}
