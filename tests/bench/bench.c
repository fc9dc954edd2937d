/* bench.c - times backprop.h beside its rivals and prints one table
 *
 *     bench quick|full MNIST-DIRECTORY [PYTHON]      (tests/bench/run.sh builds and calls it)
 *
 * Rounds alternate: ours, OpenBLAS, FANN, PyTorch, ours, OpenBLAS ... Times are medians over the
 * rounds, ratios the medians of ours / theirs within a round: below 1, ours is faster. */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "bench.h"
#include "examples/idx.h"

enum {
    RIVALS = 3, /* OpenBLAS, FANN, PyTorch: columns of the table */
    MAX_ROUNDS = 9,
    DENSE_COUNT = 6000 /* examples of random numbers */
};

/* One trainer at work on one problem. */
typedef struct entrant {
    const trainer *trainer;
    const problem *problem;
    void *state;
    size_t next; /* example */
    int rounds;
    double time[MAX_ROUNDS]; /* seconds an example */
} entrant;

static struct {
    double seconds; /* a round */
    int rounds;
    int slow_rounds; /* for FANN and PyTorch, which are far behind */
    double peak;     /* GFLOP/s */
    const char *mnist;
    size_t mnist_count;
    float *mnist_x, *dense_x;
    unsigned char *mnist_labels;
    const trainer *rivals[RIVALS]; /* NULL: not found */
} bench;

static const size_t batches[] = { 1, 10, 32, 128 };

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}

static void *allocate(size_t bytes)
{
    void *memory;
    if (posix_memalign(&memory, 64, bytes))
        fail("examples", "there is not enough memory");
    return memory;
}

static uint32_t draw(void)
{
    static uint64_t state = 42;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 32);
}

/* What is being measured, on a terminal, until the row is there. */
static void progress(const char *net, const char *data, const char *what)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%-78.78s\r%s, %s: %s ...", "", net, data, what);
}

static void end_progress(void)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%-78s\r", "");
}

/* ---- problems ---- */

static void read_mnist(void)
{
    char path[1200];
    idx_set images, labels;
    idx_error error;
    snprintf(path, sizeof path, "%.1000s/train-labels-idx1-ubyte", bench.mnist);
    if (!idx_read(&labels, path, IDX_LABELS, &error))
        fail("DATA", error.text);
    snprintf(path, sizeof path, "%.1000s/train-images-idx3-ubyte", bench.mnist);
    if (!idx_read(&images, path, IDX_IMAGES, &error) ||
        !idx_match(&images, &labels, 10, path, &error))
        fail("DATA", error.text);
    if (images.rows * images.columns != 784 || images.count < 1000)
        fail(path, "not 1,000 or more images of 784 pixels");
    bench.mnist_count = images.count;
    bench.mnist_x = allocate(images.count * 784 * sizeof(float));
    for (size_t i = 0; i < images.count * 784; i++)
        bench.mnist_x[i] = (float)images.bytes[i] / 255.0f;
    bench.mnist_labels = allocate(labels.count);
    memcpy(bench.mnist_labels, labels.bytes, labels.count);
    idx_free(&images);
    idx_free(&labels);
}

/* Uniform random inputs, none of them zero, enough for the widest input layer. */
static void make_dense(size_t widest)
{
    bench.dense_x = allocate(DENSE_COUNT * widest * sizeof(float));
    for (size_t i = 0; i < DENSE_COUNT * widest; i++)
        bench.dense_x[i] = (float)(draw() >> 8) / 16777216.0f + 1e-3f;
}

static problem open_problem(const char *net, int mnist)
{
    problem p = { 0 };
    char *end;
    p.net = net;
    p.data = mnist ? bench.mnist : "dense";
    for (const char *size = net; p.size_count == 0 || *end == '-'; size = end + 1)
        p.sizes[p.size_count++] = (int)strtol(size, &end, 10);
    for (int l = 1; l < p.size_count; l++) {
        const size_t W = (size_t)p.sizes[l - 1] * (size_t)p.sizes[l];
        p.weights += W;
        p.flops += (l > 1 ? 6.0 : 4.0) * (double)W;
    }
    const size_t outputs = (size_t)p.sizes[p.size_count - 1];
    p.count = mnist ? bench.mnist_count : DENSE_COUNT;
    p.x = mnist ? bench.mnist_x : bench.dense_x;
    float *y = allocate(p.count * outputs * sizeof(float));
    memset(y, 0, p.count * outputs * sizeof(float));
    for (size_t i = 0; i < p.count; i++)
        y[i * outputs + (mnist ? bench.mnist_labels[i] : draw() % outputs)] = 1;
    p.y = y;
    p.parameters = ours_parameters(&p);
    p.threads = 1;
    if (!p.parameters)
        fail(net, "there is not enough memory");
    return p;
}

static void close_problem(problem *p)
{
    free((void *)(uintptr_t)p->y);
    free((void *)(uintptr_t)p->parameters);
}

static void set_batch(problem *p, size_t batch)
{
    const size_t about = p->weights < 100000 ? 256 : p->weights < 1000000 ? 128 : 8;
    p->batch = batch;
    p->chunk = (about + batch - 1) / batch * batch;
}

/* ---- timing ---- */

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values, int count)
{
    double sorted[MAX_ROUNDS];
    memcpy(sorted, values, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, compare);
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

static double ratio(const entrant *a, const entrant *b)
{
    double ratios[MAX_ROUNDS];
    const int rounds = a->rounds < b->rounds ? a->rounds : b->rounds;
    for (int r = 0; r < rounds; r++)
        ratios[r] = a->time[r] / b->time[r];
    return median(ratios, rounds);
}

static void work(entrant *e, float *out)
{
    const problem *p = e->problem;
    if (e->next + p->chunk > p->count)
        e->next = 0;
    if (p->predicts)
        e->trainer->predict(e->state, e->next, p->chunk, out);
    else
        e->trainer->train(e->state, e->next, p->chunk);
    e->next += p->chunk;
}

static double time_round(entrant *e, float *out)
{
    const double start = bench_now();
    double spent;
    size_t seen = 0;
    if (e->trainer->time)
        return e->trainer->time(e->state, bench.seconds);
    do {
        work(e, out);
        seen += e->problem->chunk;
        spent = bench_now() - start;
    } while (spent < bench.seconds);
    return spent / (double)seen;
}

/* The first two have begun alike and done the same: they must predict the same. */
static void check_agreement(entrant *e)
{
    const problem *p = e[0].problem;
    const size_t outputs = (size_t)p->sizes[p->size_count - 1], count = p->batch * outputs;
    float *a = allocate(count * sizeof *a), *b = allocate(count * sizeof *b);
    e[0].trainer->predict(e[0].state, 0, p->batch, a);
    e[1].trainer->predict(e[1].state, 0, p->batch, b);
    for (size_t i = 0; i < count; i++)
        if (!(a[i] - b[i] < 1e-4f && b[i] - a[i] < 1e-4f))
            fail(p->net, "ours and OpenBLAS, trained alike, predict differently");
    free(a);
    free(b);
}

/* Times the entrants in turns. Each has a problem and a trainer. */
static void race(entrant *e, int count)
{
    const problem *p = e[0].problem;
    float *out = allocate(p->chunk * (size_t)p->sizes[p->size_count - 1] * sizeof *out);
    for (int i = 0; i < count; i++) {
        const trainer *t = e[i].trainer;
        e[i].rounds = t->is_slow ? bench.slow_rounds : bench.rounds;
        e[i].state = t->create(e[i].problem);
        if (!e[i].state)
            fail(p->net, "there is not enough memory");
        if (!t->time)
            work(&e[i], out);
    }
    if (count > 1 && e[1].trainer == bench.rivals[0] && e[1].trainer)
        check_agreement(e);
    for (int r = 0; r < bench.rounds; r++)
        for (int i = 0; i < count; i++)
            if (r < e[i].rounds)
                e[i].time[r] = time_round(&e[i], out);
    for (int i = 0; i < count; i++)
        e[i].trainer->destroy(e[i].state);
    free(out);
}

/* ---- tables ---- */

/* Times ours beside the first so many rivals and prints the row. */
static void print_row(const problem *p, const char *label, int rivals)
{
    entrant e[1 + RIVALS] = { { .trainer = &ours, .problem = p } };
    int count = 1, shown = 1;
    for (int i = 0; i < rivals; i++) {
        const trainer *rival = bench.rivals[i];
        const int able = rival && (!p->predicts || rival->predict) &&
                         (!rival->max_weights || p->weights < rival->max_weights);
        if (able)
            e[count++] = (entrant){ .trainer = rival, .problem = p };
    }
    progress(p->net, p->data, label);
    race(e, count);
    end_progress();
    const double time = median(e[0].time, e[0].rounds);
    const double gflops = (p->predicts ? 2e-9 * (double)p->weights : 1e-9 * p->flops) / time;
    printf("%7s %12.4f %8.2f %7.1f", label, time * 1e6, gflops, 100 * gflops / bench.peak);
    for (int i = 0; i < rivals; i++)
        if (shown < count && e[shown].trainer == bench.rivals[i]) {
            printf(" %12.4f %7.3f", median(e[shown].time, e[shown].rounds) * 1e6,
                   ratio(&e[0], &e[shown]));
            shown++;
        } else {
            printf(" %12s %7s", "-", "-");
        }
    printf("\n");
    fflush(stdout);
}

static void print_heading(const char *title, const char *label, int rivals)
{
    static const char *const names[RIVALS] = { "OpenBLAS", "FANN", "PyTorch" };
    printf("\n%s\n%37s", title, "ours");
    for (int i = 0; i < rivals; i++)
        printf(" %20s", names[i]);
    printf("\n%7s %12s %8s %7s", label, "us/example", "GFLOP/s", "% peak");
    for (int i = 0; i < rivals; i++)
        printf(" %12s %7s", "us/example", "ratio");
    printf("\n");
}

static void print_training(const char *net, int mnist)
{
    problem p = open_problem(net, mnist);
    char label[24];
    printf("%s, %s\n", net, mnist ? "MNIST" : "dense");
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        set_batch(&p, batches[i]);
        snprintf(label, sizeof label, "%zu", batches[i]);
        print_row(&p, label, RIVALS);
    }
    close_problem(&p);
}

static void print_predicting(const char *net, int mnist, size_t many)
{
    problem p = open_problem(net, mnist);
    char label[24];
    p.predicts = 1;
    p.chunk = 1000;
    printf("%s, %s\n", net, mnist ? "MNIST" : "dense");
    for (p.batch = 1; p.batch <= many; p.batch += many - 1) {
        snprintf(label, sizeof label, "%zu", p.batch);
        print_row(&p, label, 1);
    }
    close_problem(&p);
}

static void print_growth(void)
{
    static const char *const nets[] = { "784-10-10",  "784-30-10",   "784-100-10",
                                        "784-300-10", "784-1000-10", "784-3000-10" };
    static const char *const widths[] = { "10", "30", "100", "300", "1000", "3000" };
    char label[24];
    problem p;
    print_heading("Growth with width: 784-WIDTH-10, dense, batches of 32", "width", 1);
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        p = open_problem(nets[i], 0);
        set_batch(&p, 32);
        print_row(&p, widths[i], 1);
        close_problem(&p);
    }
    print_heading("Growth with the batch: 784-100-10, dense", "batch", 1);
    p = open_problem("784-100-10", 0);
    for (size_t batch = 1; batch <= 1024; batch *= 2) {
        set_batch(&p, batch);
        snprintf(label, sizeof label, "%zu", batch);
        print_row(&p, label, 1);
    }
    close_problem(&p);
}

static void print_threads(void)
{
    static const struct {
        const char *net;
        size_t batch;
    } cases[] = { { "2-3-1", 1 },        { "784-30-10", 10 },
                  { "784-100-10", 1 },   { "784-100-10", 32 },
                  { "784-100-10", 128 }, { "784-800-10", 1 },
                  { "784-800-10", 128 }, { "784-2500-2000-1500-1000-500-10", 100 } };
    printf("\nGrowth with threads: training, dense, ours built with -fopenmp, us/example\n"
           "%-31s %5s %12s %12s %10s\n",
           "net", "batch", "1 thread", "2 threads", "speed-up");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        problem one = open_problem(cases[i].net, 0), two;
        set_batch(&one, cases[i].batch);
        two = one;
        two.threads = 2;
        entrant e[2] = { { .trainer = &ours_openmp, .problem = &one },
                         { .trainer = &ours_openmp, .problem = &two } };
        progress(one.net, one.data, "1 and 2 threads");
        race(e, 2);
        end_progress();
        printf("%-31s %5zu %12.4f %12.4f %10.2f\n", one.net, one.batch,
               median(e[0].time, e[0].rounds) * 1e6, median(e[1].time, e[1].rounds) * 1e6,
               ratio(&e[0], &e[1]));
        fflush(stdout);
        close_problem(&one);
    }
}

static void print_tiny(void)
{
    static const char *const what[] = { "prediction, within one call of 1,000",
                                        "prediction, a call of its own", "SGD step" };
    printf("\n2-3-1, ns an example\n");
    for (int i = 0; i < 3; i++) {
        problem p = open_problem("2-3-1", 0);
        p.predicts = i < 2;
        p.batch = i == 0 ? 1000 : 1;
        p.chunk = 4000;
        entrant e = { .trainer = &ours, .problem = &p };
        progress(p.net, p.data, what[i]);
        race(&e, 1);
        end_progress();
        printf("    %-38s %8.1f\n", what[i], median(e.time, e.rounds) * 1e9);
        fflush(stdout);
        close_problem(&p);
    }
}

static void print_machine(void)
{
    static const char *const levels[] = { "L1", "L2", "L3" };
    const char *vectors = "";
    bench.peak = machine_peak(5 * bench.seconds, &vectors);
    printf("FMA peak, one thread: %.1f GFLOP/s (%s)\nread bandwidth, one thread:", bench.peak,
           vectors);
    for (int level = 1; level <= 3; level++)
        printf(" %s %.0f,", levels[level - 1],
               machine_bandwidth(machine_cache(level) / 4, bench.seconds));
    printf(" DRAM %.0f GB/s\n", machine_bandwidth(4 * machine_cache(3), bench.seconds));
    printf("MNIST: %zu examples from %s; dense: %d\n", bench.mnist_count, bench.mnist, DENSE_COUNT);
    printf("ours computes with %s; %d rounds of %g s, %d for FANN and PyTorch\n", ours_simd(),
           bench.rounds, bench.seconds, bench.slow_rounds);
    printf("ratio: time ours / theirs, median over the rounds; below 1, ours is faster\n"
           "GFLOP/s: of all the arithmetic, also that which zeros in MNIST save\n");
    fflush(stdout);
}

static void find_rivals(const char *python)
{
#ifdef HAVE_OPENBLAS
    bench.rivals[0] = &openblas;
#else
    printf("OpenBLAS skipped: no libopenblas-dev\n");
#endif
#ifdef HAVE_FANN
    bench.rivals[1] = &fann;
#else
    printf("FANN skipped: no libfann-dev\n");
#endif
    if (python && pytorch_start(python, "tests/bench/pytorch.py"))
        bench.rivals[2] = &pytorch;
    else
        printf("PyTorch skipped: no python3-torch\n");
}

int main(int argc, char **argv)
{
    static const char *const nets[] = { "784-30-10",   "784-100-10",
                                        "784-800-10",  "784-2500-2000-1500-1000-500-10",
                                        "123-77-31-5", "1000-1000-1000",
                                        "1024-128-10", "4-64-3",
                                        "17-1",        "5000-3" };
    const int quick = argc > 1 && !strcmp(argv[1], "quick");
    if (argc < 3 || argc > 4 || (!quick && strcmp(argv[1], "full")))
        fail("usage", "bench quick|full MNIST-DIRECTORY [PYTHON]");
    bench.seconds = quick ? 0.02 : 0.3;
    bench.rounds = quick ? 3 : MAX_ROUNDS;
    bench.slow_rounds = quick ? 1 : 3;
    bench.mnist = argv[2];
    read_mnist();
    make_dense(5000);
    find_rivals(argc > 3 ? argv[3] : NULL);
    print_machine();
    print_heading("Training", "batch", RIVALS);
    for (int i = 0; i < 3; i++)
        print_training(nets[i], 1);
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
        print_training(nets[i], 0);
    print_heading("Predicting", "in call", 1);
    print_predicting("784-100-10", 1, 1000);
    print_predicting("784-100-10", 0, 1000);
    print_tiny();
    print_growth();
#ifdef HAVE_OPENMP
    print_threads();
#else
    printf("\nThreads skipped: the compiler has no -fopenmp\n");
#endif
    return 0;
}
