#include "training_data.h"

#include <cstdio>

#include "base/os.h"
#include "puna/base/error.h"

#ifdef PUNA_HAVE_ZLIB
#include <zlib.h>
#endif

namespace puna::cli {
namespace {

constexpr size_t kLargest = size_t(16) << 30;  // of what is not mapped

#ifdef PUNA_HAVE_ZLIB
bool is_gzip(std::string_view bytes) { return bytes.starts_with("\x1F\x8B"); }

class Unpacker {
 public:
  explicit Unpacker(const std::string& path) : path_(path) {
    if (inflateInit2(&stream_, 15 + 16) != Z_OK) fail(Status::out_of_memory, "%s: zlib does not start", path.c_str());
  }
  ~Unpacker() { inflateEnd(&stream_); }
  Unpacker(const Unpacker&) = delete;
  Unpacker& operator=(const Unpacker&) = delete;

  // A gzip file is one member or several behind each other; zeros behind the last are padding.
  std::string all_of(std::string_view packed) {
    std::string out;
    while (is_gzip(packed)) packed.remove_prefix(member(packed, out));
    if (packed.find_first_not_of('\0') != packed.npos)
      fail(Status::bad_file, "%s: something follows the gzip data", path_.c_str());
    return out;
  }

 private:
  size_t member(std::string_view packed, std::string& out) {
    inflateReset(&stream_);
    size_t taken = 0;
    std::string block(size_t(1) << 18, '\0');
    for (int state = Z_OK; state != Z_STREAM_END;) {
      const size_t give = std::min<size_t>(packed.size() - taken, size_t(1) << 30);  // zlib counts in 32 bits
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data() + taken));
      stream_.avail_in = uInt(give);
      stream_.next_out = reinterpret_cast<Bytef*>(block.data());
      stream_.avail_out = uInt(block.size());
      state = inflate(&stream_, Z_NO_FLUSH);
      taken += give - stream_.avail_in;
      out.append(block, 0, block.size() - stream_.avail_out);
      if (state == Z_BUF_ERROR || (state == Z_OK && taken == packed.size() && stream_.avail_out != 0))
        fail(Status::bad_file, "%s: the gzip data are cut off", path_.c_str());
      if (state != Z_OK && state != Z_STREAM_END)
        fail(Status::bad_file, "%s: gzip: %s", path_.c_str(), stream_.msg ? stream_.msg : "corrupted");
      if (out.size() > kLargest)
        fail(Status::bad_file, "%s: more than %zu GiB when unpacked", path_.c_str(), kLargest >> 30);
    }
    return taken;
  }

  const std::string& path_;
  z_stream stream_{};
};
#endif

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
  std::string unpacked = Unpacker(path).all_of(bytes_);
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
