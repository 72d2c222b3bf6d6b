/* 11_recommend.c -- a shop that learns on the device: who took what and when becomes a recommender, then one user's
 * taps change what is shown.
 *   11_recommend [EVENTS.tsv]     lines of user, item, time as numbers; without a file: three hundred made-up listeners
 * Each tap costs two rows of the model, not the whole history. */
#include <inttypes.h>
#include <puna_recsys.h>
#include <stdio.h>
#include <stdlib.h>

enum { kListeners = 300, kSongs = 40, kShown = 5 };

typedef struct {
  int64_t *users, *times;
  int32_t* items;
  uint64_t count, capacity;
} events;

static int add(events* e, int64_t user, int32_t item, int64_t time) {
  if (e->count == e->capacity) {
    const uint64_t capacity = e->capacity ? 2 * e->capacity : 1024;
    int64_t* const users = realloc(e->users, capacity * sizeof *users);
    if (users) e->users = users;
    int64_t* const times = realloc(e->times, capacity * sizeof *times);
    if (times) e->times = times;
    int32_t* const items = realloc(e->items, capacity * sizeof *items);
    if (items) e->items = items;
    if (!users || !times || !items) return 0;
    e->capacity = capacity;
  }
  e->users[e->count] = user;
  e->items[e->count] = item;
  e->times[e->count++] = time;
  return 1;
}

/* Everybody goes through an album song by song, and every fourth listener skips one. */
static int make_up(events* e) {
  for (int64_t user = 0; user < kListeners; ++user)
    for (int64_t i = 0; i < 12; ++i)
      if (!add(e, user, (int32_t)(1 + (user * 7 + i * (user % 4 == 0 ? 2 : 1)) % kSongs), user * 50 + i * 200))
        return 0;
  return 1;
}

static int read_events(events* e, const char* path) {
  FILE* const file = fopen(path, "r");
  int64_t user = 0, time = 0;
  int32_t item = 0;
  int good = file != NULL;
  while (good && fscanf(file, "%" SCNd64 " %" SCNd32 " %" SCNd64, &user, &item, &time) == 3)
    good = add(e, user, item, time);
  if (file) fclose(file);
  return good;
}

static int32_t show(void* user, const puna_recommender_report* r) {
  (void)user;
  if (r->step % 100 == 0 || r->step == r->steps)
    printf("step %" PRId64 " of %" PRId64 ", loss %.3f\n", r->step, r->steps, r->loss);
  return 0;
}

int main(int argc, char** argv) {
  events e = {0};
  puna_recommender_options options = {
      .struct_size = sizeof options, .max_sequence = 50, .epochs = 100, .learning_rate = 2e-3, .progress = show};
  puna_recommender* recommender = NULL;
  puna_user* user = NULL;
  puna_status status = PUNA_OUT_OF_MEMORY;
  if (argc > 1 ? !read_events(&e, argv[1]) : !make_up(&e)) {
    fprintf(stderr, "cannot read the events\n");
    goto done;
  }
  status = puna_recommender_train(NULL, e.users, e.items, e.times, e.count, &options, &recommender);
  if (!status) status = puna_user_create(recommender, &user);
  for (int32_t tap = 0; !status && tap < 4; ++tap) {
    int32_t best[kShown];
    float score[kShown];
    uint64_t found = 0;
    const int64_t now = 200 * tap;
    status = puna_user_append(user, 1 + tap, now);
    if (!status) status = puna_user_recommend(user, now + 200, NULL, best, score, kShown, &found);
    if (status) break;
    printf("after song %" PRId32 ":", 1 + tap);
    for (uint64_t i = 0; i < found; ++i) printf("  %" PRId32 " (%.2f)", best[i], score[i]);
    printf("\n");
  }
  if (status) fprintf(stderr, "%s: %s\n", puna_status_name(status), puna_last_error());
done:
  puna_user_free(user);
  puna_recommender_free(recommender);
  free(e.users);
  free(e.times);
  free(e.items);
  return status != PUNA_OK;
}
