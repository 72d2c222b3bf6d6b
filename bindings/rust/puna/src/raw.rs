//! What every module needs at the border: owned handles, sized structs, text in and out.
use crate::error::{check, Error, Result, Status};
use puna_sys::*;
use std::ffi::CString;
use std::os::raw::c_char;
use std::ptr::null_mut;

/// An owned handle and the function that frees it.
pub(crate) struct Handle<T> {
    pub raw: *mut T,
    free: unsafe extern "C" fn(*mut T),
}

impl<T> Handle<T> {
    pub fn create(free: unsafe extern "C" fn(*mut T), make: impl FnOnce(*mut *mut T) -> puna_status) -> Result<Self> {
        let mut raw = null_mut();
        check(make(&mut raw))?;
        Ok(Handle { raw, free })
    }
}
impl<T> Drop for Handle<T> {
    fn drop(&mut self) {
        unsafe { (self.free)(self.raw) }
    }
}

/// A C struct of the library: all zero but for its size. Every one of them begins with `struct_size: u32` and zero is a value of all fields.
pub(crate) unsafe trait Sized_: Copy {}
pub(crate) fn sized<T: Sized_>() -> T {
    let mut value: T = unsafe { std::mem::zeroed() };
    unsafe { *(&mut value as *mut T).cast::<u32>() = std::mem::size_of::<T>() as u32 };
    value
}
macro_rules! sized_structs { ($($name:ident)*) => { $(unsafe impl Sized_ for $name {})* } }
sized_structs!(puna_context_options puna_context_info puna_model_options puna_model_info puna_tensor_info puna_plan_options puna_plan
    puna_tokenize_options puna_tokenizer_info puna_session_options puna_session_info puna_session_timings puna_embed_options
    puna_sampler_options puna_generated_token puna_generate_options puna_generate_result puna_reader puna_image_info
    puna_recommender_info puna_recommender_options puna_finetune_options
    puna_ranker_options puna_ranker_info puna_ranker_report puna_examples puna_outcomes
    puna_render_options puna_chat_info puna_chat_template_info
    puna_catalogue puna_pipeline_options puna_pipeline_request puna_pipeline_answer);

/// NULL for an empty slice, whose own pointer leads nowhere.
pub(crate) fn pointer<T>(values: &[T]) -> *const T {
    if values.is_empty() { std::ptr::null() } else { values.as_ptr() }
}

pub(crate) fn c_string(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error { status: Status::InvalidArgument, message: format!("'{}' holds a NUL", text.escape_debug()) })
}

/// The bytes that a function with (buffer, capacity, size) at its end writes.
pub(crate) fn bytes_of(call: impl Fn(*mut c_char, usize, *mut usize) -> puna_status) -> Result<Vec<u8>> {
    let mut size = 0;
    check(call(null_mut(), 0, &mut size))?;
    let mut buffer = vec![0u8; size + 1];
    check(call(buffer.as_mut_ptr().cast(), buffer.len(), &mut size))?;
    buffer.truncate(size);
    Ok(buffer)
}

/// The ids that a function with (tokens, capacity, count) at its end writes; where they need more room than was thought, it says how much.
pub(crate) fn ids_of(mut room: usize, call: impl Fn(*mut i32, usize, *mut usize) -> puna_status) -> Result<Vec<i32>> {
    loop {
        let mut ids = vec![0i32; room.max(1)];
        let mut count = 0;
        let status = call(ids.as_mut_ptr(), room, &mut count);
        if status == PUNA_INVALID_ARGUMENT && count > room {
            room = count;
            continue;
        }
        check(status)?;
        ids.truncate(count);
        return Ok(ids);
    }
}

/// Strings that the library promises to be there and NUL-terminated.
pub(crate) unsafe fn string(pointer: *const c_char) -> String {
    std::ffi::CStr::from_ptr(pointer).to_string_lossy().into_owned()
}
