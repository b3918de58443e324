// Names in both directions: every host name has one guest name that leads back to it, every accepted guest
// name is how its host name is shown, and no accepted name can leave its directory.
#include "guest/volume/names.h"
#include "tests/fuzz/input.h"

namespace {

using tests::require;

void check_host_name(std::string_view host) {
    const auto guest = guest::guest_name_of(host);
    const bool possible = !host.empty() && host.find('/') == host.npos && host.find('\0') == host.npos;
    require(guest.has_value() == possible);
    if (!guest) return;
    for (const char16_t c : *guest)
        require(c >= 32 && std::u16string_view(u"\"*/:<>?|\\").find(c) == std::u16string_view::npos);
    const auto back = guest::host_name_of(*guest);
    const bool nameable = host != "." && host != ".." && host.size() <= guest::kMaxHostNameBytes;
    require(back.has_value() == nameable);
    if (back) require(*back == host);
}

void check_guest_name(std::u16string_view guest) {
    const auto host = guest::host_name_of(guest);
    if (!host) return;
    require(!host->empty() && *host != "." && *host != ".." && host->size() <= guest::kMaxHostNameBytes);
    require(host->find('/') == host->npos && host->find('\0') == host->npos);
    const auto shown = guest::guest_name_of(*host);
    require(shown && *shown == guest);
}

void check_path(std::u16string_view path) {
    const auto components = guest::host_path_of(path);
    if (!components) return;
    std::u16string again;
    for (const std::string& component : *components) {
        require(!component.empty() && component != "." && component != "..");
        const auto shown = guest::guest_name_of(component);
        require(shown.has_value());
        again += u'\\';
        again += *shown;
    }
    if (again.empty()) again = u"\\";
    require(again == path);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    check_host_name(std::string_view(reinterpret_cast<const char*>(data), size));
    std::u16string text(size / 2, u'\0');
    if (!text.empty()) std::memcpy(text.data(), data, text.size() * 2);
    check_guest_name(text);
    check_path(text);
    // From printable beginnings it is a short way to long paths.
    std::u16string path = u"\\";
    for (std::size_t i = 0; i < size; ++i)
        path += data[i] < 0x80 ? char16_t{data[i]} : static_cast<char16_t>(0xF000 + data[i] * 2 - 0x100);
    check_guest_name(std::u16string_view(path).substr(1));
    check_path(path);
    return 0;
}
