/* puna_chat.h -- chats: from messages to a prompt, by the model's own template. A part of puna.h, which includes it; its rules hold here too. */
#ifndef PUNA_CHAT_H
#define PUNA_CHAT_H

#include "puna.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct puna_render_options {
  uint32_t struct_size;
  int32_t reserved;              /* 0 */
  const char* date;              /* YYYY-MM-DD: today, for templates that ask. Without one such a template is an error: this library reads no clock */
  int32_t (*watch)(void* user);  /* about once a millisecond while it works; nonzero cancels; optional */
  void* watch_user;
  const char* template_name;     /* which of the model's templates. NULL or "": "tool_use" where the chat has tools and there is one of that name, else "default" */
  int32_t parse_content;         /* 1 = special tokens are parsed in what the messages say, too: only for messages that nobody else can write in */
  int32_t reserved2;             /* 0 */
} puna_render_options;

/* The token ids of a chat (see Buffers), ready for puna_session_generate_tokens and the like. `chat_json` is what transformers' apply_chat_template passes:
 * {"messages": [{"role": "user", "content": "..."}, ...], "add_generation_prompt": true, "tools": [...] or null, ...}; the special tokens that the model's
 * files name (bos_token, pad_token, ...) are filled in where it does not give them itself. What the messages, tools and other variables say is text, whatever
 * it looks like: "<|eot|>" typed by a user ends no turn. */
PUNA_API puna_status puna_model_chat_tokens(const puna_model* model, const char* chat_json, size_t bytes, const puna_render_options* options,
                                            int32_t* tokens, size_t capacity, size_t* count);
/* The text alone (see Buffers): to look at, or for a template that writes no special tokens. Tokenized with parse_special and without the content of
 * puna_chat_info, it makes special tokens of what users wrote. */
PUNA_API puna_status puna_model_render(const puna_model* model, const char* chat_json, size_t bytes, const puna_render_options* options, char* text,
                                       size_t capacity, size_t* size);
/* The same with no option but a date (optional). */
PUNA_API puna_status puna_model_render_chat(const puna_model* model, const char* chat_json, size_t bytes, const char* date, char* text,
                                            size_t capacity, size_t* size);

/* A rendered chat, with what is known of its text. */
typedef struct puna_chat puna_chat;

typedef struct puna_chat_info {
  uint32_t struct_size;
  int32_t reserved;
  const char* text;              /* NUL-terminated; everything here lives as long as the chat */
  uint64_t size;                 /* of text */
  const puna_text_span* content; /* what the template did not write itself, for puna_tokenize_options */
  uint64_t content_count;
  const char* const* dropped;    /* fields of which nothing reached the text: "messages[0].content", "messages[2].tool_calls", "tools" */
  uint64_t dropped_count;
} puna_chat_info;

PUNA_API puna_status puna_chat_render(const puna_model* model, const char* chat_json, size_t bytes, const puna_render_options* options, puna_chat** chat);
PUNA_API puna_status puna_chat_get_info(const puna_chat* chat, puna_chat_info* info);
PUNA_API void puna_chat_free(puna_chat* chat);

typedef struct puna_chat_template_info {
  uint32_t struct_size;
  int32_t reserved;
  const char* name;  /* "default", "tool_use", ...; lives as long as the model, like error */
  const char* error; /* why it cannot be used; "" = it can */
} puna_chat_template_info;

/* The model's templates, 0 .. chat_template_count - 1 (puna_model_info). */
PUNA_API puna_status puna_model_chat_template_info(const puna_model* model, int32_t index, puna_chat_template_info* info);

#ifdef __cplusplus
}
#endif

#endif /* PUNA_CHAT_H */
