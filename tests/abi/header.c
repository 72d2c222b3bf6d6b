/* header.c -- puna.h first and twice, as strict C99: it needs nothing before it and protects itself. */
#include <puna.h>
#include <puna_ads.h>
#include <puna_chat.h>
#include <puna_engine.h>
#include <puna_eval.h>
#include <puna_gemm.h>
#include <puna_grammar.h>
#include <puna_label.h>
#include <puna_providers.h>
#include <puna_recsys.h>
#include <puna_train.h>
#include <puna_vision.h>

int puna_header_is_c99(void);
int puna_header_is_c99(void) { return PUNA_OK; }
