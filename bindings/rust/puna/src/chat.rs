use crate::error::{check, Result};
use crate::model::Model;
use crate::raw::{c_string, ids_of, sized, string, Handle};
use puna_sys::*;
use std::ffi::CString;
use std::ops::{Deref, Range};
use std::ptr::null;

/// How a chat is rendered; the default is the model's own choice.
#[derive(Clone, Debug, Default)]
pub struct RenderOptions {
    /// YYYY-MM-DD: today, for templates that ask. Without one such a template is an error.
    pub date: Option<String>,
    /// Which of the model's templates by name; `None`: "tool_use" where the chat has tools and there is one of that name, else "default".
    pub template: Option<String>,
    /// Special tokens are parsed in what the messages say, too: only for messages that nobody else can write in.
    pub parse_content: bool,
}

/// The prompt text of a chat, which knows what its template did not write: there, special tokens stay text wherever the rest is parsed. A `&str` of it
/// ([`as_str`](Self::as_str)) forgets that, and all of it is parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatText {
    text: String,
    content: Vec<Range<usize>>,
    dropped: Vec<String>,
}

impl ChatText {
    /// The text alone.
    pub fn as_str(&self) -> &str {
        &self.text
    }
    /// The bytes that came from messages, tools and other variables, in order.
    pub fn content(&self) -> &[Range<usize>] {
        &self.content
    }
    /// Fields of the chat of which the template wrote nothing: `messages[0].content`, `tools`.
    pub fn dropped(&self) -> &[String] {
        &self.dropped
    }
}
impl Deref for ChatText {
    type Target = str;
    fn deref(&self) -> &str {
        &self.text
    }
}
impl std::fmt::Display for ChatText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// What can be tokenized: text, bytes that need not be UTF-8, or a rendered chat.
pub trait Text {
    /// All of it.
    fn bytes(&self) -> &[u8];
    /// The parts that are ordinary text even where special tokens are parsed.
    fn content(&self) -> &[Range<usize>] {
        &[]
    }
    /// Is it a rendered chat, in which special tokens are meant?
    fn is_chat(&self) -> bool {
        false
    }
}
macro_rules! plain_text { ($($t:ty)*) => { $(impl Text for $t {
    fn bytes(&self) -> &[u8] {
        self.as_ref()
    }
})* } }
plain_text!(str String [u8] Vec<u8>);
impl<const N: usize> Text for [u8; N] {
    fn bytes(&self) -> &[u8] {
        self
    }
}
impl Text for ChatText {
    fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }
    fn content(&self) -> &[Range<usize>] {
        &self.content
    }
    fn is_chat(&self) -> bool {
        true
    }
}
impl<T: Text + ?Sized> Text for &T {
    fn bytes(&self) -> &[u8] {
        (**self).bytes()
    }
    fn content(&self) -> &[Range<usize>] {
        (**self).content()
    }
    fn is_chat(&self) -> bool {
        (**self).is_chat()
    }
}

/// The ids of a text by `encode`, a C function's rest: (text, bytes, options, tokens, capacity, count).
pub(crate) fn tokenize(
    text: &(impl Text + ?Sized),
    parse_special: bool,
    add_bos: bool,
    encode: impl Fn(*const std::os::raw::c_char, usize, *const puna_tokenize_options, *mut i32, usize, *mut usize) -> puna_status,
) -> Result<Vec<i32>> {
    let content: Vec<_> = text.content().iter().map(|r| puna_text_span { begin: r.start as u64, end: r.end as u64 }).collect();
    let mut options: puna_tokenize_options = sized();
    options.parse_special = parse_special.into();
    options.add_bos = add_bos.into();
    if parse_special && !content.is_empty() {
        (options.content, options.content_count) = (content.as_ptr(), content.len() as u64);
    }
    let bytes = text.bytes();
    ids_of(bytes.len() + 8, |tokens, capacity, count| encode(bytes.as_ptr().cast(), bytes.len(), &options, tokens, capacity, count))
}

fn with_options<T>(options: &RenderOptions, call: impl FnOnce(&puna_render_options) -> Result<T>) -> Result<T> {
    let text = |t: &Option<String>| t.as_deref().map(c_string).transpose();
    let (date, template): (Option<CString>, Option<CString>) = (text(&options.date)?, text(&options.template)?);
    let mut o: puna_render_options = sized();
    o.date = date.as_ref().map_or(null(), |d| d.as_ptr());
    o.template_name = template.as_ref().map_or(null(), |t| t.as_ptr());
    o.parse_content = options.parse_content.into();
    call(&o)
}

impl Model {
    /// The prompt text of a chat by the model's template. `chat_json`: `{"messages": [...], "add_generation_prompt": true, ...}`; `date`
    /// (YYYY-MM-DD) answers templates that ask for today.
    pub fn render_chat(&self, chat_json: &str, date: Option<&str>) -> Result<ChatText> {
        self.render_chat_with(chat_json, &RenderOptions { date: date.map(String::from), ..Default::default() })
    }

    /// The same with options.
    pub fn render_chat_with(&self, chat_json: &str, options: &RenderOptions) -> Result<ChatText> {
        let chat = with_options(options, |o| {
            Handle::create(puna_chat_free, |out| unsafe { puna_chat_render(self.handle.raw, chat_json.as_ptr().cast(), chat_json.len(), o, out) })
        })?;
        let mut info: puna_chat_info = sized();
        check(unsafe { puna_chat_get_info(chat.raw, &mut info) })?;
        // The library's arrays live as long as the chat; an empty one may be NULL.
        let spans = if info.content_count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(info.content, info.content_count as usize) } };
        let names = if info.dropped_count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(info.dropped, info.dropped_count as usize) } };
        let text = unsafe { std::slice::from_raw_parts(info.text.cast::<u8>(), info.size as usize) };
        // Rendered from JSON, it is UTF-8; were it not, nothing of what replaces a byte would stand where the spans say.
        let text = String::from_utf8(text.to_vec()).map_err(|e| crate::Error { status: crate::Status::Internal, message: format!("a rendered chat: {e}") })?;
        Ok(ChatText {
            text,
            content: spans.iter().map(|s| s.begin as usize..s.end as usize).collect(),
            dropped: names.iter().map(|&n| unsafe { string(n) }).collect(),
        })
    }

    /// The ids of a chat: what people say in it is text, whatever it looks like.
    pub fn chat_tokens(&self, chat_json: &str, options: &RenderOptions) -> Result<Vec<i32>> {
        with_options(options, |o| {
            ids_of(chat_json.len() + 1024, |tokens, capacity, count| unsafe {
                puna_model_chat_tokens(self.handle.raw, chat_json.as_ptr().cast(), chat_json.len(), o, tokens, capacity, count)
            })
        })
    }

    /// The names of the chat templates that can be used: "default", "tool_use", ...
    pub fn chat_templates(&self) -> Result<Vec<String>> {
        let mut info: puna_model_info = sized();
        check(unsafe { puna_model_get_info(self.handle.raw, &mut info) })?;
        let mut names = vec![];
        for index in 0..info.chat_template_count {
            let mut t: puna_chat_template_info = sized();
            check(unsafe { puna_model_chat_template_info(self.handle.raw, index, &mut t) })?;
            if unsafe { string(t.error) }.is_empty() {
                names.push(unsafe { string(t.name) });
            }
        }
        Ok(names)
    }
}
