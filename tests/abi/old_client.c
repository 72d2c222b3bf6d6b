/* old_client.c -- a program of last year: compiled against the header that is kept in baseline/, with its shorter
 * structs, linked to and run with the library of today. Exit code 0 and nothing on stderr, or what broke. */
#include <puna.h>
#include <stdio.h>
#include <string.h>

static int failures = 0;
static void expect(int is_true, const char* what) {
  if (is_true) return;
  fprintf(stderr, "%s (%s)\n", what, puna_last_error());
  ++failures;
}
#define EXPECT(condition) expect(condition, #condition)

static int32_t count_token(void* user, const puna_generated_token* token) {
  EXPECT(token->struct_size >= sizeof *token);
  ++*(int64_t*)user;
  return 0;
}

/* An info of the old size with a guard behind it: a newer library must not write there. */
typedef struct {
  puna_model_info info;
  unsigned char guard[64];
} guarded_info;

int main(int argc, char** argv) {
  puna_context_options context_options = {.struct_size = sizeof context_options, .threads = 2};
  puna_session_options session_options = {.struct_size = sizeof session_options, .max_positions = 64};
  puna_sampler_options sampler = {.struct_size = sizeof sampler, .temperature = 0.7f, .top_k = 20, .seed = 5};
  puna_generate_options options = {
      .struct_size = sizeof options, .max_tokens = 5, .sampler = &sampler, .ignore_eos = 1};
  puna_generate_result result = {.struct_size = sizeof result};
  puna_session_info session_info = {.struct_size = sizeof session_info};
  guarded_info model_info;
  puna_context* context = NULL;
  puna_model* model = NULL;
  puna_session *session = NULL, *copy = NULL;
  const int32_t prompt[100] = {1, 2, 3};
  int64_t tokens = 0;
  size_t i;
  (void)argc;
  EXPECT(puna_version() >> 16 == PUNA_VERSION_MAJOR);
  EXPECT(puna_context_create(&context_options, &context) == PUNA_OK);
  EXPECT(puna_model_open(context, argv[1], NULL, &model) == PUNA_OK);
  memset(&model_info, 0xA5, sizeof model_info);
  model_info.info.struct_size = sizeof model_info.info;
  EXPECT(puna_model_get_info(model, &model_info.info) == PUNA_OK);
  EXPECT(model_info.info.struct_size == sizeof model_info.info && model_info.info.layers > 0 &&
         model_info.info.vocabulary > 0);
  for (i = 0; i < sizeof model_info.guard; ++i) EXPECT(model_info.guard[i] == 0xA5);
  EXPECT(puna_session_create(model, &session_options, &session) == PUNA_OK);
  EXPECT(puna_session_generate_tokens(session, prompt, 3, &options, count_token, &tokens, &result) == PUNA_OK);
  EXPECT(tokens == 5 && result.generated_tokens == 5 && result.stop_reason == PUNA_STOP_MAX_TOKENS);
  EXPECT(puna_session_get_info(session, &session_info) == PUNA_OK);
  EXPECT(session_info.length == 8 && session_info.max_positions == 64);
  EXPECT(puna_session_fork(session, &copy) == PUNA_OK && puna_session_truncate(copy, 2) == PUNA_OK);
  EXPECT(puna_session_append(copy, prompt, 100, NULL, NULL) == PUNA_CONTEXT_FULL);
  puna_context_free(context);
  puna_model_free(model);
  puna_session_free(session);
  puna_session_free(copy);
  return failures;
}
