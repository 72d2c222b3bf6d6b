// make_corpus.cpp -- writes the seeds that only the library itself can make: a whole GGUF model and snapshots of sessions of it.
//   build/release/bin/make_corpus tests/fuzz/corpus
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "puna/runtime/save.h"
#include "puna/runtime/snapshot.h"
#include "tiny_model.h"

using namespace puna;

namespace {

void write_snapshot(const Session& session, const std::string& path) {
  std::vector<std::byte> bytes(snapshot_bytes(session));
  save_snapshot(session, bytes);
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: make_corpus FOLDER\n"), 1;
  const std::string folder = argv[1];
  for (const char* name : {"model_gguf", "snapshot"}) std::filesystem::create_directories(folder + "/" + name);
  const ModelPtr model = test::tiny_model();
  save_gguf(*model, folder + "/model_gguf/tiny");
  Session session(model, {});
  write_snapshot(session, folder + "/snapshot/empty");
  session.append(std::vector<int32_t>{1, 2, 3});
  write_snapshot(session, folder + "/snapshot/three");
  for (int i = 0; i < 5; ++i) session.append(std::vector<int32_t>{4, 5, 6, 7});  // past the end of an attention chunk
  write_snapshot(session, folder + "/snapshot/two_chunks");
}
