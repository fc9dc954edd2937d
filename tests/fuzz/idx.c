/* idx.c - fuzz target: IDX files that come from anyone, as examples/mnist.c reads them
 *
 * The first byte of the input says how much of the rest is the file of images; what is left is
 * the file of labels. */
#include "fuzz.h"

#define fopen(path, mode) memory_open(path, mode)
#define realloc(block, size) heap_realloc(block, size)
#define free(block) heap_free(block)
#include "examples/idx.h"
#undef realloc
#undef free

/* One sentence that ends within its room and names the file. */
static void check_error(const idx_error *error)
{
    MUST(memchr(error->text, '\0', sizeof error->text) != NULL);
    MUST(strncmp(error->text, "name: ", 6) == 0 && strlen(error->text) > 10);
    MUST(strchr(error->text, '\n') == NULL);
}

static void check_set(int ok, const idx_set *set, const idx_error *error, size_t size,
                      idx_kind kind)
{
    if (ok) {
        const size_t header = kind == IDX_IMAGES ? 16 : 8;
        MUST(set->count > 0 && set->rows > 0 && set->columns > 0);
        MUST(set->count * set->rows * set->columns == size - header);
    } else {
        MUST(set->count == 0 && set->bytes == NULL && set->block == NULL);
        check_error(error);
    }
}

/* From memory and as a file: the same answer, and memory in step with the bytes there are. */
static int read_both(idx_set *set, const uint8_t *data, size_t size, idx_kind kind)
{
    idx_set parsed;
    idx_error error = { { 0 } }, other = { { 0 } };
    int ok = idx_parse(&parsed, data, size, kind, "name", &error);
    check_set(ok, &parsed, &error, size, kind);
    if (size == 0) {
        memset(set, 0, sizeof *set);
        return 0;
    }
    memory_file.bytes = data;
    memory_file.size = size;
    heap_reset(0);
    MUST(idx_read(set, "name", kind, &other) == ok);
    /* room doubles from 16 on: all that was ever asked for is less than four times the end */
    MUST(heap.asked <= 4 * size + 128);
    check_set(ok, set, &other, size, kind);
    if (ok)
        MUST(memcmp(set->bytes, parsed.bytes, set->count * set->rows * set->columns) == 0);
    return ok;
}

/* The n-th allocation fails, for every n. */
static void check_failures(size_t size, idx_kind kind, int ok)
{
    unsigned n;
    for (n = 1;; n++) {
        idx_set set;
        idx_error error = { { 0 } };
        const long blocks = heap.blocks;
        heap_reset(n);
        if (idx_read(&set, "name", kind, &error)) {
            MUST(ok && !heap.failed);
            idx_free(&set);
            return;
        }
        MUST(heap.blocks == blocks);
        check_set(0, &set, &error, size, kind);
        if (!heap.failed)
            return;
    }
}

static void check_match(const idx_set *images, const idx_set *labels, int classes)
{
    idx_error error = { { 0 } };
    size_t i;
    if (!idx_match(images, labels, classes, "name", &error)) {
        check_error(&error);
        return;
    }
    MUST(images->count == labels->count);
    for (i = 0; i < labels->count; i++)
        MUST(labels->bytes[i] < classes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    source from = { data, size };
    idx_set images, labels;
    size_t first = take_bits(&from, 1);
    int ok;
    first = first < from.size ? first : from.size;
    ok = read_both(&images, from.bytes, first, IDX_IMAGES);
    if (first > 0)
        check_failures(first, IDX_IMAGES, ok);
    if (read_both(&labels, from.bytes + first, from.size - first, IDX_LABELS)) {
        if (ok)
            check_match(&images, &labels, 10);
        idx_free(&labels);
    }
    if (ok)
        idx_free(&images);
    MUST(heap.blocks == 0);
    return 0;
}
