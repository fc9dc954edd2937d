/* seeds.c - writes a small corpus for the fuzz targets: seeds DIRECTORY
 *
 * Networks in this build's precision into DIRECTORY/decode, pairs of IDX files into
 * DIRECTORY/idx. The directories exist. */
#include <stdio.h>

#define BACKPROP_IMPLEMENTATION
#include "backprop.h"

static int failed;

static void spit(const char *directory, const char *kind, int number, const void *bytes,
                 size_t size)
{
    char path[1024];
    FILE *file;
    sprintf(path, "%.900s/%s/%s%d", directory, kind, sizeof(bp_real) == 8 ? "double" : "float",
            number);
    file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
        failed = 1;
}

static void write_networks(const char *directory)
{
    static const int shapes[][6] = { { 1, 1 },          { 2, 3, 1 },  { 7, 5, 3, 2 },
                                     { 1, 2, 1, 2, 1, 3 }, { 9, 17, 8 }, { 33, 1 } };
    static const int lengths[] = { 2, 3, 4, 6, 3, 2 };
    int i;
    for (i = 0; i < 6; i++) {
        unsigned char bytes[4096];
        bp_net *net = bp_create(shapes[i], lengths[i], (uint64_t)i);
        size_t size = bp_encode(net, bytes, sizeof bytes);
        if (size == 0 || size > sizeof bytes)
            failed = 1;
        else
            spit(directory, "decode", i, bytes, size);
        bp_free(net);
    }
}

/* count images of rows x columns, and as many labels; the first byte is where they part. */
static void write_pair(const char *directory, int number, int count, int rows, int columns)
{
    unsigned char bytes[512] = { 0 };
    const int pixels = count * rows * columns;
    int i, n = 1 + 16 + pixels;
    bytes[0] = (unsigned char)(n - 1);
    bytes[3] = 8;
    bytes[4] = 3;
    bytes[8] = (unsigned char)count;
    bytes[12] = (unsigned char)rows;
    bytes[16] = (unsigned char)columns;
    for (i = 0; i < pixels; i++)
        bytes[17 + i] = (unsigned char)(i * 37);
    bytes[n + 2] = 8;
    bytes[n + 3] = 1;
    bytes[n + 7] = (unsigned char)count;
    for (i = 0; i < count; i++)
        bytes[n + 8 + i] = (unsigned char)(i % 10);
    spit(directory, "idx", number, bytes, (size_t)(n + 8 + count));
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: seeds DIRECTORY\n", stderr);
        return 1;
    }
    write_networks(argv[1]);
    write_pair(argv[1], 0, 1, 1, 1);
    write_pair(argv[1], 1, 3, 4, 5);
    write_pair(argv[1], 2, 12, 3, 2);
    if (failed)
        fprintf(stderr, "%s: the seeds cannot be written\n", argv[1]);
    return failed;
}
