/* 15_json.c -- an answer that is JSON by a schema, by any model:  ./15_json model.gguf "Describe a small town." */
#include <puna.h>
#include <stdio.h>
#include <string.h>

static const char* const schema =
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"name\", \"inhabitants\", \"sights\"],"
    " \"properties\": {"
    "  \"name\": {\"type\": \"string\", \"maxLength\": 20},"
    "  \"inhabitants\": {\"type\": \"integer\", \"minimum\": 1, \"maximum\": 9999},"
    "  \"sights\": {\"type\": \"array\", \"items\": {\"enum\": [\"church\", \"castle\", \"mill\"]}, \"maxItems\": 3}}}";

static int32_t print_piece(void* out, const puna_generated_token* token) {
  fwrite(token->text, 1, (size_t)token->size, out);
  return fflush(out);
}

int main(int argc, char** argv) {
  const char* prompt = argc > 2 ? argv[2] : "Describe a small town.";
  puna_generate_options options = {.struct_size = sizeof options, .max_tokens = 200};
  puna_generate_result result = {.struct_size = sizeof result};
  puna_grammar* grammar = NULL;
  puna_model* model = NULL;
  puna_session* session = NULL;
  /* Says where the schema is wrong; of any model, and made once for all answers. */
  puna_status status = puna_grammar_create(schema, strlen(schema), NULL, &grammar);
  options.grammar = grammar;
  if (!status) status = puna_model_open(NULL, argc > 1 ? argv[1] : "model.gguf", NULL, &model);
  if (!status) status = puna_session_create(model, NULL, &session);
  if (!status) status = puna_session_generate(session, prompt, strlen(prompt), &options, print_piece, stdout, &result);
  if (status) fprintf(stderr, "%s\n", puna_last_error());
  if (!status && result.incomplete) fprintf(stderr, "\ncut by max_tokens: this is no JSON yet\n");
  puna_session_free(session);
  puna_model_free(model);
  puna_grammar_free(grammar);
  return status;
}
