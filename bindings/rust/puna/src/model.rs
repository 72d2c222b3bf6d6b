use crate::error::{check, Result};
use crate::raw::{c_string, sized, string, text_of, Handle};
use crate::session::{Session, SessionOptions};
use crate::tokenizer::Tokenizer;
use puna_sys::*;
use std::sync::Arc;

/// An opened model: immutable, shared by sessions and threads. Clones are the same model.
#[derive(Clone)]
pub struct Model {
    pub(crate) handle: Arc<Handle<puna_model>>,
}
// The library's models may be used by any number of threads at once.
unsafe impl Send for Model {}
unsafe impl Sync for Model {}

/// The numbers that define a model.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // they are called what they are; see puna_model_info in puna.h
pub struct ModelInfo {
    pub architecture: String,
    pub layers: i32,
    pub hidden: i32,
    pub heads: i32,
    pub kv_heads: i32,
    pub head_dim: i32,
    pub vocabulary: i32,
    pub experts: i32,
    pub experts_used: i32,
    pub attention_chunk: i64,
    pub image_tile: i32,
    pub image_tile_rows: i32,
    pub parameters: u64,
    pub file_bytes: u64,
    pub max_positions: i64,
    pub has_tokenizer: bool,
    pub has_chat_template: bool,
    pub tensor_count: i32,
    pub load_seconds: f64,
}

/// A tensor of the model's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Its name in the file.
    pub name: String,
    /// "F32", "Q4_K", ...
    pub dtype: String,
    /// Outermost first.
    pub shape: Vec<i64>,
    /// In the file.
    pub bytes: u64,
}

impl Model {
    /// A new conversation with default options.
    pub fn session(&self) -> Result<Session> {
        self.session_with(&SessionOptions::default())
    }

    /// A new conversation.
    pub fn session_with(&self, options: &SessionOptions) -> Result<Session> {
        let mut o: puna_session_options = sized();
        o.exact = options.exact.into();
        o.max_positions = options.max_positions;
        o.prefill_chunk = options.prefill_chunk;
        o.kv_type = options.kv_type.raw();
        Session::create(&self.handle, |out| unsafe { puna_session_create(self.handle.raw, &o, out) })
    }

    /// The session of which these bytes are the [snapshot](Session::snapshot).
    pub fn restore(&self, snapshot: &[u8]) -> Result<Session> {
        Session::create(&self.handle, |out| unsafe {
            puna_session_restore(self.handle.raw, snapshot.as_ptr().cast(), snapshot.len(), out)
        })
    }

    /// The model's tokenizer, which keeps the model alive.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        Tokenizer::of_model(&self.handle)
    }

    /// The keys of its metadata, sorted. GGUF's keep their names; a Hugging Face config.json is flattened with dots.
    pub fn metadata_keys(&self) -> Result<Vec<String>> {
        let mut i: puna_model_info = sized();
        check(unsafe { puna_model_get_info(self.handle.raw, &mut i) })?;
        (0..i.metadata_count)
            .map(|index| {
                let mut key = std::ptr::null();
                check(unsafe { puna_model_get_metadata_key(self.handle.raw, index, &mut key) })?;
                Ok(unsafe { string(key) })
            })
            .collect()
    }

    /// The value of a key as JSON.
    pub fn metadata(&self, key: &str) -> Result<String> {
        let key = c_string(key)?;
        text_of(|json| unsafe { puna_model_get_metadata(self.handle.raw, key.as_ptr(), json) })
    }

    /// What the model's files say and nothing reads, as JSON: `{"tensors": [...], "keys": [...]}`.
    pub fn unused(&self) -> Result<String> {
        text_of(|json| unsafe { puna_model_get_unused(self.handle.raw, json) })
    }

    /// The numbers that define it.
    pub fn info(&self) -> Result<ModelInfo> {
        let mut i: puna_model_info = sized();
        check(unsafe { puna_model_get_info(self.handle.raw, &mut i) })?;
        Ok(ModelInfo {
            architecture: unsafe { string(i.architecture) },
            layers: i.layers,
            hidden: i.hidden,
            heads: i.heads,
            kv_heads: i.kv_heads,
            head_dim: i.head_dim,
            vocabulary: i.vocabulary,
            experts: i.experts,
            experts_used: i.experts_used,
            attention_chunk: i.attention_chunk,
            image_tile: i.image_tile,
            image_tile_rows: i.image_tile_rows,
            parameters: i.parameters,
            file_bytes: i.file_bytes,
            max_positions: i.max_positions,
            has_tokenizer: i.has_tokenizer != 0,
            has_chat_template: i.has_chat_template != 0,
            tensor_count: i.tensor_count,
            load_seconds: i.load_seconds,
        })
    }

    /// The file's tensors, in its order.
    pub fn tensors(&self) -> Result<Vec<Tensor>> {
        (0..self.info()?.tensor_count)
            .map(|index| {
                let mut t: puna_tensor_info = sized();
                check(unsafe { puna_model_get_tensor_info(self.handle.raw, index, &mut t) })?;
                let (name, dtype) = unsafe { (string(t.name), string(t.dtype)) };
                Ok(Tensor { name, dtype, shape: t.dims[..t.rank as usize].to_vec(), bytes: t.bytes })
            })
            .collect()
    }
}
