use crate::*;
use std::time::Duration;

pub fn options(seed: u64) -> GenerateOptions {
    let sampler = SamplerOptions { temperature: 1.0, seed, ..Default::default() };
    GenerateOptions { max_tokens: 9, ignore_eos: true, sampler, ..Default::default() }
}
pub fn alone(model: &Model, seed: u64) -> Vec<i32> {
    ids(model.session().unwrap().generate_tokens(&TOKENS, &options(seed)).unwrap())
}

#[test]
fn threads_share_an_engine_and_each_gets_its_own_answer() {
    let model = model();
    let engine = Engine::new(&model, &EngineOptions { max_running: 3, ..Default::default() }).unwrap();
    engine.start().unwrap();
    assert_eq!(engine.step(Duration::ZERO).unwrap_err().status, Status::WrongState);
    std::thread::scope(|scope| {
        for seed in 0..5 {
            let (engine, model) = (engine.clone(), model.clone());
            scope.spawn(move || {
                let request = RequestOptions { generate: options(seed), ..Default::default() };
                let request = engine.submit_tokens(&TOKENS, &request).unwrap();
                let told: Vec<i32> = request.map(|t| t.unwrap().id).collect();
                assert_eq!(told, alone(&model, seed));
            });
        }
    });
    engine.stop().unwrap();
    assert_eq!(engine.info().unwrap().finished, 5);
    let saved = engine.save_cache().unwrap();
    engine.clear_cache().unwrap();
    engine.restore_cache(&saved).unwrap();
    assert_eq!(engine.restore_cache(&saved[1..]).unwrap_err().status, Status::BadFile);
}

#[test]
fn a_request_has_several_answers_and_ends_by_a_cancel() {
    let model = model();
    let engine = Engine::new(&model, &EngineOptions { max_queued: 1, ..Default::default() }).unwrap();
    let request = RequestOptions { generate: options(4), n: 2, ..Default::default() };
    let mut several = engine.submit_tokens(&TOKENS, &request).unwrap();
    assert_eq!(engine.submit_tokens(&TOKENS, &request).err().unwrap().status, Status::Busy);
    while engine.step(Duration::from_millis(1)).unwrap() {}
    while several.poll(Duration::ZERO).unwrap() != EngineEvent::Ended {}
    let replies = several.answers().unwrap();
    assert_eq!(replies.iter().map(|r| r.tokens.clone()).collect::<Vec<_>>(), [alone(&model, 4), alone(&model, 5)]);
    assert_eq!(replies[0].stop_reason, StopReason::MaxTokens);
    let mut gone = engine.submit("It is a truth", &RequestOptions::default()).unwrap();
    gone.cancel().unwrap();
    engine.step(Duration::ZERO).unwrap();
    assert_eq!(gone.next().unwrap().unwrap_err().status, Status::Cancelled);
    assert!(gone.next().is_none());
    let mut refused = RequestOptions::default();
    refused.generate.keep_shared = true;
    assert_eq!(engine.submit("a", &refused).err().unwrap().status, Status::InvalidArgument);
}
