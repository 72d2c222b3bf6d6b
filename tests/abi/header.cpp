// header.cpp -- the same header as C++20, without a warning; its functions have C linkage whatever surrounds the
// include.
#include <puna.h>
#include <puna_ads.h>
#include <puna_chat.h>
#include <puna_engine.h>
#include <puna_eval.h>
#include <puna_gemm.h>
#include <puna_label.h>
#include <puna_providers.h>
#include <puna_recsys.h>
#include <puna_train.h>
#include <puna_vision.h>

static_assert(sizeof(puna_status) == 4);
using VersionFunction = uint32_t (*)();
VersionFunction puna_header_is_cpp();
VersionFunction puna_header_is_cpp() { return &puna_version; }
