// How many files the daemon may have open (--rlimit-nofile). Must never know: what they are.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

namespace host {

// Sets the limit and returns what holds now. nullopt: 1,000,000, or as many as this process may have, never
// fewer than before; 0: as it is; other counts must be had or are an error.
std::expected<std::uint64_t, std::string> set_descriptor_limit(std::optional<std::uint64_t> wanted);

}  // namespace host
