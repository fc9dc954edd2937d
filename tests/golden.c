/* golden.c - the bits of a training run, to hold one build or machine against another
 *
 *     golden                  compares with the hashes below
 *     golden all              prints the hashes instead, as the table wants them
 *     golden [all] avx2 3     with an instruction set, with so many threads
 *     golden write TO         trains a network, saves it as TO and exports it as TO.c
 *     golden read FROM TO     the same with the network in the file FROM
 *
 * Trains small networks on data made here out of integers, and hashes all the bits that come of
 * it. test_golden.sh and matrix.sh run it for every compiler, option and processor there is. */
#define BACKPROP_IMPLEMENTATION
#include "backprop.h"
#include "tests/check.h"
#include <stdlib.h>
#include <string.h>

enum { SIZES_MAX = 5, REALS_MAX = 270 * 500, USED = 40 };

/* The hash of the parameters after training, and that of the outputs, the cost and the gradient
 * which the network then gives. */
typedef struct hashes {
    uint64_t parameters, results;
} hashes;

typedef struct run {
    const char *name;
    int sizes[SIZES_MAX]; /* up to the first 0 */
    int digits;           /* data like scanned digits, mostly zero; else dense */
    size_t count, batch_size;
    int in_order, epochs;
    double learning_rate;
    hashes expected;
} run;

#ifdef BACKPROP_DOUBLE
#define EXPECTED(float_parameters, float_results, parameters, results) { parameters, results }
#else
#define EXPECTED(parameters, results, double_parameters, double_results) { parameters, results }
#endif

static const run runs[] = {
    { "2-3-1, one at a time", { 2, 3, 1 }, 0, 16, 1, 0, 60, 4,
      EXPECTED(0xed3476be6e92c36a, 0x3d81e91b179b4872,
               0x8ee0cf161ef66a5d, 0x618a4353ad22f2fc) },
    { "2-3-1, batches of 5", { 2, 3, 1 }, 0, 16, 5, 1, 60, 4,
      EXPECTED(0xe4e0b679c7231f54, 0xe27f0cba03f0ccd2,
               0xcf87ff84aee72833, 0x6dc4f4c994bcc29d) },
    { "17-1, batches of 3", { 17, 1 }, 0, 50, 3, 0, 8, 2,
      EXPECTED(0x11c9d98b3867ff95, 0xe96ce4f8a7bf7c9f,
               0xf31b4780e49113c8, 0x4192f88bd08e9bf4) },
    { "30-17-5, one at a time, in order", { 30, 17, 5 }, 0, 60, 1, 1, 3, 2.5,
      EXPECTED(0x003a4f55dd1d68fe, 0xac3cba4ca3e552a0,
               0x00c9e3283c5de805, 0x694da1414de891a3) },
    { "30-17-5, batches of 10", { 30, 17, 5 }, 0, 60, 10, 0, 5, 5,
      EXPECTED(0x87d79807564e6011, 0xc28126b704b40f2d,
               0x15c4b27b619a740d, 0xbd4cb9a639336f33) },
    { "30-17-5, the whole set", { 30, 17, 5 }, 0, 60, 0, 1, 9, 15,
      EXPECTED(0x91b84dc142665846, 0x38e5af9b25957916,
               0xb8302c13721769ef, 0x0fe9e5895ce3e598) },
    { "123-77-31-5, one at a time", { 123, 77, 31, 5 }, 0, 40, 1, 0, 2, 2,
      EXPECTED(0xf889e0318e7d4d2f, 0x8b6b27cb6a9c8c33,
               0x8681bf848cbd84bf, 0x7293641656bb435d) },
    { "123-77-31-5, batches of 32", { 123, 77, 31, 5 }, 0, 75, 32, 1, 2, 5,
      EXPECTED(0xa51051904ab36223, 0x6e653f84be8a65af,
               0xe27bde6e16fcf970, 0x0b21f5c288a4598a) },
    { "300-200-10, batches of 12", { 300, 200, 10 }, 0, 12, 12, 0, 1, 5,
      EXPECTED(0xce90a20c917cc39f, 0x91563a5e8fe3dd72,
               0xd4e269f1d9ab9ac5, 0x5c6ab8d5f94d6ae5) },
    { "40-800-3, batches of 70", { 40, 800, 3 }, 0, 70, 70, 0, 1, 5,
      EXPECTED(0x3a1ee6337e7a1581, 0xb367ab23446b1712,
               0x1d95e4ee9ddf8bd4, 0x99953317fa1f34f4) },
    { "1024-24-3, batches of 13", { 1024, 24, 3 }, 0, 20, 13, 0, 2, 3,
      EXPECTED(0x541914d73cecc98d, 0x0c3a361e89850666,
               0x15456d1074d4b1f1, 0x5a1df78fec607819) },
    { "784-30-10, one at a time", { 784, 30, 10 }, 1, 30, 1, 0, 1, 3,
      EXPECTED(0x891f06d91f90f767, 0x5419a503d3f2dbdf,
               0x0d0a69e73bebc6e9, 0x01878b31559c8398) },
    { "784-30-10, batches of 10", { 784, 30, 10 }, 1, 40, 10, 0, 1, 30,
      EXPECTED(0xfc218c7736093366, 0x380fc1b5262b26b1,
               0x0d4d50873db3d58c, 0x2aa49976f6e74541) },
    { "784-30-10, batches of 32", { 784, 30, 10 }, 1, 32, 32, 1, 2, 30,
      EXPECTED(0x5430489d8fb60a78, 0xcebc95d9efee3018,
               0x5a72fd407b2d1bed, 0x943766e4206fa89b) },
    { "500-24-10, batches of 256", { 500, 24, 10 }, 1, 270, 256, 0, 1, 30,
      EXPECTED(0x920bfc23b80c7910, 0x21897746f6508d1a,
               0xe570eecdf7e87673, 0x407e8823e088ab9a) },
    { "500-24-10, the whole set", { 500, 24, 10 }, 0, 270, 0, 1, 1, 30,
      EXPECTED(0x7b41573405fc371c, 0x2eee4d3828723cee,
               0x18a92fd994f3dfec, 0xdb07932d03abb1e7) },
};

static const char *simd; /* NULL: the fastest */
static int threads = 1;
static bp_real x[REALS_MAX], y[REALS_MAX], outputs[REALS_MAX];

/* ---- data: every number is an integer over a power of two ---- */

static unsigned draw(uint64_t *state, unsigned below)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*state >> 33) % below;
}

static void make_dense(bp_real *values, size_t count, uint64_t *state)
{
    size_t i;
    for (i = 0; i < count; i++)
        values[i] = (bp_real)((int)draw(state, 1 << 16) - (1 << 15)) / (bp_real)(1 << 15);
}

/* Bars of grey on black in rows of 28. */
static void make_digit(bp_real *pixels, size_t count, uint64_t *state)
{
    size_t bar, i;
    for (i = 0; i < count; i++)
        pixels[i] = 0;
    for (bar = 0; bar < 4; bar++) {
        const size_t width = draw(state, 5) + 1, height = draw(state, 12) + 1;
        const size_t start = draw(state, 10) * 28 + draw(state, 16) + 56;
        for (i = 0; i < width * height; i++) {
            const size_t at = start + i / width * 28 + i % width;
            if (at < count)
                pixels[at] = (bp_real)(draw(state, 255) + 1) / 256;
        }
    }
}

static void make_examples(const run *r, size_t n_0, size_t n_L)
{
    uint64_t state = n_0;
    size_t e, j;
    for (e = 0; e < r->count; e++) {
        const size_t digit = draw(&state, 10) % n_L;
        if (r->digits)
            make_digit(x + e * n_0, n_0, &state);
        else
            make_dense(x + e * n_0, n_0, &state);
        for (j = 0; j < n_L; j++)
            y[e * n_L + j] = r->digits ? j == digit : (bp_real)draw(&state, 257) / 256;
    }
}

/* ---- hashes: FNV-1a, 64 bits, of numbers taken low byte first, whatever the machine does ---- */

static void take(uint64_t *hash, uint64_t bits, int bytes)
{
    for (; bytes > 0; bytes--, bits >>= 8)
        *hash = (*hash ^ (bits & 0xff)) * 1099511628211u;
}

static void take_reals(uint64_t *hash, const bp_real *values, size_t count)
{
    size_t i;
    for (i = 0; i < count; i++)
        take(hash, (uint64_t)bpi_to_bits(values[i]), (int)sizeof(bp_real));
}

static void take_double(uint64_t *hash, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    take(hash, bits, 8);
}

/* ---- runs ---- */

/* Adds each epoch's cost to the hash. */
static int on_progress(void *user, const bp_progress *progress)
{
    take_double((uint64_t *)user, progress->cost);
    return 0;
}

static bp_status train(const run *r, bp_net *net, const bp_data *data, hashes *made)
{
    bp_training training;
    bp_status status;
    memset(&training, 0, sizeof training);
    training.epochs = r->epochs;
    training.batch_size = r->batch_size;
    training.learning_rate = r->learning_rate;
    training.seed = 11;
    training.in_order = r->in_order;
    training.threads = threads;
    training.on_progress = on_progress;
    training.user = &made->results;
    status = bp_train(net, data, &training);
    take_reals(&made->parameters, net->parameters, net->parameter_count);
    return status;
}

/* All that can be asked of a network, about the first few examples. */
static bp_status use(const bp_net *net, const bp_data *data, hashes *made)
{
    bp_real *gradient = (bp_real *)malloc(net->parameter_count * sizeof(bp_real));
    const size_t n_L = (size_t)net->layers[net->layer_count - 1].outputs;
    bp_evaluation evaluation = { 0, 0, 0 };
    double cost = 0;
    bp_status status = gradient ? bp_gradient(net, data, gradient, &cost) : BP_OUT_OF_MEMORY;
    if (status == BP_OK)
        status = bp_predict(net, x, data->count, outputs);
    if (status == BP_OK)
        status = bp_evaluate(net, data, &evaluation);
    if (status == BP_OK) {
        take_reals(&made->results, outputs, data->count * n_L);
        take_reals(&made->results, gradient, net->parameter_count);
        take_double(&made->results, cost);
        take_double(&made->results, evaluation.cost);
        take(&made->results, evaluation.correct, 8);
    }
    free(gradient);
    return status;
}

static hashes perform(const run *r)
{
    const uint64_t start = 14695981039346656037u;
    hashes made = { start, start };
    bp_data data = { 0, x, y, NULL, NULL };
    bp_status status;
    bp_net *net;
    int sizes = 0;
    while (sizes < SIZES_MAX && r->sizes[sizes])
        sizes++;
    data.count = r->count;
    make_examples(r, (size_t)r->sizes[0], (size_t)r->sizes[sizes - 1]);
    net = bp_create(r->sizes, sizes, 5);
    status = bp_use_simd(net, simd);
    if (status == BP_OK)
        status = train(r, net, &data, &made);
    if (data.count > USED)
        data.count = USED;
    if (status == BP_OK)
        status = use(net, &data, &made);
    CHECK(status == BP_OK, "%s: %s", r->name, bp_status_string(status));
    bp_free(net);
    return made;
}

/* ---- files ---- */

/* A trained network, to which are added numbers that are hard to write and to round. */
static bp_status make_net(bp_net **net)
{
    static const double hard[] = { -0.0, 1e-40, 1e38, 1.0 / 3 };
    const run *r = &runs[4];
    bp_data data = { 0, x, y, NULL, NULL };
    hashes unused = { 0, 0 };
    bp_status status;
    size_t i;
    data.count = r->count;
    make_examples(r, (size_t)r->sizes[0], (size_t)r->sizes[2]);
    *net = bp_create(r->sizes, 3, 5);
    status = train(r, *net, &data, &unused);
    for (i = 0; status == BP_OK && i < sizeof hard / sizeof *hard; i++)
        (*net)->parameters[i] = (bp_real)hard[i];
    return status;
}

/* Writes the network of a file, or without one that of make_net. */
static int keep(const char *from, const char *to)
{
    const size_t length = strlen(to);
    char *to_c = (char *)malloc(length + 3);
    bp_net *net = NULL;
    bp_status status = from ? bp_load(&net, from) : make_net(&net);
    CHECK(status == BP_OK, "%s: %s", from ? from : "training", bp_status_string(status));
    status = bp_save(net, to);
    CHECK(status == BP_OK, "%s: %s", to, bp_status_string(status));
    if (to_c) {
        memcpy(to_c, to, length);
        memcpy(to_c + length, ".c", 3);
    }
    status = bp_export_c(net, to_c, "golden");
    CHECK(status == BP_OK, "%s.c: %s", to, bp_status_string(status));
    bp_free(net);
    free(to_c);
    return check_report("golden");
}

/* ---- output ---- */

static char *hexadecimal(uint64_t value, char *text)
{
    sprintf(text, "%08lx%08lx", (unsigned long)(value >> 32),
            (unsigned long)(value & 0xffffffffu));
    return text;
}

static void compare(const run *r, uint64_t got, uint64_t want, const char *what)
{
    char text[2][20];
    CHECK(got == want, "%s: the hash of the %s is %s, expected %s", r->name, what,
          hexadecimal(got, text[0]), hexadecimal(want, text[1]));
}

/* Takes the arguments; 0 if there is nothing to compare here. */
static int understand(int argc, char **argv, int *all)
{
    static const int sizes[] = { 1, 1 };
    bp_net *net = bp_create(sizes, 2, 1);
    int i, found;
    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "all") == 0)
            *all = 1;
        else if (strtol(argv[i], NULL, 10) > 0)
            threads = (int)strtol(argv[i], NULL, 10);
        else
            simd = argv[i];
    }
    found = bp_use_simd(net, simd) == BP_OK;
    if (!found)
        SKIP("this machine or build lacks the instruction set asked for");
    else if (!*all && !bpi_kernels_of(net)->fused) {
        SKIP("no fused multiply-add and no BACKPROP_EXACT: other bits are allowed");
        found = 0;
    }
    bp_free(net);
    return found;
}

int main(int argc, char **argv)
{
    char text[2][20];
    int all = 0;
    size_t i;
    if (argc > 2 && strcmp(argv[1], "write") == 0)
        return keep(NULL, argv[2]);
    if (argc > 3 && strcmp(argv[1], "read") == 0)
        return keep(argv[2], argv[3]);
    if (!understand(argc, argv, &all))
        return check_report("golden");
    for (i = 0; i < sizeof runs / sizeof *runs; i++) {
        const hashes made = perform(&runs[i]);
        if (all) {
            printf("%-32s 0x%s 0x%s\n", runs[i].name, hexadecimal(made.parameters, text[0]),
                   hexadecimal(made.results, text[1]));
        } else {
            compare(&runs[i], made.parameters, runs[i].expected.parameters, "parameters");
            compare(&runs[i], made.results, runs[i].expected.results, "results");
        }
    }
    return check_report("golden");
}
