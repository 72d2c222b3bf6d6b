/* 03_game_loop.c -- a game at 60 frames a second in which somebody talks: every frame gives the language model 2 ms and
 * never waits for it. No thread of the game's own, no lock: puna_generation_step computes for its slice and returns. At
 * the end the frame times are drawn.
 *   ./03_game_loop model.gguf ["What the player says"] [frames] */
#define _POSIX_C_SOURCE 199309L
#include <puna.h>
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

enum { FRAME_US = 16667, BUDGET_US = 2000, BUCKETS = 12, BUCKET_US = 250 };

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

/* What the rest of a game would do in a frame. */
static double play(double world) {
  for (int i = 0; i < 20000; ++i) world = world * 0.999 + i;
  return world;
}

int main(int argc, char** argv) {
  const char* said = argc > 2 ? argv[2] : "The innkeeper leaned over the counter and whispered:";
  const int most_frames = argc > 3 ? atoi(argv[3]) : 60 * 60;
  puna_model* model = NULL;
  puna_session* session = NULL;
  puna_generation* answer = NULL;
  const puna_sampler_options sampler = {.struct_size = sizeof sampler, .temperature = 0.8f, .top_p = 0.9f, .seed = 7};
  const puna_generate_options options = {.struct_size = sizeof options, .max_tokens = 40, .sampler = &sampler};
  TRY(puna_model_open(NULL, argc > 1 ? argv[1] : "model.gguf", NULL, &model)); /* behind the loading screen */
  TRY(puna_session_create(model, NULL, &session));
  TRY(puna_generation_create(session, said, strlen(said), &options, &answer));
  printf("%s", said);

  int histogram[BUCKETS + 1] = {0}, frames = 0, tokens = 0, talking = 1;
  int64_t longest = 0;
  double world = 0;
  for (int64_t next = now_us() + FRAME_US; talking && frames < most_frames; next += FRAME_US, ++frames) {
    world = play(world);
    const int64_t start = now_us();
    puna_generated_token token = {.struct_size = sizeof token};
    int32_t state = 0;
    /* At most one token: the rest of its slice waits for the next frame. */
    TRY(puna_generation_step(answer, BUDGET_US, &token, &state));
    const int64_t used = now_us() - start;
    ++histogram[used / BUCKET_US < BUCKETS ? used / BUCKET_US : BUCKETS];
    if (used > longest) longest = used;
    if (state == PUNA_GENERATION_TOKEN) {
      ++tokens;
      fwrite(token.text, 1, (size_t)token.size, stdout);
      fflush(stdout);
    }
    talking = state != PUNA_GENERATION_ENDED;
    sleep_until(next);
  }

  printf("\n\n%d tokens in %d frames; the model's slice of a frame, budget %d us:\n", tokens, frames, BUDGET_US);
  for (int i = 0; i <= BUCKETS; ++i) {
    printf("  %s%5d us %6d ", i < BUCKETS ? "<" : ">", (i < BUCKETS ? i + 1 : i) * BUCKET_US, histogram[i]);
    for (int bar = 0; bar < histogram[i] * 50 / (frames ? frames : 1); ++bar) putchar('#');
    putchar('\n');
  }
  printf("  longest %lld us (world %g)\n", (long long)longest, world);
  puna_generation_free(answer);
  puna_session_free(session);
  puna_model_free(model);
  return tokens == 0;
}
