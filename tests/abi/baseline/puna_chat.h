/* puna_chat.h -- chats: from messages to a prompt, by the model's own template. A part of puna.h, which includes it;
 * its rules hold here too.
 *
 * A conversation is its messages. Each turn renders all of them; what the session holds of them already is not computed
 * again:
 *
 *     puna_chat* chat = NULL;
 *     messages = "[{\"role\":\"user\",\"content\":\"Hello!\"}]", later with the answer and the next question behind it
 *     if (!puna_chat_create(model, messages, strlen(messages), NULL, &chat))
 *       puna_chat_generate(chat, session, &options, print_piece, stdout, &result);
 *     puna_chat_free(chat);
 *
 *   examples/02_stream_chat.c is a whole program.
 */
#ifndef PUNA_CHAT_H
#define PUNA_CHAT_H

#include "puna.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct puna_chat_options {
  uint32_t struct_size;
  int32_t reserved; /* 0 */
  /* YYYY-MM-DD: today, for templates that ask. Without one such a template is an error: this library reads no clock */
  const char* date;
  int32_t (*watch)(void* user); /* about once a millisecond while it works; nonzero cancels; optional */
  void* watch_user;
  /* which of the model's templates. NULL or "": "tool_use" where the chat has tools and there is one of that name, else
   * "default" */
  const char* template_name;
  /* 1 = special tokens are parsed inside messages, too: only for messages without text from untrusted users */
  int32_t parse_content;
  int32_t reserved2; /* 0 */
} puna_chat_options;

/* A rendered chat: its text, its token ids and what is known of them. Immutable; any thread. */
typedef struct puna_chat puna_chat;

typedef struct puna_chat_info {
  uint32_t struct_size;
  int32_t reserved;
  /* the ids: a prompt for puna_session_generate_tokens and the like; everything here lives as long as the chat */
  const int32_t* tokens;
  uint64_t token_count; /* 0 when the model has no tokenizer */
  /* NUL-terminated: to look at. Encoded with parse_special and without `content`, it makes special tokens of what users
   * wrote */
  const char* text;
  uint64_t size;                 /* of text */
  const puna_text_span* content; /* what the template did not write itself, for puna_encode_options */
  uint64_t content_count;
  /* fields of which nothing reached the text: "messages[0].content", "messages[2].tool_calls", "tools" */
  const char* const* dropped;
  uint64_t dropped_count;
} puna_chat_info;

/* Renders and encodes. `json` is a list of messages, [{"role": "user", "content": "..."}, ...], or what transformers'
 * apply_chat_template passes: {"messages": [...], "add_generation_prompt": true, "tools": [...] or null, ...}. With a
 * list alone the answer's beginning is asked for (add_generation_prompt). The special tokens that the model's files
 * name (bos_token, pad_token, ...) are filled in where the JSON does not give them itself. What the messages, tools and
 * other variables say is text, whatever it looks like: "<|eot|>" typed by a user ends no turn. PUNA_UNSUPPORTED when
 * the model has no such template. */
PUNA_API puna_status puna_chat_create(const puna_model* model, const char* json, size_t bytes,
                                      const puna_chat_options* options, puna_chat** chat);
PUNA_API void puna_chat_free(puna_chat* chat);
PUNA_API puna_status puna_chat_get_info(const puna_chat* chat, puna_chat_info* info);
/* Answers a chat: puna_session_generate_tokens with its tokens and keep_shared, so that earlier turns, when this
 * session answered them, are not computed again. Images of the options are for its <|image|> places, in order. */
PUNA_API puna_status puna_chat_generate(const puna_chat* chat, puna_session* session,
                                        const puna_generate_options* options, puna_token_fn on_token, void* user,
                                        puna_generate_result* result);

typedef struct puna_chat_template_info {
  uint32_t struct_size;
  int32_t reserved;
  const char* name;  /* "default", "tool_use", ...; lives as long as the model, like error */
  const char* error; /* why it cannot be used; "" = it can */
} puna_chat_template_info;

/* The model's templates, 0 .. chat_template_count - 1 (puna_model_info). */
PUNA_API puna_status puna_model_get_chat_template_info(const puna_model* model, int32_t index,
                                                       puna_chat_template_info* info);

#ifdef __cplusplus
}
#endif

#endif /* PUNA_CHAT_H */
