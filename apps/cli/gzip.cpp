#include "gzip.h"

#ifdef PUNA_HAVE_ZLIB
#include <zlib.h>

#include <algorithm>

#include "puna/base/error.h"

namespace puna::cli {
namespace {

class Unpacker {
 public:
  Unpacker(const std::string& path, size_t most) : path_(path), most_(most) {
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
      const size_t more = block.size() - stream_.avail_out;
      if (more > most_ - out.size())
        fail(Status::bad_file, "%s: more than %zu MiB when unpacked", path_.c_str(), most_ >> 20);
      out.append(block, 0, more);
      if (state == Z_BUF_ERROR || (state == Z_OK && taken == packed.size() && stream_.avail_out != 0))
        fail(Status::bad_file, "%s: the gzip data are cut off", path_.c_str());
      if (state != Z_OK && state != Z_STREAM_END)
        fail(Status::bad_file, "%s: gzip: %s", path_.c_str(), stream_.msg ? stream_.msg : "corrupted");
    }
    return taken;
  }

  const std::string& path_;
  const size_t most_;
  z_stream stream_{};
};

}  // namespace

bool is_gzip(std::string_view bytes) { return bytes.starts_with("\x1F\x8B"); }

std::string unpack_gzip(std::string_view packed, const std::string& path, size_t most) {
  return Unpacker(path, most).all_of(packed);
}

}  // namespace puna::cli
#endif
