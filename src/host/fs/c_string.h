// A string whose length is known and behind whose last byte a NUL lies: what system calls are given.
// Must never know: who keeps the bytes.
#pragma once

#include <cstddef>
#include <string_view>

namespace host {

class CString {
  public:
    // A NUL follows `text`, which has none.
    explicit CString(std::string_view text) : text_(text) {}

    const char* c_str() const { return text_.data(); }
    std::string_view view() const { return text_; }
    std::size_t size() const { return text_.size(); }

  private:
    std::string_view text_;
};

}  // namespace host
