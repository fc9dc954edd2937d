/* bench.c - times backprop.h beside its rivals and prints one table
 *
 *     bench quick|full MNIST-DIRECTORY [PYTHON]      (tests/bench/run.sh builds and calls it)
 *     bench kernels         OpenBLAS's kernels in use, and us/example with them for each batch
 *
 * PARTS in the environment names the tables to print (training, predicting, small, growth,
 * threads), else all.
 *
 * Rounds alternate: ours, OpenBLAS, FANN, PyTorch, ours, OpenBLAS ... Times are medians over the
 * rounds, ratios the medians of ours / theirs within a round: below 1, ours is faster. */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "bench.h"
#include "examples/idx.h"

enum {
    RIVALS = 3, /* OpenBLAS, FANN, PyTorch: columns of the table */
    BATCHES = 4,
    MAX_ROUNDS = 9,
    DENSE_COUNT = 6000, /* examples of random numbers */
    EPOCH = 60000       /* examples of MNIST, for the seconds an epoch takes */
};

/* One trainer at work on one problem. */
typedef struct entrant {
    const trainer *trainer;
    const problem *problem;
    void *state;
    size_t next; /* example */
    int rounds;
    double time[MAX_ROUNDS]; /* seconds an example, or cycles */
} entrant;

/* What a row of a table came to. */
typedef struct outcome {
    double time;  /* seconds an example of ours takes */
    double ratio; /* ours / OpenBLAS; 0 without OpenBLAS */
} outcome;

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
    const char *kernels;           /* of OpenBLAS */
} bench;

static const size_t batches[BATCHES] = { 1, 10, 32, 128 };

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

static double median(const double *values, int count)
{
    double sorted[MAX_ROUNDS];
    memcpy(sorted, values, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, bench_compare);
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

/* Cycles an example, by the clock of the core just before and after. */
static double cycles_round(entrant *e, float *out)
{
    const double before = machine_clock(), time = time_round(e, out);
    return time * (before + machine_clock()) / 2;
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

/* Measures the entrants in turns. Each has a problem and a trainer. */
static void race(entrant *e, int count, double (*measure)(entrant *e, float *out))
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
                e[i].time[r] = measure(&e[i], out);
    for (int i = 0; i < count; i++)
        e[i].trainer->destroy(e[i].state);
    free(out);
}

/* ---- tables ---- */

/* Times ours beside the first so many rivals and prints the row. */
static outcome print_row(const problem *p, const char *label, int rivals)
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
    race(e, count, time_round);
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
    const int has_openblas = count > 1 && e[1].trainer == bench.rivals[0];
    return (outcome){ time, has_openblas ? ratio(&e[0], &e[1]) : 0 };
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

static void print_training(const char *net, int mnist, outcome *outcomes)
{
    problem p = open_problem(net, mnist);
    char label[24];
    printf("%s, %s\n", net, mnist ? "MNIST" : "dense");
    for (int i = 0; i < BATCHES; i++) {
        set_batch(&p, batches[i]);
        snprintf(label, sizeof label, "%zu", batches[i]);
        outcomes[i] = print_row(&p, label, RIVALS);
    }
    close_problem(&p);
}

/* The ratios once more, a net a line. */
static void print_ratios(const char *net, int mnist, const outcome *outcomes)
{
    printf("%-31s %-6s", net, mnist ? "MNIST" : "dense");
    for (int i = 0; i < BATCHES; i++)
        if (outcomes[i].ratio > 0)
            printf(" %6.2f", outcomes[i].ratio);
        else
            printf(" %6s", "-");
    for (int i = 0; mnist && i < BATCHES; i++)
        printf(" %7.3f", outcomes[i].time * EPOCH);
    printf("\n");
}

static void print_trainings(void)
{
    static const struct {
        const char *net;
        int mnist;
    } rows[] = { { "784-30-10", 1 },
                 { "784-100-10", 1 },
                 { "784-800-10", 1 },
                 { "784-30-10", 0 },
                 { "784-100-10", 0 },
                 { "784-800-10", 0 },
                 { "784-2500-2000-1500-1000-500-10", 0 },
                 { "123-77-31-5", 0 },
                 { "1000-1000-1000", 0 },
                 { "1024-128-10", 0 },
                 { "4-64-3", 0 },
                 { "17-1", 0 },
                 { "5000-3", 0 } };
    enum { ROWS = sizeof rows / sizeof *rows };
    outcome outcomes[ROWS][BATCHES];
    print_heading("Training", "batch", RIVALS);
    for (int i = 0; i < ROWS; i++)
        print_training(rows[i].net, rows[i].mnist, outcomes[i]);
    printf("\nTraining: ratio ours / OpenBLAS (%s), and seconds of ours for %d examples of "
           "MNIST\n%38s",
           bench.kernels, EPOCH, "batch");
    for (int i = 0; i < BATCHES; i++)
        printf(" %6zu", batches[i]);
    for (int i = 0; i < BATCHES; i++)
        printf(" %7zu", batches[i]);
    printf("\n");
    for (int i = 0; i < ROWS; i++)
        print_ratios(rows[i].net, rows[i].mnist, outcomes[i]);
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

/* A small network in cycles, in the columns of print_small. */
static void print_small_row(const char *net)
{
    problem p = open_problem(net, 0);
    p.batch = 1;
    p.chunk = p.count = 1000; /* few enough to stay in the cache */
    problem one = p, many = p;
    one.predicts = many.predicts = 1;
    many.batch = many.chunk;
    entrant e[] = { { .trainer = &ours, .problem = &one },
                    { .trainer = &ours, .problem = &many },
                    { .trainer = &ours, .problem = &p },
                    { .trainer = &ours_calls, .problem = &p } };
    enum { COLUMNS = sizeof e / sizeof *e };
    progress(net, p.data, "cycles");
    race(e, COLUMNS, cycles_round);
    end_progress();
    printf("%-10s", net);
    for (int i = 0; i < COLUMNS; i++)
        printf(" %10.0f", median(e[i].time, e[i].rounds));
    printf("\n");
    fflush(stdout);
    close_problem(&p);
}

static void print_small(void)
{
    static const char *const nets[] = { "2-3-1", "4-8-3", "8-16-4", "13-64-1", "32-32-8" };
    printf("\nSmall networks, cycles an example on one core (now at %.2f GHz)\n"
           "%-10s %21s %21s\n%-10s %10s %10s %10s %10s\n",
           1e-9 * machine_clock(), "", "examples a prediction", "steps of descent by a", "net", "1",
           "1000", "bp_train", "bp_train_in");
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
        print_small_row(nets[i]);
}

#ifdef HAVE_OPENMP
/* ---- threads beside processes ---- */

/* Two processes, each of which trains a network of its own by one thread, both at once: what the
 * cores give if they share nothing but the memory. */
enum { PROCESSES = 2 };

typedef struct worker {
    pid_t process;
    int socket; /* a byte to it starts a round, a double from it is its time */
} worker;

static void serve(const problem *p, int socket)
{
    entrant e = { .trainer = &ours, .problem = p };
    char start = 0;
    e.state = e.trainer->create(p);
    if (!e.state)
        return;
    work(&e, NULL);
    do {
        const double time = start ? time_round(&e, NULL) : 0; /* the first says that it is ready */
        if (write(socket, &time, sizeof time) != sizeof time)
            return;
    } while (read(socket, &start, 1) == 1);
}

static double receive(const worker *w)
{
    double time;
    if (read(w->socket, &time, sizeof time) != sizeof time)
        fail("two processes", "one of them ended");
    return time;
}

static void *pair_create(const problem *p)
{
    worker *workers = calloc(PROCESSES, sizeof *workers);
    for (int i = 0; workers && i < PROCESSES; i++) {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
            fail("two processes", "no socketpair");
        workers[i].process = fork();
        if (workers[i].process < 0)
            fail("two processes", "no fork");
        if (workers[i].process == 0) {
            close(ends[0]);
            serve(p, ends[1]);
            _exit(0);
        }
        close(ends[1]);
        workers[i].socket = ends[0];
        receive(&workers[i]);
    }
    return workers;
}

/* Speeds add up. */
static double pair_time(void *state, double seconds)
{
    const worker *workers = state;
    double speed = 0;
    (void)seconds; /* they know how long a round is */
    for (int i = 0; i < PROCESSES; i++)
        if (write(workers[i].socket, "\1", 1) != 1)
            fail("two processes", "one of them ended");
    for (int i = 0; i < PROCESSES; i++)
        speed += 1 / receive(&workers[i]);
    return 1 / speed;
}

/* Closing its socket ends a process; the second one still holds the first one's. */
static void pair_destroy(void *state)
{
    worker *workers = state;
    for (int i = PROCESSES; i-- > 0;) {
        close(workers[i].socket);
        waitpid(workers[i].process, NULL, 0);
    }
    free(workers);
}

static const trainer pair = { "two processes", 0,           0, pair_create, NULL, NULL,
                              pair_time,       pair_destroy };

/* OpenMP's second thread goes on spinning for a while after a call: one thread comes next, which
 * leaves it a core, and then the processes. */
static void print_threads_row(const char *net, size_t batch)
{
    problem one = open_problem(net, 0);
    set_batch(&one, batch);
    problem two = one;
    two.threads = 2;
    entrant e[] = { { .trainer = &pair, .problem = &one },
                    { .trainer = &ours_openmp, .problem = &two },
                    { .trainer = &ours_openmp, .problem = &one } };
    progress(net, one.data, "threads and processes");
    race(e, 3, time_round);
    end_progress();
    printf("%-31s %5zu", net, batch);
    for (int i = 2; i >= 0; i--)
        printf(" %11.4f", median(e[i].time, e[i].rounds) * 1e6);
    printf(" %9.2f %9.2f %9.2f\n", ratio(&e[2], &e[1]), ratio(&e[2], &e[0]), ratio(&e[0], &e[1]));
    fflush(stdout);
    close_problem(&one);
}

static void print_threads(void)
{
    static const struct {
        const char *net;
        size_t batch;
    } rows[] = { { "784-30-10", 10 },   { "784-100-10", 32 },
                 { "784-100-10", 128 }, { "784-800-10", 32 },
                 { "784-800-10", 128 }, { "784-2500-2000-1500-1000-500-10", 100 } };
    const double trip = machine_round_trip(0.3);
    printf("\nThreads: training, dense, ours with -fopenmp. Two threads share one network; two\n"
           "processes side by side train one each, their speeds added. A cache line goes from\n"
           "thread to thread and back in %.0f ns%s.\n",
           trip, trip > 3000 ? ": another program has one of the cores" : "");
    printf("%37s %35s %29s\n", "", "us/example", "speed");
    printf("%-31s %5s %11s %11s %11s %9s %9s %9s\n", "", "", "one", "two", "two", "threads",
           "processes", "threads");
    printf("%-31s %5s %11s %11s %11s %9s %9s %9s\n", "net", "batch", "thread", "threads",
           "processes", "/ one", "/ one", "/ proc.");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        print_threads_row(rows[i].net, rows[i].batch);
}
#endif

/* ---- the parts ---- */

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
    bench.kernels = "skipped";
#ifdef HAVE_OPENBLAS
    bench.rivals[0] = &openblas;
    bench.kernels = openblas_kernels();
    printf("OpenBLAS computes with its kernels for %s\n", bench.kernels);
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

/* Is this part asked for? */
static int wanted(const char *part)
{
    const char *parts = getenv("PARTS");
    return !parts || !*parts || strstr(parts, part);
}

static void print_parts(void)
{
    if (wanted("training"))
        print_trainings();
    if (wanted("predicting")) {
        print_heading("Predicting", "in call", 1);
        print_predicting("784-100-10", 1, 1000);
        print_predicting("784-100-10", 0, 1000);
    }
    if (wanted("small"))
        print_small();
    if (wanted("growth"))
        print_growth();
    if (wanted("threads")) {
#ifdef HAVE_OPENMP
        if (ours_cores() >= 2)
            print_threads();
        else
            printf("\nThreads skipped: there is one core\n");
#else
        printf("\nThreads skipped: the compiler has no -fopenmp\n");
#endif
    }
}

#ifdef HAVE_OPENBLAS
/* The kernels are chosen when the library is loaded, so there is a process for each choice. */
static void print_kernels(void)
{
    problem p;
    bench.seconds = 0.03;
    bench.rounds = 3;
    make_dense(784);
    p = open_problem("784-100-10", 0);
    printf("%s", openblas_kernels());
    for (int i = 0; i < BATCHES; i++) {
        entrant e = { .trainer = &openblas, .problem = &p };
        set_batch(&p, batches[i]);
        race(&e, 1, time_round);
        printf(" %.4f", median(e.time, e.rounds) * 1e6);
    }
    printf("\n");
    close_problem(&p);
}
#endif

int main(int argc, char **argv)
{
    const int quick = argc > 1 && !strcmp(argv[1], "quick");
#ifdef HAVE_OPENBLAS
    if (argc == 2 && !strcmp(argv[1], "kernels")) {
        print_kernels();
        return 0;
    }
#endif
    if (argc < 3 || argc > 4 || (!quick && strcmp(argv[1], "full")))
        fail("usage", "bench quick|full MNIST-DIRECTORY [PYTHON]");
    bench.seconds = quick ? 0.05 : 0.25;
    bench.rounds = quick ? 5 : MAX_ROUNDS;
    bench.slow_rounds = quick ? 1 : 3;
    bench.mnist = argv[2];
    read_mnist();
    make_dense(5000);
    find_rivals(argc > 3 ? argv[3] : NULL);
    print_machine();
    print_parts();
    return 0;
}
