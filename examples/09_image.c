/* 09_image.c -- a question about a picture: decoded by libpuna_decode, cut and encoded by libpuna, asked in the model's
 * own chat format.
 *   09_image MODEL PICTURE ["question"] [max_tokens]
 * A game hands its frame buffer to puna_image_create instead and needs no decoder. */
#include <puna_decode.h>
#include <puna_vision.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed(const char* what, puna_status status, const char* why) {
  if (status != PUNA_OK) fprintf(stderr, "%s: %s: %s\n", what, puna_status_name(status), why);
  return status != PUNA_OK;
}
#define TRY(call) \
  if (failed(#call, (call), puna_last_error())) goto done
#define TRY_DECODE(call) \
  if (failed(#call, (call), puna_decode_last_error())) goto done

static void* read_file(const char* path, size_t* bytes) {
  FILE* file = fopen(path, "rb");
  void* data = NULL;
  long size = -1;
  if (file && fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0 && (data = malloc((size_t)size + 1)) != NULL) {
    rewind(file);
    *bytes = fread(data, 1, (size_t)size, file);
  }
  if (file) fclose(file);
  return data;
}

static int32_t print_piece(void* out, const puna_generated_token* token) {
  fwrite(token->text, 1, (size_t)token->size, out);
  return fflush(out);
}

/* The chat of one question about one picture. Special tokens that somebody types into the question stay text; the one
 * that the picture takes is the template's. */
static puna_status ask(const puna_model* model, const char* question, puna_chat** chat) {
  static const char format[] =
      "[{\"role\":\"user\",\"content\":[{\"type\":\"image\"},{\"type\":\"text\",\"text\":\"%s\"}]}]";
  const size_t capacity = sizeof format + strlen(question);
  char* json = malloc(capacity);
  if (!json) return PUNA_OUT_OF_MEMORY;
  snprintf(json, capacity, format, question);
  const puna_status status = puna_chat_create(model, json, strlen(json), NULL, chat);
  free(json);
  return status;
}

int main(int argc, char** argv) {
  if (argc < 3) return fprintf(stderr, "usage: %s MODEL PICTURE [question] [max_tokens]\n", argv[0]), 2;
  puna_picture_info picture = {.struct_size = sizeof picture};
  puna_image_info info = {.struct_size = sizeof info};
  puna_generate_options options = {.struct_size = sizeof options, .image_count = 1};
  puna_model* model = NULL;
  puna_session* session = NULL;
  puna_image* image = NULL;
  uint8_t* rgb = NULL;
  puna_chat* chat = NULL;
  size_t bytes = 0;
  int code = 1;
  void* file = read_file(argv[2], &bytes);
  if (!file) {
    perror(argv[2]);
    return 1;
  }

  TRY_DECODE(puna_decode_get_info(file, bytes, &picture));
  rgb = malloc((size_t)(picture.width * picture.height * 3));
  if (!rgb) goto done;
  TRY_DECODE(puna_decode_rgb(file, bytes, rgb, (size_t)(picture.width * picture.height * 3)));
  TRY(puna_model_open(NULL, argv[1], NULL, &model));
  TRY(puna_image_create(model, rgb, picture.width, picture.height, 0, &image));
  TRY(puna_image_get_info(image, &info));
  printf("%s, %d x %d pixels: %d x %d tiles, %d tokens\n", picture.format, (int)picture.width, (int)picture.height,
         info.columns, info.rows, (int)info.tokens);

  TRY(ask(model, argc > 3 ? argv[3] : "What is in this picture?", &chat));
  options.images = (const puna_image* const*)&image;
  options.max_tokens = argc > 4 ? atoi(argv[4]) : 200;
  TRY(puna_session_create(model, NULL, &session));
  TRY(puna_chat_generate(chat, session, &options, print_piece, stdout, NULL));
  printf("\n");
  code = 0;
done:
  puna_session_free(session);
  puna_image_free(image);
  puna_model_free(model);
  puna_chat_free(chat);
  free(rgb);
  free(file);
  return code;
}
