// The privileges that the daemon keeps (Linux capabilities). Must never know: command lines.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <vector>

#include "host/process_options.h"

namespace host {

// The capabilities (CAP_...) that serving takes: to act as any user of the guest and on any user's files, to
// open files by handle if the options want it; changed as --modcaps says.
std::vector<unsigned> server_capabilities(const ProcessOptions& options);

// Gives up all others, for good: the bounding set goes, execve() grants nothing. Changes of user ids keep
// what is left. A process that had none of these needs none. Capabilities that --modcaps or mandatory file
// handles ask for must be there. Of the calling thread; called while it is the only one.
std::expected<void, std::string> confine_to_server_capabilities(const ProcessOptions& options);

// Gives up these, as far as they are there.
std::expected<void, std::string> give_up_capabilities(std::span<const unsigned> given_up);

// Gives up all but `kept`, as far as they are there.
std::expected<void, std::string> keep_capabilities(std::span<const unsigned> kept);

}  // namespace host
