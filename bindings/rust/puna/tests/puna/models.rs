//! Opening, describing and planning.
use crate::*;
use std::ops::ControlFlow;
use std::path::PathBuf;

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
