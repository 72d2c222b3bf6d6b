#include "training_data.h"

#include <cstdio>

#include "base/os.h"
#include "gzip.h"
#include "puna/base/error.h"

namespace puna::cli {
namespace {

constexpr size_t kLargest = size_t(16) << 30;  // of what is not mapped

void print_line(const char* what, const std::string& sentence) { fprintf(stderr, "%s: %s\n", what, sentence.c_str()); }

std::string left_out(const train::DataReport& report) {
  return report.left_out ? ", " + std::to_string(report.left_out) + " longer than --max-tokens and left out" : "";
}

void print_report(const char* what, const ModelPtr& model, const train::DataOptions& options,
                  const train::DataReport& report) {
  for (const std::string& sentence : report.sentences()) print_line(what, sentence);
  if (model->chat_templates().reads("strftime_now") && report.lines > 0)
    print_line(what, "the chat template asks what day it is and is told " + options.date +
                         "; to --resume another day, give --date " + options.date);
}

template <class Example, class Add>
std::vector<Example> read_all(const std::vector<std::string>& files, const ModelPtr& model,
                              const train::DataOptions& options, const char* what, const char* name, Add&& add) {
  std::vector<Example> all;
  train::DataReport report;
  for (const std::string& file : files)
    add(all, codec_of(model), DataFile(file).bytes(), file == "-" ? "standard input" : file, options, &report);
  if (files.empty()) return all;
  if (what) {
    print_line(what, std::to_string(all.size()) + " " + name + ", " + std::to_string(report.tokens) + " tokens, " +
                         std::to_string(report.counted) + " of them count" + left_out(report));
    print_report(what, model, options, report);
  }
  if (all.empty())
    fail(Status::bad_file, "%s%s has no %s to use%s", files[0].c_str(), files.size() > 1 ? " (and the others)" : "",
         name, left_out(report).c_str());
  return all;
}

}  // namespace

DataFile::DataFile(const std::string& path) {
  if (os::is_directory(path)) fail(Status::io, "%s is a folder: files are expected", path.c_str());
  if (path != "-" && os::is_file(path)) {
    mapped_ = open_path_source(path);
    bytes_ = {reinterpret_cast<const char*>(mapped_->data()), size_t(mapped_->size())};
  } else {
    text_ = read_stream(path, kLargest);
    bytes_ = text_;
  }
#ifdef PUNA_HAVE_ZLIB
  if (!is_gzip(bytes_)) return;
  std::string unpacked = unpack_gzip(bytes_, path, kLargest);
  text_ = std::move(unpacked);
  bytes_ = text_;
  mapped_.reset();
#endif
}

train::TextCodec codec_of(const ModelPtr& model) {
  train::TextCodec codec;
  codec.tokenizer = &model->require_tokenizer();
  if (!model->chat_template()) return codec;
  codec.render_chat = [model](std::string_view json, std::string_view date) { return model->render_chat(json, date); };
  codec.chat_reads = [model](std::string_view name) { return model->chat_templates().reads(name); };
  return codec;
}

std::vector<train::Sequence> read_sequences(const std::vector<std::string>& files, const ModelPtr& model,
                                            const train::DataOptions& options, const char* what) {
  return read_all<train::Sequence>(files, model, options, what, "sequences", train::add_data);
}

std::vector<train::Preference> read_pairs(const std::vector<std::string>& files, const ModelPtr& model,
                                          const train::DataOptions& options, const char* what) {
  return read_all<train::Preference>(files, model, options, what, "pairs", train::add_preferences);
}

}  // namespace puna::cli
