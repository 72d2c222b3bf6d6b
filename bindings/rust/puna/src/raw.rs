//! What every module needs at the border: owned handles, sized structs, text and paths in, buffers and borrowed arrays
//! out, callbacks.
use crate::error::{check, Error, Result, Status};
use puna_sys::*;
use std::any::Any;
use std::ffi::CString;
use std::ops::ControlFlow;
use std::os::raw::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

/// An owned handle and the function that frees it, and what must stay until that has been called.
pub(crate) struct Handle<T> {
    pub raw: *mut T,
    free: unsafe extern "C" fn(*mut T),
    keeps: Option<Arc<dyn Any>>,
}

impl<T> Handle<T> {
    pub fn create(free: unsafe extern "C" fn(*mut T), make: impl FnOnce(*mut *mut T) -> puna_status) -> Result<Self> {
        let mut raw = null_mut();
        check(make(&mut raw))?;
        Ok(Handle { raw, free, keeps: None })
    }
    /// No object of the library: every call refuses it.
    pub fn none(free: unsafe extern "C" fn(*mut T)) -> Self {
        Handle { raw: null_mut(), free, keeps: None }
    }
    /// What is made from a model keeps the model's handle, which keeps what the model reads from.
    pub fn keeping(mut self, what: Arc<dyn Any>) -> Self {
        self.keeps = Some(what);
        self
    }
}
impl<T> Drop for Handle<T> {
    fn drop(&mut self) {
        unsafe { (self.free)(self.raw) }
    }
}

/// A C struct of the library: all zero but for its size. Every one of them begins with `struct_size: u32` and zero is a
/// value of all fields.
pub(crate) unsafe trait Sized_: Copy {}
pub(crate) fn sized<T: Sized_>() -> T {
    let mut value: T = unsafe { std::mem::zeroed() };
    unsafe { *(&mut value as *mut T).cast::<u32>() = std::mem::size_of::<T>() as u32 };
    value
}
macro_rules! sized_structs { ($($name:ident)*) => { $(unsafe impl Sized_ for $name {})* } }
sized_structs!(
    puna_context_options puna_context_info puna_model_options puna_reader puna_model_info puna_tensor_info puna_plan_options
    puna_plan puna_encode_options puna_tokenizer_info puna_token_info puna_session_options puna_session_info
    puna_session_timings puna_append_options puna_append_result puna_sampler_options puna_generated_token
    puna_generate_options puna_generate_result puna_image_info puna_recommender_info puna_recommender_options
    puna_recommend_options puna_finetune_options puna_ranker_options puna_ranker_info puna_ranker_report
    puna_examples puna_outcomes puna_chat_options puna_chat_info puna_chat_template_info puna_catalogue
    puna_pipeline_options puna_pipeline_request puna_pipeline_answer puna_tools_options puna_tools_info puna_tools_grammar_options
    puna_tool_parser_options puna_tool_event
    puna_engine_options puna_engine_info puna_request_options puna_request_info puna_event puna_answer
    puna_answers_info puna_alpha puna_infer_options puna_inference_info puna_overlap_options
    puna_score_options puna_evaluation_options puna_evaluation_info puna_compare_options
    puna_grammar_options puna_grammar_info puna_matcher_options puna_matcher_info
    puna_balance puna_ads_day puna_hindsight puna_pacer_options puna_pacer_info puna_chooser_options puna_chooser_info
    puna_reward_counts puna_off_policy_options puna_logged_choices puna_off_policy_report
    puna_lint_options puna_ads_plan_options
);

pub(crate) fn invalid<T>(message: String) -> Result<T> {
    Err(Error { status: Status::InvalidArgument, message })
}

/// NULL for an empty slice, whose own pointer leads nowhere.
pub(crate) fn pointer<T>(values: &[T]) -> *const T {
    if values.is_empty() {
        std::ptr::null()
    } else {
        values.as_ptr()
    }
}
/// The same for an array that a call fills.
pub(crate) fn pointer_mut<T>(values: &mut [T]) -> *mut T {
    if values.is_empty() {
        null_mut()
    } else {
        values.as_mut_ptr()
    }
}

pub(crate) fn c_string(text: &str) -> Result<CString> {
    CString::new(text).or_else(|_| invalid(format!("'{}' holds a NUL", text.escape_debug())))
}
/// The library takes paths as UTF-8.
pub(crate) fn c_path(path: &Path) -> Result<CString> {
    path.to_str().map_or_else(|| invalid(format!("the path '{}' is not UTF-8", path.display())), c_string)
}
/// NULL where there is no text.
pub(crate) fn pointer_or_null(text: &Option<CString>) -> *const c_char {
    text.as_ref().map_or(std::ptr::null(), |t| t.as_ptr())
}

/// Strings that the library promises to be there and NUL-terminated.
pub(crate) unsafe fn string(pointer: *const c_char) -> String {
    std::ffi::CStr::from_ptr(pointer).to_string_lossy().into_owned()
}
/// An array of the library's; the pointer may be NULL when it is empty.
pub(crate) unsafe fn slice<'a, T>(data: *const T, count: usize) -> &'a [T] {
    if count == 0 {
        &[]
    } else {
        std::slice::from_raw_parts(data, count)
    }
}

fn stored<T: Copy>(call: impl FnOnce(*mut puna_buffer) -> puna_status) -> Result<Vec<T>> {
    let buffer = Handle::create(puna_buffer_free, |out| unsafe { puna_buffer_create(out) })?;
    check(call(buffer.raw))?;
    Ok(unsafe { slice(puna_buffer_data(buffer.raw).cast::<T>(), puna_buffer_size(buffer.raw)) }.to_vec())
}
/// The text that a call stores in a buffer.
pub(crate) fn bytes_of(call: impl FnOnce(*mut puna_buffer) -> puna_status) -> Result<Vec<u8>> {
    stored(call)
}
/// The same where it is UTF-8: JSON.
pub(crate) fn text_of(call: impl FnOnce(*mut puna_buffer) -> puna_status) -> Result<String> {
    Ok(String::from_utf8_lossy(&stored(call)?).into_owned())
}
/// The ids that a call stores in a buffer.
pub(crate) fn ids_of(call: impl FnOnce(*mut puna_buffer) -> puna_status) -> Result<Vec<i32>> {
    stored(call)
}

/// A budget in microseconds; zero is no limit, and less than one is one.
pub(crate) fn micros(budget: Duration) -> u64 {
    if budget.is_zero() {
        0
    } else {
        u64::try_from(budget.as_micros()).unwrap_or(u64::MAX).max(1)
    }
}

/// What a callback returns to C, where no panic may cross: 0 to go on.
pub(crate) fn answer_to_c(callback: impl FnOnce() -> ControlFlow<()>) -> i32 {
    !matches!(catch_unwind(AssertUnwindSafe(callback)), Ok(ControlFlow::Continue(()))) as i32
}

/// A `watch` callback whose `user` is an AtomicBool: true ends the call.
pub(crate) unsafe extern "C" fn stopped(user: *mut c_void) -> i32 {
    (*user.cast::<AtomicBool>()).load(Ordering::Relaxed).into()
}
