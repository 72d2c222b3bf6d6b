/* 02_stream_chat.c -- one question through the model's chat template, with sampling, a progress callback while loading,
 * and an answer that the callback stops early:  ./02_stream_chat model.gguf "What is a puna?" */
#include <puna.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRY(call)                                                                \
  do {                                                                           \
    const puna_status status_ = (call);                                          \
    if (status_ != PUNA_OK) {                                                    \
      fprintf(stderr, "%s: %s\n", puna_status_name(status_), puna_last_error()); \
      exit(1);                                                                   \
    }                                                                            \
  } while (0)

static int32_t show_progress(void* user, uint64_t done, uint64_t total) {
  (void)user;
  fprintf(stderr, "\rloading: %3.0f %%", total ? 100.0 * (double)done / (double)total : 100.0);
  return 0; /* anything else cancels the load */
}

/* Prints the answer and stops it at the end of its third sentence. */
static int32_t three_sentences(void* user, const puna_generated_token* token) {
  int* sentences = user;
  fwrite(token->text, 1, (size_t)token->size, stdout);
  for (uint64_t i = 0; i < token->size; ++i) *sentences += strchr(".!?", token->text[i]) != NULL;
  return fflush(stdout) != 0 || *sentences >= 3;
}

/* Writes {"messages": [{"role": "user", "content": question}], "add_generation_prompt": true}; the question becomes a
 * JSON string. */
static char* chat_json(const char* question) {
  char* json = malloc(6 * strlen(question) + 128);
  if (json == NULL) exit(1);
  char* p = json + sprintf(json, "{\"messages\": [{\"role\": \"user\", \"content\": \"");
  for (; *question; ++question) {
    const unsigned char c = (unsigned char)*question;
    if (c == '"' || c == '\\')
      p += sprintf(p, "\\%c", c);
    else if (c < 0x20)
      p += sprintf(p, "\\u%04x", c);
    else
      *p++ = (char)c;
  }
  strcpy(p, "\"}], \"add_generation_prompt\": true}");
  return json;
}

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "model.gguf";
  char* json = chat_json(argc > 2 ? argv[2] : "What is a puna?");

  const puna_model_options loading = {.struct_size = sizeof loading, .progress = show_progress};
  puna_model* model = NULL;
  TRY(puna_model_open(NULL, path, &loading, &model));
  fputs("\n", stderr);

  /* What the question says stays text: "<|eot|>" in it ends no turn. */
  const puna_chat_options rendering = {.struct_size = sizeof rendering, .date = "2026-01-31"};
  puna_chat* chat = NULL;
  TRY(puna_chat_create(model, json, strlen(json), &rendering, &chat));

  const puna_sampler_options sampler = {.struct_size = sizeof sampler, .temperature = 0.7f, .top_p = 0.9f, .seed = 1};
  const puna_generate_options options = {.struct_size = sizeof options, .max_tokens = 256, .sampler = &sampler};
  puna_generate_result result = {.struct_size = sizeof result};
  puna_session* session = NULL;
  int sentences = 0;
  TRY(puna_session_create(model, NULL, &session));
  const puna_status status = puna_chat_generate(chat, session, &options, three_sentences, &sentences, &result);
  if (status != PUNA_CANCELLED) TRY(status); /* cancelled: we stopped it ourselves, and the result is filled */
  fprintf(stderr, "\n[%lld tokens in %.2f s]\n", (long long)result.generated_tokens, result.generate_seconds);

  puna_session_free(session);
  puna_model_free(model);
  puna_chat_free(chat);
  free(json);
  return 0;
}
