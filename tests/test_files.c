/* test_files.c - saved networks: the format byte by byte, hostile files, and every allocation,
 * read and write made to fail.
 *
 * The calls of the library to the heap and to stdio go through the functions below, which number
 * them and let any one of them fail, so that no failure has to be provoked from outside. */
#if defined(__unix__) || defined(__APPLE__)
#define _XOPEN_SOURCE 700
#define POSIX 1
#endif

#include <float.h>
#include <locale.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef POSIX
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#include "check.h"

/* ---- calls that fail on demand ---- */

/* The calls that can fail are numbered from 1. */
static struct {
    unsigned long calls;   /* made since fault_reset */
    unsigned long fail_at; /* the number of the one that fails; 0: none */
    int persist;           /* every later one fails too */
    int die;               /* the process is killed in that call instead */
    const char *failed;    /* the first that failed, by name */
} fault;

/* What the library holds at the moment, and what it has asked for. */
static struct {
    long blocks;
    size_t live, peak;
} heap;

static struct {
    FILE *open;      /* at most one at a time */
    int error;       /* its error indicator, set by a call that was made to fail */
    int misuse;      /* closed twice, or used when closed */
    int not_binary;  /* a network opened as a text, which would change bytes on some systems */
} stream;

static void fault_reset(unsigned long fail_at, int persist)
{
    memset(&fault, 0, sizeof fault);
    fault.fail_at = fail_at;
    fault.persist = persist;
    heap.peak = heap.live;
}

static int fault_now(const char *name)
{
    fault.calls++;
    if (fault.fail_at == 0 || fault.calls < fault.fail_at) return 0;
    if (fault.calls > fault.fail_at && !fault.persist) return 0;
    if (fault.failed == NULL) fault.failed = name;
    stream.error = 1;
#ifdef POSIX
    if (fault.die && strcmp(name, "fwrite") != 0) raise(SIGKILL);
#endif
    return 1;
}

/* The block's size stands before it; the union keeps the rest aligned. */
typedef union heap_head {
    size_t size;
    long double widest;
    void *pointer;
} heap_head;

static void *heap_malloc(size_t size)
{
    heap_head *head;
    if (fault_now("malloc")) return NULL;
    if (size > (size_t)1 << 30) return NULL;
    head = (heap_head *)malloc(sizeof *head + size);
    if (head == NULL) return NULL;
    head->size = size;
    heap.blocks++;
    heap.live += size;
    if (heap.live > heap.peak) heap.peak = heap.live;
    /* Bytes that were never set must not look like zeros by luck. */
    memset(head + 1, 0xA5, size);
    return head + 1;
}

static void heap_free(void *pointer)
{
    heap_head *head;
    if (pointer == NULL) return;
    head = (heap_head *)pointer - 1;
    heap.blocks--;
    heap.live -= head->size;
    free(head);
}

static FILE *io_fopen(const char *path, const char *mode)
{
    if (stream.open != NULL) stream.misuse = 1;
    stream.error = 0;
    if (fault_now("fopen")) return NULL;
    if (strchr(mode, 'b') == NULL && strstr(path, ".net") != NULL) stream.not_binary = 1;
    stream.open = fopen(path, mode);
    return stream.open;
}

static int io_fclose(FILE *file)
{
    int failed = fault_now("fclose");
    if (file == NULL || file != stream.open) {
        stream.misuse = 1;
        return EOF;
    }
    stream.open = NULL;
    return fclose(file) != 0 || failed ? EOF : 0;
}

static int io_unusable(FILE *file, const char *name)
{
    if (file == NULL || file != stream.open) stream.misuse = 1;
    return fault_now(name) || stream.misuse;
}

static size_t io_fread(void *bytes, size_t size, size_t count, FILE *file)
{
    if (io_unusable(file, "fread")) return 0;
    return fread(bytes, size, count, file);
}

static size_t io_fwrite(const void *bytes, size_t size, size_t count, FILE *file)
{
    int failed = io_unusable(file, "fwrite");
    /* A write that fails has written something all the same. */
    size_t written = fwrite(bytes, size, failed ? count / 2 : count, file);
#ifdef POSIX
    if (failed && fault.die) {
        fflush(file);
        raise(SIGKILL);
    }
#endif
    return written;
}

static int io_fflush(FILE *file)
{
    return io_unusable(file, "fflush") ? EOF : fflush(file);
}

static int io_ferror(FILE *file)
{
    return io_unusable(file, "ferror") || stream.error || ferror(file) ? 1 : 0;
}

static int io_fputc(int c, FILE *file)
{
    return io_unusable(file, "fputc") ? EOF : fputc(c, file);
}

static int io_fputs(const char *text, FILE *file)
{
    return io_unusable(file, "fputs") ? EOF : fputs(text, file);
}

static int io_fprintf(FILE *file, const char *format, ...)
{
    int n = -1;
    if (!io_unusable(file, "fprintf")) {
        va_list list;
        va_start(list, format);
        n = vfprintf(file, format, list);
        va_end(list);
    }
    return n;
}

static int io_rename(const char *from, const char *to)
{
    return fault_now("rename") ? -1 : rename(from, to);
}

static int io_remove(const char *path)
{
    return fault_now("remove") ? -1 : remove(path);
}

/* A library that needs fewer of them is welcome: this keeps the others in use. */
static void io_use_all(void)
{
    (void)io_fopen, (void)io_fclose, (void)io_fread, (void)io_fwrite, (void)io_fflush;
    (void)io_ferror, (void)io_fputc, (void)io_fputs, (void)io_fprintf;
    (void)io_rename, (void)io_remove;
}

#define fopen io_fopen
#define fclose io_fclose
#define fread io_fread
#define fwrite io_fwrite
#undef fflush
#define fflush io_fflush
#undef ferror
#define ferror io_ferror
#undef putc
#define putc io_fputc
#define fputc io_fputc
#define fputs io_fputs
#define fprintf io_fprintf
#define rename io_rename
#define remove io_remove
#define BACKPROP_MALLOC(size) heap_malloc(size)
#define BACKPROP_FREE(pointer) heap_free(pointer)
#define BACKPROP_IMPLEMENTATION
#include "backprop.h"
#undef fopen
#undef fclose
#undef fread
#undef fwrite
#undef fflush
#undef ferror
#undef putc
#undef fputc
#undef fputs
#undef fprintf
#undef rename
#undef remove

/* ---- files written by hand ---- */

#ifdef BACKPROP_DOUBLE
#define DIR_NAME "build/tests/files_double"
#define TINIEST 0x1p-1074
#define SMALLEST DBL_MIN
#define LARGEST DBL_MAX
#else
#define DIR_NAME "build/tests/files"
#define TINIEST 0x1p-149f
#define SMALLEST FLT_MIN
#define LARGEST FLT_MAX
#endif
#define PATH DIR_NAME ".net"
#define C_PATH DIR_NAME ".c.out"

enum { CAPACITY = 1 << 16, MAX_LAYERS = 8, MAX_PARAMETERS = 256, REAL = (int)sizeof(bp_real) };

/* Where the header's fields stand, as the manual says. */
enum {
    AT_VERSION = 8,
    AT_PRECISION = 12,
    AT_EPOCHS = 16,
    AT_COST = 24,
    AT_LAYERS = 28,
    AT_INPUTS = 32,
    AT_FIRST_LAYER = 36
};

typedef struct file {
    unsigned char bytes[CAPACITY];
    size_t size;
} file;

static void put(unsigned char *bytes, uint64_t value, int count)
{
    int i;
    for (i = 0; i < count; i++) bytes[i] = (unsigned char)(value >> (8 * i) & 0xFF);
}

static void append(file *f, uint64_t value, int count)
{
    put(f->bytes + f->size, value, count);
    f->size += (size_t)count;
}

static uint64_t bits_of(double value, int precision)
{
    uint64_t wide;
    uint32_t narrow;
    float rounded = (float)value;
    memcpy(&wide, &value, sizeof wide);
    memcpy(&narrow, &rounded, sizeof narrow);
    return precision == 4 ? narrow : wide;
}

static uint64_t fnv1a(const unsigned char *bytes, size_t size)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    size_t i;
    for (i = 0; i < size; i++) hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    return hash;
}

/* Makes the last eight bytes the right checksum for whatever stands before them. */
static void seal(file *f)
{
    put(f->bytes + f->size - 8, fnv1a(f->bytes, f->size - 8), 8);
}

/* A file of layer_count layers with the sizes given and count parameters, fitting or not. */
static void write_by_hand(file *f, int precision, uint64_t epochs, const uint32_t *sizes,
                          uint32_t layer_count, const double *parameters, int count)
{
    uint32_t l;
    int i;
    f->size = 0;
    for (i = 0; i < 8; i++) append(f, (unsigned char)"backprop"[i], 1);
    append(f, 1, 4);
    append(f, (uint64_t)precision, 4);
    append(f, epochs, 8);
    append(f, 0, 4);
    append(f, layer_count, 4);
    append(f, sizes[0], 4);
    for (l = 1; l <= layer_count; l++) {
        append(f, sizes[l], 4);
        append(f, 0, 4);
    }
    for (i = 0; i < count; i++) append(f, bits_of(parameters[i], precision), precision);
    append(f, 0, 8);
    seal(f);
}

static const uint32_t small_sizes[] = { 2, 3, 1 };
static const double small_parameters[] = { 0.5,  -1.25, 3.0, -0.0, 1e-3, 65536.0, 7.0,
                                           -2.0, 0.125, 0.1, 12.0, -1.0, 1e-30 };
enum { SMALL_LAYERS = 2, SMALL_PARAMETERS = 13, LAST_EPOCH_BYTE = AT_EPOCHS + 7 };

static void small_file(file *f, int precision)
{
    write_by_hand(f, precision, UINT64_C(0x0102030405060708), small_sizes, SMALL_LAYERS,
                  small_parameters, SMALL_PARAMETERS);
}

/* ---- files on disk ---- */

/* The bytes of a file, at most CAPACITY of them; size 0 for none. */
static void slurp(file *f, const char *path)
{
    FILE *in = fopen(path, "rb");
    f->size = 0;
    if (in == NULL) return;
    f->size = fread(f->bytes, 1, sizeof f->bytes, in);
    fclose(in);
}

static void spit(const char *path, const void *bytes, size_t size)
{
    FILE *out = fopen(path, "wb");
    CHECK(out != NULL, "%s cannot be written", path);
    if (out == NULL) return;
    CHECK(fwrite(bytes, 1, size, out) == size, "%s", path);
    CHECK(fclose(out) == 0, "%s", path);
}

static int exists(const char *path)
{
    FILE *in = fopen(path, "rb");
    if (in != NULL) fclose(in);
    return in != NULL;
}

/* After a call, whatever it returned: nothing held, nothing open, no temporary. */
static void check_tidy(const char *after, long blocks)
{
    CHECK(heap.blocks == blocks, "after %s: %ld blocks, not %ld", after, heap.blocks, blocks);
    CHECK(stream.open == NULL && !stream.misuse && !stream.not_binary,
          "after %s: open %d, misuse %d, text mode %d", after, stream.open != NULL, stream.misuse,
          stream.not_binary);
    CHECK(!exists(PATH ".tmp") && !exists(C_PATH ".tmp"), "after %s: a temporary is left", after);
}

static bp_net *small_net(void)
{
    file f;
    bp_net *net = NULL;
    small_file(&f, REAL);
    fault_reset(0, 0);
    CHECK(bp_decode(&net, f.bytes, f.size) == BP_OK, "the small file is not read");
    if (net == NULL) exit(check_report("files"));
    return net;
}

/* A decode that must fail: with which status, leaving the pointer alone, in bounded memory. */
static void check_refused(const file *f, const char *what, unsigned long value)
{
    bp_net mark, *net = &mark;
    long blocks = heap.blocks;
    bp_status status;
    size_t before = heap.live;
    fault_reset(0, 0);
    status = bp_decode(&net, f->bytes, f->size);
    CHECK(status == BP_BAD_FILE && net == &mark, "%s %lu: %s", what, value,
          bp_status_string(status));
    CHECK(heap.blocks == blocks && heap.peak - before <= 4 * f->size + 1024,
          "%s %lu: %lu bytes for a file of %lu", what, value,
          (unsigned long)(heap.peak - before), (unsigned long)f->size);
    if (net != &mark) bp_free(net);
}

/* ---- the format ---- */

static void hard_values(bp_net *net)
{
    static const bp_real hard[] = { 0,         (bp_real)-0.0, TINIEST,  -TINIEST,
                                    SMALLEST,  -SMALLEST,     LARGEST,  -LARGEST,
                                    (bp_real)1 / 3, 1,        (bp_real)0.1 };
    size_t i;
    for (i = 0; i < net->parameter_count; i++) net->parameters[i] = hard[i * 7 % 11];
    net->epochs_trained = UINT64_C(0xFEDCBA9876543210);
}

static void check_same(const bp_net *got, const bp_net *want, const char *how)
{
    int l;
    const bp_real *p = got->parameters;
    CHECK(got->layer_count == want->layer_count, "%s: %d layers", how, got->layer_count);
    CHECK(got->parameter_count == want->parameter_count, "%s: parameters", how);
    CHECK(got->epochs_trained == want->epochs_trained, "%s: epochs", how);
    if (got->parameter_count != want->parameter_count) return;
    CHECK_BYTES(got->parameters, want->parameters, want->parameter_count * sizeof(bp_real), "%s",
                how);
    for (l = 0; l < got->layer_count && l < want->layer_count; l++) {
        const bp_layer *a = &got->layers[l], *b = &want->layers[l];
        CHECK(a->inputs == b->inputs && a->outputs == b->outputs, "%s: layer %d", how, l + 1);
        CHECK(a->weights == p, "%s: W%d", how, l + 1);
        p += (size_t)a->inputs * (size_t)a->outputs;
        CHECK(a->biases == p, "%s: b%d", how, l + 1);
        p += a->outputs;
    }
}

static void round_trip_in_memory(const bp_net *net, unsigned char *bytes, size_t need)
{
    size_t capacity, i;
    bp_net *copy = NULL;
    for (capacity = 0; capacity <= need; capacity += capacity + 60 < need ? 13 : 1) {
        memset(bytes, 0x5A, need + 16);
        CHECK(bp_encode(net, bytes + 1, capacity) == need, "capacity %lu",
              (unsigned long)capacity);
        for (i = capacity < need ? 0 : need + 1; i < need + 16 && bytes[i] == 0x5A;) i++;
        CHECK(i == need + 16 && bytes[0] == 0x5A, "capacity %lu of %lu: byte %lu written",
              (unsigned long)capacity, (unsigned long)need, (unsigned long)i);
    }
    /* One byte off any alignment, both ways. */
    CHECK(bp_decode(&copy, bytes + 1, need) == BP_OK, "%lu bytes", (unsigned long)need);
    if (copy == NULL) return;
    check_same(copy, net, "encode and decode");
    memset(bytes + need + 16, 0, need);
    bp_encode(copy, bytes + need + 16, need);
    CHECK_BYTES(bytes + need + 16, bytes + 1, need, "encoded again");
    bp_free(copy);
}

static void round_trip_on_disk(const bp_net *net, const unsigned char *bytes, size_t need)
{
    bp_net *copy = NULL;
    long blocks = heap.blocks;
    unsigned char *read = (unsigned char *)malloc(need + 1);
    FILE *in;
    CHECK(bp_save(net, PATH) == BP_OK, "save");
    check_tidy("save", blocks);
    in = fopen(PATH, "rb");
    if (in != NULL && read != NULL) {
        CHECK(fread(read, 1, need + 1, in) == need, "the file has not %lu bytes",
              (unsigned long)need);
        CHECK_BYTES(read, bytes, need, "the file against bp_encode");
    }
    if (in != NULL) fclose(in);
    CHECK(bp_load(&copy, PATH) == BP_OK, "load");
    if (copy != NULL) check_same(copy, net, "save and load");
    bp_free(copy);
    check_tidy("load", blocks);
    free(read);
}

static void test_round_trip(void)
{
    static const int shapes[][MAX_LAYERS] = { { 1, 1 },       { 2, 3, 1 },    { 7, 5, 3, 2, 4 },
                                              { 784, 100, 10 }, { 1, 1, 1, 1, 1, 1, 1 },
                                              { 3, 17, 16, 15 } };
    size_t s;
    for (s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        int count = 0;
        size_t need;
        bp_net *net;
        unsigned char *bytes;
        while (count < MAX_LAYERS && shapes[s][count] > 0) count++;
        fault_reset(0, 0);
        net = bp_create(shapes[s], count, s + 1);
        CHECK(net != NULL, "shape %lu", (unsigned long)s);
        if (net == NULL) continue;
        hard_values(net);
        need = 44 + 8 * (size_t)(count - 1) + net->parameter_count * sizeof(bp_real);
        CHECK(bp_encode(net, NULL, 0) == need, "shape %lu: size asked for", (unsigned long)s);
        bytes = (unsigned char *)malloc(2 * need + 32);
        if (bytes != NULL && bp_encode(net, NULL, 0) == need) {
            if (need < 4096) round_trip_in_memory(net, bytes, need);
            CHECK(bp_encode(net, bytes, need) == need, "encode");
            round_trip_on_disk(net, bytes, need);
        }
        free(bytes);
        bp_free(net);
        CHECK(heap.blocks == 0, "shape %lu: leak", (unsigned long)s);
    }
}

static void test_layout(void)
{
    file f, got;
    bp_net *net = small_net();
    int i;
    CHECK(net->layer_count == 2 && net->layers[0].inputs == 2 && net->layers[0].outputs == 3 &&
              net->layers[1].inputs == 3 && net->layers[1].outputs == 1,
          "sizes");
    CHECK(net->epochs_trained == UINT64_C(0x0102030405060708), "epochs");
    for (i = 0; i < SMALL_PARAMETERS; i++) {
        bp_real want = (bp_real)small_parameters[i];
        CHECK(memcmp(&net->parameters[i], &want, sizeof want) == 0, "parameter %d", i);
    }
    small_file(&f, REAL);
    got.size = bp_encode(net, got.bytes, sizeof got.bytes);
    CHECK(got.size == f.size, "%lu bytes, not %lu", (unsigned long)got.size,
          (unsigned long)f.size);
    CHECK_BYTES(got.bytes, f.bytes, f.size, "bp_encode against the file written by hand");
    spit(PATH, f.bytes, f.size);
    bp_free(net);
    net = NULL;
    CHECK(bp_load(&net, PATH) == BP_OK, "the file written by hand");
    bp_free(net);
    check_tidy("layout", 0);
}

static void test_invalid_arguments(void)
{
    file f;
    bp_net *net = small_net(), *other = NULL;
    small_file(&f, REAL);
    CHECK(bp_encode(NULL, f.bytes, f.size) == 0, "encode");
    CHECK(bp_decode(NULL, f.bytes, f.size) == BP_INVALID_ARGUMENT, "decode to NULL");
    CHECK(bp_decode(&other, NULL, 5) == BP_INVALID_ARGUMENT, "decode NULL");
    CHECK(bp_save(NULL, PATH) == BP_INVALID_ARGUMENT, "save NULL");
    CHECK(bp_save(net, NULL) == BP_INVALID_ARGUMENT, "save to NULL");
    CHECK(bp_load(NULL, PATH) == BP_INVALID_ARGUMENT, "load to NULL");
    CHECK(bp_load(&other, NULL) == BP_INVALID_ARGUMENT, "load NULL");
    CHECK(bp_export_c(NULL, C_PATH, "n") == BP_INVALID_ARGUMENT, "export NULL");
    CHECK(bp_export_c(net, NULL, "n") == BP_INVALID_ARGUMENT, "export to NULL");
    CHECK(bp_export_c(net, C_PATH, NULL) == BP_INVALID_ARGUMENT, "export as NULL");
    CHECK(other == NULL, "a network came of it");
    bp_free(net);
    check_tidy("invalid arguments", 0);
}

/* A parameter that is not finite is not written, and the old file stays. */
static void test_not_finite(void)
{
    file f, now;
    bp_net *net = small_net();
    int i;
    small_file(&f, REAL);
    for (i = 0; i < 3; i++) {
        volatile bp_real huge = LARGEST;
        bp_real saved = net->parameters[12 - i];
        net->parameters[12 - i] = i == 0 ? huge * 2 : i == 1 ? -huge * 2 : huge * 2 - huge * 2;
        spit(PATH, f.bytes, f.size);
        spit(C_PATH, f.bytes, f.size);
        CHECK(bp_encode(net, now.bytes, sizeof now.bytes) == 0, "encode, case %d", i);
        CHECK(bp_save(net, PATH) == BP_DIVERGED, "save, case %d", i);
        CHECK(bp_export_c(net, C_PATH, "n") == BP_DIVERGED, "export, case %d", i);
        slurp(&now, PATH);
        CHECK_BYTES(now.bytes, f.bytes, f.size, "old file");
        slurp(&now, C_PATH);
        CHECK_BYTES(now.bytes, f.bytes, f.size, "old C file");
        check_tidy("a parameter that is not finite", 1);
        net->parameters[12 - i] = saved;
    }
    bp_free(net);
}

/* ---- damaged and hostile files ---- */

static void test_truncations(void)
{
    file f, cut;
    size_t size;
    small_file(&f, REAL);
    for (size = 0; size < f.size; size++) {
        memcpy(cut.bytes, f.bytes, f.size);
        cut.size = size;
        check_refused(&cut, "cut to", size);
        if (size < 8) continue;
        seal(&cut);
        check_refused(&cut, "cut and sealed to", size);
    }
    for (size = f.size + 1; size <= f.size + 16; size++) {
        memcpy(cut.bytes, f.bytes, f.size);
        memset(cut.bytes + f.size, 0, 16);
        cut.size = size;
        check_refused(&cut, "extended to", size);
        seal(&cut);
        check_refused(&cut, "extended and sealed to", size);
    }
}

static void test_changed_bytes(void)
{
    file f;
    size_t i;
    int change;
    small_file(&f, REAL);
    for (i = 0; i < f.size; i++)
        for (change = 1; change < 256; change++) {
            f.bytes[i] = (unsigned char)(f.bytes[i] ^ change);
            check_refused(&f, "a changed byte at", i);
            f.bytes[i] = (unsigned char)(f.bytes[i] ^ change);
        }
}

/* A field of the small file set to a value, under a right checksum. */
static void refuse_field(size_t at, int count, uint64_t value, const char *what)
{
    file f;
    small_file(&f, REAL);
    put(f.bytes + at, value, count);
    seal(&f);
    check_refused(&f, what, (unsigned long)value);
}

static void test_hostile_fields(void)
{
    static const uint32_t values[] = { 0,          2,          4,          5,          7,
                                       8,          9,          16,         255,        65535,
                                       0x10000000, 0x1FFFFFFF, 0x20000000, 0x3FFFFFFF, 0x40000000,
                                       0x7FFFFFFE, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF };
    size_t i;
    for (i = 0; i < sizeof values / sizeof values[0]; i++) {
        uint32_t v = values[i];
        refuse_field(AT_VERSION, 4, v, "version");
        if (v != REAL) refuse_field(AT_PRECISION, 4, v, "precision");
        if (v != 0) refuse_field(AT_COST, 4, v, "cost");
        if (v != SMALL_LAYERS) refuse_field(AT_LAYERS, 4, v, "layers");
        if (v != small_sizes[0]) refuse_field(AT_INPUTS, 4, v, "inputs");
        refuse_field(AT_FIRST_LAYER, 4, v, "neurons of layer 1");
        if (v != 0) refuse_field(AT_FIRST_LAYER + 4, 4, v, "activation of layer 1");
        refuse_field(AT_FIRST_LAYER + 8, 4, v, "neurons of layer 2");
        if (v != 0) refuse_field(AT_FIRST_LAYER + 12, 4, v, "activation of layer 2");
    }
    refuse_field(AT_COST, 4, 1, "cost");
    refuse_field(AT_LAYERS, 4, 1, "layers");
    refuse_field(0, 1, 'B', "magic");
}

/* Sizes whose product leaves 32 or 64 bits, often to come back to exactly the bytes there are. */
static void test_hostile_sizes(void)
{
    static const struct {
        uint32_t layers, sizes[7];
        int count;
    } cases[] = {
        { 1, { 0x7FFFFFFF, 0x40000000 }, 0 },
        { 1, { 0x7FFFFFFF, 0x7FFFFFFF }, 0 },
        { 1, { 0x3FFFFFFF, 0x40000000 }, 0 },
        { 1, { 0x1FFFFFFF, 0x40000000 }, 0 },
        { 1, { 0xFFFF, 0x4000 }, 0 },
        { 1, { 0xFFFF, 0x2000 }, 0 },
        { 1, { 0xFFFF, 0x10000 }, 0 },
        { 1, { 0xFFFF, 0x8000 }, 0 },
        { 1, { 0xFFFFFFFF, 1 }, 0 },
        { 1, { 0xFFFFFFFF, 0xFFFFFFFF }, 0 },
        { 1, { 0x7FFFFFFE, 1 }, 2 },
        { 1, { 1, 0x7FFFFFFF }, 2 },
        { 1, { 30000, 30000 }, 5 },
        { 3, { 0x7FFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF }, 0 },
        { 3, { 1, 0x7FFFFFFF, 0x7FFFFFFF, 1 }, 2 },
        /* 2^64 parameters, and 2^64 + 5 */
        { 5, { 0x7FFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF, 4 }, 0 },
        { 6, { 0x7FFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF, 4, 1 }, 5 },
        { 1, { 0, 1 }, 1 },
        { 1, { 1, 0 }, 0 },
        { 2, { 1, 0, 1 }, 1 },
        { 2, { 1, 1, 0 }, 2 },
        { 0, { 1 }, 0 },
        { 0, { 0 }, 0 },
    };
    static const double zeros[5] = { 0 };
    size_t i;
    int precision;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (precision = 4; precision <= 8; precision += 4) {
            file f;
            write_by_hand(&f, precision, 0, cases[i].sizes, cases[i].layers, zeros,
                          cases[i].count);
            check_refused(&f, "sizes, case", (unsigned long)i);
        }
}

static void test_hostile_parameters(void)
{
    static const uint64_t wide[] = { UINT64_C(0x7FF0000000000000), UINT64_C(0xFFF0000000000000),
                                     UINT64_C(0x7FF8000000000000), UINT64_C(0x7FF0000000000001),
                                     UINT64_C(0xFFFFFFFFFFFFFFFF) };
    static const uint32_t narrow[] = { 0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001, 0xFFFFFFFF };
    size_t i, p;
    for (i = 0; i < 5; i++)
        for (p = 0; p < SMALL_PARAMETERS; p++) {
            file f;
            small_file(&f, 4);
            put(f.bytes + AT_FIRST_LAYER + 16 + 4 * p, narrow[i], 4);
            seal(&f);
            check_refused(&f, "float that is not finite, parameter", (unsigned long)p);
            small_file(&f, 8);
            put(f.bytes + AT_FIRST_LAYER + 16 + 8 * p, wide[i], 8);
            seal(&f);
            check_refused(&f, "double that is not finite, parameter", (unsigned long)p);
        }
}

/* The same bytes by way of a file: bp_load has to find out the size, and must not trust it. */
static void test_hostile_load(void)
{
    static const struct {
        const char *what;
        size_t at;
        uint32_t value;
    } cases[] = { { "layers", AT_LAYERS, 0x7FFFFFFF },
                  { "layers", AT_LAYERS, 0x10000000 },
                  { "inputs", AT_INPUTS, 0x7FFFFFFF },
                  { "neurons", AT_FIRST_LAYER, 0x7FFFFFFF },
                  { "neurons", AT_FIRST_LAYER, 0x01000000 },
                  { "version", AT_VERSION, 2 } };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        file f;
        bp_net mark, *net = &mark;
        small_file(&f, REAL);
        put(f.bytes + cases[i].at, cases[i].value, 4);
        seal(&f);
        spit(PATH, f.bytes, f.size);
        fault_reset(0, 0);
        CHECK(bp_load(&net, PATH) == BP_BAD_FILE && net == &mark, "%s", cases[i].what);
        CHECK(heap.peak <= 4 * f.size + 128 * 1024, "%s: %lu bytes", cases[i].what,
              (unsigned long)heap.peak);
        check_tidy("a hostile file", 0);
    }
}

/* ---- the other precision ---- */

#ifdef BACKPROP_DOUBLE
static void test_other_precision(void)
{
    static const float values[] = { 0.1f, -0.0f, 0x1p-149f, -0x1.fffffep-127f, FLT_MAX, -FLT_MAX,
                                    1.0f / 3, FLT_MIN, 0x1.000002p0f, 1e-42f, -7.0f, 1e10f,
                                    0x1.fffffep-1f };
    static const uint32_t sizes[] = { 12, 1 };
    double parameters[13];
    bp_net *net = NULL;
    file f;
    int i;
    for (i = 0; i < 13; i++) parameters[i] = (double)values[i];
    write_by_hand(&f, 4, 77, sizes, 1, parameters, 13);
    CHECK(bp_decode(&net, f.bytes, f.size) == BP_OK, "a float file");
    if (net == NULL) return;
    CHECK(net->epochs_trained == 77, "epochs");
    CHECK_BYTES(net->parameters, parameters, sizeof parameters, "floats are not exact");
    bp_free(net);
}
#else
/* A double and the float nearest to it, ties to even. */
static const struct {
    double wide;
    float narrow;
} roundings[] = { { 0.1, 0.1f },
                  { -0.0, -0.0f },
                  { 0x1.000001p0, 1.0f },
                  { 0x1.000003p0, 0x1.000004p0f },
                  { 0x1.0000010000001p0, 0x1.000002p0f },
                  { 0x1.fffffefffffffp0, 0x1.fffffep0f },
                  { 0x1.ffffffp0, 2.0f },
                  { 0x1p-149, 0x1p-149f },
                  { 0x1p-150, 0.0f },
                  { 0x1.0000000000001p-150, 0x1p-149f },
                  { -0x1p-150, -0.0f },
                  { 0x1.8p-149, 0x1p-148f },
                  { 0x1p-1074, 0.0f },
                  { 0x1.fffffffffffffp-127, 0x1p-126f },
                  { 0x1.fffffep127, FLT_MAX },
                  { -0x1.fffffdfffffffp127, -FLT_MAX } };
enum { ROUNDINGS = sizeof roundings / sizeof roundings[0] };

static void test_other_precision(void)
{
    static const double beyond[] = { 0x1.fffffe0000001p127, -0x1.ffffffp127, 0x1p128, 1e39, -1e300,
                                     DBL_MAX };
    const uint32_t sizes[] = { ROUNDINGS - 1, 1 };
    double parameters[ROUNDINGS];
    bp_net *net = NULL;
    file f;
    size_t i;
    for (i = 0; i < ROUNDINGS; i++) parameters[i] = roundings[i].wide;
    write_by_hand(&f, 8, 77, sizes, 1, parameters, ROUNDINGS);
    CHECK(bp_decode(&net, f.bytes, f.size) == BP_OK, "a double file");
    if (net == NULL) return;
    CHECK(net->epochs_trained == 77, "epochs");
    for (i = 0; i < ROUNDINGS; i++)
        CHECK(memcmp(&net->parameters[i], &roundings[i].narrow, 4) == 0, "%a is read as %a",
              roundings[i].wide, (double)net->parameters[i]);
    bp_free(net);
    for (i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
        parameters[i] = beyond[i];
        write_by_hand(&f, 8, 77, sizes, 1, parameters, ROUNDINGS);
        check_refused(&f, "beyond the range of float, case", (unsigned long)i);
        parameters[i] = 0;
    }
}
#endif

/* ---- every call made to fail ---- */

static bp_status save(bp_net **net)
{
    return bp_save(*net, PATH);
}

static bp_status export_c(bp_net **net)
{
    return bp_export_c(*net, C_PATH, "digits");
}

static bp_status load(bp_net **net)
{
    return bp_load(net, PATH);
}

static bp_status decode(bp_net **net)
{
    file f;
    small_file(&f, REAL);
    return bp_decode(net, f.bytes, f.size);
}

/* Lets the n-th call fail, for every n until none is left to fail. */
static void fail_each_write(bp_net *net, const char *path, bp_status (*call)(bp_net **),
                            int persist)
{
    static const char old[] = "the file that was here before";
    unsigned long n;
    for (n = 1; n < 10000; n++) {
        file now;
        bp_status status, want;
        long blocks = heap.blocks;
        spit(path, old, sizeof old);
        fault_reset(n, persist);
        status = call(&net);
        if (fault.failed == NULL) break;
        want = strcmp(fault.failed, "malloc") == 0 ? BP_OUT_OF_MEMORY : BP_IO_ERROR;
        CHECK(status == want, "%s, call %lu: %s", fault.failed, n, bp_status_string(status));
        slurp(&now, path);
        CHECK(now.size == sizeof old && memcmp(now.bytes, old, sizeof old) == 0,
              "%s, call %lu: the old file is gone", fault.failed, n);
        /* A removal made to fail leaves the temporary. */
        if (persist) {
            remove(PATH ".tmp");
            remove(C_PATH ".tmp");
        }
        check_tidy(fault.failed, blocks);
    }
    CHECK(n >= 4 && n < 10000, "%s: %lu calls", path, n - 1);
}

static void fail_each_read(bp_status (*call)(bp_net **), unsigned long least)
{
    unsigned long n;
    for (n = 1; n < 10000; n++) {
        bp_net mark, *net = &mark;
        bp_status status, want;
        fault_reset(n, 0);
        status = call(&net);
        if (net != &mark) bp_free(net);
        check_tidy("a read", 0);
        if (fault.failed == NULL) {
            CHECK(status == BP_OK, "%s", bp_status_string(status));
            break;
        }
        want = strcmp(fault.failed, "malloc") == 0 ? BP_OUT_OF_MEMORY : BP_IO_ERROR;
        /* All has been read when the file is closed: that failure may be passed over. */
        if (status == BP_OK && strcmp(fault.failed, "fclose") == 0) continue;
        CHECK(status == want && net == &mark, "%s, call %lu: %s", fault.failed, n,
              bp_status_string(status));
    }
    CHECK(n > least && n < 10000, "%lu calls", n - 1);
}

static void test_failing_calls(void)
{
    bp_net *net = small_net();
    int persist;
    for (persist = 0; persist <= 1; persist++) {
        fail_each_write(net, PATH, save, persist);
        fail_each_write(net, C_PATH, export_c, persist);
    }
    fault_reset(0, 0);
    CHECK(bp_save(net, PATH) == BP_OK, "save");
    bp_free(net);
    fail_each_read(load, 3);
    fail_each_read(decode, 1);
}

static void test_failing_creation(void)
{
    static const int sizes[] = { 3, 4, 2 };
    bp_net *net, *copy;
    fault_reset(1, 0);
    CHECK(bp_create(sizes, 3, 1) == NULL, "created without memory");
    fault_reset(0, 0);
    net = bp_create(sizes, 3, 1);
    CHECK(fault.calls == 1, "%lu allocations a network", fault.calls);
    fault_reset(1, 0);
    CHECK(bp_clone(net) == NULL, "cloned without memory");
    fault_reset(0, 0);
    copy = bp_clone(net);
    CHECK(copy != NULL && fault.calls == 1, "%lu allocations a clone", fault.calls);
    bp_free(copy);
    bp_free(net);
    CHECK(heap.blocks == 0, "%ld blocks", heap.blocks);
}

/* ---- paths and file systems ---- */

static void check_save(const bp_net *net, const char *path, const char *what)
{
    long blocks = heap.blocks;
    bp_status status;
    fault_reset(0, 0);
    status = bp_save(net, path);
    CHECK(status == BP_IO_ERROR, "save to %s: %s", what, bp_status_string(status));
    check_tidy(what, blocks);
    status = bp_export_c(net, path, "n");
    CHECK(status == BP_IO_ERROR, "export to %s: %s", what, bp_status_string(status));
    check_tidy(what, blocks);
}

static void check_load(const char *path, bp_status want, const char *what)
{
    bp_net mark, *net = &mark;
    bp_status status;
    fault_reset(0, 0);
    status = bp_load(&net, path);
    CHECK(status == want && net == &mark, "load of %s: %s", what, bp_status_string(status));
    CHECK(heap.peak <= 1 << 20, "load of %s: %lu bytes", what, (unsigned long)heap.peak);
    check_tidy(what, 0);
}

static void test_paths(void)
{
    static char longest[6000];
    bp_net *net = small_net();
    memset(longest, 'x', sizeof longest - 1);
    check_save(net, "build/tests/no such directory/net", "a missing directory");
    check_save(net, "", "an empty path");
    CHECK(!exists(".tmp"), "an empty path leaves .tmp");
    check_save(net, longest, "a path too long");
    bp_free(net);
    check_load("build/tests/no such file", BP_IO_ERROR, "a missing file");
    check_load("", BP_IO_ERROR, "an empty path");
    spit(PATH, "", 0);
    check_load(PATH, BP_BAD_FILE, "an empty file");
    spit(PATH, "backprop", 8);
    check_load(PATH, BP_BAD_FILE, "the first word");
    spit(PATH, "To be or not to be\nthat is a text\n", 34);
    check_load(PATH, BP_BAD_FILE, "a text");
    check_load("README.md", exists("README.md") ? BP_BAD_FILE : BP_IO_ERROR, "README.md");
    if (exists("/dev/zero"))
        check_load("/dev/zero", BP_BAD_FILE, "/dev/zero");
    else
        SKIP("no /dev/zero");
}

#ifdef POSIX

static void test_directories(void)
{
    bp_net *net = small_net();
    bp_net mark, *other = &mark;
    check_save(net, "build/tests", "a directory");
    CHECK(!exists("build/tests.tmp"), "a directory leaves a temporary");
    CHECK(bp_load(&other, "build/tests") == BP_IO_ERROR && other == &mark, "load of a directory");
    if (geteuid() == 0) {
        SKIP("root may write to a directory without permission");
    } else {
        mkdir(DIR_NAME ".dir", 0500);
        chmod(DIR_NAME ".dir", 0500);
        check_save(net, DIR_NAME ".dir/net", "a directory without permission");
        rmdir(DIR_NAME ".dir");
    }
    bp_free(net);
    check_tidy("directories", 0);
}

/* The temporary leads to a device that is always full. */
static void test_full_device(void)
{
    bp_net *net = small_net();
    file old, now;
    struct stat info;
    small_file(&old, REAL);
    spit(PATH, old.bytes, old.size);
    if (stat("/dev/full", &info) != 0 || !S_ISCHR(info.st_mode) ||
        symlink("/dev/full", PATH ".tmp") != 0) {
        SKIP("no /dev/full");
    } else {
        net->parameters[0] = 1;
        CHECK(bp_save(net, PATH) == BP_IO_ERROR, "a full device");
        slurp(&now, PATH);
        CHECK_BYTES(now.bytes, old.bytes, old.size, "a full device");
        remove(PATH ".tmp");
    }
    bp_free(net);
    check_tidy("a full device", 0);
}

/* The limit on the size of a file is a disk that fills up at a known byte. Nothing is printed
 * while it is in force, because it holds for the log as well. */
static void test_full_disk(void)
{
    static const int sizes[] = { 100, 60, 10 };
    static const rlim_t limits[] = { 0, 1, 100, 4095, 4096, 4097, 20000 };
    struct rlimit unlimited, limit;
    file old, now;
    size_t i;
    bp_net *net;
    fault_reset(0, 0);
    net = bp_create(sizes, 3, 5);
    small_file(&old, REAL);
    getrlimit(RLIMIT_FSIZE, &unlimited);
    signal(SIGXFSZ, SIG_IGN);
    for (i = 0; i < sizeof limits / sizeof limits[0] && net != NULL; i++) {
        bp_status saved, exported;
        spit(PATH, old.bytes, old.size);
        spit(C_PATH, old.bytes, old.size);
        fflush(stdout);
        limit = unlimited;
        limit.rlim_cur = limits[i];
        setrlimit(RLIMIT_FSIZE, &limit);
        saved = bp_save(net, PATH);
        exported = bp_export_c(net, C_PATH, "n");
        setrlimit(RLIMIT_FSIZE, &unlimited);
        CHECK(saved == BP_IO_ERROR && exported == BP_IO_ERROR, "full at %lu: %s, %s",
              (unsigned long)limits[i], bp_status_string(saved), bp_status_string(exported));
        slurp(&now, PATH);
        CHECK_BYTES(now.bytes, old.bytes, old.size, "full at %lu", (unsigned long)limits[i]);
        slurp(&now, C_PATH);
        CHECK_BYTES(now.bytes, old.bytes, old.size, "full at %lu", (unsigned long)limits[i]);
        check_tidy("a full disk", 1);
    }
    signal(SIGXFSZ, SIG_DFL);
    bp_free(net);
}

/* Kills a process in the n-th call of bp_save, for every n: the file is the old one or the new. */
static void test_killed(void)
{
    bp_net *net = small_net();
    file old, wanted, now;
    unsigned long n;
    int status = 1;
    small_file(&old, REAL);
    net->parameters[0] = 99;
    wanted.size = bp_encode(net, wanted.bytes, sizeof wanted.bytes);
    for (n = 1; n < 1000; n++) {
        pid_t child;
        spit(PATH, old.bytes, old.size);
        fflush(stdout);
        child = fork();
        if (child == 0) {
            fault_reset(n, 0);
            fault.die = 1;
            _exit(bp_save(net, PATH) != BP_OK);
        }
        if (child < 0 || waitpid(child, &status, 0) != child) break;
        slurp(&now, PATH);
        CHECK(now.size == old.size && (memcmp(now.bytes, old.bytes, old.size) == 0 ||
                                       memcmp(now.bytes, wanted.bytes, old.size) == 0),
              "killed in call %lu: the file is neither the old nor the new", n);
        remove(PATH ".tmp");
        if (!WIFSIGNALED(status)) break;
    }
    CHECK(status == 0 && n > 4, "status %d after %lu calls", status, n);
    CHECK_BYTES(now.bytes, wanted.bytes, wanted.size, "not killed");
    bp_free(net);
}

/* A pipe has no size to ask for, and this one has no end either: a small network, then zeros. */
static void test_endless_pipe(void)
{
    pid_t child;
    file f;
    small_file(&f, REAL);
    remove(DIR_NAME ".pipe");
    if (mkfifo(DIR_NAME ".pipe", 0600) != 0 || (fflush(stdout), child = fork()) < 0) {
        SKIP("no named pipe");
        return;
    }
    if (child == 0) {
        FILE *out = fopen(DIR_NAME ".pipe", "wb");
        if (out == NULL) _exit(1);
        signal(SIGPIPE, SIG_DFL);
        fwrite(f.bytes, 1, f.size, out);
        for (;;)
            if (putc(0, out) == EOF) _exit(0);
    }
    check_load(DIR_NAME ".pipe", BP_BAD_FILE, "a pipe without end");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    remove(DIR_NAME ".pipe");
}

static void test_systems(void)
{
    test_directories();
    test_full_device();
    test_full_disk();
    test_killed();
    test_endless_pipe();
}
#else
static void test_systems(void)
{
    SKIP("directories, full disks and kills need POSIX");
}
#endif

/* ---- names and locales ---- */

static void test_names(void)
{
    static const char *const bad[] = { "",     " ",      "1net", "my net", "net-1", "net.x", "n\n",
                                       "int",  "static", "double", "n(",   "\xC3\xA4", "for",
                                       "inline", "restrict", "_Bool", "void", "while", "sizeof",
                                       "n{" };
    static const char *const good[] = { "n", "digits", "_net", "net_1", "N", "intern", "in" };
    bp_net *net = small_net();
    file old, now;
    size_t i;
    small_file(&old, REAL);
    spit(C_PATH, old.bytes, old.size);
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        bp_status status = bp_export_c(net, C_PATH, bad[i]);
        CHECK(status == BP_INVALID_ARGUMENT, "\"%s\": %s", bad[i], bp_status_string(status));
        slurp(&now, C_PATH);
        CHECK_BYTES(now.bytes, old.bytes, old.size, "\"%s\"", bad[i]);
    }
    for (i = 0; i < sizeof good / sizeof good[0]; i++) {
        bp_status status = bp_export_c(net, C_PATH, good[i]);
        CHECK(status == BP_OK, "\"%s\": %s", good[i], bp_status_string(status));
        check_tidy(good[i], 1);
    }
    bp_free(net);
}

/* What rounds products on their own is exported so that no compiler fuses them, and the rest so
 * that none rounds twice. */
static void test_arithmetic(void)
{
    bp_net *net = small_net();
    int fused;
    for (fused = 0; fused < 2; fused++) {
        bpi_kernels kernels = *net->kernels;
        const bpi_kernels *before = net->kernels;
        file f;
        kernels.fused = fused;
        net->kernels = &kernels;
        CHECK(bp_export_c(net, C_PATH, "n") == BP_OK, "export");
        net->kernels = before;
        slurp(&f, C_PATH);
        f.bytes[f.size] = 0;
        CHECK((strstr((const char *)f.bytes, "volatile") == NULL) == fused, "fused: %d", fused);
        CHECK((strstr((const char *)f.bytes, "odd_sum") != NULL) == fused, "fused: %d", fused);
    }
    bp_free(net);
}

/* A locale that writes 0,5 for a half, if there is one here. */
static int set_comma_locale(void)
{
    static const char *const names[] = { "de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8",
                                         "fr_FR.utf8",  "de-DE",      "German" };
    size_t i;
    for (i = 0; i < sizeof names / sizeof names[0]; i++)
        if (setlocale(LC_ALL, names[i]) != NULL && *localeconv()->decimal_point == ',') return 1;
    return 0;
}

static void test_locale(void)
{
    bp_net *net = small_net();
    static file before, after;
    bp_export_c(net, C_PATH, "n");
    slurp(&before, C_PATH);
    CHECK(before.size > 0 && before.size < CAPACITY, "%lu bytes", (unsigned long)before.size);
    if (set_comma_locale()) {
        bp_net *other = NULL;
        CHECK(bp_export_c(net, C_PATH, "n") == BP_OK, "export");
        slurp(&after, C_PATH);
        CHECK(after.size == before.size, "%lu bytes", (unsigned long)after.size);
        CHECK_BYTES(after.bytes, before.bytes, before.size, "exported");
        CHECK(bp_save(net, PATH) == BP_OK && bp_load(&other, PATH) == BP_OK, "save and load");
        if (other != NULL) check_same(other, net, "under another locale");
        bp_free(other);
        setlocale(LC_ALL, "C");
    } else {
        SKIP("no locale with a decimal comma");
    }
    bp_free(net);
    check_tidy("locale", 0);
}

int main(void)
{
    io_use_all();
    remove(PATH ".tmp");
    remove(C_PATH ".tmp");
    test_round_trip();
    test_layout();
    test_invalid_arguments();
    test_not_finite();
    test_truncations();
    test_changed_bytes();
    test_hostile_fields();
    test_hostile_sizes();
    test_hostile_parameters();
    test_hostile_load();
    test_other_precision();
    test_failing_calls();
    test_failing_creation();
    test_paths();
    test_systems();
    test_names();
    test_arithmetic();
    test_locale();
    remove(PATH);
    remove(C_PATH);
    return check_report("files");
}
