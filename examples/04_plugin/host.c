/* host.c -- a small host that knows nothing of Puna: it loads a plugin, asks it to complete a text, and lets it go
 * again, twice over.
 *   ./host ./plugin.so model.gguf "Once upon a time" */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "plugin.h"

static int use(const char* path, const char* model, const char* text) {
  char out[1024];
  plugin p;
  plugin_entry entry = NULL;
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  void* symbol = dlsym(library, PLUGIN_ENTRY);
  memcpy(&entry, &symbol, sizeof entry);
  const char* error = entry ? entry(model, &p) : "it has no " PLUGIN_ENTRY;
  if (error == NULL) {
    error = p.complete(p.state, text, out, sizeof out);
    if (error == NULL) printf("%s: %s[%s]\n", p.name(), text, out);
    p.destroy(p.state);
  }
  if (error != NULL) fprintf(stderr, "%s: %s\n", path, error);
  dlclose(library);
  return error != NULL;
}

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: %s PLUGIN MODEL [TEXT]\n", argv[0]);
    return 1;
  }
  const char* text = argc > 3 ? argv[3] : "Once upon a time";
  return use(argv[1], argv[2], text) || use(argv[1], argv[2], text);
}
