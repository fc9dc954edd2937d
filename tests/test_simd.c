/* test_simd.c - every instruction set of this machine gives the same bits
 *
 * The same calls on the same data with each set in turn. Sets that round a multiply-add once must
 * agree, and so must those that round it twice. Shapes have every remainder; data have the zeros
 * that kernels leave out; and all memory either ends where an allocation ends, for the address
 * sanitizer, or lies between guards that are not numbers: what is read there shows in a result. */
#define BACKPROP_IMPLEMENTATION
#include "backprop.h"
#include "tests/check.h"
#include <stdlib.h>
#include <string.h>

enum { SETS_MAX = 6, LAYERS_MAX = 10, GUARD = 16 };

static const char *sets[SETS_MAX];
static int set_count;

/* ---- memory ---- */

/* count numbers, none of them set: with shift 0 up to the end of an allocation, else between
 * guards, and off any alignment but a number's. */
typedef struct block {
    bp_real *memory, *at;
    size_t count;
    int shift;
} block;

static block block_create(size_t count, int shift)
{
    const size_t before = shift ? GUARD + (size_t)shift : 0, after = shift ? GUARD : 0;
    const size_t size = (before + count + after) * sizeof(bp_real);
    block b;
    b.memory = (bp_real *)malloc(size);
    if (b.memory == NULL)
        abort();
    memset(b.memory, 0xff, size);
    b.at = b.memory + before;
    b.count = count;
    b.shift = shift;
    return b;
}

static int is_untouched(const bp_real *guard, size_t count)
{
    const unsigned char *byte = (const unsigned char *)guard;
    size_t i;
    for (i = 0; i < count * sizeof(bp_real); i++)
        if (byte[i] != 0xff)
            return 0;
    return 1;
}

static void block_free(block *b, const char *what)
{
    if (b->shift)
        CHECK(is_untouched(b->memory, (size_t)(b->at - b->memory)) &&
                  is_untouched(b->at + b->count, GUARD),
              "%s: written outside", what);
    free(b->memory);
}

/* ---- data ---- */

enum { DENSE, BLOCKS, NEGATIVE_ZEROS, SINGLE, ZEROS, DIGITS, MIXED, KINDS };
static const char *const kind_names[] = { "dense",  "blocks of zeros", "zeros of both signs",
                                          "single", "all zeros",       "digits", "mixed" };

static uint64_t state;

static unsigned draw(unsigned below)
{
    return (unsigned)(bpi_random(&state) >> 32) % below;
}

static bp_real draw_real(void)
{
    return (bp_real)((int)draw(1 << 16) - (1 << 15)) / (bp_real)(1 << 15);
}

static void make_row(bp_real *row, size_t n, int kind)
{
    const size_t one = draw((unsigned)n);
    unsigned nonzero = 0;
    size_t k;
    for (k = 0; k < n; k++) {
        if (k % BPI_LANES == 0 || (kind == DIGITS && draw(8) == 0))
            nonzero = draw(4) == 0;
        row[k] = kind == NEGATIVE_ZEROS && draw(2) ? -(bp_real)0 : 0;
        if (kind == DENSE || (kind == SINGLE && k == one) ||
            ((kind == BLOCKS || kind == NEGATIVE_ZEROS) && nonzero) ||
            (kind == DIGITS && nonzero && k % 28 > 4 && k % 28 < 24))
            row[k] = draw_real();
    }
}

typedef struct examples {
    size_t count, n_0, n_L;
    block x, y;
} examples;

static examples make_examples(size_t count, int n_0, int n_L, int kind, int shift)
{
    examples e;
    size_t i;
    e.count = count;
    e.n_0 = (size_t)n_0;
    e.n_L = (size_t)n_L;
    e.x = block_create(count * e.n_0, shift);
    e.y = block_create(count * e.n_L, shift);
    for (i = 0; i < count; i++)
        make_row(e.x.at + i * e.n_0, e.n_0, kind == MIXED ? (int)draw(MIXED) : kind);
    for (i = 0; i < count * e.n_L; i++)
        e.y.at[i] = (bp_real)draw(257) / 256;
    return e;
}

static bp_status fetch(void *user, const size_t *indices, size_t n, bp_real *inputs,
                       bp_real *targets)
{
    const examples *e = (const examples *)user;
    size_t i;
    for (i = 0; i < n; i++) {
        memcpy(inputs + i * e->n_0, e->x.at + indices[i] * e->n_0, e->n_0 * sizeof(bp_real));
        memcpy(targets + i * e->n_L, e->y.at + indices[i] * e->n_L, e->n_L * sizeof(bp_real));
    }
    return BP_OK;
}

/* ---- networks whose parameters lie in a block ---- */

typedef struct placed {
    bp_net net;
    bp_layer layers[LAYERS_MAX];
    block parameters;
} placed;

static void place(placed *p, const bp_net *model, const char *set, int shift)
{
    int l;
    p->net = *model;
    p->parameters = block_create(model->parameter_count, shift);
    p->net.layers = p->layers;
    p->net.parameters = p->parameters.at;
    memcpy(p->net.parameters, model->parameters, model->parameter_count * sizeof(bp_real));
    for (l = 0; l < model->layer_count; l++) {
        p->layers[l] = model->layers[l];
        p->layers[l].weights = p->net.parameters + (model->layers[l].weights - model->parameters);
        p->layers[l].biases = p->net.parameters + (model->layers[l].biases - model->parameters);
    }
    CHECK(bp_use_simd(&p->net, set) == BP_OK, "%s", set);
}

/* ---- calls ---- */

typedef enum call { PREDICT, GRADIENT, TRAIN, BY_HAND } call;
static const char *const call_names[] = { "predict", "gradient", "train", "train by hand" };

typedef struct job {
    const bp_net *model;
    examples *data;
    call what;
    size_t batch_size;
    int shuffled, fetching, shift;
    const char *title;
} job;

static void train_by_hand(bp_net *net, const job *j, double rate)
{
    const size_t batch = j->batch_size ? j->batch_size : j->data->count;
    block gradient = block_create(net->parameter_count, j->shift);
    size_t seen;
    for (seen = 0; seen < j->data->count; seen += batch) {
        bp_data data = { 0, NULL, NULL, NULL, NULL };
        data.count = bpi_min(batch, j->data->count - seen);
        data.inputs = j->data->x.at + seen * j->data->n_0;
        data.targets = j->data->y.at + seen * j->data->n_L;
        CHECK(bp_gradient(net, &data, gradient.at, NULL) == BP_OK, "%s", j->title);
        bp_update(net, gradient.at, rate);
    }
    block_free(&gradient, j->title);
}

static bp_status train(bp_net *net, const job *j, const bp_data *data, double rate)
{
    bp_training training;
    bp_status status;
    size_t need;
    void *workspace;
    memset(&training, 0, sizeof training);
    training.epochs = 1;
    training.batch_size = j->batch_size;
    training.learning_rate = rate;
    training.seed = 3;
    training.in_order = !j->shuffled;
    training.threads = 1;
    need = bp_workspace_size(net, data, &training);
    workspace = malloc(need);
    status = bp_train_in(net, data, &training, workspace, need);
    free(workspace);
    return status;
}

/* The same of every example in a call of its own, one way and the other. */
static void check_alone(const placed *p, const job *j, const block *outputs)
{
    const size_t n_0 = j->data->n_0, n_L = j->data->n_L;
    const size_t need = bp_workspace_size(&p->net, NULL, NULL);
    void *workspace = malloc(need);
    size_t i;
    for (i = 0; i < j->data->count && i < 9; i++) {
        block alone = block_create(n_L, j->shift), x = block_create(n_0, j->shift);
        bp_status status;
        memcpy(x.at, j->data->x.at + i * n_0, n_0 * sizeof(bp_real));
        status = i % 2 ? bp_predict(&p->net, x.at, 1, alone.at)
                       : bp_predict_in(&p->net, x.at, 1, alone.at, workspace, need);
        CHECK(status == BP_OK, "%s", j->title);
        CHECK_BYTES(alone.at, outputs->at + i * n_L, n_L * sizeof(bp_real),
                    "%s: example %zu alone, %s", j->title, i, bp_simd(&p->net));
        block_free(&alone, j->title);
        block_free(&x, j->title);
    }
    free(workspace);
}

/* Does the job with one set; what came of it is in the block. */
static block perform(const job *j, const char *set)
{
    bp_data data = { 0, NULL, NULL, NULL, NULL };
    const double rate = 1.5 * (double)j->data->n_L;
    bp_status status = BP_OK;
    block result;
    placed p;
    data.count = j->data->count;
    data.inputs = j->fetching ? NULL : j->data->x.at;
    data.targets = j->fetching ? NULL : j->data->y.at;
    data.fetch = fetch;
    data.user = j->data;
    place(&p, j->model, set, j->shift);
    if (j->what == PREDICT) {
        result = block_create(j->data->count * j->data->n_L, j->shift);
        status = bp_predict(&p.net, j->data->x.at, j->data->count, result.at);
        check_alone(&p, j, &result);
    } else if (j->what == GRADIENT) {
        result = block_create(p.net.parameter_count, j->shift);
        status = bp_gradient(&p.net, &data, result.at, NULL);
    } else if (j->what == TRAIN) {
        status = train(&p.net, j, &data, rate);
    } else {
        train_by_hand(&p.net, j, rate);
    }
    CHECK(status == BP_OK, "%s: %s", j->title, bp_status_string(status));
    if (j->what == TRAIN || j->what == BY_HAND)
        result = p.parameters;
    else
        block_free(&p.parameters, j->title);
    return result;
}

static int is_fused(const char *set)
{
    return bpi_find_kernels(set)->fused;
}

/* The same job with every set; against the first of its kind. */
static void compare(job *j)
{
    block results[SETS_MAX];
    int s, first;
    for (s = 0; s < set_count; s++) {
        results[s] = perform(j, sets[s]);
        for (first = 0; is_fused(sets[first]) != is_fused(sets[s]);)
            first++;
        if (first < s)
            CHECK_BYTES(results[s].at, results[first].at, results[s].count * sizeof(bp_real),
                        "%s, %zu examples, %s, batches of %zu, %s%s: %s against %s", j->title,
                        j->data->count, call_names[j->what], j->batch_size,
                        j->shuffled ? "shuffled" : "in order", j->fetching ? ", fetched" : "",
                        sets[s], sets[first]);
        if (j->what == TRAIN && !j->shuffled && !j->fetching) {
            job hand = *j;
            block by_hand;
            hand.what = BY_HAND;
            by_hand = perform(&hand, sets[s]);
            CHECK_BYTES(results[s].at, by_hand.at, by_hand.count * sizeof(bp_real),
                        "%s, %zu examples, batches of %zu: %s against its steps by hand", j->title,
                        j->data->count, j->batch_size, sets[s]);
            block_free(&by_hand, j->title);
        }
    }
    for (s = 0; s < set_count; s++)
        block_free(&results[s], j->title);
}

/* ---- shapes ---- */

/* Biases too are random, so that no output is like another. */
static bp_net *make_net(const int *sizes, int size_count)
{
    bp_net *net = bp_create(sizes, size_count, 9);
    int l, i;
    if (net == NULL)
        abort();
    for (l = 0; l < net->layer_count; l++)
        for (i = 0; i < net->layers[l].outputs; i++)
            net->layers[l].biases[i] = draw_real();
    return net;
}

static void describe(char *title, const int *sizes, int size_count, int kind)
{
    int i;
    for (i = 0; i < size_count; i++)
        title += sprintf(title, i ? "-%d" : "%d", sizes[i]);
    sprintf(title, ", %s", kind_names[kind]);
}

/* All calls on count examples; training in one order for even, in the other for odd batches. */
static void test_net(const int *sizes, int size_count, int kind, size_t count,
                     const size_t *batches)
{
    static int shift;
    char title[80];
    bp_net *net = make_net(sizes, size_count);
    examples data;
    job j;
    shift = (shift + 1) % 4;
    describe(title, sizes, size_count, kind);
    data = make_examples(count, sizes[0], sizes[size_count - 1], kind, shift);
    memset(&j, 0, sizeof j);
    j.model = net;
    j.data = &data;
    j.shift = shift;
    j.title = title;
    j.what = PREDICT;
    compare(&j);
    j.what = GRADIENT;
    compare(&j);
    j.what = TRAIN;
    for (; *batches; batches++) {
        j.batch_size = *batches <= count ? *batches : 0;
        j.shuffled = 0;
        j.fetching = kind % 2;
        compare(&j);
        j.shuffled = 1;
        j.fetching = !j.fetching;
        compare(&j);
        if (j.batch_size == 0)
            break;
    }
    block_free(&data.x, title);
    block_free(&data.y, title);
    bp_free(net);
}

static void test_remainders(void)
{
    static const int outputs[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 24, 25, 30, 100 };
    static const size_t one[] = { 1, 0 }, seven[] = { 7, 0 };
    int inputs, kind = 0;
    size_t i;
    for (inputs = 1; inputs <= 66; inputs = inputs == 40 ? 63 : inputs + 1)
        for (i = 0; i < sizeof outputs / sizeof *outputs; i++) {
            int sizes[3];
            sizes[0] = inputs;
            sizes[1] = outputs[i];
            sizes[2] = inputs % 14 + 1;
            test_net(sizes, 3, kind++ % KINDS, 7, one);
            test_net(sizes, 2, kind++ % KINDS, 10 + i % 5, seven);
        }
}

/* Every number of rows that tiles are made of. */
static void test_rows(void)
{
    static const int sizes[][3] = { { 19, 5, 3 }, { 40, 13, 9 }, { 64, 30, 10 } };
    size_t count, s;
    for (count = 1; count <= 27; count++)
        for (s = 0; s < 3; s++) {
            size_t batches[] = { 1, 2, 0 };
            batches[1] = count;
            test_net(sizes[s], 3, (int)(count + s) % KINDS, count, batches);
        }
}

/* Few inputs, where neurons may stand side by side instead of inputs. */
static void test_few(void)
{
    static const int outputs[] = { 7, 13, 16, 33, 70, 130 };
    static const size_t batches[] = { 4, 5, 9, 22, 61, 0 }, large[] = { 256, 300, 0 };
    int sizes[3] = { 1, 1, 2 }, kind = 0;
    size_t i;
    for (; sizes[0] <= 34; sizes[0] += sizes[0] < 10 || sizes[0] > 30 ? 1 : 3)
        for (i = 0; i < sizeof outputs / sizeof *outputs; i++) {
            sizes[1] = outputs[i];
            test_net(sizes, 3, kind++ % KINDS, 61, batches);
        }
    for (sizes[0] = 1, sizes[1] = 40; sizes[0] < 9; sizes[0]++)
        test_net(sizes, 3, DENSE, 310, large);
}

/* BPI_ROWS is 256: batches around it, and one that is not a multiple. */
static void test_batches(void)
{
    static const size_t batches[] = { 1, 2, 3, 7, 10, 16, 32, 70, 256, 300, 1000, 0 };
    static const size_t few[] = { 1, 10, 32, 256, 300, 0 }, large[] = { 1, 5, 32, 0 };
    static const int xor[] = { 2, 3, 1 }, line[] = { 17, 1 }, small[] = { 5, 3 };
    static const int odd[] = { 123, 77, 31, 5 }, digits[] = { 784, 13, 10 };
    static const int wide[] = { 784, 30, 10 };
    int kind;
    for (kind = 0; kind < KINDS; kind++) {
        test_net(xor, 3, kind, 310, batches);
        test_net(line, 2, kind, 523, batches);
        test_net(small, 2, kind, 310, batches);
        test_net(odd, 4, kind, kind == BLOCKS ? 310 : 40, few);
        test_net(digits, 3, kind, kind == DIGITS ? 310 : 40, few);
        test_net(wide, 3, kind, 70, large);
    }
}

/* Networks whose layers one vector holds, and those just beyond, in width and in depth. */
static void test_tiny(void)
{
    static const size_t one[] = { 1, 0 };
    const int widest = BPI_LANES + 1;
    int sizes[LAYERS_MAX + 1], layers, kind = 0, i;
    for (sizes[0] = 1; sizes[0] <= widest; sizes[0]++)
        for (sizes[1] = 1; sizes[1] <= widest; sizes[1]++) {
            test_net(sizes, 2, kind++ % KINDS, 7, one);
            for (sizes[2] = 1; sizes[2] <= widest; sizes[2]++)
                test_net(sizes, 3, kind++ % KINDS, 7, one);
        }
    for (layers = 3; layers < LAYERS_MAX; layers++)
        for (kind = 0; kind < KINDS; kind++) {
            for (i = 0; i <= layers; i++)
                sizes[i] = (int)draw(BPI_LANES) + 1;
            test_net(sizes, layers + 1, kind, 7, one);
        }
    for (i = 0; i < 3; i++)
        sizes[i] = BPI_LANES;
    test_net(sizes, 3, DENSE, 600, one);
}

/* Layers of more weights than a cache holds, as first and as second: taken in groups of neurons, of
 * which the last is of two. And many examples for many neurons, of which some columns at a time are
 * packed, the last time no whole number of tiles. And rows of whole pages, which are copied apart,
 * or are too long for that. */
static void test_large(void)
{
    static const size_t batches[] = { 1, 13, 0 };
    static const int second[] = { 20, 1100, 258, 3 }, first[] = { 1100, 258, 3 };
    static const size_t many[] = { 70, 256, 300, 0 };
    static const int packed[] = { 300, 391, 3 };
    static const size_t some[] = { 1, 3, 7, 30, 0 };
    static const int paged[] = { 1024, 20, 3 }, hidden[] = { 5, 1024, 17 };
    static const int long_one[] = { 4096, 17, 2 };
    test_net(second, 4, DENSE, 70, batches);
    test_net(first, 3, BLOCKS, 20, batches + 1);
    test_net(packed, 3, DENSE, 300, many);
    test_net(packed, 3, DIGITS, 70, many);
    test_net(paged, 3, DENSE, 30, some);
    test_net(paged, 3, BLOCKS, 30, some);
    test_net(paged, 3, BLOCKS, 300, many);
    test_net(hidden, 3, DENSE, 30, some);
    test_net(long_one, 3, DENSE, 30, some + 2);
}

/* ---- the sigmoid, of anything ---- */

/* With no weights the pre-activations of a single layer are the biases. */
static void compare_sigmoid(const bp_net *net, const char *what)
{
    static const bp_real nothing[] = { 0, 0 };
    const size_t n = (size_t)bpi_outputs(net);
    block results[SETS_MAX], two = block_create(2 * n, 1);
    size_t i;
    int s, first;
    for (s = 0; s < set_count; s++) {
        placed p;
        place(&p, net, sets[s], 1);
        results[s] = block_create(n, 1);
        CHECK(bp_predict(&p.net, nothing, 1, results[s].at) == BP_OK, "%s", what);
        CHECK(bp_predict(&p.net, nothing, 2, two.at) == BP_OK, "%s", what);
        CHECK_BYTES(results[s].at, two.at, n * sizeof(bp_real), "%s, %s: one against two", what,
                    sets[s]);
        block_free(&p.parameters, what);
        for (first = 0; is_fused(sets[first]) != is_fused(sets[s]);)
            first++;
        CHECK_BYTES(results[s].at, results[first].at, n * sizeof(bp_real),
                    "sigmoid, %s: %s against %s", what, sets[s], sets[first]);
        for (i = 0; i < n && net->layer_count == 1; i++) {
            const bp_real z = net->layers[0].biases[i], a = results[s].at[i];
            if (z != z ? a == a : !(a >= 0 && a <= 1))
                CHECK(0, "%s: s(%g) = %g", sets[s], (double)z, (double)a);
        }
    }
    for (s = 0; s < set_count; s++)
        block_free(&results[s], what);
    block_free(&two, what);
}

static bp_real from_bits(uint64_t bits)
{
#ifdef BACKPROP_DOUBLE
    return bpi_from_bits((bpi_bits)bits);
#else
    return bpi_from_bits((bpi_bits)(bits >> 32));
#endif
}

/* In any layer of a tiny network, where what is not usual is left to the other kernels. */
static void test_tiny_sigmoid(void)
{
    static const int sizes[] = { 1, 3, 2, 4, 1 };
    static const bp_real unusual[] = { BPI_SIGMOID_ZERO - 1, BPI_SIGMOID_LOWEST - 1, -BPI_REAL_MAX,
                                       BPI_REAL_MAX };
    size_t k, u;
    int last;
    for (last = 2; last <= 4; last++) {
        bp_net *net = bp_create(sizes, last + 1, 1);
        if (net == NULL)
            abort();
        compare_sigmoid(net, "a tiny network");
        /* with so large weights even the smallest numbers show */
        for (k = 0; k < (size_t)net->layers[0].outputs; k++) {
            net->layers[0].biases[k] = BPI_SIGMOID_LOWEST - 1;
            net->layers[1].weights[k] = BPI_REAL_MAX / 8;
        }
        compare_sigmoid(net, "a tiny network of extremes");
        bp_randomize(net, 2);
        for (k = 0; k < net->parameter_count; k++) {
            const bp_real usual = net->parameters[k];
            for (u = 0; u < sizeof unusual / sizeof *unusual; u++) {
                net->parameters[k] = unusual[u];
                compare_sigmoid(net, "a tiny network with an unusual parameter");
            }
            /* infinities, and what is not a number */
            net->parameters[k] = BPI_REAL_MAX * 2;
            compare_sigmoid(net, "a tiny network with an infinity");
            net->parameters[k] = -BPI_REAL_MAX * 2;
            compare_sigmoid(net, "a tiny network with an infinity below 0");
            net->parameters[k] -= net->parameters[k];
            compare_sigmoid(net, "a tiny network with no number");
            net->parameters[k] = usual;
        }
        bp_free(net);
    }
}

static void test_sigmoid(void)
{
    enum { WIDTH = 4099, TURNS = 150 };
    static const int sizes[] = { 1, WIDTH };
    static const bp_real around[] = {
        0,  BPI_SIGMOID_ZERO, BPI_SIGMOID_LOWEST, BPI_SIGMOID_HIGHEST, 1, -1, BPI_REAL_MAX,
        -BPI_REAL_MAX, -37, 37, -104, -746
    };
    bp_net *net = bp_create(sizes, 2, 1);
    size_t i, turn;
    if (net == NULL)
        abort();
    memset(net->parameters, 0, net->parameter_count * sizeof(bp_real));
    /* bits counted up in even steps from a random place: all exponents and both signs */
    for (turn = 0; turn < TURNS; turn++) {
        const uint64_t from = bpi_random(&state), step = ~(uint64_t)0 / WIDTH;
        for (i = 0; i < WIDTH; i++)
            net->layers[0].biases[i] = from_bits(from + i * step);
        compare_sigmoid(net, "all numbers");
        /* most of all numbers are dull: these are not */
        for (i = 0; i < WIDTH; i++)
            net->layers[0].biases[i] = draw_real() * (bp_real)(turn + 1);
        compare_sigmoid(net, "moderate numbers");
    }
    /* where branches part, the smallest numbers, infinities and what is not a number */
    for (turn = 0; turn < sizeof around / sizeof *around; turn++) {
        for (i = 0; i < WIDTH; i++)
            net->layers[0].biases[i] =
                bpi_from_bits(bpi_to_bits(around[turn]) + (bpi_bits)i -
                              (around[turn] < 0 || around[turn] > 0 ? WIDTH / 2 : 0));
        compare_sigmoid(net, "numbers in a row");
    }
    bp_free(net);
}

/* ---- sets ---- */

static void find_sets(void)
{
    static const char *const names[] = { "plain", "sse2", "avx2", "avx512", "neon", "wasm" };
    static const int sizes[] = { 1, 1 };
    bp_net *net = bp_create(sizes, 2, 1);
    size_t i;
    for (i = 0; i < sizeof names / sizeof *names; i++) {
        const char *before = bp_simd(net);
        const bp_status status = bp_use_simd(net, names[i]);
        if (status == BP_OK)
            sets[set_count++] = names[i];
        else
            CHECK(status == BP_INVALID_ARGUMENT, "%s: %s", names[i], bp_status_string(status));
        CHECK(strcmp(bp_simd(net), status == BP_OK ? names[i] : before) == 0,
              "%s asked for, %s set", names[i], bp_simd(net));
    }
    CHECK(set_count > 0 && strcmp(sets[0], "plain") == 0, "no plain");
    CHECK(bp_use_simd(net, "AVX2") == BP_INVALID_ARGUMENT, "AVX2 taken for avx2");
    CHECK(bp_use_simd(net, "") == BP_INVALID_ARGUMENT, "a set without a name");
    CHECK(bp_use_simd(NULL, "plain") == BP_INVALID_ARGUMENT, "no network");
    CHECK(bp_simd(NULL) == NULL, "no network");
    CHECK(bp_use_simd(net, NULL) == BP_OK, "no fastest set");
    if (set_count == 1)
        SKIP("there is plain C only, nothing to compare it with");
    bp_free(net);
}

int main(void)
{
    find_sets();
    test_sigmoid();
    test_tiny_sigmoid();
    test_rows();
    test_few();
    test_batches();
    test_large();
    test_tiny();
    test_remainders();
    return check_report("simd");
}
