use crate::error::{check, Result};
use crate::image::{handles, Image};
use crate::raw::{micros, pointer, pointer_mut, sized};
use crate::session::Session;
use puna_sys::*;
use std::time::Duration;

/// What an append is asked for besides adding its tokens:
/// `AppendOptions::new().keep_shared().embeddings(Pooling::Mean)`.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct AppendOptions {
    keep_shared: bool,
    images: Vec<Image>,
    logits: bool,
    embeddings: Option<Pooling>,
    normalize: bool,
}

impl AppendOptions {
    /// Nothing besides.
    pub fn new() -> Self {
        Self::default()
    }
    /// The tokens are all that the session shall hold: what it shares with them stays, the rest is replaced.
    pub fn keep_shared(mut self) -> Self {
        self.keep_shared = true;
        self
    }
    /// One for each `<|image|>` among the tokens, in order, or for their `<|patch|>` tokens.
    pub fn images(mut self, images: &[Image]) -> Self {
        self.images = images.to_vec();
        self
    }
    /// The logits behind every token that is appended.
    pub fn logits(mut self) -> Self {
        self.logits = true;
        self
    }
    /// The final hidden states, pooled.
    pub fn embeddings(mut self, pooling: Pooling) -> Self {
        self.embeddings = Some(pooling);
        self
    }
    /// Embeddings of length 1.
    pub fn normalize(mut self) -> Self {
        self.normalize = true;
        self
    }
}

/// How hidden states become an embedding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The mean over the tokens.
    Mean,
    /// The last token's, which has seen all others.
    Last,
    /// One vector a token, one after the other.
    None,
}

/// What an append kept and added, and what it was asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Appended {
    /// Positions held before that stayed.
    pub kept: usize,
    /// Positions that the tokens took; with [`keep_shared`](AppendOptions::keep_shared) the part of them behind `kept`.
    pub appended: usize,
    /// `appended` rows of the vocabulary's width, if asked for.
    pub logits: Vec<f32>,
    /// One vector of the model's `hidden` width, or `appended` of them, if asked for.
    pub embeddings: Vec<f32>,
}

impl Session {
    /// Computes tokens and adds them: all or none. There may be none when a token is pending
    /// ([`SessionInfo`](crate::SessionInfo)), which is computed in any case.
    pub fn append(&mut self, tokens: &[i32]) -> Result<Appended> {
        self.append_with(tokens, &AppendOptions::default())
    }

    /// The same with options.
    pub fn append_with(&mut self, tokens: &[i32], options: &AppendOptions) -> Result<Appended> {
        let arrays = options.logits || options.embeddings.is_some();
        let mut out = if arrays { self.room_for(tokens, options)? } else { Appended::default() };
        let mut result: puna_append_result = sized();
        let raw = self.handle.raw;
        with_options(options, &mut out, |o| {
            check(unsafe { puna_session_append(raw, pointer(tokens), tokens.len(), o, &mut result) })
        })?;
        (out.kept, out.appended) = (result.kept as usize, result.appended as usize);
        Ok(out)
    }

    /// What that append would keep and add; nothing is computed.
    pub fn plan_append(&self, tokens: &[i32], options: &AppendOptions) -> Result<Appended> {
        let mut result: puna_append_result = sized();
        let call = |o: &_| {
            check(unsafe { puna_session_plan_append(self.handle.raw, pointer(tokens), tokens.len(), o, &mut result) })
        };
        with_options(options, &mut Appended::default(), call)?;
        Ok(Appended { kept: result.kept as usize, appended: result.appended as usize, ..Default::default() })
    }

    /// Checks tokens for an append in slices of time; go on with [`step`](Self::step).
    pub fn begin(&mut self, tokens: &[i32]) -> Result<()> {
        self.begin_with(tokens, &AppendOptions::default())
    }

    /// The same with options.
    pub fn begin_with(&mut self, tokens: &[i32], options: &AppendOptions) -> Result<()> {
        let mut out = self.room_for(tokens, options)?;
        let raw = self.handle.raw;
        with_options(options, &mut out, |o| {
            check(unsafe { puna_session_begin(raw, pointer(tokens), tokens.len(), o) })
        })?;
        // The library writes into its vectors when the last step succeeds: they stay where they are until the append is
        // over.
        self.under_way = Some(out);
        Ok(())
    }

    /// Computes for about `budget` (zero: to the end). `Some` when everything is appended; the bits are those of one
    /// append.
    pub fn step(&mut self, budget: Duration) -> Result<Option<Appended>> {
        let mut finished = 0;
        let status = check(unsafe { puna_session_step(self.handle.raw, micros(budget), &mut finished) });
        if status.is_err() {
            self.forget_outputs();
        }
        status?;
        Ok(if finished != 0 { self.under_way.take() } else { None })
    }

    /// Drops what an append was to be given, if there is none under way any more.
    pub(crate) fn forget_outputs(&mut self) {
        if self.info().is_ok_and(|i| !i.under_way) {
            self.under_way = None;
        }
    }

    fn room_for(&self, tokens: &[i32], options: &AppendOptions) -> Result<Appended> {
        let mut out = self.plan_append(tokens, options)?;
        if options.logits {
            out.logits = vec![0.0; out.appended * self.info()?.vocabulary as usize];
        }
        if let Some(pooling) = options.embeddings {
            let mut model: puna_model_info = sized();
            check(unsafe { puna_model_get_info(self.model.raw, &mut model) })?;
            out.embeddings = vec![0.0; if pooling == Pooling::None { out.appended } else { 1 } * model.hidden as usize];
        }
        Ok(out)
    }
}

fn with_options<T>(
    options: &AppendOptions,
    out: &mut Appended,
    call: impl FnOnce(&puna_append_options) -> Result<T>,
) -> Result<T> {
    let images = handles(&options.images);
    let mut o: puna_append_options = sized();
    o.keep_shared = options.keep_shared.into();
    (o.images, o.image_count) = (pointer(&images), images.len() as u64);
    (o.logits, o.logits_capacity) = (pointer_mut(&mut out.logits), out.logits.len() as u64);
    (o.embeddings, o.embeddings_capacity) = (pointer_mut(&mut out.embeddings), out.embeddings.len() as u64);
    o.pooling = match options.embeddings {
        None | Some(Pooling::Mean) => PUNA_POOLING_MEAN,
        Some(Pooling::Last) => PUNA_POOLING_LAST,
        Some(Pooling::None) => PUNA_POOLING_NONE,
    };
    o.normalize = options.normalize.into();
    call(&o)
}
