/* plugin.h -- what the host knows of its plugins: one function that makes a table. */
#ifndef PLUGIN_H
#define PLUGIN_H
#include <stddef.h>

typedef struct plugin {
  void* state;
  const char* (*name)(void);
  /* Writes a completion of text into out (NUL-terminated). 0, or a message. */
  const char* (*complete)(void* state, const char* text, char* out, size_t capacity);
  void (*destroy)(void* state);
} plugin;

/* 0, or a message that lives as long as the plugin is loaded. */
typedef const char* (*plugin_entry)(const char* model_path, plugin* made);
#define PLUGIN_ENTRY "plugin_entry_1"
#endif
