/* 05_desktop -- a small window: a question, an answer that streams. GTK 4, one thread: on every frame that is drawn the
 * model gets a few milliseconds, so the window stays alive without locks or queues, and closing it in the middle of an
 * answer is just closing it.
 *   ./05_desktop model.gguf [--ask QUESTION [--screenshot FILE.png]]
 * The options are for the test: ask, show, leave. */
#include <gtk/gtk.h>
#include <puna.h>
#include <string.h>

enum { SLICE_US = 6000, MOST_TOKENS = 200 };

typedef struct {
  const char *path, *ask, *screenshot;
  GtkWidget *window, *answer, *question;
  puna_model* model;
  puna_session* session;
  puna_generation* generation;
  guint tick;
  int failed;
} app;

static void say(app* a, const char* text, size_t size) {
  GtkTextBuffer* buffer = gtk_text_view_get_buffer(GTK_TEXT_VIEW(a->answer));
  GtkTextIter end;
  gtk_text_buffer_get_end_iter(buffer, &end);
  gtk_text_buffer_insert(buffer, &end, text, (int)size);
}

static void complain(app* a) {
  a->failed = 1;
  say(a, puna_last_error(), strlen(puna_last_error()));
  g_printerr("%s\n", puna_last_error());
}

static void save_screenshot(app* a) {
  GdkPaintable* picture = gtk_widget_paintable_new(a->window);
  GtkSnapshot* snapshot = gtk_snapshot_new();
  gdk_paintable_snapshot(picture, snapshot, gdk_paintable_get_intrinsic_width(picture),
                         gdk_paintable_get_intrinsic_height(picture));
  GskRenderNode* node = gtk_snapshot_free_to_node(snapshot);
  GskRenderer* renderer = gtk_native_get_renderer(GTK_NATIVE(a->window));
  GdkTexture* texture = node ? gsk_renderer_render_texture(renderer, node, NULL) : NULL;
  if (texture == NULL || !gdk_texture_save_to_png(texture, a->screenshot)) a->failed = 1;
  g_clear_object(&texture);
  g_clear_pointer(&node, gsk_render_node_unref);
  g_object_unref(picture);
}

static gboolean leave(gpointer data) {
  app* a = data;
  if (a->screenshot) save_screenshot(a);
  gtk_window_destroy(GTK_WINDOW(a->window));
  return G_SOURCE_REMOVE;
}

static void close_model(app* a) {
  puna_generation_free(a->generation);
  puna_session_free(a->session);
  a->generation = NULL;
  a->session = NULL;
}

/* Once a frame. */
static gboolean compute(GtkWidget* widget, GdkFrameClock* clock, gpointer data) {
  app* a = data;
  puna_generated_token token = {.struct_size = sizeof token};
  int32_t state = PUNA_GENERATION_ENDED;
  (void)widget;
  (void)clock;
  if (puna_generation_step(a->generation, SLICE_US, &token, &state) != PUNA_OK) complain(a);
  if (state == PUNA_GENERATION_TOKEN) say(a, token.text, (size_t)token.size);
  if (state != PUNA_GENERATION_ENDED) return G_SOURCE_CONTINUE;
  say(a, "\n", 1);
  close_model(a);
  gtk_widget_set_sensitive(a->question, TRUE);
  if (a->ask) g_timeout_add(300, leave, a); /* when it has been drawn */
  return G_SOURCE_REMOVE;
}

/* The question as the model's own chat, or as it is where the model has no template. */
static puna_status begin(app* a, const char* question) {
  puna_model_info info = {.struct_size = sizeof info};
  const puna_sampler_options sampler = {.struct_size = sizeof sampler, .temperature = 0.7f, .top_p = 0.9f, .seed = 1};
  const puna_generate_options options = {
      .struct_size = sizeof options, .max_tokens = a->ask ? 24 : MOST_TOKENS, .sampler = &sampler};
  puna_status status = puna_session_create(a->model, NULL, &a->session);
  if (!status) status = puna_model_get_info(a->model, &info);
  if (status || !info.has_chat_template)
    return status ? status : puna_generation_create(a->session, question, strlen(question), &options, &a->generation);
  GString* json = g_string_new("{\"messages\": [{\"role\": \"user\", \"content\": \"");
  for (const char* p = question; *p; ++p) {
    if (*p == '"' || *p == '\\') g_string_append_c(json, '\\');
    if ((unsigned char)*p >= 0x20) g_string_append_c(json, *p);
  }
  g_string_append(json, "\"}], \"add_generation_prompt\": true}");
  const puna_chat_options rendering = {.struct_size = sizeof rendering, .date = "2026-01-31"};
  puna_chat* chat = NULL;
  puna_chat_info prompt = {.struct_size = sizeof prompt};
  status = puna_chat_create(a->model, json->str, json->len, &rendering, &chat);
  if (!status) status = puna_chat_get_info(chat, &prompt);
  if (!status)
    status = puna_generation_create_tokens(a->session, prompt.tokens, prompt.token_count, &options, &a->generation);
  puna_chat_free(chat);
  g_string_free(json, TRUE);
  return status;
}

static void asked(GtkEntry* entry, gpointer data) {
  app* a = data;
  const char* question = gtk_editable_get_text(GTK_EDITABLE(entry));
  if (a->generation || a->model == NULL || *question == '\0') return;
  say(a, "> ", 2);
  say(a, question, strlen(question));
  say(a, "\n", 1);
  if (begin(a, question) != PUNA_OK) {
    complain(a);
    close_model(a);
    if (a->ask) g_timeout_add(300, leave, a);
    return;
  }
  gtk_widget_set_sensitive(a->question, FALSE);
  a->tick = gtk_widget_add_tick_callback(a->answer, compute, a, NULL);
}

/* After the window is there: a load takes a moment. */
static gboolean load(gpointer data) {
  app* a = data;
  if (puna_model_open(NULL, a->path, NULL, &a->model) != PUNA_OK) complain(a);
  if (a->ask && a->model) {
    gtk_editable_set_text(GTK_EDITABLE(a->question), a->ask);
    asked(GTK_ENTRY(a->question), a);
  } else if (a->ask) {
    g_timeout_add(300, leave, a);
  }
  return G_SOURCE_REMOVE;
}

static void activate(GtkApplication* application, gpointer data) {
  app* a = data;
  GtkWidget* box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);
  GtkWidget* scroll = gtk_scrolled_window_new();
  a->window = gtk_application_window_new(application);
  a->answer = gtk_text_view_new();
  a->question = gtk_entry_new();
  gtk_text_view_set_editable(GTK_TEXT_VIEW(a->answer), FALSE);
  gtk_text_view_set_wrap_mode(GTK_TEXT_VIEW(a->answer), GTK_WRAP_WORD_CHAR);
  gtk_widget_set_vexpand(scroll, TRUE);
  gtk_entry_set_placeholder_text(GTK_ENTRY(a->question), "Ask something");
  gtk_scrolled_window_set_child(GTK_SCROLLED_WINDOW(scroll), a->answer);
  gtk_box_append(GTK_BOX(box), scroll);
  gtk_box_append(GTK_BOX(box), a->question);
  gtk_window_set_child(GTK_WINDOW(a->window), box);
  gtk_window_set_title(GTK_WINDOW(a->window), "Puna");
  gtk_window_set_default_size(GTK_WINDOW(a->window), 560, 400);
  g_signal_connect(a->question, "activate", G_CALLBACK(asked), a);
  gtk_window_present(GTK_WINDOW(a->window));
  gtk_widget_grab_focus(a->question);
  g_timeout_add(100, load, a);
}

int main(int argc, char** argv) {
  app a = {.path = argc > 1 ? argv[1] : "model.gguf"};
  for (int i = 2; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--ask") == 0) a.ask = argv[i + 1];
    if (strcmp(argv[i], "--screenshot") == 0) a.screenshot = argv[i + 1];
  }
  GtkApplication* application = gtk_application_new(NULL, G_APPLICATION_NON_UNIQUE);
  g_signal_connect(application, "activate", G_CALLBACK(activate), &a);
  const int status = g_application_run(G_APPLICATION(application), 1, argv);
  g_object_unref(application);
  close_model(&a);
  puna_model_free(a.model);
  return status || a.failed;
}
