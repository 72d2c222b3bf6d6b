// chat_handle.h -- what is behind a puna_chat.
#pragma once
#include <string>
#include <vector>

#include "puna.h"
#include "puna/base/error.h"
#include "puna/runtime/model.h"

struct puna_chat {
  puna::ModelPtr model;
  puna::RenderedChat rendered;
  std::vector<int32_t> tokens;
  std::vector<puna_text_span> content;
  std::vector<std::string> dropped;
  std::vector<const char*> names;  // of dropped
};

namespace puna::capi {

inline const puna_chat& use(const puna_chat* chat) {
  PUNA_REQUIRE(chat != nullptr, "chat is NULL");
  chat->model->context().require_same_process();
  return *chat;
}

}  // namespace puna::capi
