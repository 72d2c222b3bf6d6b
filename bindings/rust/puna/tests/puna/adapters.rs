//! Fine-tuning.
use crate::*;
use std::ops::ControlFlow;
use std::sync::Mutex;

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
fn a_context_tells_its_log_what_nobody_uses() {
    static TOLD: Mutex<Vec<(LogLevel, String)>> = Mutex::new(vec![]);
    fn tell(level: LogLevel, line: &str) {
        TOLD.lock().unwrap().push((level, line.into()));
        if line.contains("panics") {
            panic!("from the log");
        }
    }
    let context = Context::new(&ContextOptions { log: Some(tell), ..Default::default() }).unwrap();
    let model = Model::open_with(Some(&context), path(), &ModelOptions::default(), |_, _| go_on(())).unwrap();
    drop(context); // the model's still
    let options = FinetuneOptions { steps: 1, ..Default::default() };
    quietly(|| model.finetune(r#"{"prompt": "a", "completion": "b", "panics": 1}"#, &options, go_on)).unwrap();
    let told = TOLD.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    assert!(told.iter().any(|(level, line)| *level <= LogLevel::Info && line.contains("not used: panics")), "{told:?}");
}
