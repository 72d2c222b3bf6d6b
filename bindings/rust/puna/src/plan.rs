use crate::error::{check, Result};
use crate::model::Model;
use crate::open::{optional_path, Reader};
use crate::raw::{c_path, pointer_or_null, sized};
use crate::session::KvType;
use puna_sys::*;
use std::path::{Path, PathBuf};

/// What is planned for; zero is the default of each.
#[derive(Clone, Debug, Default)]
pub struct PlanOptions {
    /// Sessions that will be open at once; 0 = 1.
    pub sessions: i32,
    /// Tokens each will hold; 0 = the model's limit.
    pub positions: i64,
    /// As in [`SessionOptions`](crate::SessionOptions).
    pub prefill_chunk: i64,
    /// As in [`SessionOptions`](crate::SessionOptions).
    pub exact: bool,
    /// As in [`SessionOptions`](crate::SessionOptions).
    pub kv_type: KvType,
    /// As in [`ModelOptions`](crate::ModelOptions); not for [`Model::plan`].
    pub packed_path: Option<PathBuf>,
    /// As in [`ModelOptions`](crate::ModelOptions); not for [`Model::plan`].
    pub projector_path: Option<PathBuf>,
    /// As in [`ModelOptions`](crate::ModelOptions); not for [`Model::plan`].
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

    /// The same for [`Model::open_memory`].
    pub fn of_memory(gguf: &[u8], options: &PlanOptions) -> Result<Plan> {
        Self::with(options, |o, plan| unsafe { puna_model_plan_memory(gguf.as_ptr().cast(), gguf.len(), o, plan) })
    }

    /// The same for [`Model::open_reader`]. Only the header and small pieces are read.
    pub fn of_reader(reader: &mut Reader<'_>, options: &PlanOptions) -> Result<Plan> {
        reader.with(|r| Self::with(options, |o, plan| unsafe { puna_model_plan_reader(r, o, plan) }))
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

impl Model {
    /// What sessions will add to it.
    pub fn plan(&self, options: &PlanOptions) -> Result<Plan> {
        Plan::with(options, |o, plan| unsafe { puna_session_plan(self.handle.raw, o, plan) })
    }
}
