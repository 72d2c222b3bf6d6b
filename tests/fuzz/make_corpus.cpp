// make_corpus.cpp -- writes the seeds that only the library itself can make: whole models, snapshots of sessions,
// packed weights, checkpoints of training.
//   build/release/bin/make_corpus tests/fuzz/corpus
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "item_rows.h"
#include "puna/runtime/image.h"
#include "puna/runtime/snapshot.h"
#include "recommender_runs.h"
#include "runtime/opening/packed_file.h"
#include "scratch_folder.h"
#include "tiny_vision.h"
#include "training_run.h"
#include "with_run.h"

using namespace puna;

namespace {

std::string corpus;

std::string seed(const std::string& format, const std::string& name) {
  std::filesystem::create_directories(corpus + "/" + format);
  return corpus + "/" + format + "/" + name;
}

void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), std::streamsize(bytes.size()));
}

std::string without_run(const std::string& checkpoint) {
  return test::with_text_replaced(checkpoint, test::run_named_in(checkpoint), test::kRunMark);
}

void write_snapshot(const Session& session, const std::string& path) {
  std::vector<std::byte> bytes(snapshot_bytes(session));
  save_snapshot(session, bytes);
  write(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

void make_snapshots(const ModelPtr& model) {
  Session session(model, {});
  write_snapshot(session, seed("snapshot", "empty"));
  session.append(std::vector<int32_t>{1, 2, 3});
  write_snapshot(session, seed("snapshot", "three"));
  for (int i = 0; i < 5; ++i) session.append(std::vector<int32_t>{4, 5, 6, 7});  // past the end of an attention chunk
  write_snapshot(session, seed("snapshot", "two_chunks"));
}

// Of layers that differ in their heads, and that share keys.
void make_snapshot_of_gemma4() {
  Session session(test::tiny_model(test::tiny_gemma4_config()), {});
  session.append(std::vector<int32_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  write_snapshot(session, seed("snapshot", "gemma4"));
}

void make_seeing(const test::ScratchFolder& scratch) {
  const ModelPtr model = test::tiny_seeing_model(scratch.path());
  test::write_tiny_mmproj(seed("mmproj", "tiny"));
  const std::vector<uint8_t> bytes(3 * 8 * 4, 100);
  const ImagePtr image = Image::from_picture(model, {bytes.data(), 8, 4, 3 * 8});
  image->encode();
  Session session(model, {});
  Prompt prompt;
  prompt.tokens = {1, 2, 3, 4, 5, 6};
  prompt.patches = {{1, 2, 0, image}, {4, 1, 2, image}};
  session.append(prompt);
  write_snapshot(session, seed("snapshot", "images"));
}

void make_models(const test::ScratchFolder& scratch) {
  const std::pair<const char*, Metadata> all[] = {{"gemma3n", test::tiny_gemma3n_config()},
                                                  {"gemma4", test::tiny_gemma4_config()}};
  for (const auto& [name, config] : all) {
    save_gguf(*test::tiny_model(config), scratch / "family.gguf");
    write(seed("model_gguf", name), scratch.read("family.gguf"));
  }
}

void make_packed(const test::ScratchFolder& scratch) {
  save_gguf(*test::tiny_model(), scratch / "model.gguf");
  Model::open(test::tiny_context(), scratch / "model.gguf", {}, {scratch / "packed"});
  std::string file = scratch.read("packed");
  memset(file.data() + offsetof(PackedFile::Header, source), 0, sizeof(uint64_t));
  write(seed("packed_file", "tiny"), file);
}

void make_states(const test::ScratchFolder& scratch) {
  test::TrainingRun training;
  training.trainer.step();
  training.trainer.save(scratch / "training");
  write(seed("training_state", "one_step"), without_run(scratch.read("training")));
  test::SequenceRun sequence;
  sequence.trainer.step();
  sequence.trainer.save(scratch / "sequence");
  write(seed("sequence_state", "one_step"), without_run(scratch.read("sequence")));
  std::filesystem::create_directory(scratch / "online");
  recsys::OnlineLearner online = test::online_learner(scratch / "online");
  online.learn(3);
  online.checkpoint();  // the second: the first was made at step 0
  std::string state = scratch.read("online/state.json");
  if (const size_t at = state.find("checkpoint-1"); at != state.npos)
    state.replace(at, strlen("checkpoint-1"), "checkpoint-0");
  write(seed("online_state", "three_events"),
        state + '\0' + without_run(scratch.read("online/checkpoint-1.safetensors")));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: make_corpus FOLDER\n"), 1;
  corpus = argv[1];
  const test::ScratchFolder scratch;
  const ModelPtr model = test::tiny_model();
  save_gguf(*model, seed("model_gguf", "tiny"));
  make_snapshots(model);
  make_seeing(scratch);
  make_models(scratch);
  make_snapshot_of_gemma4();
  make_packed(scratch);
  make_states(scratch);
  test::small_sequence_model(recsys::SequenceKind::hstu)->save(seed("sequence_model", "hstu"));
  test::small_sequence_model(recsys::SequenceKind::sasrec)->save(seed("sequence_model", "sasrec"));
  recsys::build_neighbours(test::tiny_context(), test::item_rows(), test::kItemDim, {.links = 2, .build_width = 10})
      ->save(seed("item_graph", "forty"));
}
