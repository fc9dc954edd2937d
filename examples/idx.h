/* idx.h - reads IDX files, the format of MNIST: labels and images as bytes
 *
 * An IDX file is a magic number, one count for each dimension, and the bytes, in that
 * order; numbers are 32 bits and big-endian:
 *
 *     labels    0x00000801, count                   then count bytes
 *     images    0x00000803, count, rows, columns    then count * rows * columns bytes
 *
 * Files may come from anyone. Nothing is believed until the bytes are there, and memory
 * is taken in step with the bytes read, never by what a header promises.
 */
#ifndef IDX_H
#define IDX_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The two magic numbers: the last digit is the number of dimensions. */
typedef enum idx_kind { IDX_LABELS = 0x00000801, IDX_IMAGES = 0x00000803 } idx_kind;

/* The contents of one file. Labels have rows = columns = 1. */
typedef struct idx_set {
    size_t count;
    size_t rows, columns;
    const unsigned char *bytes; /* count * rows * columns */
    unsigned char *block;       /* what idx_free frees; NULL after idx_parse */
} idx_set;

/* One sentence about what is wrong, without a full stop. */
typedef struct idx_error {
    char text[1280];
} idx_error;

static size_t idx_number(const unsigned char *bytes)
{
    return (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
}

static const char *idx_kind_name(size_t magic)
{
    return magic == IDX_LABELS ? "labels" : magic == IDX_IMAGES ? "images" : NULL;
}

/* Answers 0, so that a caller can fail with `return idx_fail(...)`. */
static int idx_fail(idx_error *error, const char *name, const char *what)
{
    snprintf(error->text, sizeof error->text, "%.1024s: %s", name, what);
    return 0;
}

static int idx_check_magic(const unsigned char *bytes, size_t size, idx_kind kind, const char *name,
                           idx_error *error)
{
    char what[100];
    size_t magic;

    if (size == 0)
        return idx_fail(error, name, "the file is empty");
    if (size >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b)
        return idx_fail(error, name, "the file is compressed; unpack it with gunzip first");
    if (size < 4)
        return idx_fail(error, name, "the file is cut short within its header");
    magic = idx_number(bytes);
    if (magic == (size_t)kind)
        return 1;
    if (idx_kind_name(magic))
        snprintf(what, sizeof what, "the file holds %s where %s are expected", idx_kind_name(magic),
                 idx_kind_name((size_t)kind));
    else
        snprintf(what, sizeof what, "not an IDX file of %s: it begins with 0x%08lx, not 0x%08lx",
                 idx_kind_name((size_t)kind), (unsigned long)magic, (unsigned long)kind);
    return idx_fail(error, name, what);
}

/* Reads the header into *set; the bytes that a whole file has into *need. */
static int idx_header(idx_set *set, const unsigned char *bytes, size_t size, idx_kind kind,
                      size_t *need, const char *name, idx_error *error)
{
    const size_t header = kind == IDX_IMAGES ? 16 : 8;

    if (!idx_check_magic(bytes, size, kind, name, error))
        return 0;
    if (size < header)
        return idx_fail(error, name, "the file is cut short within its header");
    set->count = idx_number(bytes + 4);
    set->rows = kind == IDX_IMAGES ? idx_number(bytes + 8) : 1;
    set->columns = kind == IDX_IMAGES ? idx_number(bytes + 12) : 1;
    if (set->count == 0)
        return idx_fail(error, name, "the header promises no examples at all");
    if (set->rows == 0 || set->columns == 0)
        return idx_fail(error, name, "the header promises images without rows or columns");
    if (set->rows > ((size_t)-1 - header) / set->columns ||
        set->count > ((size_t)-1 - header) / (set->rows * set->columns))
        return idx_fail(error, name, "the header promises more bytes than memory can address");
    *need = header + set->count * set->rows * set->columns;
    set->bytes = bytes + header;
    return 1;
}

/* Makes *set from a file of size bytes in memory, which it then points into. Returns 1, or 0
 * with the reason in *error and *set empty; name stands for the file there. */
static inline int idx_parse(idx_set *set, const void *file, size_t size, idx_kind kind,
                            const char *name, idx_error *error)
{
    static const idx_set empty = { 0, 0, 0, NULL, NULL };
    char what[160];
    idx_set found = empty;
    size_t need;

    *set = empty;
    if (!idx_header(&found, (const unsigned char *)file, size, kind, &need, name, error))
        return 0;
    if (size > need) {
        snprintf(what, sizeof what, "the file goes on after the %lu %s that its header promises",
                 (unsigned long)found.count, idx_kind_name((size_t)kind));
        return idx_fail(error, name, what);
    }
    if (size < need) {
        snprintf(what, sizeof what,
                 "the file is cut short: its header promises %lu %s, %.0f bytes"
                 " in all, and there are %.0f",
                 (unsigned long)found.count, idx_kind_name((size_t)kind), (double)need,
                 (double)size);
        return idx_fail(error, name, what);
    }
    *set = found;
    return 1;
}

/* Reads up to limit bytes behind the *size that *block holds already. */
static int idx_fill(FILE *stream, unsigned char **block, size_t *size, size_t limit)
{
    size_t room = *size, got = 1;

    while (*size < limit && got > 0) {
        if (*size == room) {
            unsigned char *larger;
            room = room > limit / 2 ? limit : room * 2;
            if (room < 16)
                room = limit < 16 ? limit : 16;
            larger = (unsigned char *)realloc(*block, room);
            if (!larger)
                return 0;
            *block = larger;
        }
        got = fread(*block + *size, 1, room - *size, stream);
        *size += got;
    }
    return 1;
}

/* Reads the header first: a file of another kind is left unread however long it is. One byte
 * more than promised is asked for, to find out whether the file ends where it should. */
static int idx_slurp(FILE *stream, idx_set *set, idx_kind kind, const char *name, idx_error *error)
{
    unsigned char *block = NULL;
    size_t size = 0, need = 0;
    int ok = idx_fill(stream, &block, &size, kind == IDX_IMAGES ? 16 : 8);

    if (ok && !ferror(stream)) {
        if (!idx_header(set, block, size, kind, &need, name, error)) {
            free(block);
            return 0;
        }
        ok = idx_fill(stream, &block, &size, need + 1);
    }
    if (!ok)
        idx_fail(error, name, "there is not enough memory for the file");
    else if (ferror(stream))
        ok = idx_fail(error, name, "the file cannot be read");
    else
        ok = idx_parse(set, block, size, kind, name, error);
    if (ok)
        set->block = block;
    else
        free(block);
    return ok;
}

/* Makes *set from the file at path. Free it with idx_free. Returns as idx_parse does. */
static inline int idx_read(idx_set *set, const char *path, idx_kind kind, idx_error *error)
{
    static const idx_set empty = { 0, 0, 0, NULL, NULL };
    FILE *stream = fopen(path, "rb");
    int ok;

    *set = empty;
    if (!stream)
        return idx_fail(error, path, strerror(errno));
    ok = idx_slurp(stream, set, kind, path, error);
    fclose(stream);
    if (!ok)
        *set = empty;
    return ok;
}

static inline void idx_free(idx_set *set)
{
    free(set->block);
    set->block = NULL;
    set->bytes = NULL;
}

/* Do these images and labels belong together? Labels must be less than classes. */
static inline int idx_match(const idx_set *images, const idx_set *labels, int classes,
                            const char *name, idx_error *error)
{
    char what[120];
    size_t i;

    if (images->count != labels->count) {
        snprintf(what, sizeof what, "there are %lu labels for %lu images",
                 (unsigned long)labels->count, (unsigned long)images->count);
        return idx_fail(error, name, what);
    }
    for (i = 0; i < labels->count; i++)
        if (labels->bytes[i] >= classes) {
            snprintf(what, sizeof what, "label %lu is %d; labels go from 0 to %d", (unsigned long)i,
                     labels->bytes[i], classes - 1);
            return idx_fail(error, name, what);
        }
    return 1;
}

#endif /* IDX_H */
