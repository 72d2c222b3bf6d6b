/* 01_hello.c -- open a model, continue a text, print it as it comes:  ./01_hello model.gguf */
#include <puna.h>
#include <stdio.h>

static int32_t print_piece(void* out, const puna_generated_token* token) {
  fwrite(token->text, 1, (size_t)token->size, (FILE*)out);
  return fflush((FILE*)out); /* anything but 0 stops the answer */
}

int main(int argc, char** argv) {
  puna_generate_options options = {.struct_size = sizeof options, .max_tokens = 64};
  puna_model* model = NULL;
  puna_session* session = NULL;
  puna_status status = puna_model_open(NULL, argc > 1 ? argv[1] : "model.gguf", NULL, &model);
  if (!status) status = puna_session_create(model, NULL, &session);
  if (!status) status = puna_session_generate(session, "Once upon a time", 16, &options, print_piece, stdout, NULL);
  if (status) fprintf(stderr, "%s\n", puna_last_error());
  puna_session_free(session);
  puna_model_free(model);
  return status;
}
