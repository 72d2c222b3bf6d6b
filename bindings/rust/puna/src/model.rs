use crate::context::Context;
use crate::error::{check, Result};
use crate::raw::{answer_to_c, c_path, c_string, pointer_or_null, sized, string, text_of, Handle};
use crate::session::{KvType, Session, SessionOptions};
use crate::tokenizer::Tokenizer;
use puna_sys::*;
use std::ops::ControlFlow;
use std::os::raw::c_void;
use std::path::{Path, PathBuf};
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

/// What is planned for; zero is the default of each.
#[derive(Clone, Debug, Default)]
pub struct PlanOptions {
    /// Sessions that will be open at once; 0 = 1.
    pub sessions: i32,
    /// Tokens each will hold; 0 = the model's limit.
    pub positions: i64,
    /// As in [`SessionOptions`].
    pub prefill_chunk: i64,
    /// As in [`SessionOptions`].
    pub exact: bool,
    /// As in [`SessionOptions`].
    pub kv_type: KvType,
    /// As in [`ModelOptions`]; not for [`Model::plan`].
    pub packed_path: Option<PathBuf>,
    /// As in [`ModelOptions`]; not for [`Model::plan`].
    pub projector_path: Option<PathBuf>,
    /// As in [`ModelOptions`]; not for [`Model::plan`].
    pub no_vision: bool,
}

/// How a model is opened; the default is the model alone.
#[derive(Clone, Debug, Default)]
pub struct ModelOptions {
    /// Where the packed form of the weights is kept: made when it is missing or stale, then mapped, so that the next
    /// start takes milliseconds and the model may be larger than memory. The file must not be written to or cut short
    /// while the model is open.
    pub packed_path: Option<PathBuf>,
    /// Read all of the packed file and compare hashes; otherwise its structure only.
    pub verify_packed: bool,
    /// An "mmproj" GGUF with the vision encoder of a text model's GGUF.
    pub projector_path: Option<PathBuf>,
    /// For encoded images, found again by content; 0 = 256 MB, at most an eighth of the memory limit; 1 = none.
    pub image_cache_bytes: u64,
    /// Leave the model's vision encoder out.
    pub no_vision: bool,
}

/// Memory in bytes, before it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // see puna_plan in puna.h
pub struct Plan {
    pub mapped_bytes: u64,
    pub weight_bytes: u64,
    pub load_peak_bytes: u64,
    pub kv_bytes: u64,
    pub scratch_bytes: u64,
    pub logits_bytes: u64,
    pub total_bytes: u64,
}

impl Plan {
    /// What a model and its sessions will take. Reads the file's header only.
    pub fn of(path: impl AsRef<Path>, options: &PlanOptions) -> Result<Plan> {
        let path = c_path(path.as_ref())?;
        Self::with(options, |o, plan| unsafe { puna_model_plan(path.as_ptr(), o, plan) })
    }

    fn with(
        options: &PlanOptions,
        call: impl FnOnce(*const puna_plan_options, *mut puna_plan) -> puna_status,
    ) -> Result<Plan> {
        let (packed, projector) = (optional_path(&options.packed_path)?, optional_path(&options.projector_path)?);
        let (mut o, mut p): (puna_plan_options, puna_plan) = (sized(), sized());
        o.sessions = options.sessions;
        o.positions = options.positions;
        o.prefill_chunk = options.prefill_chunk;
        o.kv_type = options.kv_type.raw();
        o.exact = options.exact.into();
        o.packed_path = pointer_or_null(&packed);
        o.projector_path = pointer_or_null(&projector);
        o.no_vision = options.no_vision.into();
        check(call(&o, &mut p))?;
        Ok(Plan {
            mapped_bytes: p.mapped_bytes,
            weight_bytes: p.weight_bytes,
            load_peak_bytes: p.load_peak_bytes,
            kv_bytes: p.kv_bytes,
            scratch_bytes: p.scratch_bytes,
            logits_bytes: p.logits_bytes,
            total_bytes: p.total_bytes,
        })
    }
}

fn optional_path(path: &Option<PathBuf>) -> Result<Option<std::ffi::CString>> {
    path.as_deref().map(c_path).transpose()
}

unsafe extern "C" fn report<F: FnMut(u64, u64) -> ControlFlow<()>>(user: *mut c_void, done: u64, total: u64) -> i32 {
    let progress = &mut *user.cast::<F>();
    answer_to_c(|| progress(done, total))
}

impl Model {
    /// A GGUF file or a Hugging Face folder, in a context of its own.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(None, path, &ModelOptions::default(), |_, _| ControlFlow::Continue(()))
    }

    /// The same in a context, with options. `progress` gets bytes done and bytes in total; when it breaks or panics,
    /// the load is [`Cancelled`](crate::Status::Cancelled).
    pub fn open_with<F>(
        context: Option<&Context>,
        path: impl AsRef<Path>,
        options: &ModelOptions,
        mut progress: F,
    ) -> Result<Self>
    where
        F: FnMut(u64, u64) -> ControlFlow<()>,
    {
        let path = c_path(path.as_ref())?;
        let (packed, projector) = (optional_path(&options.packed_path)?, optional_path(&options.projector_path)?);
        let mut o: puna_model_options = sized();
        o.progress = Some(report::<F>);
        o.progress_user = (&mut progress as *mut F).cast();
        o.packed_path = pointer_or_null(&packed);
        o.verify_packed = options.verify_packed.into();
        o.projector_path = pointer_or_null(&projector);
        o.image_cache_bytes = options.image_cache_bytes;
        o.no_vision = options.no_vision.into();
        let context = Context::raw_or_null(context);
        let handle =
            Handle::create(puna_model_free, |out| unsafe { puna_model_open(context, path.as_ptr(), &o, out) })?;
        Ok(Model { handle: Arc::new(handle) })
    }

    /// What sessions will add to it.
    pub fn plan(&self, options: &PlanOptions) -> Result<Plan> {
        Plan::with(options, |o, plan| unsafe { puna_session_plan(self.handle.raw, o, plan) })
    }

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
