// gguf_load.cpp -- finds the files of a split model, checks that they are one set, and assembles the checkpoint.
#include "io/gguf_load.h"

#include <cstdio>

#include "base/os.h"
#include "io/gguf_format.h"
#include "io/gguf_header.h"

namespace puna::io {
namespace {

// One opened file of a model, its header parsed.
struct Part {
  SourcePtr source;
  GgufHeader header;
};

struct Split {
  int64_t no = 0;       // this file, from 0
  int64_t count = 1;    // files of the model
  int64_t tensors = 0;  // of all files together
};

Split split_of(const Part& part) {
  return naming(part.source->name(), [&] {
    const Metadata& m = part.header.split;
    Split s;
    s.count = m.integer(gguf::kSplitCount, 0, UINT16_MAX, 1);
    if (s.count <= 1) return Split{};  // 0 and 1 both mean: not split
    s.no = m.integer(gguf::kSplitNo, 0, s.count - 1);
    s.tensors = m.integer(gguf::kSplitTensors, 0, INT32_MAX);
    return s;
  });
}

Part open_part(SourcePtr source, const Watch& watch) {
  GgufHeader header = read_gguf_header(*source, watch);
  return {std::move(source), std::move(header)};
}

void check_complete(const std::vector<Part>& parts, const Split& set) {
  uint64_t tensors = 0;
  for (const Part& p : parts) tensors += p.header.tensors.size();
  if (tensors != uint64_t(set.tensors))
    fail_in(parts[0].source->name(), Status::bad_file,
            "metadata '%s' is %jd, but the %jd files of the set hold %ju tensors", gguf::kSplitTensors, set.tensors,
            set.count, tensors);
}

// The other files lie beside the first, and each must say that it is what its name says.
void open_other_parts(std::vector<Part>& parts, const Split& set, const Watch& watch) {
  const std::string first = parts[0].source->name();
  const std::string ending = gguf_split_path("", 1, set.count);
  if (first.size() < ending.size() || first.compare(first.size() - ending.size(), ending.size(), ending) != 0)
    fail_in(first, Status::bad_file,
            "is the first of %jd files, so its name must end in '%s' for the others to be found", set.count,
            ending.c_str());
  const std::string stem = first.substr(0, first.size() - ending.size());
  for (int64_t i = 1; i < set.count; ++i) {
    const std::string path = gguf_split_path(stem, i + 1, set.count);
    if (!os::is_file(path))
      fail_in(path, Status::bad_file, "file %jd of the %jd of this model is missing", i + 1, set.count);
    parts.push_back(open_part(open_path_source(path), watch));
    const Split s = split_of(parts.back());
    if (s.no != i || s.count != set.count)
      fail_in(path, Status::bad_file, "says it is file %jd of %jd ('%s', '%s'), expected %jd of %jd", s.no + 1, s.count,
              gguf::kSplitNo, gguf::kSplitCount, i + 1, set.count);
    if (s.tensors != set.tensors)
      fail_in(path, Status::bad_file, "metadata '%s' is %jd, expected %jd as in the first file", gguf::kSplitTensors,
              s.tensors, set.tensors);
  }
}

Checkpoint assemble(const Context& context, std::vector<Part> parts, LoadProgress progress) {
  Checkpoint checkpoint;
  checkpoint.format = Checkpoint::Format::gguf;
  for (const Part& p : parts) checkpoint.file_bytes += p.source->size();
  ProgressMeter meter(progress, checkpoint.file_bytes, parts[0].source->name());
  checkpoint.metadata = std::move(parts[0].header.metadata);
  uint64_t end = 0;
  for (Part& p : parts) {
    checkpoint.files.push_back(p.source->name());
    attach(context, p.source, p.header.data_offset, std::move(p.header.tensors), meter, checkpoint.tensors,
           checkpoint.keepalive);
    meter.advance_to(end += p.source->size());
  }
  return checkpoint;
}

}  // namespace

std::string gguf_split_path(const std::string& stem, int64_t number, int64_t count) {
  char ending[64];
  snprintf(ending, sizeof ending, "-%05jd-of-%05jd.gguf", number, count);
  return stem + ending;
}

Checkpoint load_gguf(const Context& context, const std::string& path, LoadProgress progress, const Watch& watch) {
  std::vector<Part> parts;
  parts.push_back(open_part(open_path_source(path), watch));
  const Split set = split_of(parts[0]);
  if (set.no != 0)
    fail_in(path, Status::unsupported, "is file %jd of a model in %jd files: open the first, '...%s'", set.no + 1,
            set.count, gguf_split_path("", 1, set.count).c_str());
  if (set.count > 1) {
    open_other_parts(parts, set, watch);
    check_complete(parts, set);
  }
  return assemble(context, std::move(parts), progress);
}

Checkpoint load_gguf(const Context& context, const SourcePtr& source, LoadProgress progress, const Watch& watch) {
  std::vector<Part> parts;
  parts.push_back(open_part(source, watch));
  const Split set = split_of(parts[0]);
  if (set.count > 1)
    fail_in(source->name(), Status::unsupported,
            "is file %jd of a model in %jd files ('%s'): a split model can only be opened by path", set.no + 1,
            set.count, gguf::kSplitCount);
  return assemble(context, std::move(parts), progress);
}

}  // namespace puna::io
