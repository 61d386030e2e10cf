/* Every input of a committed corpus once more, without libFuzzer: what was found stays found, in
 * every build and with every compiler. One program for each fuzz target, named replay_<what>.
 *
 *     build/bin/replay_jwt tests/fuzz/corpus/jwt/... */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX_BYTES = 4 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In memory of its exact size, so that a sanitizer sees a byte read beyond it. */
static int replay(const char *path)
{
    static uint8_t whole[INPUT_MAX_BYTES];
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return EXIT_FAILURE;
    }
    size_t size = fread(whole, 1, sizeof whole, file);
    (void)fclose(file);
    uint8_t *exact = malloc(size + (size == 0));
    if (exact == NULL)
        return EXIT_FAILURE;
    memcpy(exact, whole, size);
    (void)LLVMFuzzerTestOneInput(exact, size);
    (void)printf("ok - %s\n", path);
    free(exact);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    int status = argc > 1 ? EXIT_SUCCESS : EXIT_FAILURE;
    for (int i = 1; i < argc; i++)
        if (replay(argv[i]) != EXIT_SUCCESS)
            status = EXIT_FAILURE;
    return status;
}
