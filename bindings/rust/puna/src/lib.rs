//! Runs Llama models on CPUs, inside your program.
//!
//! ```no_run
//! # fn main() -> puna::Result<()> {
//! let model = puna::Model::open("model.gguf")?;
//! let mut session = model.session()?;
//! for token in session.generate("The capital of France is", &puna::Generate { max_tokens: 8, ..Default::default() })? {
//!     print!("{}", token?.text);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A [`Model`] is immutable and shared by threads; a [`Session`] is one conversation and belongs to one thread at a time; a [`Canceller`] ends
//! its work from any other. Failures are [`Error`]s with the library's sentence; nothing here panics because of what a file holds.
#![deny(missing_docs)]

mod adapter;
mod chat;
mod context;
mod error;
mod generate;
mod image;
mod model;
mod pipeline;
mod ranker;
mod raw;
mod recommender;
mod session;
mod tokenizer;

pub use adapter::{Adapter, Finetune, FinetuneReport};
pub use chat::{ChatText, RenderOptions, Text};
pub use context::{Context, ContextInfo, ContextOptions};
pub use error::{Error, Result, Status};
pub use generate::{Answer, Generate, Sampling, Step, StopReason, Token};
pub use image::{Image, ImageInfo};
pub use model::{Model, ModelInfo, Plan, PlanOptions, Tensor};
pub use pipeline::{Catalogue, Feed, Pipeline, PipelineOptions, Request, Shown};
pub use ranker::{Examples, LearnRanker, Ranker, RankerTable};
pub use recommender::{Event, Recommender, TrainRecommender, User};
pub use session::{append_batch, Canceller, KvType, Pooling, Session, SessionOptions, Timings};
pub use tokenizer::Tokenizer;

/// The version of the library that is running.
pub fn version() -> &'static str {
    // A static string of the library, ASCII.
    unsafe { std::ffi::CStr::from_ptr(puna_sys::puna_version_string()) }.to_str().unwrap_or("?")
}
