// The drive letter as the rest of Wine sees it: mountmgr defines it over an empty directory, which gives
// GetLogicalDrives, QueryDosDevice and the volume functions their answers. Must never know: what is served on
// the drive.
#pragma once

#include <expected>
#include <string>

namespace lab::redirect {

// Errors are sentences for the user; a letter in use is one.
std::expected<void, std::string> define_drive_letter(char16_t letter);
void remove_drive_letter(char16_t letter);

}  // namespace lab::redirect
