//! Fine-tuning.
use crate::*;
use std::ops::ControlFlow;

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
