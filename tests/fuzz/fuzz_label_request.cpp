// fuzz_label_request.cpp -- any bytes as the body of a request of the labelling page, of the endpoint and the type of
// label that the first one says: an answer that is JSON, or a refusal of the caller's. Nothing is kept that does not
// come out again.
#include "base/json.h"
#include "expect_error.h"
#include "label/api.h"
#include "puna/label/exchange.h"
#include "scratch_folder.h"
#include "target.h"

namespace {

using namespace puna;
using namespace puna::label;

constexpr const char* kPaths[] = {"/v1/work", "/v1/label", "/v1/undo", "/v1/progress", "/v1/queue", "/v1/decide"};

std::unique_ptr<LabelStore> small_store(Type type) {
  auto store = open_label_store(":memory:");
  Project p;
  p.name = "p";
  p.type = type;
  if (type != Type::rating && type != Type::text && type != Type::pairwise) p.labels = {"good", "bad"};
  p.wanted = 2;
  p = store->create(p);
  std::vector<Item> items(3);
  for (size_t i = 0; i < items.size(); ++i) {
    items[i].key = "i" + std::to_string(i);
    items[i].data = R"({"text":"a b c"})";
  }
  store->put_items(p.id, items);
  return store;
}

}  // namespace

FUZZ_TARGET(label_request) {
  if (size < 1) return 0;
  const auto store = small_store(Type(data[0] / 6 % 6));
  desk::Api api(*store, {}, {});
  http::Request r;
  r.method = "POST";
  r.body = std::string(test::text_of(data + 1, size - 1));
  for (const char* path : {kPaths[data[0] % 6], "/v1/work", "/v1/label", "/v1/queue", "/v1/undo"}) {
    r.path = path;
    const http::Answer a = api.answer(r);
    test::require(a.status == 200 || a.status == 400 || a.status == 403);
    Json body = parse_json(a.body, "the answer");
    test::require(body.is_object() && (a.status == 200) != body.contains("error"));
    dismantle(body);
    if (a.status == 200) test::accepted = true;
  }
  std::string lines;
  export_labels(*store, store->project("p"), {}, [&](std::string_view part) { lines += part; });
  return 0;
}
