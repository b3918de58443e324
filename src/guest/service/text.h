// UTF-16 to UTF-8 for messages: total, lone surrogates become U+FFFD. Not for names that go to the host,
// which have exact rules of their own. Must never know: windows.h.
#pragma once

#include <string>
#include <string_view>

namespace guest::service {

std::string to_utf8(std::u16string_view text);

}  // namespace guest::service
