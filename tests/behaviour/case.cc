#include "tests/behaviour/case.h"

#include <algorithm>
#include <exception>
#include <iterator>

namespace behaviour {

std::vector<Case> cases_for(Offers offered) {
    std::vector<Case> all;
    for (const std::span<const Case> part :
         {create_cases(), share_cases(), delete_cases(), rename_cases(), directory_cases(),
          read_write_cases(), size_cases(), basic_information_cases(), information_cases(), name_cases(),
          symlink_cases(), host_cases(), host_symlink_cases()}) {
        std::ranges::copy_if(part, std::back_inserter(all),
                             [&](const Case& one) { return includes(offered, one.needs); });
    }
    return all;
}

std::vector<std::string> run_case(const Case& which, System& system) {
    const std::u16string path =
        system.test_root() + u'\\' + std::u16string(which.name.begin(), which.name.end());
    const CreateAnswer made =
        system.create({.name = path,
                       .access = access::kFileGenericRead,
                       .share = share::kAll,
                       .disposition = Disposition::kCreate,
                       .options = option::kDirectoryFile | option::kSynchronousIoNonalert});
    if (made.io.status != Status::kSuccess) {
        return {"cannot make the case's directory " + describe(path) + ": " + describe(made.io.status)};
    }
    system.close(made.handle);
    std::optional<std::filesystem::path> host = system.host_root();
    if (host) *host /= which.name;
    Context context(system, path, std::move(host));
    try {
        which.run(context);
    } catch (const Stop&) {  // NOLINT(bugprone-empty-catch): its failure is recorded
    } catch (const std::exception& error) {
        context.fail(error.what(), "exception", Where::current());
    }
    return context.failures();
}

bool remove_tree(System& system, const std::u16string& path) {
    constexpr std::uint32_t kAccess = access::kDelete | access::kReadData | access::kReadAttributes |
                                      access::kWriteAttributes | access::kSynchronize;
    const CreateAnswer opened =
        system.create({.name = path,
                       .access = kAccess,
                       .share = share::kAll,
                       .options = option::kSynchronousIoNonalert | option::kOpenReparsePoint});
    if (opened.io.status != Status::kSuccess) return false;
    BasicInformation basic{};
    system.query_information(opened.handle, file_class::kBasic, std::as_writable_bytes(std::span(&basic, 1)));
    bool all = true;
    if ((basic.attributes & attribute::kDirectory) != 0) {
        std::vector<std::byte> buffer(65536);
        DirectoryCall call{.information_class = file_class::kNames, .restart = true};
        std::vector<std::u16string> names;
        while (true) {
            const Io io = system.query_directory(opened.handle, call, buffer);
            if (io.status != Status::kSuccess || io.information > buffer.size()) break;
            call.restart = false;
            const auto entries = parse_entries(std::span(buffer).first(io.information), file_class::kNames);
            if (!entries) break;
            for (const DirectoryEntry& entry : *entries)
                names.push_back(entry.name);
        }
        const std::u16string inside = path + u'\\';
        for (const std::u16string& name : names) {
            if (name != u"." && name != u"..") all = remove_tree(system, inside + name) && all;
        }
    }
    if ((basic.attributes & attribute::kReadOnly) != 0) {
        const BasicInformation writable{.attributes = attribute::kNormal};
        system.set_information(opened.handle, file_class::kBasic, std::as_bytes(std::span(&writable, 1)));
    }
    const std::uint8_t remove = 1;
    const Io io =
        system.set_information(opened.handle, file_class::kDisposition, std::as_bytes(std::span(&remove, 1)));
    system.close(opened.handle);
    return all && io.status == Status::kSuccess;
}

}  // namespace behaviour
