//! The Rust face on the smallest golden model: every type, what errors look like, what threads and panics do.
use puna::*;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

mod adapters;
mod advertisements;
mod answers;
mod batches;
mod chats;
mod engines;
mod evaluations;
mod grammars;
mod images;
mod labels;
mod models;
mod opening;
mod recommending;
mod sessions;
mod streams;
mod text;
mod tools;

const TOKENS: [i32; 7] = [11, 22, 33, 44, 55, 66, 77];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap()
}
fn path() -> PathBuf {
    root().join("tests/data/golden/multimodal")
}
/// 7.5 MB, for what takes a GGUF.
fn gguf() -> PathBuf {
    root().join("examples/bundled/puna-austen.gguf")
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
    shared::<ads::Ledger>();
    shared::<ads::SpendPlan>();
    moves::<Session>();
    moves::<Answer<'_>>();
    moves::<Matcher>();
    moves::<ads::Chooser>();
    moves::<Batch<'_>>();
}
