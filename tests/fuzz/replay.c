/*
 * Runs a fuzz target on the files that are named, each whole and with every first byte that cuts it differently in the first forty.
 */
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
    static uint8_t bytes[1 << 20];
    for (int i = 1; i < argc; i++) {
        FILE *in = fopen(argv[i], "rb");
        if (in == NULL) {
            perror(argv[i]);
            return 1;
        }
        size_t size = fread(bytes, 1, sizeof bytes, in);
        (void)fclose(in);
        for (uint8_t cut = 0; cut < 40 && size > 0; cut++) {
            bytes[0] = cut;
            (void)LLVMFuzzerTestOneInput(bytes, size);
        }
    }
    return 0;
}
