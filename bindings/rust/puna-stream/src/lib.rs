//! [`futures_core::Stream`] over a request of a [`puna::Engine`], for the adaptors and executors of the futures crates.
//!
//! ```
//! use futures::StreamExt;
//! use puna_stream::TokenStream;
//!
//! # fn main() -> puna::Result<()> {
//! let model = puna::Model::open("../../../examples/bundled/puna-austen.gguf")?;
//! let engine = puna::Engine::new(&model, &Default::default())?;
//! engine.start()?;
//! let generate = puna::GenerateOptions { max_tokens: 16, ..Default::default() };
//! let options = puna::RequestOptions { generate, ..Default::default() };
//! let answers = ["It is a truth", "She was"].map(|prompt| {
//!     let tokens = TokenStream::from(engine.stream(prompt, &options)?);
//!     Ok(tokens.map(|token| token.map(|t| t.text)).collect::<Vec<_>>())
//! });
//! let answers = answers.into_iter().collect::<puna::Result<Vec<_>>>()?;
//! for answer in futures::executor::block_on(futures::future::join_all(answers)) {
//!     let text = answer.into_iter().collect::<puna::Result<String>>()?;
//!     assert!(!text.is_empty());
//! }
//! # Ok(())
//! # }
//! ```
#![deny(missing_docs)]
#![forbid(unsafe_code)]

use std::pin::Pin;
use std::task::{Context, Poll};

/// The tokens of a request's answers. Dropped early, it is cancelled.
pub struct TokenStream {
    /// What it reads: for `cancel` and, after the end, `answers`.
    pub request: puna::EngineStream,
}

impl From<puna::EngineStream> for TokenStream {
    fn from(request: puna::EngineStream) -> Self {
        TokenStream { request }
    }
}

impl futures_core::Stream for TokenStream {
    type Item = puna::Result<puna::EngineToken>;
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().request.poll_next(cx)
    }
}
