/* two_copies.c -- two copies of the library in one process, as when two plugins each bring their own: each works, has
 * its own last error, and one may go while the other stays.   usage: two_copies LIBRARY COPY MODEL */
#include <dlfcn.h>
#include <puna.h>
#include <stdio.h>
#include <string.h>

typedef struct {
  void* handle;
  puna_status (*open)(const puna_context*, const char*, const puna_model_options*, puna_model**);
  puna_status (*create)(const puna_model*, const puna_session_options*, puna_session**);
  puna_status (*append)(puna_session*, const int32_t*, size_t, const puna_append_options*, puna_append_result*);
  puna_status (*logits)(puna_session*, const float**, size_t*);
  void (*free_session)(puna_session*);
  void (*free_model)(puna_model*);
  const char* (*last_error)(void);
} library;

static int failures = 0;
#define EXPECT(condition) ((condition) ? (void)0 : (void)(fprintf(stderr, "%s\n", #condition), ++failures))

static void find(library* l, const char* name, void* function) {
  void* symbol = dlsym(l->handle, name);
  if (symbol == NULL) fprintf(stderr, "%s\n", dlerror()), ++failures;
  memcpy(function, &symbol, sizeof symbol); /* ISO C has no cast from object to function pointer */
}

static library load(const char* path) {
  library l = {0};
  l.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (l.handle == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    ++failures;
    return l;
  }
  find(&l, "puna_model_open", &l.open);
  find(&l, "puna_session_create", &l.create);
  find(&l, "puna_session_append", &l.append);
  find(&l, "puna_session_get_logits", &l.logits);
  find(&l, "puna_session_free", &l.free_session);
  find(&l, "puna_model_free", &l.free_model);
  find(&l, "puna_last_error", &l.last_error);
  return l;
}

int main(int argc, char** argv) {
  const int32_t tokens[] = {1, 2, 3, 4, 5};
  library a, b;
  puna_model *model_a = NULL, *model_b = NULL, *none = NULL;
  puna_session *session_a = NULL, *session_b = NULL;
  const float *logits_a = NULL, *logits_b = NULL;
  size_t count_a = 0, count_b = 0;
  if (argc != 4) return 1;
  a = load(argv[1]);
  b = load(argv[2]);
  if (failures) return failures;
  EXPECT(a.open != b.open); /* two copies indeed */
  EXPECT(a.open(NULL, argv[3], NULL, &model_a) == PUNA_OK && b.open(NULL, argv[3], NULL, &model_b) == PUNA_OK);
  EXPECT(a.create(model_a, NULL, &session_a) == PUNA_OK && b.create(model_b, NULL, &session_b) == PUNA_OK);
  EXPECT(a.append(session_a, tokens, 5, NULL, NULL) == PUNA_OK);
  EXPECT(a.open(NULL, "/only/asked/of/a", NULL, &none) == PUNA_IO);
  EXPECT(strstr(a.last_error(), "/only/asked/of/a") != NULL && b.last_error()[0] == '\0');
  EXPECT(b.append(session_b, tokens, 5, NULL, NULL) == PUNA_OK);
  EXPECT(a.logits(session_a, &logits_a, &count_a) == PUNA_OK && b.logits(session_b, &logits_b, &count_b) == PUNA_OK);
  EXPECT(count_a == count_b && count_a > 0 && memcmp(logits_a, logits_b, count_a * sizeof *logits_a) == 0);
  a.free_session(session_a);
  a.free_model(model_a);
  EXPECT(dlclose(a.handle) == 0);
  EXPECT(b.append(session_b, tokens, 5, NULL, NULL) == PUNA_OK);
  b.free_session(session_b);
  b.free_model(model_b);
  EXPECT(dlclose(b.handle) == 0);
  return failures;
}
