/* 17_three_characters.c -- a game at 60 frames a second in which three characters talk at once, on one model: every
 * frame gives the engine 2 ms. What they have in common (the world that they live in) is read once and kept; with a
 * file for it, it is read in the first run of the game only.
 *   ./17_three_characters model.gguf [kept-prompt.bin] [tokens each] */
#define _POSIX_C_SOURCE 199309L
#include <puna.h>
#include <puna_engine.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TRY(call)                                                                \
  do {                                                                           \
    const puna_status status_ = (call);                                          \
    if (status_ != PUNA_OK) {                                                    \
      fprintf(stderr, "%s: %s\n", puna_status_name(status_), puna_last_error()); \
      exit(1);                                                                   \
    }                                                                            \
  } while (0)

enum { FRAME_US = 16667, BUDGET_US = 2000, CHARACTERS = 3, MOST_FRAMES = 60 * 120 };

static const char* const kWorld =
    "The village of Austwick lies between the moor and the river. It has one inn, one mill and one church, and whoever "
    "lives there knows everybody else. It was a cold evening, and the lamps were lit early. ";
static const char* const kOpenings[CHARACTERS] = {
    "The innkeeper wiped a glass and said:",
    "The miller shook the flour from his sleeves and said:",
    "The vicar closed the door behind him and said:",
};

static int64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void sleep_until(int64_t us) {
  const int64_t left = us - now_us();
  if (left <= 0) return;
  const struct timespec t = {.tv_sec = left / 1000000, .tv_nsec = left % 1000000 * 1000};
  nanosleep(&t, NULL);
}

/* What was kept of an earlier run; a file of another model, or a broken one, is as good as none. */
static void load_kept(puna_engine* engine, const char* path) {
  FILE* file = path ? fopen(path, "rb") : NULL;
  if (file == NULL) return;
  fseek(file, 0, SEEK_END);
  const long size = ftell(file);
  char* bytes = size > 0 ? malloc((size_t)size) : NULL;
  rewind(file);
  if (bytes != NULL && fread(bytes, 1, (size_t)size, file) == (size_t)size &&
      puna_engine_restore_cache(engine, bytes, (size_t)size) != PUNA_OK)
    fprintf(stderr, "%s is not used: %s\n", path, puna_last_error());
  free(bytes);
  fclose(file);
}

static void keep(puna_engine* engine, const char* path) {
  puna_buffer* bytes = NULL;
  FILE* file = path ? fopen(path, "wb") : NULL;
  if (file == NULL) return;
  TRY(puna_buffer_create(&bytes));
  TRY(puna_engine_save_cache(engine, bytes));
  fwrite(puna_buffer_data(bytes), 1, puna_buffer_size(bytes), file);
  puna_buffer_free(bytes);
  fclose(file);
}

int main(int argc, char** argv) {
  const char* kept = argc > 2 && strcmp(argv[2], "-") != 0 ? argv[2] : NULL;
  puna_model* model = NULL;
  puna_engine* engine = NULL;
  puna_request* requests[CHARACTERS] = {NULL};
  const puna_engine_options engine_options = {.struct_size = sizeof engine_options, .max_running = CHARACTERS};
  TRY(puna_model_open(NULL, argc > 1 ? argv[1] : "model.gguf", NULL, &model)); /* behind the loading screen */
  TRY(puna_engine_create(model, &engine_options, &engine));
  load_kept(engine, kept);

  char said[CHARACTERS][4096] = {{0}};
  for (int i = 0; i < CHARACTERS; ++i) {
    const puna_sampler_options sampler = {
        .struct_size = sizeof sampler, .temperature = 0.8f, .top_p = 0.9f, .seed = (uint64_t)i};
    const puna_generate_options answer = {
        .struct_size = sizeof answer, .max_tokens = argc > 3 ? atoi(argv[3]) : 40, .sampler = &sampler};
    const puna_request_options options = {.struct_size = sizeof options, .generate = &answer};
    char prompt[1024];
    const int size = snprintf(prompt, sizeof prompt, "%s%s", kWorld, kOpenings[i]);
    TRY(puna_engine_submit(engine, prompt, (size_t)size, &options, &requests[i]));
  }

  int frames = 0, late = 0, talking = CHARACTERS;
  int64_t longest = 0;
  for (int64_t next = now_us() + FRAME_US; talking > 0 && frames < MOST_FRAMES; next += FRAME_US, ++frames) {
    const int64_t start = now_us();
    TRY(puna_engine_step(engine, BUDGET_US, NULL));
    const int64_t used = now_us() - start;
    if (used > longest) longest = used;
    late += used > FRAME_US;
    for (int i = 0; i < CHARACTERS; ++i) {
      puna_event event = {.struct_size = sizeof event};
      while (requests[i] != NULL) {
        TRY(puna_request_next(requests[i], 0, &event));
        if (event.kind == PUNA_EVENT_NONE) break;
        if (event.kind == PUNA_EVENT_TOKEN && strlen(said[i]) + event.size + 1 < sizeof said[i])
          strncat(said[i], event.text, (size_t)event.size);
        if (event.kind != PUNA_EVENT_ENDED) continue;
        if (event.outcome != PUNA_OUTCOME_FINISHED) fprintf(stderr, "character %d: %s\n", i, event.message);
        puna_request_free(requests[i]);
        requests[i] = NULL;
        --talking;
      }
    }
    sleep_until(next);
  }

  for (int i = 0; i < CHARACTERS; ++i) printf("%s%s\n\n", kOpenings[i], said[i]);
  puna_engine_info info = {.struct_size = sizeof info};
  TRY(puna_engine_get_info(engine, &info));
  printf("%d frames, %llu tokens in %llu passes, %llu prompt tokens read, %llu found; longest slice %.2f ms of %.0f\n",
         frames, (unsigned long long)info.generated_tokens, (unsigned long long)info.passes,
         (unsigned long long)info.prompt_rows, (unsigned long long)info.cache_hit_tokens, (double)longest / 1000,
         BUDGET_US / 1000.0);
  keep(engine, kept);
  for (int i = 0; i < CHARACTERS; ++i) puna_request_free(requests[i]);
  puna_engine_free(engine);
  puna_model_free(model);
  return late > frames / 10;
}
