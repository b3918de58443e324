#include "host/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <optional>

#include "host/old_options.h"
#include "host/option_set.h"

namespace host {
namespace {

constexpr std::size_t kWidth = 100;      // columns of --help
constexpr std::size_t kHelpColumn = 30;  // where descriptions begin

constexpr std::string_view kAbout =
    "virtiofsd shares a directory of this host with one virtual machine (virtio-fs, by vhost-user).";
constexpr std::string_view kFooter =
    "\nAn example for QEMU, whose guest's memory must be shared:\n"
    "  virtiofsd --shared-dir=/srv/share --socket-path=/run/share.sock &\n"
    "  qemu-system-x86_64 ... -object memory-backend-memfd,id=mem,size=4G,share=on -numa node,memdev=mem \\\n"
    "      -chardev socket,id=fs0,path=/run/share.sock -device vhost-user-fs-pci,chardev=fs0,tag=share\n"
    "libvirt starts the daemon itself. virtiofsd(8) tells more.\n";

// What libvirt reads, by the vhost-user back-end program conventions (QEMU, docs/interop/vhost-user.json):
// the options of today's form are understood.
constexpr std::string_view kCapabilities =
    "{\n"
    "  \"type\": \"fs\",\n"
    "  \"features\": [\n"
    "    \"separate-options\"\n"
    "  ]\n"
    "}\n";

// Breaks a text into lines for the column of descriptions.
std::string wrapped(std::string_view text) {
    std::string lines;
    std::size_t column = 0;
    while (!text.empty()) {
        const auto word = text.substr(0, text.find(' '));
        if (column != 0) {
            const bool fits = column + 1 + word.size() <= kWidth - kHelpColumn;
            lines += fits ? ' ' : '\n';
            column = fits ? column + 1 : 0;
        }
        lines += word;
        column += word.size();
        text.remove_prefix(std::min(text.size(), word.size() + 1));
    }
    return lines;
}

// With one empty line between groups.
std::string help_of(const CLI::App& app) {
    std::string text = app.help();
    for (std::size_t at = 0; (at = text.find("\n\n\n", at)) != std::string::npos;)
        text.erase(at, 1);
    return text;
}

Parsed<void> apply_old_options(OptionSet& set, std::string_view text) {
    const auto options = split_old_options(text);
    if (!options) return std::unexpected(options.error());
    for (const OldOption& option : *options) {
        const auto* const setting = OptionSet::find(option.name);
        if (setting == nullptr) return std::unexpected(fmt::format("there is no option \"{}\"", option.name));
        if (option.has_value == setting->value.empty()) {
            return std::unexpected(
                fmt::format("{} {}", option.name, option.has_value ? "takes no value" : "needs a value"));
        }
        if (const auto applied = setting->apply(set, option.value); !applied) {
            return std::unexpected(fmt::format("{}: {}", option.name, applied.error()));
        }
    }
    return {};
}

}  // namespace

std::expected<std::variant<ProcessOptions, Answer>, std::string> parse_command_line(int argc,
                                                                                    const char* const* argv) {
    OptionSet set;
    bool help = false;
    bool version = false;
    bool capabilities = false;

    CLI::App app{std::string(kAbout), "virtiofsd"};
    app.set_help_flag();
    app.footer(std::string(kFooter));
    app.get_formatter()->column_width(kHelpColumn);
    // Callbacks run in the order of the command line, so that the last of a kind counts.
    const auto check = [](const std::string& name, const Parsed<void>& applied) {
        if (!applied) throw CLI::ValidationError(name, applied.error());
    };
    for (const OptionSet::Setting& setting : OptionSet::settings()) {
        const std::string name = fmt::format("--{}", setting.name);
        CLI::Option* option = nullptr;
        if (setting.value.empty()) {
            const std::string names = setting.name == "debug"        ? "-d,--debug"
                                      : setting.name == "foreground" ? "-f,--foreground"
                                                                     : name;
            option = app.add_flag_function(
                names,
                [&set, &setting, &check, name](std::int64_t count) {
                    if (count < 0) throw CLI::ValidationError(name, "it takes no value");
                    check(name, setting.apply(set, {}));
                },
                wrapped(setting.help));
        } else {
            option = app.add_option_function<std::string>(
                name,
                [&set, &setting, &check, name](const std::string& value) {
                    check(name, setting.apply(set, value));
                },
                wrapped(setting.help));
            option->type_name(std::string(setting.value))->take_last();
        }
        option->trigger_on_parse()->group(std::string(setting.group));
    }
    app.add_option_function<std::string>(
           "-o", [&](const std::string& text) { check("-o", apply_old_options(set, text)); },
           wrapped(
               "any of these options in the form of QEMU's daemon: source=DIR for --shared-dir, others with "
               "_ "
               "for - or as they are, no_... for those that are on or off; a comma in a value is doubled"))
        ->type_name("NAME[=VALUE],...")
        ->take_last()
        ->trigger_on_parse()
        ->group("Old form");
    app.add_flag("--print-capabilities", capabilities, wrapped("what libvirt asks for, as JSON"))
        ->group("Help");
    app.add_flag("-V,--version", version, wrapped("which virtiofsd this is"))->group("Help");
    app.add_flag("-h,--help", help, wrapped("this text"))->group("Help");

    try {
        for (int i = 1; i < argc; ++i) {
            const std::string_view argument(argv[i]);
            if (argument.starts_with("--") && argument.find('=') == argument.size() - 1) {
                throw CLI::ValidationError(std::string(argument.substr(0, argument.size() - 1)),
                                           "its value is empty");
            }
        }
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return std::unexpected(std::string(error.what()));
    }
    if (help) return Answer{help_of(app)};
    if (version) return Answer{fmt::format("virtiofsd {}\n", VIRTIOFS_VERSION)};
    if (capabilities) return Answer{std::string(kCapabilities)};
    auto options = set.finish();
    if (!options) return std::unexpected(std::move(options.error()));
    return *std::move(options);
}

}  // namespace host
