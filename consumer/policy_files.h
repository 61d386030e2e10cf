/* Policy files: has the policy's file, or any file of its directory, changed?
 *
 * What is compared is the identity of the content that a path leads to (device, inode, size, times
 * of change), of every file, with its name. Kubernetes swaps a mounted directory by a symbolic
 * link, and editors replace a file by renaming another over it: the path stays, and often the size
 * does, while the inode tells. */
#ifndef LEX_CONSUMER_POLICY_FILES_H
#define LEX_CONSUMER_POLICY_FILES_H

#include "core/crypto/crypto.h"

struct lex_policy_files {
    struct lex_hash mark; /* all zero where there is nothing, so that its coming is a change */
};

/* Never fails: what cannot be looked at is not there; loading it says why. */
struct lex_policy_files lex_policy_files_look(const char *path);

#endif
