use crate::context::Context;
use crate::error::{Error, Result, Status};
use crate::model::Model;
use crate::raw::{answer_to_c, c_path, c_string, pointer_or_null, sized, Handle};
use puna_sys::*;
use std::ffi::CString;
use std::ops::ControlFlow;
use std::os::raw::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;

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

type ReadAt<'a> = dyn FnMut(u64, &mut [u8]) -> std::io::Result<()> + 'a;

/// Where a GGUF's bytes come from when they are in no file of their own: pak files, archives, object stores.
pub struct Reader<'a> {
    name: String,
    size: u64,
    read_at: Box<ReadAt<'a>>,
    failure: Option<String>, // of the last read_at
}

impl<'a> Reader<'a> {
    /// `size` bytes in total, of which `read_at(offset, into)` copies those from `offset` on to all of `into`. It is
    /// called on the caller's thread and during the open only. When it fails or panics, the call is
    /// [`Io`](crate::Status::Io) and its message ends with what the failure said. `name` is for messages.
    pub fn new(
        name: impl Into<String>,
        size: u64,
        read_at: impl FnMut(u64, &mut [u8]) -> std::io::Result<()> + 'a,
    ) -> Self {
        Reader { name: name.into(), size, read_at: Box::new(read_at), failure: None }
    }

    pub(crate) fn with<T>(&mut self, call: impl FnOnce(*const puna_reader) -> Result<T>) -> Result<T> {
        let name = c_string(&self.name)?;
        let mut r: puna_reader = sized();
        r.size = self.size;
        r.read_at = Some(read_at);
        r.name = name.as_ptr();
        self.failure = None;
        r.user = (self as *mut Self).cast();
        let done = call(&r);
        match (done, self.failure.take()) {
            (Err(Error { status: Status::Io, message }), Some(why)) => {
                Err(Error { status: Status::Io, message: format!("{message}: {why}") })
            }
            (done, _) => done,
        }
    }
}

unsafe extern "C" fn read_at(user: *mut c_void, offset: u64, bytes: u64, destination: *mut c_void) -> i32 {
    let reader = &mut *user.cast::<Reader<'_>>();
    if bytes == 0 {
        return 0;
    }
    // The closure may read what it is to fill.
    std::ptr::write_bytes(destination.cast::<u8>(), 0, bytes as usize);
    let into = std::slice::from_raw_parts_mut(destination.cast::<u8>(), bytes as usize);
    reader.failure = match catch_unwind(AssertUnwindSafe(|| (reader.read_at)(offset, into))) {
        Ok(Ok(())) => return 0,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("read_at panicked".into()),
    };
    1
}

pub(crate) fn optional_path(path: &Option<PathBuf>) -> Result<Option<CString>> {
    path.as_deref().map(c_path).transpose()
}

pub(crate) unsafe extern "C" fn report<F: FnMut(u64, u64) -> ControlFlow<()>>(user: *mut c_void, done: u64, total: u64) -> i32 {
    let progress = &mut *user.cast::<F>();
    answer_to_c(|| progress(done, total))
}

impl ModelOptions {
    fn with<F: FnMut(u64, u64) -> ControlFlow<()>>(
        &self,
        mut progress: F,
        open: impl FnOnce(*const puna_model_options, *mut *mut puna_model) -> puna_status,
    ) -> Result<Handle<puna_model>> {
        let (packed, projector) = (optional_path(&self.packed_path)?, optional_path(&self.projector_path)?);
        let mut o: puna_model_options = sized();
        o.progress = Some(report::<F>);
        o.progress_user = (&mut progress as *mut F).cast();
        o.packed_path = pointer_or_null(&packed);
        o.verify_packed = self.verify_packed.into();
        o.projector_path = pointer_or_null(&projector);
        o.image_cache_bytes = self.image_cache_bytes;
        o.no_vision = self.no_vision.into();
        Handle::create(puna_model_free, |out| open(&o, out))
    }
}

impl Model {
    /// A GGUF file or a Hugging Face folder, in a context of its own.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(None, path, &ModelOptions::default(), |_, _| ControlFlow::Continue(()))
    }

    /// The same in a context, with options. `progress` gets bytes done and bytes in total; when it breaks or panics,
    /// the load is [`Cancelled`](crate::Status::Cancelled).
    pub fn open_with(
        context: Option<&Context>,
        path: impl AsRef<Path>,
        options: &ModelOptions,
        progress: impl FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        let path = c_path(path.as_ref())?;
        let context = Context::raw_or_null(context);
        let handle = options.with(progress, |o, out| unsafe { puna_model_open(context, path.as_ptr(), o, out) })?;
        Ok(Model { handle: Arc::new(handle) })
    }

    /// A complete GGUF in memory: a `Vec<u8>`, a `&'static [u8]`, an `Arc` of bytes, a mapped file. It is not copied;
    /// the model keeps it, and so does everything that is made from the model.
    pub fn open_memory<D>(
        context: Option<&Context>,
        gguf: D,
        options: &ModelOptions,
        progress: impl FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Self>
    where
        D: AsRef<[u8]> + Send + Sync + 'static,
    {
        let gguf = Arc::new(gguf); // its bytes stay where they are
        let bytes = (*gguf).as_ref();
        let context = Context::raw_or_null(context);
        let handle = options.with(progress, |o, out| unsafe {
            puna_model_open_memory(context, bytes.as_ptr().cast(), bytes.len(), o, out)
        })?;
        Ok(Model { handle: Arc::new(handle.keeping(gguf)) })
    }

    /// A complete GGUF through a callback.
    pub fn open_reader(
        context: Option<&Context>,
        reader: &mut Reader<'_>,
        options: &ModelOptions,
        progress: impl FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        let context = Context::raw_or_null(context);
        let handle =
            reader.with(|r| options.with(progress, |o, out| unsafe { puna_model_open_reader(context, r, o, out) }))?;
        Ok(Model { handle: Arc::new(handle) })
    }
}
