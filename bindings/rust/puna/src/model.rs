use crate::context::Context;
use crate::error::{check, Result};
use crate::raw::{c_string, sized, string, Handle};
use crate::session::{KvType, Session, SessionOptions};
use crate::tokenizer::Tokenizer;
use puna_sys::*;
use std::ops::ControlFlow;
use std::os::raw::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::null;
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
#[derive(Clone, Copy, Debug, Default)]
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
    pub fn of(path: &str, options: &PlanOptions) -> Result<Plan> {
        let path = c_string(path)?;
        let (mut o, mut p): (puna_plan_options, puna_plan) = (sized(), sized());
        o.sessions = options.sessions;
        o.positions = options.positions;
        o.prefill_chunk = options.prefill_chunk;
        o.kv_type = options.kv_type.raw();
        o.exact = options.exact.into();
        check(unsafe { puna_model_plan(path.as_ptr(), &o, &mut p) })?;
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

unsafe extern "C" fn report<F: FnMut(u64, u64) -> ControlFlow<()>>(user: *mut c_void, done: u64, total: u64) -> i32 {
    let progress = &mut *user.cast::<F>();
    // No panic may cross into C: it becomes a cancelled load.
    !matches!(catch_unwind(AssertUnwindSafe(|| progress(done, total))), Ok(ControlFlow::Continue(()))) as i32
}

impl Model {
    /// A GGUF file or a Hugging Face folder, in a context of its own.
    pub fn open(path: &str) -> Result<Self> {
        Self::open_with(None, path, |_, _| ControlFlow::Continue(()))
    }

    /// The same in a context. `progress` gets bytes done and bytes in total; when it breaks or panics, the load is cancelled.
    pub fn open_with<F: FnMut(u64, u64) -> ControlFlow<()>>(context: Option<&Context>, path: &str, progress: F) -> Result<Self> {
        Self::open_at(context, path, None, progress)
    }

    /// The same with a file for the packed weights: made when it is missing or stale, then mapped, so that the next start takes milliseconds
    /// and the model may be larger than memory. The file must not be written to or cut short while the model is open.
    pub fn open_packed<F: FnMut(u64, u64) -> ControlFlow<()>>(context: Option<&Context>, path: &str, packed: &str, progress: F) -> Result<Self> {
        Self::open_at(context, path, Some(packed), progress)
    }

    fn open_at<F: FnMut(u64, u64) -> ControlFlow<()>>(context: Option<&Context>, path: &str, packed: Option<&str>, mut progress: F) -> Result<Self> {
        let (path, packed) = (c_string(path)?, packed.map(c_string).transpose()?);
        let mut options: puna_model_options = sized();
        options.progress = Some(report::<F>);
        options.progress_user = (&mut progress as *mut F).cast();
        options.packed_path = packed.as_ref().map_or(null(), |p| p.as_ptr());
        let context = Context::raw_or_null(context);
        let handle = Handle::create(puna_model_free, |out| unsafe { puna_model_open(context, path.as_ptr(), &options, out) })?;
        Ok(Model { handle: Arc::new(handle) })
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
        Session::create(&self.handle, |out| unsafe { puna_session_restore(self.handle.raw, snapshot.as_ptr().cast(), snapshot.len(), out) })
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        Tokenizer::of_model(self.handle.raw)
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
                check(unsafe { puna_model_tensor_info(self.handle.raw, index, &mut t) })?;
                let (name, dtype) = unsafe { (string(t.name), string(t.dtype)) };
                Ok(Tensor { name, dtype, shape: t.dims[..t.rank as usize].to_vec(), bytes: t.bytes })
            })
            .collect()
    }
}
