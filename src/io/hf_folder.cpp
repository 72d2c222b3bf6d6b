// hf_folder.cpp -- the files of a Hugging Face folder, checked against each other before any tensor is touched.
#include "io/hf_folder.h"

#include <algorithm>

#include "base/os.h"
#include "io/hf_config.h"
#include "io/safetensors_read.h"

namespace puna::io {
namespace {

Metadata read_configs(const std::string& folder, const Watch& watch) {
  Metadata metadata;
  const std::string config = folder + "/config.json", generation = folder + "/generation_config.json";
  if (!os::is_file(config))
    fail_in(folder, Status::bad_file, "config.json is missing: this is no Hugging Face model folder");
  flatten_config(os::read_file(config, kMaxConfigBytes), config, "", metadata, watch);
  if (os::is_file(generation))
    flatten_config(os::read_file(generation, kMaxConfigBytes), generation, "generation.", metadata, watch);
  return metadata;
}

// A shard holds the tensors that the index says it holds. One that the index does not list anywhere is left alone, as
// transformers leaves it.
void check_against_index(SafetensorsPart& part, const ShardIndex& index, const std::vector<std::string>& expected,
                         const std::string& index_path) {
  const std::string file = part.source->name().substr(part.source->name().rfind('/') + 1);
  std::vector<std::string_view> held;
  for (const FileTensor& t : part.header.tensors) held.push_back(t.entry.name);
  std::sort(held.begin(), held.end());
  for (const std::string& name : expected)
    if (!std::binary_search(held.begin(), held.end(), name))
      fail_in(part.source->name(), Status::bad_file, "tensor '%s' is not in this file, though the index says so",
              display(name).c_str());
  for (FileTensor& t : part.header.tensors) {
    const std::string& name = t.entry.name;
    if (std::binary_search(expected.begin(), expected.end(), name)) continue;
    for (const auto& [shard, tensors] : index.tensors_of)
      if (std::binary_search(tensors.begin(), tensors.end(), name))
        fail_in(index_path, Status::bad_file, "tensor '%s' of '%s' is in '%s' there", display(name).c_str(),
                display(file).c_str(), display(shard).c_str());
    t.unreadable = "is in '" + display(file) + "', but model.safetensors.index.json does not list it";
  }
}

std::vector<SafetensorsPart> open_shards(const Context& context, const std::string& folder,
                                         const std::string& index_path, const Watch& watch) {
  const ShardIndex index = parse_shard_index(os::read_file(index_path, kMaxIndexBytes), index_path, watch);
  std::vector<SafetensorsPart> parts;
  uint64_t bytes = 0;
  for (const auto& [shard, tensors] : index.tensors_of) {
    const std::string path = folder + "/" + shard;
    if (!os::is_file(path))
      fail_in(path, Status::bad_file, "this file of the model is missing, though the index names it");
    parts.push_back(open_safetensors(open_path_source(path), watch, Unreadable::kept));
    check_against_index(parts.back(), index, tensors, index_path);
    bytes += parts.back().source->size() - parts.back().data_offset;
  }
  if (index.total_size != 0 &&
      index.total_size != bytes)  // published models exist where it counts parameters or tied weights
    context.logger().write(LogLevel::warning, "%s: total_size is %ju, but the tensors have %ju bytes",
                           index_path.c_str(), index.total_size, bytes);
  return parts;
}

std::vector<SafetensorsPart> open_parts(const Context& context, const std::string& folder, const Watch& watch) {
  const std::string single = folder + "/model.safetensors", index = single + ".index.json";
  std::vector<SafetensorsPart> parts;
  if (os::is_file(single))
    parts.push_back(open_safetensors(open_path_source(single), watch, Unreadable::kept));
  else if (os::is_file(index))
    parts = open_shards(context, folder, index, watch);
  else
    fail_in(folder, Status::bad_file,
            "expected model.safetensors or model.safetensors.index.json: other formats are not read");
  return parts;
}

}  // namespace

Checkpoint load_folder(const Context& context, const std::string& folder, LoadProgress progress, const Watch& watch) {
  Checkpoint checkpoint;
  checkpoint.format = Checkpoint::Format::huggingface;
  checkpoint.folder = folder;
  checkpoint.metadata = read_configs(folder, watch);
  std::vector<SafetensorsPart> parts = open_parts(context, folder, watch);
  for (const SafetensorsPart& p : parts) checkpoint.file_bytes += p.source->size();
  ProgressMeter meter(progress, checkpoint.file_bytes, folder);
  uint64_t end = 0;
  for (SafetensorsPart& p : parts) {
    checkpoint.files.push_back(p.source->name());
    attach(context, p.source, p.data_offset, std::move(p.header.tensors), meter, checkpoint.tensors,
           checkpoint.keepalive);
    meter.advance_to(end += p.source->size());
  }
  return checkpoint;
}

}  // namespace puna::io
