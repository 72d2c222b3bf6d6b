/* plugin.c -- a plugin with Puna inside: linked to the static library, it shows the host one symbol and nothing of
 * ours, so that another plugin may bring another version. */
#include "plugin.h"

#include <puna.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  puna_model* model;
  char* out;
  size_t capacity, used;
} state;

static const char* name(void) { return "puna completion"; }

static int32_t keep(void* user, const puna_generated_token* token) {
  state* s = user;
  if (token->size >= s->capacity - s->used) return 1; /* no room: that is enough */
  memcpy(s->out + s->used, token->text, (size_t)token->size);
  s->out[s->used += (size_t)token->size] = '\0';
  return 0;
}

static const char* complete(void* data, const char* text, char* out, size_t capacity) {
  state* s = data;
  puna_session* session = NULL;
  const puna_generate_options options = {.struct_size = sizeof options, .max_tokens = 16};
  if (capacity == 0) return "no room for an answer";
  s->out = out;
  s->capacity = capacity;
  s->used = 0;
  out[0] = '\0';
  puna_status status = puna_session_create(s->model, NULL, &session);
  if (!status) status = puna_session_generate(session, text, strlen(text), &options, keep, s, NULL);
  puna_session_free(session);
  return status == PUNA_OK || status == PUNA_CANCELLED ? NULL : puna_last_error();
}

static void destroy(void* data) {
  state* s = data;
  puna_model_free(s->model);
  free(s);
}

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
const char*
plugin_entry_1(const char* model_path, plugin* made);

const char* plugin_entry_1(const char* model_path, plugin* made) {
  state* s = calloc(1, sizeof *s);
  if (s == NULL) return "out of memory";
  if (puna_model_open(NULL, model_path, NULL, &s->model) != PUNA_OK) {
    free(s);
    return puna_last_error();
  }
  made->state = s;
  made->name = name;
  made->complete = complete;
  made->destroy = destroy;
  return NULL;
}
