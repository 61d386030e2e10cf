#include <sodium.h>

#include "core/crypto/crypto.h"

void lex_random(void *ret_bytes, size_t len)
{
    randombytes_buf(ret_bytes, len);
}
