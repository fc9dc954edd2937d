/* test_train.c - bp_train does what its three modes say, to the bit
 *
 * Every run is made again by hand: bp_gradient and bp_update over the same batches, in the
 * order that a data source saw, up to the update that makes a parameter not finite. */
#include <assert.h>
#define BACKPROP_ASSERT(condition) assert(condition)
#define BACKPROP_IMPLEMENTATION
#include "backprop.h"
#include "tests/check.h"
#include "tests/reference.h"
#include <float.h>
#include <string.h>

#ifdef BACKPROP_DOUBLE
#define LARGEST DBL_MAX
#else
#define LARGEST ((double)FLT_MAX)
#endif

enum { INPUTS = 7, HIDDEN = 12, OUTPUTS = 3, COUNT_MAX = 700, EPOCHS_MAX = 6, CALLS_MAX = 4000 };

static const int sizes[] = { INPUTS, HIDDEN, OUTPUTS };
static bp_real x[COUNT_MAX * INPUTS], y[COUNT_MAX * OUTPUTS];

static int is_finite(double value)
{
    return value - value == 0;
}

static double magnitude(double value)
{
    return value < 0 ? -value : value;
}

static int all_finite(const bp_real *values, size_t count)
{
    while (count > 0 && is_finite((double)values[count - 1]))
        count--;
    return count == 0;
}

/* Examples of a smooth function, some inputs exactly zero. */
static void make_examples(void)
{
    uint64_t state = 3;
    int e, k, j;
    for (e = 0; e < COUNT_MAX; e++) {
        double sum = 0;
        for (k = 0; k < INPUTS; k++) {
            const double r = ref_random(&state);
            x[e * INPUTS + k] = (bp_real)(r < -0.5 ? 0 : r);
            sum += r * (k - 2);
        }
        for (j = 0; j < OUTPUTS; j++)
            y[e * OUTPUTS + j] = (bp_real)ref_sigmoid(sum * (j - 1));
    }
}

static bp_real *allocate(size_t count)
{
    bp_real *block = (bp_real *)malloc(count * sizeof(bp_real));
    if (block == NULL)
        abort();
    return block;
}

static bp_net *create(const int *widths, int count, uint64_t seed)
{
    bp_net *net = bp_create(widths, count, seed);
    if (net == NULL)
        abort();
    return net;
}

static bp_data matrices(size_t count)
{
    bp_data data = { 0, x, y, NULL, NULL };
    data.count = count;
    return data;
}

static bp_training settings(int epochs, size_t batch_size, double rate)
{
    bp_training training;
    memset(&training, 0, sizeof training);
    training.epochs = epochs;
    training.batch_size = batch_size;
    training.learning_rate = rate;
    return training;
}

/* ---- examples of any width, and a data source that copies them ---- */

typedef struct examples {
    const bp_real *x, *y;
    size_t n_0, n_L;
} examples;

static bp_status fetch_rows(void *user, const size_t *indices, size_t n, bp_real *inputs,
                            bp_real *targets)
{
    const examples *set = (const examples *)user;
    for (; n > 0; n--, indices++, inputs += set->n_0, targets += set->n_L) {
        memcpy(inputs, set->x + *indices * set->n_0, set->n_0 * sizeof(bp_real));
        memcpy(targets, set->y + *indices * set->n_L, set->n_L * sizeof(bp_real));
    }
    return BP_OK;
}

/* The examples as matrices, or fetched. */
static bp_data data_of(examples *set, size_t count, int fetched)
{
    bp_data data = { 0, NULL, NULL, fetch_rows, NULL };
    data.count = count;
    data.user = set;
    data.inputs = fetched ? NULL : set->x;
    data.targets = fetched ? NULL : set->y;
    return data;
}

/* ---- a data source that remembers ---- */

typedef struct source {
    size_t count, asked; /* asked: how many examples so far */
    size_t *order;       /* what it was asked for, in turn; COUNT_MAX * EPOCHS_MAX */
    size_t largest;      /* the most examples in one call */
    size_t fail_at;      /* the call that fails, counted from 1; 0: none */
    size_t calls;
    bp_status failure;
} source;

static bp_status fetch(void *user, const size_t *indices, size_t n, bp_real *inputs,
                       bp_real *targets)
{
    source *s = (source *)user;
    size_t i;
    s->calls++;
    if (s->calls == s->fail_at)
        return s->failure;
    if (n > s->largest)
        s->largest = n;
    for (i = 0; i < n; i++) {
        CHECK(indices[i] < s->count, "example %zu of %zu asked for", indices[i], s->count);
        if (s->asked < (size_t)COUNT_MAX * EPOCHS_MAX)
            s->order[s->asked++] = indices[i];
        memcpy(inputs + i * INPUTS, x + indices[i] * INPUTS, sizeof(bp_real) * INPUTS);
        memcpy(targets + i * OUTPUTS, y + indices[i] * OUTPUTS, sizeof(bp_real) * OUTPUTS);
    }
    return BP_OK;
}

static source source_create(size_t count)
{
    source s;
    memset(&s, 0, sizeof s);
    s.count = count;
    s.order = (size_t *)calloc((size_t)COUNT_MAX * EPOCHS_MAX, sizeof(size_t));
    if (s.order == NULL)
        abort();
    return s;
}

static bp_data from_source(source *s)
{
    bp_data data = { 0, NULL, NULL, fetch, NULL };
    data.count = s->count;
    data.user = s;
    return data;
}

static int is_permutation(const size_t *order, size_t count)
{
    static unsigned char seen[COUNT_MAX];
    size_t i;
    memset(seen, 0, sizeof seen);
    for (i = 0; i < count; i++) {
        if (order[i] >= count || seen[order[i]])
            return 0;
        seen[order[i]] = 1;
    }
    return 1;
}

/* ---- a callback that remembers, and may stop ---- */

typedef struct log {
    bp_progress calls[CALLS_MAX];
    uint64_t epochs_trained[CALLS_MAX];
    size_t count;
    size_t stop_at; /* the call that stops, counted from 1; 0: none */
} log;

static int on_progress(void *user, const bp_progress *progress)
{
    log *l = (log *)user;
    bp_real a[OUTPUTS];
    if (l->count < CALLS_MAX) {
        l->calls[l->count] = *progress;
        l->epochs_trained[l->count] = progress->net->epochs_trained;
    }
    /* Using the network here must do no harm. */
    CHECK(bp_predict(progress->net, x, 1, a) == BP_OK, "inside the callback");
    l->count++;
    return l->count == l->stop_at;
}

/* ---- the same by hand ---- */

/* What one epoch by hand ended with. */
typedef struct by_hand {
    size_t updates, seen;
    double cost;      /* mean over the examples seen, each before its update */
    bp_status status; /* BP_OK, or what the last batch must have ended with */
} by_hand;

/* Gradient descent over examples in the given order (NULL: as they are), at most that many
 * updates; it ends with the update that made a parameter not finite. */
static by_hand step_by_hand_over(const examples *set, bp_net *net, const size_t *order,
                                 size_t count, size_t batch, double rate, size_t updates_max)
{
    const size_t n_0 = set->n_0, n_L = set->n_L;
    bp_real *batch_x = allocate(batch * n_0), *batch_y = allocate(batch * n_L);
    bp_real *gradient = allocate(net->parameter_count);
    bp_data data = { 0, NULL, NULL, NULL, NULL };
    by_hand done = { 0, 0, 0, BP_OK };
    double sum = 0;
    data.inputs = batch_x;
    data.targets = batch_y;
    while (done.status == BP_OK && done.seen < count && done.updates < updates_max) {
        double cost = 0;
        size_t i;
        data.count = count - done.seen < batch ? count - done.seen : batch;
        for (i = 0; i < data.count; i++) {
            const size_t e = order ? order[done.seen + i] : done.seen + i;
            memcpy(batch_x + i * n_0, set->x + e * n_0, n_0 * sizeof(bp_real));
            memcpy(batch_y + i * n_L, set->y + e * n_L, n_L * sizeof(bp_real));
        }
        done.status = bp_gradient(net, &data, gradient, &cost);
        if (done.status == BP_OK) {
            bp_update(net, gradient, rate);
            sum += cost * (double)data.count;
            done.seen += data.count;
            done.updates++;
            done.cost = sum / (double)done.seen;
        }
        if (done.status != BP_OK)
            done.status = all_finite(batch_x, data.count * n_0) &&
                          all_finite(batch_y, data.count * n_L) ? BP_DIVERGED : BP_INVALID_DATA;
        else if (!all_finite(net->parameters, net->parameter_count))
            done.status = BP_DIVERGED;
    }
    free(batch_x);
    free(batch_y);
    free(gradient);
    return done;
}

/* The same over x and y. */
static by_hand step_by_hand(bp_net *net, const size_t *order, size_t count, size_t batch,
                            double rate, size_t updates_max)
{
    const examples set = { x, y, INPUTS, OUTPUTS };
    return step_by_hand_over(&set, net, order, count, batch, rate, updates_max);
}

static void check_same_parameters(const bp_net *got, const bp_net *want, const char *what)
{
    CHECK_BYTES(got->parameters, want->parameters, got->parameter_count * sizeof(bp_real),
                "%s: parameters differ", what);
}

/* The same bits where finite, and not finite where the other is not: the bits of NaN are free. */
static void check_same_numbers(const bp_net *got, const bp_net *want, const char *what)
{
    const bp_real *a = got->parameters, *b = want->parameters;
    size_t p;
    for (p = 0; p < got->parameter_count; p++)
        if (is_finite((double)a[p]) ? memcmp(&a[p], &b[p], sizeof a[p]) != 0
                                    : is_finite((double)b[p]))
            break;
    CHECK(p == got->parameter_count, "%s: parameter %zu is %g, by hand %g", what, p,
          (double)a[p], (double)b[p]);
}

/* ---- the three modes ---- */

static void compare_with_hand(size_t count, size_t batch_size, int in_order)
{
    const size_t batch = batch_size == 0 || batch_size > count ? count : batch_size;
    const int epochs = 3;
    static log logs[2];
    bp_training training = settings(epochs, batch_size, 2.5);
    bp_data data = matrices(count);
    source s = source_create(count);
    bp_net *net = create(sizes, 3, count), *fetched = bp_clone(net), *hand = bp_clone(net);
    char what[80];
    int epoch;
    memset(logs, 0, sizeof logs);
    sprintf(what, "%zu examples, batches of %zu, %s", count, batch_size,
            in_order ? "in order" : "shuffled");
    training.in_order = in_order;
    training.seed = 17;
    training.on_progress = on_progress;
    training.user = &logs[0];
    CHECK(bp_train(net, &data, &training) == BP_OK, "%s", what);
    data = from_source(&s);
    training.user = &logs[1];
    CHECK(bp_train(fetched, &data, &training) == BP_OK, "%s", what);
    check_same_parameters(fetched, net, what);
    CHECK(net->epochs_trained == 3, "%s: %u epochs", what, (unsigned)net->epochs_trained);
    CHECK(s.asked == count * (size_t)epochs && s.largest <= batch,
          "%s: source asked for %zu examples, up to %zu at once", what, s.asked, s.largest);
    for (epoch = 0; epoch < epochs; epoch++) {
        const size_t *order = s.order + (size_t)epoch * count;
        const double cost = logs[0].calls[epoch].cost;
        size_t i = 0;
        by_hand done;
        while (in_order && i < count && order[i] == i)
            i++;
        CHECK(in_order ? i == count : is_permutation(order, count), "%s: epoch %d", what, epoch);
        done = step_by_hand(hand, in_order ? NULL : order, count, batch, 2.5, count);
        CHECK(magnitude(cost - done.cost) < 1e-13 && cost == logs[1].calls[epoch].cost,
              "%s: cost %.17g, by hand %.17g", what, cost, done.cost);
    }
    check_same_parameters(net, hand, what);
    bp_free(net);
    bp_free(fetched);
    bp_free(hand);
    free(s.order);
}

static void test_modes(void)
{
    static const size_t small[] = { 0, 1, 2, 3, 5, 10, 16, 31, 52, 53, 54, 1000 };
    static const size_t large[] = { 0, 64, 255, 256, 257, 300, 512, 699, 700, 100000 };
    size_t i;
    int in_order;
    for (in_order = 0; in_order < 2; in_order++) {
        compare_with_hand(1, 1, in_order);
        compare_with_hand(2, 1, in_order);
        for (i = 0; i < sizeof small / sizeof small[0]; i++)
            compare_with_hand(53, small[i], in_order);
        for (i = 0; i < sizeof large / sizeof large[0]; i++)
            compare_with_hand(700, large[i], in_order);
    }
}

/* Batch gradient descent's gradient is the mean of the examples' own, up to rounding. */
static void test_batch_is_mean(void)
{
    enum { BATCH = 45 };
    bp_net *net = create(sizes, 3, 4);
    const size_t parameters = net->parameter_count;
    bp_real *gradient = (bp_real *)calloc(parameters, sizeof(bp_real));
    double *mean = (double *)calloc(parameters, sizeof(double)), worst = 0;
    bp_data data = matrices(1);
    size_t e, p;
    for (e = 0; e < BATCH; e++) {
        data.inputs = x + e * INPUTS;
        data.targets = y + e * OUTPUTS;
        bp_gradient(net, &data, gradient, NULL);
        for (p = 0; p < parameters; p++)
            mean[p] += (double)gradient[p] / BATCH;
    }
    data = matrices(BATCH);
    bp_gradient(net, &data, gradient, NULL);
    for (p = 0; p < parameters; p++)
        if (magnitude((double)gradient[p] - mean[p]) > worst)
            worst = magnitude((double)gradient[p] - mean[p]);
    CHECK(worst < (sizeof(bp_real) == 4 ? 1e-8 : 1e-16), "off by %g", worst);
    free(gradient);
    free(mean);
    bp_free(net);
}

/* ---- the order of the examples ---- */

/* The orders of two epochs into order, for a network of its own. */
static void observe(size_t *order, uint64_t net_seed, int hidden, size_t batch, uint64_t seed)
{
    const int widths[] = { INPUTS, hidden, OUTPUTS };
    bp_net *net = create(widths, 3, net_seed);
    bp_training training = settings(2, batch, 0.5);
    source s = source_create(100);
    bp_data data = from_source(&s);
    training.seed = seed;
    CHECK(bp_train(net, &data, &training) == BP_OK, "batches of %zu", batch);
    memcpy(order, s.order, 200 * sizeof(size_t));
    free(s.order);
    bp_free(net);
}

static void test_order(void)
{
    static const uint64_t seeds[] = {
        0, 1, 2, 3, UINT64_C(1) << 32, UINT64_C(1) << 63, ~UINT64_C(0)
    };
    enum { SEEDS = sizeof seeds / sizeof seeds[0] };
    static size_t orders[SEEDS][200], other[200];
    int i, j;
    for (i = 0; i < SEEDS; i++) {
        observe(orders[i], 1, 5, 1, seeds[i]);
        CHECK(is_permutation(orders[i], 100) && is_permutation(orders[i] + 100, 100), "seed %d", i);
        CHECK(memcmp(orders[i], orders[i] + 100, 100 * sizeof(size_t)) != 0,
              "seed %d: two epochs in one order", i);
        for (j = 0; j < i; j++) {
            CHECK(memcmp(orders[i], orders[j], 100 * sizeof(size_t)) != 0, "seeds %d and %d", i, j);
            /* Seed s in epoch e + 1 must not be seed s + 1 in epoch e. */
            CHECK(memcmp(orders[i], orders[j] + 100, 100 * sizeof(size_t)) != 0, "seeds %d and %d",
                  i, j);
        }
    }
    observe(other, 99, 11, 7, seeds[1]);
    CHECK_BYTES(other, orders[1], sizeof other, "another network, batches of 7");
    observe(other, 99, 11, 0, seeds[1]);
    CHECK_BYTES(other, orders[1], sizeof other, "another network, the whole set");
}

/* All 24 orders of four examples are about equally frequent: chi squared with 23 degrees of
 * freedom exceeds 60 once in 30,000 times, and here the seeds are fixed. */
static void test_order_is_fair(void)
{
    enum { RUNS = 6000 };
    static size_t found[256];
    const int widths[] = { INPUTS, OUTPUTS };
    double chi = 0;
    size_t i, kinds = 0;
    uint64_t seed;
    for (seed = 0; seed < RUNS; seed++) {
        bp_net *net = create(widths, 2, 1);
        bp_training training = settings(1, 0, 1);
        source s = source_create(4);
        bp_data data = from_source(&s);
        training.seed = seed;
        bp_train(net, &data, &training);
        found[s.order[0] * 64 + s.order[1] * 16 + s.order[2] * 4 + s.order[3]]++;
        free(s.order);
        bp_free(net);
    }
    for (i = 0; i < 256; i++)
        if (found[i] > 0) {
            const double off = (double)found[i] - RUNS / 24.0;
            chi += off * off / (RUNS / 24.0);
            kinds++;
        }
    CHECK(kinds == 24 && chi < 60, "%zu orders, chi squared %g", kinds, chi);
}

/* ---- going on ---- */

static bp_net *through_bytes(bp_net *net)
{
    const size_t size = bp_encode(net, NULL, 0);
    void *bytes = malloc(size);
    bp_net *copy = NULL;
    if (bytes == NULL)
        abort();
    bp_encode(net, bytes, size);
    CHECK(bp_decode(&copy, bytes, size) == BP_OK, "%zu bytes", size);
    free(bytes);
    bp_free(net);
    return copy;
}

static void test_resume(void)
{
    static const size_t batches[] = { 1, 10, 0 };
    const bp_data data = matrices(97);
    size_t i;
    for (i = 0; i < 3; i++) {
        bp_training training = settings(5, batches[i], 1.5);
        bp_net *whole = create(sizes, 3, 6), *parts = bp_clone(whole), *schedule = bp_clone(whole);
        int epoch;
        training.seed = 8;
        CHECK(bp_train(whole, &data, &training) == BP_OK, "five epochs");
        training.epochs = 2;
        CHECK(bp_train(parts, &data, &training) == BP_OK, "two epochs");
        parts = through_bytes(parts);
        training.epochs = 0;
        CHECK(bp_train(parts, &data, &training) == BP_OK, "no epoch");
        training.epochs = 3;
        CHECK(bp_train(parts, &data, &training) == BP_OK, "three epochs");
        check_same_parameters(parts, whole, "two epochs and three");
        CHECK(parts->epochs_trained == 5, "%u epochs", (unsigned)parts->epochs_trained);
        training.epochs = 1;
        for (epoch = 0; epoch < 5; epoch++)
            CHECK(bp_train(schedule, &data, &training) == BP_OK, "epoch %d", epoch);
        check_same_parameters(schedule, whole, "five calls of one epoch");
        bp_free(whole);
        bp_free(parts);
        bp_free(schedule);
    }
}

/* A rate that falls from epoch to epoch, against the same by hand. */
static void test_schedule(void)
{
    const bp_data data = matrices(60);
    bp_net *net = create(sizes, 3, 7), *hand = bp_clone(net);
    double rate = 4;
    int epoch;
    for (epoch = 0; epoch < 6; epoch++, rate *= 0.7) {
        bp_training training = settings(1, 8, rate);
        training.in_order = 1;
        CHECK(bp_train(net, &data, &training) == BP_OK, "rate %g", rate);
        step_by_hand(hand, NULL, 60, 8, rate, 60);
    }
    check_same_parameters(net, hand, "falling rate");
    bp_free(net);
    bp_free(hand);
}

static void test_threads(void)
{
    static const size_t batches[] = { 1, 10, 300, 0 };
    const int wide[] = { INPUTS, 200, 150, OUTPUTS };
    const bp_data data = matrices(COUNT_MAX);
    size_t i;
    for (i = 0; i < 4; i++) {
        bp_net *first = create(wide, 4, 2), *net;
        int threads;
        bp_training training = settings(1, batches[i], 1);
        training.threads = 1;
        CHECK(bp_train(first, &data, &training) == BP_OK, "one thread");
        for (threads = 0; threads <= 4; threads++) {
            net = create(wide, 4, 2);
            training.threads = threads;
            CHECK(bp_train(net, &data, &training) == BP_OK, "%d threads", threads);
            check_same_parameters(net, first, "another number of threads");
            bp_free(net);
        }
        bp_free(first);
    }
}

/* ---- reports and stops ---- */

/* A report after the batch that reaches or passes a multiple of every, and after the last. */
static void check_reports(size_t count, size_t batch_size, size_t every)
{
    const size_t batch = batch_size == 0 || batch_size > count ? count : batch_size;
    static log l;
    bp_training training = settings(2, batch_size, 1);
    const bp_data data = matrices(count);
    bp_net *net = create(sizes, 3, 1), *hand = bp_clone(net);
    size_t seen, call = 0;
    uint64_t epoch;
    memset(&l, 0, sizeof l);
    training.in_order = 1;
    CHECK(bp_train(net, &data, &training) == BP_OK, "an epoch before");
    training.report_every = every;
    training.on_progress = on_progress;
    training.user = &l;
    step_by_hand(hand, NULL, count, batch, 1, count);
    step_by_hand(hand, NULL, count, batch, 1, count);
    CHECK(bp_train(net, &data, &training) == BP_OK, "%zu, %zu, %zu", count, batch_size, every);
    for (epoch = 3; epoch <= 4; epoch++)
        for (seen = 0; seen < count;) {
            const size_t before = seen;
            const bp_progress *p = &l.calls[call];
            seen = seen + batch < count ? seen + batch : count;
            if (seen < count && (every == 0 || before / every == seen / every))
                continue;
            CHECK(p->seen == seen && p->count == count && p->epoch == epoch && p->epochs == 4 &&
                      p->net == net && l.epochs_trained[call] == epoch - (seen < count),
                  "count %zu, batch %zu, every %zu: call %zu after %zu, not %zu; epoch %u of %u",
                  count, batch_size, every, call, p->seen, seen, (unsigned)p->epoch,
                  (unsigned)p->epochs);
            if (epoch == 3) {
                bp_net *copy = bp_clone(hand);
                const by_hand done = step_by_hand(copy, NULL, seen, batch, 1, count);
                CHECK(magnitude(p->cost - done.cost) < 1e-13, "after %zu: cost %.17g, not %.17g",
                      seen, p->cost, done.cost);
                bp_free(copy);
            }
            call++;
        }
    CHECK(l.count == call, "count %zu, batch %zu, every %zu: %zu calls, not %zu", count, batch_size,
          every, l.count, call);
    bp_free(net);
    bp_free(hand);
}

static void test_reports(void)
{
    static const size_t batches[] = { 1, 5, 13, 0 }, every[] = { 0, 1, 7, 10, 25, 50, 51, 10000 };
    size_t i, j;
    for (i = 0; i < sizeof batches / sizeof batches[0]; i++)
        for (j = 0; j < sizeof every / sizeof every[0]; j++) {
            check_reports(50, batches[i], every[j]);
            check_reports(49, batches[i], every[j]);
        }
}

/* Stopped by the n-th report of every example, in an epoch of 20. */
static void test_stop(void)
{
    static log l;
    const bp_data data = matrices(20);
    size_t stop_at;
    for (stop_at = 1; stop_at <= 45; stop_at++) {
        bp_training training = settings(3, 1, 2);
        bp_net *net = create(sizes, 3, 3), *hand = bp_clone(net);
        bp_status status;
        size_t left;
        memset(&l, 0, sizeof l);
        training.in_order = 1;
        training.report_every = 1;
        training.on_progress = on_progress;
        training.user = &l;
        l.stop_at = stop_at;
        status = bp_train(net, &data, &training);
        CHECK(status == BP_STOPPED, "stop at %zu: %s", stop_at, bp_status_string(status));
        CHECK(l.count == stop_at, "%zu calls, not %zu", l.count, stop_at);
        CHECK(net->epochs_trained == stop_at / 20, "stop at %zu: %u epochs", stop_at,
              (unsigned)net->epochs_trained);
        for (left = stop_at; left > 0; left -= left < 20 ? left : 20)
            step_by_hand(hand, NULL, 20, 1, 2, left);
        check_same_parameters(net, hand, "stopped");
        bp_free(net);
        bp_free(hand);
    }
}

/* ---- single examples, each taken forward while the one before it is descended upon ---- */

typedef struct ahead {
    examples set;
    size_t calls, stop_at;
} ahead;

static int ahead_progress(void *user, const bp_progress *progress)
{
    ahead *s = (ahead *)user;
    (void)progress;
    return ++s->calls == s->stop_at;
}

/* Stopped after so many updates (0: not) and gone on with for two epochs: in memory, fetched and,
 * in order, by hand. */
static void compare_ahead(const int *widths, int count, ahead *s, size_t seen, int in_order)
{
    bp_training training = settings(1, 1, 1.5);
    bp_net *nets[3];
    int which;
    training.in_order = in_order;
    training.report_every = 1;
    training.on_progress = ahead_progress;
    training.user = s;
    for (which = 0; which < 2; which++) {
        const bp_data data = data_of(&s->set, seen, which);
        nets[which] = create(widths, count, 21);
        training.epochs = 1;
        s->calls = 0;
        CHECK(bp_train(nets[which], &data, &training) == (s->stop_at ? BP_STOPPED : BP_OK), "stop");
        training.epochs = 2;
        CHECK(bp_train(nets[which], &data, &training) == BP_OK, "two epochs more");
    }
    check_same_parameters(nets[1], nets[0], "fetched, one at a time");
    nets[2] = create(widths, count, 21);
    if (in_order) {
        step_by_hand_over(&s->set, nets[2], NULL, seen, 1, 1.5, s->stop_at ? s->stop_at : seen);
        step_by_hand_over(&s->set, nets[2], NULL, seen, 1, 1.5, seen);
        step_by_hand_over(&s->set, nets[2], NULL, seen, 1, 1.5, seen);
        check_same_parameters(nets[0], nets[2], "in memory, one at a time");
    }
    for (which = 0; which < 3; which++)
        bp_free(nets[which]);
}

static void test_ahead(void)
{
    enum { EXAMPLES = 9, WIDEST = 1100 };
    static const int shapes[][5] = { { 1, 1 },          { 17, 1 },        { 40, 15, 9, 3 },
                                     { 9, 8, 4, 12, 7 }, { 123, 6, 31, 5 }, { 1100, 250, 2 } };
    static bp_real in[EXAMPLES * WIDEST], out[EXAMPLES * 8];
    uint64_t state = 5;
    size_t shape, i, sparse;
    for (shape = 0; shape < sizeof shapes / sizeof shapes[0]; shape++)
        for (sparse = 0; sparse < 2; sparse++) {
            int layers = 5;
            ahead s = { { in, out, 0, 0 }, 0, 0 };
            while (shapes[shape][layers - 1] == 0)
                layers--;
            s.set.n_0 = (size_t)shapes[shape][0];
            s.set.n_L = (size_t)shapes[shape][layers - 1];
            /* in blocks that one example has, or the next, or both, or none */
            for (i = 0; i < EXAMPLES * s.set.n_0; i++)
                in[i] = (bp_real)(sparse && (i % s.set.n_0 / 8 * 5 + i / s.set.n_0 * 7) % 4 < 2
                                      ? 0
                                      : ref_random(&state));
            for (i = 0; i < EXAMPLES * s.set.n_L; i++)
                out[i] = (bp_real)(0.5 + 0.4 * ref_random(&state));
            for (; s.stop_at < EXAMPLES; s.stop_at += 4) {
                compare_ahead(shapes[shape], layers, &s, EXAMPLES, 1);
                compare_ahead(shapes[shape], layers, &s, EXAMPLES, 0);
            }
        }
}

/* ---- what is not finite ---- */

static const size_t all_batches[] = { 1, 4, 10, 256, 300, 0 };
enum { BATCHES = sizeof all_batches / sizeof all_batches[0] };

/* With every set that this machine has, the one it would choose among them. */
static void with_each_set(void (*test)(const char *set))
{
    static const char *const sets[] = { "plain", "sse2", "avx2", "avx512", "neon", "wasm" };
    bp_net *net = create(sizes, 3, 1);
    const char *best = bp_simd(net);
    int found = 0;
    size_t i;
    for (i = 0; i < sizeof sets / sizeof *sets; i++)
        if (bp_use_simd(net, sets[i]) == BP_OK) {
            test(sets[i]);
            found |= strcmp(sets[i], best) == 0;
        }
    CHECK(found, "%s is not among those tried", best);
    bp_free(net);
}

static bp_real bad_number(size_t which)
{
    const double infinity = 1e308 * 1e308;
    return (bp_real)(which % 3 == 0 ? infinity - infinity : which % 3 == 1 ? infinity : -infinity);
}

/* One epoch in order with whatever x and y now hold, from matrices and fetched, against the same
 * by hand; what it ended with. A network is saved if all of it is finite. */
static bp_status check_run(const char *set, size_t batch_size, double rate, const char *what)
{
    const size_t count = 400, batch = batch_size == 0 ? count : batch_size;
    examples all = { x, y, INPUTS, OUTPUTS };
    bp_training training = settings(1, batch_size, rate);
    bp_net *hand = create(sizes, 3, 5);
    by_hand done;
    int fetched;
    training.in_order = 1;
    CHECK(bp_use_simd(hand, set) == BP_OK, "%s", set);
    done = step_by_hand(hand, NULL, count, batch, rate, count);
    for (fetched = 0; fetched < 2; fetched++) {
        const bp_data data = data_of(&all, count, fetched);
        bp_net *net = create(sizes, 3, 5);
        bp_status status;
        CHECK(bp_use_simd(net, set) == BP_OK, "%s", set);
        status = bp_train(net, &data, &training);
        CHECK(status == done.status, "%s, %s, batches of %zu, rate %g, fetched %d: %s, not %s",
              what, set, batch_size, rate, fetched, bp_status_string(status),
              bp_status_string(done.status));
        CHECK(net->epochs_trained == (done.status == BP_OK), "%s: %u epochs", what,
              (unsigned)net->epochs_trained);
        check_same_numbers(net, hand, what);
        CHECK((bp_encode(net, NULL, 0) > 0) == all_finite(net->parameters, net->parameter_count),
              "%s: %zu bytes", what, bp_encode(net, NULL, 0));
        bp_free(net);
    }
    bp_free(hand);
    return done.status;
}

/* The first, a middle and the last input or target, in the first batch, a later one, the last. An
 * infinite input may give a finite cost, and an update that is not. */
static void test_bad_data(const char *set)
{
    static const size_t rows[] = { 0, 137, 399 };
    static const size_t inputs[] = { 0, 4, INPUTS - 1 }, targets[] = { 0, 1, OUTPUTS - 1 };
    size_t b, r, i;
    bp_status status;
    for (b = 0; b < BATCHES; b++)
        for (r = 0; r < 3; r++)
            for (i = 0; i < 9; i++) {
                x[rows[r] * INPUTS + inputs[i / 3]] = bad_number(i);
                status = check_run(set, all_batches[b], 1, "bad input");
                CHECK(status == BP_INVALID_DATA || (status == BP_DIVERGED && i % 3 > 0),
                      "input %zu of example %zu", inputs[i / 3], rows[r]);
                make_examples();
                y[rows[r] * OUTPUTS + targets[i / 3]] = bad_number(i);
                CHECK(check_run(set, all_batches[b], 1, "bad target") == BP_INVALID_DATA,
                      "target %zu of example %zu", targets[i / 3], rows[r]);
                make_examples();
            }
}

/* The calls that only read, of whatever x and y hold, leave their results alone when they fail. */
static void check_reading(const bp_net *net, size_t count, bp_status want, const char *what)
{
    examples all = { x, y, INPUTS, OUTPUTS };
    bp_real *gradient = allocate(net->parameter_count);
    size_t p, changed = 0;
    int fetched;
    for (p = 0; p < net->parameter_count; p++)
        gradient[p] = 3;
    for (fetched = 0; fetched < 2; fetched++) {
        const bp_data data = data_of(&all, count, fetched);
        bp_evaluation found = { 5, 6, 7 };
        double cost = 8, worst = 9;
        CHECK(bp_evaluate(net, &data, &found) == want, "%s, %zu examples", what, count);
        CHECK(bp_gradient(net, &data, gradient, &cost) == want, "%s, %zu examples", what, count);
        CHECK(bp_check_gradient(net, &data, &worst) == want, "%s, %zu examples", what, count);
        CHECK(found.cost == 5 && found.correct == 6 && found.count == 7 && cost == 8 && worst == 9,
              "%s: results changed: %g %g %g", what, found.cost, cost, worst);
    }
    for (p = 0; p < net->parameter_count; p++)
        changed += gradient[p] != 3;
    CHECK(changed == 0, "%s: %zu components changed by a failed bp_gradient", what, changed);
    free(gradient);
}

/* An infinite input gives a finite cost, and is not found. */
static void test_bad_data_when_reading(const char *set)
{
    static const size_t counts[] = { 1, 6, 256, 300 };
    static const size_t inputs[] = { 0, 4, INPUTS - 1 }, targets[] = { 0, 1, OUTPUTS - 1 };
    bp_net *net = create(sizes, 3, 5);
    size_t c, r, i;
    CHECK(bp_use_simd(net, set) == BP_OK, "%s", set);
    for (c = 0; c < 4; c++)
        for (r = 0; r < 3; r++) {
            const size_t row = (counts[c] - 1) * r / 2;
            for (i = 0; i < 9; i++) {
                y[row * OUTPUTS + targets[i / 3]] = bad_number(i);
                check_reading(net, counts[c], BP_INVALID_DATA, "bad target");
                make_examples();
            }
            for (i = 0; i < 3; i++) {
                x[row * INPUTS + inputs[i]] = bad_number(0);
                check_reading(net, counts[c], BP_INVALID_DATA, "bad input");
                make_examples();
            }
        }
    net->layers[1].biases[1] = bad_number(0);
    for (c = 0; c < 4; c++)
        check_reading(net, counts[c], BP_DIVERGED, "a bias that is no number");
    bp_free(net);
}

/* Only the batch that was not finite is asked for its data, not the next, which with single
 * examples has been forward already. */
static void test_whose_fault(const char *set)
{
    size_t b;
    for (b = 0; b < BATCHES; b++) {
        const size_t batch = all_batches[b];
        y[0] = -1000000;
        x[0] = 1000;
        if (batch > 0)
            x[batch * INPUTS] = y[batch * OUTPUTS] = bad_number(0);
        CHECK(check_run(set, batch, LARGEST, "bad data later") == BP_DIVERGED, "%zu", batch);
        x[0] = bad_number(0);
        CHECK(check_run(set, batch, LARGEST, "bad data now") == BP_INVALID_DATA, "%zu", batch);
        make_examples();
    }
}

/* Rates and inputs near the end of the range: some runs overflow, some do not. */
static void test_overflow(const char *set)
{
    int scale, power, diverged = 0, survived = 0, e;
    size_t b;
    for (scale = 0; scale < 3; scale++) {
        make_examples();
        for (e = 0; e < COUNT_MAX * INPUTS; e++) {
            const int row = e / INPUTS;
            if (scale == 1 && row >= 30)
                x[e] *= (bp_real)1e6;
            if (scale == 2 && row >= 310)
                x[e] *= (bp_real)(LARGEST / 8);
        }
        for (b = 0; b < BATCHES; b++)
            for (power = 0; power < 8; power++) {
                const double rate = LARGEST * ref_power_of_two(-2 * power);
                const bp_status status = check_run(set, all_batches[b], rate, "overflow");
                diverged += status == BP_DIVERGED;
                survived += status == BP_OK;
            }
    }
    CHECK(diverged > 10 && survived > 10, "%d diverged, %d survived", diverged, survived);
    CHECK(diverged + survived == 3 * BATCHES * 8, "%d and %d", diverged, survived);
    make_examples();
}

/* Where most inputs are zero, the others still can be too large for an update. */
static void test_overflow_of_few(const char *set)
{
    enum { N_0 = 24, EXAMPLES = 4 };
    static const int widths[] = { N_0, 1 };
    static bp_real in[EXAMPLES * N_0], out[EXAMPLES];
    const examples few = { in, out, N_0, 1 };
    const bp_data data = { EXAMPLES, in, out, NULL, NULL };
    bp_training training = settings(1, EXAMPLES, 100);
    bp_net *net = create(widths, 2, 1), *hand;
    size_t i;
    CHECK(bp_use_simd(net, set) == BP_OK, "%s", set);
    memset(net->parameters, 0, net->parameter_count * sizeof(bp_real));
    hand = bp_clone(net);
    for (i = 0; i < EXAMPLES; i++) {
        in[i * N_0 + 8] = (bp_real)(LARGEST / 2);
        out[i] = 1;
    }
    training.in_order = 1;
    CHECK(bp_train(net, &data, &training) == BP_DIVERGED, "a weight overflows");
    CHECK(step_by_hand_over(&few, hand, NULL, EXAMPLES, EXAMPLES, 100, 1).status == BP_DIVERGED,
          "by hand");
    check_same_numbers(net, hand, "a weight that overflows");
    CHECK(!is_finite((double)net->parameters[8]), "the weight is %g", (double)net->parameters[8]);
    CHECK(is_finite((double)net->parameters[7]), "its neighbour is lost");
    bp_free(net);
    bp_free(hand);
}

/* Two large weights above that cancel: the errors of their hidden neurons, wherever these are, are
 * the only large numbers of a batch. Whether a rate is too high depends on them alone. */
static void test_large_errors(const char *set)
{
    enum { HIDDEN_NEURONS = 45, EXAMPLES = 20 };
    static const int widths[] = { 3, HIDDEN_NEURONS, 1 };
    static const size_t batches[] = { 1, 2, 10, 20 };
    static const double rates[] = { 1e-3, 1e3 };
    static bp_real in[EXAMPLES * 3], out[EXAMPLES];
    const examples same = { in, out, 3, 1 };
    bp_net *net = create(widths, 3, 1), *hand;
    size_t i, b, r;
    int j;
    for (i = 0; i < EXAMPLES * 3; i++)
        in[i] = 1;
    CHECK(bp_use_simd(net, set) == BP_OK, "%s", set);
    for (j = 0; j + 1 < HIDDEN_NEURONS; j++)
        for (b = 0; b < sizeof batches / sizeof *batches; b++)
            for (r = 0; r < 2; r++) {
                const bp_data data = { batches[b], in, out, NULL, NULL };
                const bp_training training = settings(1, batches[b], rates[r]);
                bp_status status;
                memset(net->parameters, 0, net->parameter_count * sizeof(bp_real));
                net->layers[1].weights[j] = (bp_real)(LARGEST / 5);
                net->layers[1].weights[j + 1] = (bp_real)(LARGEST / -5);
                hand = bp_clone(net);
                status = bp_train(net, &data, &training);
                CHECK(status == (r ? BP_DIVERGED : BP_OK), "%s, hidden error %d, batch %zu: %s",
                      set, j, batches[b], bp_status_string(status));
                step_by_hand_over(&same, hand, NULL, batches[b], batches[b], rates[r], 1);
                check_same_numbers(net, hand, "large hidden errors");
                bp_free(hand);
            }
    bp_free(net);
}

/* ---- parameters that are not finite ---- */

/* Inputs of zero keep the weight where it is, and only the bias overflows. Parameters are not
 * looked through before training: what is lost shows in the first batch, and in no batch not. */
static void test_lost_before(const char *set)
{
    static const int one[] = { 1, 1 };
    static const bp_real zeros[2] = { 0, 0 }, far[2] = { -1000, -1000 };
    const bp_data data = { 2, zeros, far, NULL, NULL };
    bp_training training = settings(1, 2, LARGEST);
    bp_net *net = create(one, 2, 1);
    const bp_real weight = net->parameters[0];
    CHECK(bp_use_simd(net, set) == BP_OK, "%s", set);
    CHECK(bp_train(net, &data, &training) == BP_DIVERGED, "the bias overflows");
    CHECK_BYTES(&net->parameters[0], &weight, sizeof weight, "the weight");
    CHECK(!is_finite((double)net->parameters[1]), "the bias is %g", (double)net->parameters[1]);
    net->parameters[0] = bad_number(1);
    net->parameters[1] = 0;
    training.learning_rate = 1;
    CHECK(bp_train(net, &data, &training) == BP_DIVERGED, "an infinite weight");
    CHECK(net->parameters[1] == 0, "no update, as the cost is not finite");
    training.epochs = 0;
    CHECK(bp_train(net, &data, &training) == BP_OK, "an infinite weight, no epochs");
    CHECK(net->epochs_trained == 0, "%u epochs", (unsigned)net->epochs_trained);
    bp_free(net);
}

enum { LOST_BATCH = 257, LOST_INPUTS = 150, LOST_OUTPUTS = 18 };
static bp_real lost_in[3 * LOST_BATCH * LOST_INPUTS], lost_out[3 * LOST_BATCH * LOST_OUTPUTS];

/* Three batches for a single layer whose parameters are all zero, so that all outputs are 1/2. The
 * first and the third ask for that. The second asks more of one neuron: its update is 4 times the
 * rate for parameter p, the rate or less for the others. Of many inputs, most blocks are zero. */
static void make_push(const bp_net *net, size_t p, size_t batch)
{
    const size_t n_0 = (size_t)net->layers[0].inputs, n_L = (size_t)net->layers[0].outputs;
    const int is_bias = p >= n_0 * n_L;
    const size_t neuron = is_bias ? p - n_0 * n_L : p / n_0, input = is_bias ? n_0 : p % n_0;
    size_t e, k, j;
    for (e = 0; e < 3 * batch; e++) {
        const int pushes = e / batch == 1;
        for (k = 0; k < n_0; k++) {
            const int is_zero = n_0 > 100 && (k / 8 + e) % 3 > 0;
            lost_in[e * n_0 + k] = (bp_real)(pushes && k == input ? 4 : is_zero ? 0 : 0.25);
        }
        for (j = 0; j < n_L; j++)
            lost_out[e * n_L + j] = (bp_real)0.5;
        if (pushes)
            lost_out[e * n_L + neuron] += (bp_real)((is_bias ? 16.0 : 4.0) * (double)n_L *
                                                    (p % 2 ? 1 : -1));
    }
}

static int count_calls(void *user, const bp_progress *progress)
{
    (void)progress;
    ++*(size_t *)user;
    return 0;
}

/* The second update makes parameter p not finite, and no other; at an eighth of the rate none. */
static void check_push(const bp_net *given, size_t p, size_t batch, int fetched)
{
    examples set = { lost_in, lost_out, 0, 0 };
    int gentle;
    set.n_0 = (size_t)given->layers[0].inputs;
    set.n_L = (size_t)given->layers[0].outputs;
    make_push(given, p, batch);
    for (gentle = 0; gentle < 2; gentle++) {
        const bp_data data = data_of(&set, 3 * batch, fetched);
        const double rate = LARGEST / (gentle ? 16 : 2);
        bp_training training = settings(1, batch, rate);
        bp_net *net = bp_clone(given), *hand = bp_clone(given);
        size_t reports = 0, want, i, lost = 0;
        bp_status status;
        by_hand done;
        training.in_order = 1;
        training.report_every = p % 2 ? batch : 0;
        training.on_progress = count_calls;
        training.user = &reports;
        status = bp_train(net, &data, &training);
        done = step_by_hand_over(&set, hand, NULL, 3 * batch, batch, rate, 3);
        for (i = 0; i < net->parameter_count; i++)
            lost += !is_finite((double)net->parameters[i]);
        CHECK(status == (gentle ? BP_OK : BP_DIVERGED) && done.status == status &&
                  done.updates == (gentle ? 3 : 2),
              "%s, parameter %zu of %zu, batches of %zu, fetched %d, rate %g: %s after %zu",
              bp_simd(net), p, net->parameter_count, batch, fetched, rate,
              bp_status_string(status), done.updates);
        CHECK(lost == !gentle && is_finite((double)net->parameters[p]) == gentle,
              "parameter %zu is %g; %zu lost", p, (double)net->parameters[p], lost);
        want = gentle ? 3 : 1;
        if (training.report_every == 0)
            want = gentle ? 1 : 0;
        CHECK(reports == want, "%zu reports, not %zu", reports, want);
        check_same_numbers(net, hand, "one parameter pushed too far");
        bp_free(net);
        bp_free(hand);
    }
}

/* The first, a middle and the last weight and bias of a layer, and every so manyth in between. */
static int is_tried(const bp_layer *layer, size_t p, size_t step)
{
    const size_t biases = (size_t)layer->outputs, weights = biases * (size_t)layer->inputs;
    return p == 0 || p == weights / 2 || p + 1 == weights || p == weights ||
           p == weights + biases / 2 || p + 1 == weights + biases || p % step == 0;
}

/* Single examples from matrices (the next goes forward with the update) and fetched, mini-batches,
 * and a gradient of so many that it takes several pieces. */
static void test_lost_by_update(const char *set)
{
    static const int shapes[][2] = { { 1, 1 }, { 13, 9 }, { LOST_INPUTS, LOST_OUTPUTS } };
    static const size_t batches[] = { 1, 1, 2, 5, 10, LOST_BATCH };
    static const size_t steps[2][6] = { { 1, 1, 1, 1, 1, 3 }, { 5, 7, 17, 17, 37, 10000 } };
    size_t shape, b, p;
    for (shape = 0; shape < 3; shape++) {
        bp_net *net = create(shapes[shape], 2, 1);
        CHECK(bp_use_simd(net, set) == BP_OK, "%s", set);
        memset(net->parameters, 0, net->parameter_count * sizeof(bp_real));
        for (b = 0; b < 6; b++)
            for (p = 0; p < net->parameter_count; p++)
                if (is_tried(&net->layers[0], p, steps[shape == 2][b]))
                    check_push(net, p, batches[b], b == 1);
        bp_free(net);
    }
}

/* An infinite parameter saturates a neuron, and the cost is finite: so it must be the update,
 * writing what it cannot change, that tells. */
static void check_infinite(const bp_net *given, size_t p, size_t batch, int fetched)
{
    examples set = { lost_in, lost_out, 0, 0 };
    bp_data data;
    bp_training training = settings(1, batch, 0.5);
    bp_net *net = bp_clone(given), *hand;
    bp_evaluation found;
    bp_status status;
    set.n_0 = (size_t)net->layers[0].inputs;
    set.n_L = (size_t)net->layers[net->layer_count - 1].outputs;
    data = data_of(&set, 2 * batch, fetched);
    training.in_order = 1;
    net->parameters[p] = bad_number(1 + p % 2);
    hand = bp_clone(net);
    CHECK(bp_evaluate(net, &data, &found) == BP_OK, "parameter %zu", p);
    status = bp_train(net, &data, &training);
    CHECK(status == BP_DIVERGED, "%s, parameter %zu of %zu infinite, batches of %zu: %s",
          bp_simd(net), p, net->parameter_count, batch, bp_status_string(status));
    step_by_hand_over(&set, hand, NULL, batch, batch, 0.5, 1);
    check_same_numbers(net, hand, "one parameter infinite");
    bp_free(net);
    bp_free(hand);
}

static void test_lost_in_any_layer(const char *set)
{
    static const int shapes[][4] = { { 13, 9, 5, 2 }, { LOST_INPUTS, LOST_OUTPUTS, 20, 3 } };
    static const size_t batches[] = { 1, 1, 2, 10, LOST_BATCH };
    uint64_t state = 6;
    size_t shape, b, p, i;
    for (i = 0; i < sizeof lost_in / sizeof *lost_in; i++)
        lost_in[i] = (bp_real)(1.5 + ref_random(&state));
    for (i = 0; i < sizeof lost_out / sizeof *lost_out; i++)
        lost_out[i] = (bp_real)(0.5 + 0.4 * ref_random(&state));
    for (shape = 0; shape < 2; shape++) {
        bp_net *net = create(shapes[shape], 4, 1);
        CHECK(bp_use_simd(net, set) == BP_OK, "%s", set);
        for (b = 0; b < 5; b++)
            for (i = 0; i < 3; i++) {
                const bp_layer *layer = &net->layers[i];
                const size_t first = (size_t)(layer->weights - net->parameters);
                const size_t count = (size_t)layer->outputs * ((size_t)layer->inputs + 1);
                for (p = 0; p < count; p++)
                    if (is_tried(layer, p, batches[b] > 10 ? 1000 : shape ? 13 : 1))
                        check_infinite(net, first + p, batches[b], b == 1);
            }
        bp_free(net);
    }
}

#ifdef BACKPROP_DOUBLE
/* Targets so large that the cost overflows and the parameters do not. */
static void test_cost_overflow(const char *set)
{
    static const size_t batches[] = { 1, 10, 300, 0 };
    size_t b;
    y[5 * OUTPUTS] = 1e200;
    for (b = 0; b < 4; b++)
        CHECK(check_run(set, batches[b], 1, "target of 1e200") == BP_DIVERGED, "infinite cost");
    make_examples();
}
#endif

/* ---- a data source that fails ---- */

static void test_failing_fetch(void)
{
    static const bp_status statuses[] = { BP_INVALID_ARGUMENT, BP_OUT_OF_MEMORY, BP_IO_ERROR,
                                          BP_BAD_FILE,         BP_DIVERGED,      BP_STOPPED,
                                          BP_INVALID_DATA };
    size_t i, fail_at;
    for (i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        for (fail_at = 1; fail_at <= 9; fail_at++) {
            bp_training training = settings(2, 10, 1);
            bp_net *net = create(sizes, 3, 9), *hand = bp_clone(net);
            source s = source_create(47);
            bp_data data = from_source(&s);
            bp_status status;
            s.fail_at = fail_at;
            s.failure = statuses[i];
            training.in_order = 1;
            status = bp_train(net, &data, &training);
            CHECK(status == statuses[i], "%s, not %s", bp_status_string(status),
                  bp_status_string(statuses[i]));
            CHECK(s.calls == fail_at, "%zu calls, the %zu-th failed", s.calls, fail_at);
            step_by_hand(hand, NULL, 47, 10, 1, fail_at - 1);
            if (fail_at > 5)
                step_by_hand(hand, NULL, 47, 10, 1, fail_at - 6);
            CHECK(net->epochs_trained == (fail_at > 5), "%u epochs", (unsigned)net->epochs_trained);
            check_same_parameters(net, hand, "failed source");
            bp_free(net);
            bp_free(hand);
            free(s.order);
        }
}

/* In the middle of a batch that comes in several pieces, and in calls that only read. */
static void test_failing_fetch_late(void)
{
    const size_t count = COUNT_MAX;
    bp_net *net = create(sizes, 3, 9), *before = bp_clone(net);
    bp_real *gradient = (bp_real *)malloc(net->parameter_count * sizeof(bp_real));
    bp_evaluation found = { 5, 6, 7 };
    bp_training training = settings(1, 0, 1);
    double cost = 8, worst = 9;
    size_t fail_at, p, changed = 0;
    if (gradient == NULL)
        abort();
    for (p = 0; p < net->parameter_count; p++)
        gradient[p] = 3;
    for (fail_at = 1; fail_at <= 2; fail_at++) {
        source s = source_create(count);
        bp_data data = from_source(&s);
        s.failure = BP_IO_ERROR;
        s.fail_at = fail_at;
        CHECK(bp_train(net, &data, &training) == BP_IO_ERROR, "bp_train, call %zu", fail_at);
        s.calls = 0;
        CHECK(bp_evaluate(net, &data, &found) == BP_IO_ERROR, "bp_evaluate, call %zu", fail_at);
        s.calls = 0;
        CHECK(bp_gradient(net, &data, gradient, &cost) == BP_IO_ERROR, "bp_gradient, call %zu",
              fail_at);
        s.calls = 0;
        s.fail_at = fail_at * 10;
        CHECK(bp_check_gradient(net, &data, &worst) == BP_IO_ERROR, "bp_check_gradient");
        free(s.order);
    }
    for (p = 0; p < net->parameter_count; p++)
        changed += gradient[p] != 3;
    CHECK(changed == 0, "%zu components changed by a failed bp_gradient", changed);
    CHECK(found.cost == 5 && found.correct == 6 && found.count == 7 && cost == 8 && worst == 9,
          "results changed by failed calls: %g %g %g", found.cost, cost, worst);
    check_same_parameters(net, before, "failed calls");
    free(gradient);
    bp_free(net);
    bp_free(before);
}

/* ---- fetch in the calls that read ---- */

static void test_fetch_reads_the_same(void)
{
    static const size_t counts[] = { 1, 10, 256, 257, 700 };
    bp_net *net = create(sizes, 3, 10);
    const size_t bytes = net->parameter_count * sizeof(bp_real);
    bp_real *first = (bp_real *)malloc(bytes), *second = (bp_real *)malloc(bytes);
    size_t i;
    if (first == NULL || second == NULL)
        abort();
    for (i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        source s = source_create(counts[i]);
        const bp_data made = from_source(&s), given = matrices(counts[i]);
        bp_evaluation a = { 0, 0, 0 }, b = { 1, 1, 1 };
        double cost_a = 0, cost_b = 1;
        CHECK(bp_gradient(net, &given, first, &cost_a) == BP_OK, "%zu", counts[i]);
        CHECK(bp_gradient(net, &made, second, &cost_b) == BP_OK, "%zu", counts[i]);
        CHECK_BYTES(second, first, bytes, "%zu examples", counts[i]);
        CHECK(bp_evaluate(net, &given, &a) == BP_OK && bp_evaluate(net, &made, &b) == BP_OK, "%zu",
              counts[i]);
        CHECK(a.cost == b.cost && a.correct == b.correct && a.count == b.count && cost_a == cost_b,
              "%zu examples: cost %.17g and %.17g", counts[i], a.cost, b.cost);
        free(s.order);
    }
    free(first);
    free(second);
    bp_free(net);
}

/* ---- the quick start ---- */

/* With the settings printed there, and a thousand seeds. */
static void test_xor(void)
{
    const int widths[] = { 2, 8, 1 };
    const bp_real in[] = { 0, 0, 0, 1, 1, 0, 1, 1 }, out[] = { 0, 1, 1, 0 };
    const bp_data data = { 4, in, out, NULL, NULL };
    const bp_training training = settings(2000, 1, 2);
    uint64_t seed;
    for (seed = 1; seed <= 1000; seed++) {
        bp_net *net = create(widths, 3, seed);
        bp_real a[4] = { 0, 0, 0, 0 };
        const bp_status status = bp_train(net, &data, &training);
        bp_predict(net, in, 4, a);
        CHECK(status == BP_OK && (double)a[0] < 0.1 && (double)a[1] > 0.9 && (double)a[2] > 0.9 &&
                  (double)a[3] < 0.1,
              "seed %u: %.3f %.3f %.3f %.3f", (unsigned)seed, (double)a[0], (double)a[1],
              (double)a[2], (double)a[3]);
        bp_free(net);
    }
}

/* ---- random weights ---- */

/* Mean 0, variance 1/n_in, within +-sqrt(3/n_in) and up to it, evenly. Squares are compared,
 * so that no square root is needed. */
static void check_distribution(const bp_layer *layer)
{
    const size_t count = (size_t)layer->inputs * (size_t)layer->outputs;
    const double fan = layer->inputs;
    double sum = 0, squares = 0, largest = 0;
    size_t i, inner = 0;
    for (i = 0; i < count; i++) {
        const double w = (double)layer->weights[i];
        sum += w;
        squares += w * w;
        if (w * w > largest)
            largest = w * w;
        inner += w * w < 0.75 / fan;
    }
    sum /= (double)count;
    squares /= (double)count;
    CHECK(sum * sum < 16 / fan / (double)count, "%g inputs: mean %g", fan, sum);
    CHECK(magnitude(squares * fan - 1) < 0.01, "%g inputs: variance %g", fan, squares);
    CHECK(largest * fan <= 3 * (1 + 1e-6) && largest * fan > 3 * 0.999, "%g inputs: %g of 3", fan,
          largest * fan);
    CHECK(magnitude((double)inner / (double)count - 0.5) < 0.01, "%g inputs: %g within half", fan,
          (double)inner / (double)count);
    for (i = 0; i < (size_t)layer->outputs; i++)
        CHECK(layer->biases[i] == 0, "bias %zu is %g", i, (double)layer->biases[i]);
}

static void test_random_weights(void)
{
    const int widths[] = { 1000, 300, 7, 30000, 3 };
    const bp_training training = settings(1, 1, 1);
    const bp_data data = matrices(3);
    bp_net *net = create(widths, 5, 1), *same = create(widths, 5, 1), *other = create(widths, 5, 2);
    bp_net *small = create(sizes, 3, 3), *again = create(sizes, 3, 1), *fresh = create(sizes, 3, 3);
    check_distribution(&net->layers[0]);
    check_distribution(&net->layers[2]);
    check_distribution(&net->layers[3]);
    check_same_parameters(same, net, "same seed");
    CHECK(memcmp(net->parameters, other->parameters, 8 * sizeof(bp_real)) != 0, "seeds 1 and 2");
    bp_train(again, &data, &training);
    bp_randomize(again, 3);
    check_same_parameters(again, small, "randomized again");
    CHECK(again->epochs_trained == 0, "%u epochs after it", (unsigned)again->epochs_trained);
    check_same_parameters(fresh, small, "created twice");
    bp_free(net);
    bp_free(same);
    bp_free(other);
    bp_free(small);
    bp_free(again);
    bp_free(fresh);
}

int main(void)
{
    make_examples();
    test_modes();
    test_batch_is_mean();
    test_order();
    test_order_is_fair();
    test_resume();
    test_schedule();
    test_threads();
    test_reports();
    test_stop();
    test_ahead();
    with_each_set(test_bad_data);
    with_each_set(test_bad_data_when_reading);
    with_each_set(test_whose_fault);
    with_each_set(test_overflow);
    with_each_set(test_overflow_of_few);
    with_each_set(test_large_errors);
    with_each_set(test_lost_before);
    with_each_set(test_lost_by_update);
    with_each_set(test_lost_in_any_layer);
#ifdef BACKPROP_DOUBLE
    with_each_set(test_cost_overflow);
#endif
    test_failing_fetch();
    test_failing_fetch_late();
    test_fetch_reads_the_same();
    test_random_weights();
    test_xor();
    return check_report("train");
}
