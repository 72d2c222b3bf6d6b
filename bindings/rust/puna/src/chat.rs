use crate::error::{check, Error, Result, Status};
use crate::generate::{Answer, GenerateOptions, GenerateResult, Prompt, StopReason, Token};
use crate::model::Model;
use crate::raw::{answer_to_c, c_string, invalid, pointer_or_null, sized, slice, stopped, string, Handle};
use crate::session::Session;
use puna_sys::*;
use std::ops::{ControlFlow, Range};
use std::os::raw::c_void;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

/// How a chat is rendered; the default is the model's own choice.
#[derive(Clone, Debug, Default)]
pub struct ChatOptions {
    /// YYYY-MM-DD: today, for templates that ask. Without one such a template is an error.
    pub date: Option<String>,
    /// Which of the model's templates by name; `None`: "tool_use" where the chat has tools and there is one of that
    /// name, else "default".
    pub template: Option<String>,
    /// Special tokens are parsed in what the messages say, too: only for messages that nobody else can write in.
    pub parse_content: bool,
    /// Any thread sets it to end the call within milliseconds.
    pub stop: Option<Arc<AtomicBool>>,
}

/// A rendered chat: its text, its token ids and what is known of them. Immutable; clones are the same chat.
#[derive(Clone)]
pub struct Chat {
    pub(crate) handle: Arc<Handle<puna_chat>>,
    model: Arc<Handle<puna_model>>,
    info: puna_chat_info, // points into the handle
}
// The library's chats may be used by any number of threads at once.
unsafe impl Send for Chat {}
unsafe impl Sync for Chat {}

impl std::fmt::Debug for Chat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Chat").field(&self.text()).finish()
    }
}

impl Chat {
    /// The ids: a prompt for [`Session::generate_tokens`] and the like. Empty when the model has no tokenizer.
    pub fn tokens(&self) -> &[i32] {
        unsafe { slice(self.info.tokens, self.info.token_count as usize) }
    }
    /// The prompt as text, to look at. The tokens know more: in a text nobody can tell a special token of the
    /// template's from one that a user typed.
    pub fn text(&self) -> &str {
        // Checked when it was made.
        unsafe { std::str::from_utf8_unchecked(slice(self.info.text.cast(), self.info.size as usize)) }
    }
    /// The bytes of the text that came from messages, tools and other variables, in order.
    pub fn content(&self) -> Vec<Range<usize>> {
        let spans = unsafe { slice(self.info.content, self.info.content_count as usize) };
        spans.iter().map(|s| s.begin as usize..s.end as usize).collect()
    }
    /// Whether the prompt ends with a mark behind which the model thinks: then the answer begins with a thought
    /// (`Thoughts::ApartFromTheStart`).
    pub fn in_thought(&self) -> bool {
        self.info.in_thought != 0
    }
    /// Fields of the chat of which nothing reached the text: `messages[0].content`, `tools`.
    pub fn dropped(&self) -> Vec<String> {
        let names = unsafe { slice(self.info.dropped, self.info.dropped_count as usize) };
        names.iter().map(|&n| unsafe { string(n) }).collect()
    }

    /// Answers the chat in a session of the same model. What the session holds of earlier turns is not computed again;
    /// what it holds else is replaced. Each token goes to `on_token`. When that breaks, the answer ends
    /// ([`StopReason::Callback`]); when it panics, the call is [`Cancelled`](Status::Cancelled). The session keeps what
    /// was generated, also when the call fails.
    pub fn generate<F>(&self, session: &mut Session, options: &GenerateOptions, on_token: F) -> Result<GenerateResult>
    where
        F: FnMut(Token) -> ControlFlow<()>,
    {
        let mut on_token = OnToken { call: on_token, panicked: false };
        let mut result: puna_generate_result = sized();
        let _draft = options.use_draft()?;
        let done = options.with(|o| {
            let user = (&mut on_token as *mut OnToken<F>).cast();
            check(unsafe {
                puna_chat_generate(self.handle.raw, session.handle.raw, o, Some(forward::<F>), user, &mut result)
            })
        });
        let result = GenerateResult::of_c(&result);
        match done {
            Err(e)
                if e.status != Status::Cancelled || result.stop_reason != StopReason::Callback || on_token.panicked =>
            {
                Err(e)
            }
            _ => Ok(result),
        }
    }

    /// The same answer as an iterator over its tokens.
    pub fn answer<'a>(&self, session: &'a mut Session, options: &GenerateOptions) -> Result<Answer<'a>> {
        if !Arc::ptr_eq(&self.model, &session.model) {
            return invalid("the chat was rendered for another model than the session's".into());
        }
        Answer::begin(session, Prompt::Tokens(self.tokens()), &GenerateOptions { keep_shared: true, ..options.clone() })
    }
}

struct OnToken<F> {
    call: F,
    panicked: bool,
}

unsafe extern "C" fn forward<F: FnMut(Token) -> ControlFlow<()>>(
    user: *mut c_void,
    token: *const puna_generated_token,
) -> i32 {
    let on_token = &mut *user.cast::<OnToken<F>>();
    on_token.panicked = true;
    answer_to_c(|| {
        let flow = (on_token.call)(Token::of_c(&*token));
        on_token.panicked = false;
        flow
    })
}

impl Model {
    /// A chat by the model's template: a JSON list of messages, `[{"role": "user", "content": "Hi"}]`, or what
    /// transformers' `apply_chat_template` takes, `{"messages": [...], "add_generation_prompt": true, "tools": [...]}`.
    /// A list alone asks for an answer. What the messages say is text, whatever it looks like.
    pub fn chat(&self, json: &str) -> Result<Chat> {
        self.chat_with(json, &ChatOptions::default())
    }

    /// The same with options.
    pub fn chat_with(&self, json: &str, options: &ChatOptions) -> Result<Chat> {
        let text = |t: &Option<String>| t.as_deref().map(c_string).transpose();
        let (date, template) = (text(&options.date)?, text(&options.template)?);
        let mut o: puna_chat_options = sized();
        o.date = pointer_or_null(&date);
        o.template_name = pointer_or_null(&template);
        o.parse_content = options.parse_content.into();
        if let Some(stop) = &options.stop {
            o.watch = Some(stopped);
            o.watch_user = Arc::as_ptr(stop).cast_mut().cast();
        }
        let make = |out| unsafe { puna_chat_create(self.handle.raw, json.as_ptr().cast(), json.len(), &o, out) };
        let handle = Handle::create(puna_chat_free, make)?;
        let mut info: puna_chat_info = sized();
        check(unsafe { puna_chat_get_info(handle.raw, &mut info) })?;
        // Rendered from JSON, it is UTF-8.
        if let Err(e) = std::str::from_utf8(unsafe { slice(info.text.cast(), info.size as usize) }) {
            return Err(Error { status: Status::Internal, message: format!("a rendered chat: {e}") });
        }
        Ok(Chat { handle: Arc::new(handle), model: self.handle.clone(), info })
    }

    /// The names of the chat templates that can be used: "default", "tool_use", ...
    pub fn chat_templates(&self) -> Result<Vec<String>> {
        let mut info: puna_model_info = sized();
        check(unsafe { puna_model_get_info(self.handle.raw, &mut info) })?;
        let mut names = vec![];
        for index in 0..info.chat_template_count {
            let mut t: puna_chat_template_info = sized();
            check(unsafe { puna_model_get_chat_template_info(self.handle.raw, index, &mut t) })?;
            if unsafe { string(t.error) }.is_empty() {
                names.push(unsafe { string(t.name) });
            }
        }
        Ok(names)
    }
}
