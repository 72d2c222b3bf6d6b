/* 08_pak_file.c -- a model inside a bigger file, as games ship their data: it is read through a callback, decoded on
 * the way (this pak is "encrypted" with a byte), and never becomes a file of its own.
 *   ./08_pak_file model.gguf game.pak      packs it between two other things, opens it from there, and lets it speak */
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

enum { KEY = 0x5A };

typedef struct {
  FILE* file;
  uint64_t start, size; /* of the model inside it */
} pak;

static void scramble(unsigned char* bytes, size_t n) {
  for (size_t i = 0; i < n; ++i) bytes[i] ^= KEY;
}

/* level data | model | sounds */
static pak write_pak(const char* model, const char* path) {
  static unsigned char block[1 << 16];
  pak p = {0};
  FILE* in = fopen(model, "rb");
  FILE* out = fopen(path, "w+b");
  if (in == NULL || out == NULL) {
    fprintf(stderr, "cannot open '%s' or '%s'\n", model, path);
    exit(1);
  }
  fputs("LEVELS: a cave, a tower, the moon\n", out);
  p.start = (uint64_t)ftell(out);
  for (size_t n; (n = fread(block, 1, sizeof block, in)) != 0; p.size += n) {
    scramble(block, n);
    if (fwrite(block, 1, n, out) != n) exit(1);
  }
  fputs("SOUNDS: wind\n", out);
  fclose(in);
  p.file = out;
  return p;
}

static int32_t read_at(void* user, uint64_t offset, uint64_t bytes, void* destination) {
  const pak* p = user;
  if (fseek(p->file, (long)(p->start + offset), SEEK_SET) != 0) return 1;
  if (fread(destination, 1, (size_t)bytes, p->file) != bytes) return 2;
  scramble(destination, (size_t)bytes);
  return 0;
}

static int32_t show(void* user, const puna_generated_token* token) {
  *(int*)user += 1;
  fwrite(token->text, 1, (size_t)token->size, stdout);
  return fflush(stdout);
}

int main(int argc, char** argv) {
  pak p = write_pak(argc > 1 ? argv[1] : "model.gguf", argc > 2 ? argv[2] : "game.pak");
  const puna_reader reader = {
      .struct_size = sizeof reader, .size = p.size, .read_at = read_at, .user = &p, .name = "game.pak/model"};
  const puna_generate_options options = {.struct_size = sizeof options, .max_tokens = 24};
  const char* prompt = "In the cave there lived";
  puna_model* model = NULL;
  puna_session* session = NULL;
  int tokens = 0;
  TRY(puna_model_open_reader(NULL, &reader, NULL, &model));
  fclose(p.file); /* read during the open only */
  TRY(puna_session_create(model, NULL, &session));
  printf("%s", prompt);
  TRY(puna_session_generate(session, prompt, strlen(prompt), &options, show, &tokens, NULL));
  printf("\n%d tokens from bytes %llu to %llu of the pak\n", tokens, (unsigned long long)p.start,
         (unsigned long long)(p.start + p.size));
  puna_session_free(session);
  puna_model_free(model);
  return 0;
}
