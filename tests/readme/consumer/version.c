/* The smallest program that needs both the installed header and the installed library to be the same version. */
#include <puna.h>
#include <stdio.h>

int main(void) {
  puna_context* context = NULL;
  if (puna_version() >> 16 != PUNA_VERSION_MAJOR || puna_context_create(NULL, &context) != PUNA_OK) {
    fprintf(stderr, "version %x; %s\n", (unsigned)puna_version(), puna_last_error());
    return 1;
  }
  puna_context_free(context);
  puts(puna_version_string());
  return 0;
}
