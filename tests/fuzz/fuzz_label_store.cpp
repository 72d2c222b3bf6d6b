// fuzz_label_store.cpp -- any bytes as the SQLite database of a label store: an Error, or a store that gives what it
// has, takes a label, and has it when it is opened again.
#include <filesystem>

#include "expect_error.h"
#include "puna/label/store.h"
#include "scratch_folder.h"
#include "sound_pages.h"
#include "target.h"

namespace {

using namespace puna;
using namespace puna::label;

void use_label_store(const std::string& path) {
  const bool sound = test::has_sound_pages(path);
  NewLabel l;
  l.annotator = "fuzzer";
  l.value = "\"x\"";
  std::string project, key;
  {
    const auto store = open_label_store(path);
    for (const Project& p : store->projects()) {
      int64_t items = 0, labels = 0;
      store->each_item(p.id, [&](const Item& item) {
        if (++items == 1) {
          project = p.name;
          key = item.key;
          l.item = item.id;
        }
      });
      store->each_label(p.id, true, [&](const Label&) { ++labels; });
      store->stats(p.id, 0);
      store->next(p.id, "somebody", Kind::human, {}, 1);
      if (l.item != 0 && project == p.name) store->append(p.id, {&l, 1});
    }
  }
  if (l.item == 0) return;
  const auto again = open_label_store(path);
  bool there = false;
  again->each_label(again->project(project).id, false,
                    [&](const Label& x) { there |= x.annotator == "fuzzer" && x.value == l.value; });
  test::require(there || !sound);
}

}  // namespace

FUZZ_TARGET(label_store) {
  static const test::ScratchFolder folder;
  for (const char* beside : {"labels.db-wal", "labels.db-shm", "labels.db-journal"})
    std::filesystem::remove(folder / beside);
  const std::string path = folder.write("labels.db", test::text_of(data, size));
  test::expect_error_only([&] { use_label_store(path); });
  return 0;
}
