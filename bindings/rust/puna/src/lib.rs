#![doc = include_str!("../README.md")]
//!
//! # At its shortest
//!
//! ```no_run
//! fn main() -> puna::Result<()> {
//!     let model = puna::Model::open("model.gguf")?;
//!     let mut session = model.session()?;
//!     let options = puna::GenerateOptions { max_tokens: 8, ..Default::default() };
//!     for token in session.generate("The capital of France is", &options)? {
//!         print!("{}", token?.text);
//!     }
//!     Ok(())
//! }
//! ```
#![deny(missing_docs)]

mod adapter;
pub mod ads;
mod append;
mod batch;
mod chat;
mod context;
mod engine;
mod error;
mod eval;
mod generate;
mod grammar;
mod image;
mod labels;
mod model;
mod open;
mod pipeline;
mod plan;
mod ranker;
mod raw;
mod recommender;
mod sampler;
mod session;
mod stream;
mod tokenizer;
mod tools;

pub use adapter::{Adapter, FinetuneOptions, FinetuneReport};
pub use append::{AppendOptions, Appended, Pooling};
pub use batch::{append_batch, begin_batch, Batch};
pub use chat::{Chat, ChatOptions};
pub use context::{Context, ContextInfo, ContextOptions, LogLevel};
pub use engine::{Engine, EngineEvent, EngineInfo, EngineOptions, EngineRequest, EngineToken, Reply, RequestOptions};
pub use error::{Error, Result, Status};
pub use eval::{compare_samples, Evaluation, EvaluationInfo, EvaluationOptions, Score};
pub use generate::{
    Answer, Draft, GenerateOptions, GenerateResult, LogitsProcessor, Step, StopReason, Token, WhenFull,
};
pub use grammar::{Grammar, GrammarOptions, Matcher};
pub use image::{Image, ImageInfo};
pub use labels::{contaminated, duplicates, Alpha, Answers, InferMethod, Inference, Measure};
pub use model::{Model, ModelInfo, Tensor};
pub use open::{ModelOptions, Reader};
pub use pipeline::{Catalogue, Feed, Pipeline, PipelineOptions, Request, Shown};
pub use plan::{Plan, PlanOptions};
pub use ranker::{Calibration, Examples, Outcomes, Ranker, RankerInfo, RankerOptions, RankerReport, RankerTable};
pub use recommender::{
    Event, RecommendOptions, Recommender, RecommenderInfo, RecommenderOptions, RecommenderReport, User,
};
pub use sampler::{Sampler, SamplerOptions};
pub use session::{Canceller, KvType, Session, SessionInfo, SessionOptions, Timings};
pub use stream::{EngineStream, NextToken};
pub use tokenizer::{EncodeOptions, TokenInfo, TokenKind, Tokenizer, TokenizerInfo};
pub use tools::{Thoughts, ToolEvent, ToolParser, Tools};

/// The version of the library that is running.
pub fn version() -> &'static str {
    // A static string of the library, ASCII.
    unsafe { std::ffi::CStr::from_ptr(puna_sys::puna_version_string()) }.to_str().unwrap_or("?")
}
