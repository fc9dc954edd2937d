/* mnist.c - learns to read handwritten digits
 *
 * A network of 784 inputs, 100 hidden neurons and 10 outputs, trained by mini-batch gradient
 * descent on MNIST and tested on digits it never saw. From the repository's root:
 *
 *     cc -O2 -std=c99 -I. examples/mnist.c -o build/mnist && ./build/mnist
 *
 * The images stay bytes, as they are in the file: `fetch` hands them to the library, a batch
 * at a time, as numbers from 0 to 1. ./build/mnist --help lists the options.
 */
#ifndef _WIN32
#define _POSIX_C_SOURCE 200112L
#endif

#define BACKPROP_IMPLEMENTATION
#include "backprop.h"
#include "idx.h"
#include "pictures.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <time.h>

#ifdef _WIN32
#include <direct.h>
#include <io.h>
#else
#include <sys/stat.h>
#include <unistd.h>
#endif

#define DEFAULT_DATA "examples/data"

enum { MAX_SIZES = 16, MISREAD_SHOWN = 12, PATH_SIZE = 1024 };

/* Ends the program: one sentence on what is wrong, and nothing written. */
#ifdef __GNUC__
__attribute__((noreturn))
#endif
static void fail(const char *format, ...)
{
    va_list values;

    fflush(stdout);
    fputs("mnist: ", stderr);
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
    exit(1);
}

/* ---- options ---- */

typedef struct settings {
    const char *data;     /* the directory of the four files */
    int sizes[MAX_SIZES]; /* n_0 ... n_L */
    int size_count;       /* 0: not given */
    int epochs;
    size_t batch_size;
    double learning_rate;
    uint64_t seed;
    int threads;
    const char *save, *load, *pictures; /* NULL: not given */
    int test_only;
} settings;

enum option {
    DATA,
    LAYERS,
    EPOCHS,
    BATCH,
    RATE,
    SEED,
    THREADS,
    SAVE,
    LOAD,
    TEST_ONLY,
    PICTURES,
    HELP
};

static const struct {
    const char *name, *value, *help;
} options[] = {
    [DATA] = { "--data", "DIR", "read the four IDX files in DIR (" DEFAULT_DATA ")" },
    [LAYERS] = { "--layers", "SIZES", "neurons in each layer (784-100-10)" },
    [EPOCHS] = { "--epochs", "N", "train for N epochs, N more after --load (20)" },
    [BATCH] = { "--batch", "N", "examples an update; 1: stochastic, 0: the whole set (10)" },
    [RATE] = { "--rate", "ETA", "learning rate (30)" },
    [SEED] = { "--seed", "N", "first weights and order of the examples (1)" },
    [THREADS] = { "--threads", "N", "0: as many as the build allows (0)" },
    [SAVE] = { "--save", "FILE", "save the network after every epoch" },
    [LOAD] = { "--load", "FILE", "go on with a saved network" },
    [TEST_ONLY] = { "--test-only", "", "do not train; needs --load" },
    [PICTURES] = { "--pictures", "DIR",
                   "draw learning curve, confusion matrix and weights as SVG" },
    [HELP] = { "--help", "", "show this" },
};

static void help(void)
{
    size_t i;

    puts("Learns to read handwritten digits. Usage: mnist [OPTION]...\n");
    for (i = 0; i < sizeof options / sizeof *options; i++)
        printf("  %-11s %-5s  %s\n", options[i].name, options[i].value, options[i].help);
    puts("\nFiles in a data DIR: train-images-idx3-ubyte, train-labels-idx1-ubyte,\n"
         "t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte. examples/data has a tenth of MNIST;\n"
         "examples/data/fetch.sh brings the whole.");
}

static uint64_t whole_number(const char *name, const char *text, uint64_t least, uint64_t most)
{
    unsigned long long number;
    char *end;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || number < least || number > most)
        fail("%s must be a whole number from %" PRIu64 " to %" PRIu64 ", not '%s'", name, least,
             most, text);
    return number;
}

static double learning_rate(const char *name, const char *text)
{
    char *end;
    const double rate = strtod(text, &end);

    if (((*text < '0' || *text > '9') && *text != '.') || *end || !(rate >= 1e-9 && rate <= 1e9))
        fail("%s must be a number from 1e-9 to 1e9, not '%s'", name, text);
    return rate;
}

static void take_layers(settings *s, const char *name, const char *text)
{
    const char *rest = text;
    char *end = NULL;
    long size;

    s->size_count = 0;
    do {
        size = *rest >= '0' && *rest <= '9' ? strtol(rest, &end, 10) : 0;
        if (size < 1 || size > 1000000 || (*end && *end != '-') || s->size_count == MAX_SIZES)
            fail("%s must be 2 to %d sizes from 1 to 1000000 joined by '-', not '%s'", name,
                 MAX_SIZES, text);
        s->sizes[s->size_count++] = (int)size;
        rest = end + 1;
    } while (*end);
    if (s->size_count < 2 || size != CLASSES)
        fail("%s must end with %d neurons, one for each digit, behind the inputs, not '%s'", name,
             CLASSES, text);
}

static void take(settings *s, enum option option, const char *name, const char *value)
{
    switch (option) {
    case DATA:
        s->data = value;
        break;
    case LAYERS:
        take_layers(s, name, value);
        break;
    case EPOCHS:
        s->epochs = (int)whole_number(name, value, 1, 1000000);
        break;
    case BATCH:
        s->batch_size = (size_t)whole_number(name, value, 0, 1000000000);
        break;
    case RATE:
        s->learning_rate = learning_rate(name, value);
        break;
    case SEED:
        s->seed = whole_number(name, value, 0, UINT64_MAX);
        break;
    case THREADS:
        s->threads = (int)whole_number(name, value, 0, 1024);
        break;
    case SAVE:
        s->save = value;
        break;
    case LOAD:
        s->load = value;
        break;
    case TEST_ONLY:
        s->test_only = 1;
        break;
    case PICTURES:
        s->pictures = value;
        break;
    case HELP:
        help();
        exit(0);
    }
}

static enum option find_option(const char *name)
{
    int i = 0;

    while (i <= HELP && strcmp(options[i].name, name) != 0)
        i++;
    if (i > HELP)
        fail("there is no option '%s'; --help lists them", name);
    return (enum option)i;
}

static settings read_settings(int argc, char **argv)
{
    settings s = { DEFAULT_DATA, { 0 }, 0, 20, 10, 30, 1, 0, NULL, NULL, NULL, 0 };
    int i;

    for (i = 1; i < argc; i++) {
        const char *name = argv[i];
        const enum option option = find_option(name);
        if (*options[option].value) {
            i++;
            if (i == argc || !*argv[i] || strncmp(argv[i], "--", 2) == 0)
                fail("%s needs a value: %s %s", name, name, options[option].value);
        }
        take(&s, option, name, argv[i]);
    }
    if (s.test_only && !s.load)
        fail("--test-only needs a network to test: --load FILE");
    if (s.test_only && s.save)
        fail("--test-only changes nothing that --save could save");
    return s;
}

/* ---- the machine: terminal, clock, directories, Ctrl-C ---- */

typedef struct terminal {
    int live; /* a line can be drawn over */
    int rich; /* colours and Unicode can be shown */
} terminal;

static int is_set(const char *variable)
{
    const char *value = getenv(variable);

    return value && *value;
}

/* Does the locale say UTF-8, or nothing at all? */
static int is_utf8(void)
{
    const char *name = is_set("LC_ALL") ? "LC_ALL" : is_set("LC_CTYPE") ? "LC_CTYPE" : "LANG";
    const char *locale = getenv(name);

    return !locale || !*locale || strstr(locale, "UTF-8") || strstr(locale, "utf8") ||
           strstr(locale, "utf-8") || strstr(locale, "UTF8");
}

static terminal find_terminal(void)
{
    terminal t = { 0, 0 };
#ifdef _WIN32
    t.live = _isatty(_fileno(stdout));
#else
    const char *term = getenv("TERM");
    t.live = isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0;
    t.rich = t.live && !is_set("NO_COLOR") && is_utf8();
#endif
    return t;
}

static double seconds(void)
{
#ifdef _WIN32
    return (double)clock() / CLOCKS_PER_SEC;
#else
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
#endif
}

static void make_directory(const char *path)
{
#ifdef _WIN32
    const int failed = _mkdir(path);
#else
    const int failed = mkdir(path, 0777);
#endif
    if (failed && errno != EEXIST)
        fail("%s: %s", path, strerror(errno));
}

static void join_path(char *path, const char *directory, const char *name)
{
    if (snprintf(path, PATH_SIZE, "%s/%s", directory, name) >= PATH_SIZE)
        fail("%s: the path is too long", directory);
}

/* Can path be written by way of path.tmp, as bp_save does it? Finds out without touching path. */
static void check_writable(const char *path)
{
    char temporary[PATH_SIZE];
    FILE *f = fopen(path, "rb");

    if (f) {
        fclose(f);
        f = fopen(path, "r+b");
        if (!f)
            fail("%s: %s", path, strerror(errno));
        fclose(f);
    }
    if (snprintf(temporary, PATH_SIZE, "%s.tmp", path) >= PATH_SIZE)
        fail("%s: the path is too long", path);
    f = fopen(temporary, "wb");
    if (!f)
        fail("%s: %s", path, strerror(errno));
    fclose(f);
    remove(temporary);
}

static volatile sig_atomic_t interrupted;

/* The first Ctrl-C stops the training, a second one the program. */
static void interrupt(int number)
{
    interrupted = 1;
    signal(number, SIG_DFL);
}

/* ---- digits ---- */

/* Images and labels as bytes, and what the library is to see for each of the 256 bytes. */
typedef struct digits {
    idx_set images, labels;
    size_t pixels; /* of one image */
    bp_real level[256];
} digits;

static bp_status fetch(void *user, const size_t *indices, size_t n, bp_real *inputs,
                       bp_real *targets)
{
    const digits *d = (const digits *)user;
    size_t i, k;

    for (i = 0; i < n; i++) {
        const unsigned char *image = d->images.bytes + indices[i] * d->pixels;
        for (k = 0; k < d->pixels; k++)
            inputs[i * d->pixels + k] = d->level[image[k]];
        for (k = 0; k < CLASSES; k++)
            targets[i * CLASSES + k] = 0;
        targets[i * CLASSES + d->labels.bytes[indices[i]]] = 1;
    }
    return interrupted ? BP_STOPPED : BP_OK;
}

static void read_digits(digits *d, const char *directory, const char *images, const char *labels)
{
    char path[PATH_SIZE];
    idx_error error;
    int i;

    join_path(path, directory, images);
    if (!idx_read(&d->images, path, IDX_IMAGES, &error))
        fail("%s%s", error.text,
             strcmp(directory, DEFAULT_DATA) == 0
                 ? "; run this from the repository's root, or say --data DIR"
                 : "");
    join_path(path, directory, labels);
    if (!idx_read(&d->labels, path, IDX_LABELS, &error) ||
        !idx_match(&d->images, &d->labels, CLASSES, path, &error))
        fail("%s", error.text);
    d->pixels = d->images.rows * d->images.columns;
    for (i = 0; i < 256; i++)
        d->level[i] = (bp_real)i / 255;
}

static void read_data(const settings *s, digits *training, digits *test)
{
    read_digits(training, s->data, "train-images-idx3-ubyte", "train-labels-idx1-ubyte");
    read_digits(test, s->data, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte");
    if (training->images.rows != test->images.rows ||
        training->images.columns != test->images.columns)
        fail("%s: images for training and for testing differ in size", s->data);
    if (training->images.rows > 1000 || training->images.columns > 1000)
        fail("%s: the images have more than 1000 rows or columns", s->data);
}

static bp_data as_data(digits *d)
{
    bp_data data = { 0, NULL, NULL, fetch, NULL };

    data.count = d->images.count;
    data.user = d;
    return data;
}

/* ---- the network ---- */

static void describe_layers(char *text, size_t size, const bp_net *net)
{
    size_t used = (size_t)snprintf(text, size, "%d", net->layers[0].inputs);
    int l;

    for (l = 0; l < net->layer_count && used < size; l++)
        used += (size_t)snprintf(text + used, size - used, "-%d", net->layers[l].outputs);
}

static bp_net *load_net(const settings *s, size_t pixels)
{
    bp_net *net = NULL;
    const bp_status status = bp_load(&net, s->load);
    char layers[200];
    int l;

    if (status == BP_IO_ERROR)
        fail("%s: the file cannot be read", s->load);
    if (status != BP_OK)
        fail("%s: %s", s->load, bp_status_string(status));
    describe_layers(layers, sizeof layers, net);
    for (l = 0; s->size_count && l < s->size_count; l++)
        if (s->size_count != net->layer_count + 1 ||
            s->sizes[l] != (l ? net->layers[l - 1].outputs : net->layers[0].inputs))
            fail("%s: the network is %s, which is not what --layers says", s->load, layers);
    if ((size_t)net->layers[0].inputs != pixels ||
        net->layers[net->layer_count - 1].outputs != CLASSES)
        fail("%s: the network is %s; it must begin with %d, the pixels of an image, and end"
             " with %d",
             s->load, layers, (int)pixels, CLASSES);
    return net;
}

static bp_net *make_net(settings *s, size_t pixels)
{
    bp_net *net;

    if (s->load)
        return load_net(s, pixels);
    if (s->size_count == 0) {
        s->size_count = 3;
        s->sizes[0] = (int)pixels;
        s->sizes[1] = 100;
        s->sizes[2] = CLASSES;
    }
    if ((size_t)s->sizes[0] != pixels)
        fail("--layers must begin with %d, the pixels of an image, not %d", (int)pixels,
             s->sizes[0]);
    net = bp_create(s->sizes, s->size_count, s->seed);
    if (!net)
        fail("there is not enough memory for the network");
    return net;
}

/* ---- training ---- */

typedef struct run {
    const settings *settings;
    terminal terminal;
    uint64_t first, last;                 /* epochs */
    double started, epoch_started, drawn; /* seconds */
    double cost;                          /* of the epoch's training examples */
    uint64_t saved;                       /* the last epoch that --save has written; 0: none */
    epoch_record *records;
    size_t record_count;
} run;

static const char *style(const terminal *t, const char *code)
{
    return t->rich ? code : "";
}

static void draw_bar(const terminal *t, double share)
{
    const char *done = t->rich ? "\xe2\x96\x88" : "#", *open = t->rich ? "\xe2\x96\x91" : "-";
    int i;

    fputs(style(t, "\033[36m"), stdout);
    for (i = 0; i < 16; i++)
        fputs(i < (int)(16 * share + 0.5) ? done : open, stdout);
    fputs(style(t, "\033[0m"), stdout);
}

/* The library asks after every report_every examples whether to stop. */
static int on_progress(void *user, const bp_progress *p)
{
    run *r = (run *)user;
    const double now = seconds(), share = (double)p->seen / (double)p->count;
    const double done = (double)(p->epoch - r->first) + share;
    const double left = (double)(r->last - r->first + 1) - done;

    r->cost = p->cost;
    if (r->terminal.live && now - r->drawn > 0.04) {
        r->drawn = now;
        printf("\repoch %3" PRIu64 "/%" PRIu64 " ", p->epoch, r->last);
        draw_bar(&r->terminal, share);
        printf(" %8.0f examples/s  cost %.5f  %.0f s left  ",
               (double)p->seen / (now - r->epoch_started), p->cost,
               (now - r->started) * left / done);
        fflush(stdout);
    }
    return interrupted;
}

static void report_epoch(const run *r, const epoch_record *e, size_t count, double took)
{
    char line[100];

    snprintf(line, sizeof line,
             "epoch %3" PRIu64 "/%" PRIu64 "  cost %.5f  test accuracy %6.2f %%"
             "  %8.0f examples/s",
             e->epoch, r->last, e->value[TRAINING_COST], e->value[TEST_ACCURACY],
             (double)count / (took > 0 ? took : 1e-9));
    printf(r->terminal.live ? "\r%-78s\n" : "%s\n", line);
    fflush(stdout);
}

static void save(run *r, const bp_net *net)
{
    bp_status status;

    if (!r->settings->save)
        return;
    status = bp_save(net, r->settings->save);
    if (status != BP_OK)
        fail("%s: %s after epoch %" PRIu64, r->settings->save, bp_status_string(status),
             net->epochs_trained);
    r->saved = net->epochs_trained;
}

static bp_status train_epoch(run *r, bp_net *net, const bp_data *training, const bp_data *test)
{
    const settings *s = r->settings;
    epoch_record *record = &r->records[r->record_count];
    bp_evaluation found;
    bp_training how = { 0 };
    bp_status status;
    double took;

    how.epochs = 1;
    how.batch_size = s->batch_size;
    how.learning_rate = s->learning_rate;
    how.seed = s->seed;
    how.threads = s->threads;
    how.report_every = training->count / 200 + 1;
    how.on_progress = on_progress;
    how.user = r;

    r->epoch_started = r->drawn = seconds();
    status = bp_train(net, training, &how);
    if (status != BP_OK)
        return status;
    took = seconds() - r->epoch_started;
    save(r, net);
    status = bp_evaluate(net, test, &found);
    if (status != BP_OK)
        return status;
    record->epoch = net->epochs_trained;
    record->value[TRAINING_COST] = r->cost;
    record->value[TEST_COST] = found.cost;
    record->value[TEST_ACCURACY] = 100 * (double)found.correct / (double)found.count;
    r->record_count++;
    report_epoch(r, record, training->count, took);
    return BP_OK;
}

/* Says what is kept of a training that did not end well, and ends the program. */
static void give_up(const run *r, bp_status status)
{
    const char *path = r->settings->save;
    char kept[PATH_SIZE + 100];

    if (r->saved)
        snprintf(kept, sizeof kept, "%s holds the network after epoch %" PRIu64, path, r->saved);
    else
        snprintf(kept, sizeof kept, "nothing has been saved");
    if (r->terminal.live)
        putchar('\n');
    if (status != BP_STOPPED)
        fail("training ended early: %s; %s", bp_status_string(status), kept);
    printf("Stopped: %s.\n", kept);
    if (r->saved && r->saved < r->last)
        printf("To go on, say the same with --load %s --epochs %" PRIu64 ".\n", path,
               r->last - r->saved);
    exit(130);
}

static void train(run *r, bp_net *net, const bp_data *training, const bp_data *test)
{
    bp_status status = BP_OK;

    r->first = net->epochs_trained + 1;
    r->last = net->epochs_trained + (uint64_t)r->settings->epochs;
    r->records = (epoch_record *)malloc(sizeof *r->records * (size_t)r->settings->epochs);
    if (!r->records)
        fail("there is not enough memory for the learning curve");
    signal(SIGINT, interrupt);
    r->started = seconds();
    while (status == BP_OK && net->epochs_trained < r->last)
        status = train_epoch(r, net, training, test);
    signal(SIGINT, SIG_DFL);
    if (interrupted)
        status = BP_STOPPED;
    if (status != BP_OK)
        give_up(r, status);
}

/* ---- reading the test set ---- */

typedef struct reading {
    size_t index;
    int meant, read;
    bp_real output; /* of the neuron of the digit read */
} reading;

static int largest(const bp_real *a)
{
    int j, best = 0;

    for (j = 1; j < CLASSES; j++)
        if (a[j] > a[best])
            best = j;
    return best;
}

static void read_all(const bp_net *net, digits *test, reading *readings)
{
    bp_real *x = (bp_real *)malloc(sizeof *x * test->pixels);
    bp_real a[CLASSES] = { 0 }, y[CLASSES];
    size_t i;

    if (!x)
        fail("there is not enough memory for an image");
    for (i = 0; i < test->images.count; i++) {
        bp_status status = fetch(test, &i, 1, x, y);
        if (status == BP_OK)
            status = bp_predict(net, x, 1, a);
        if (status != BP_OK)
            fail("test image %lu: %s", (unsigned long)i, bp_status_string(status));
        readings[i].index = i;
        readings[i].meant = test->labels.bytes[i];
        readings[i].read = largest(a);
        readings[i].output = a[readings[i].read];
    }
    free(x);
}

/* ---- drawing in the terminal ---- */

/* Test accuracy by epoch: a column for an epoch, or for every n-th where they are many. */
static void draw_learning_curve(const terminal *t, const epoch_record *records, size_t count)
{
    enum { ROWS = 8, MOST_COLUMNS = 60 };
    const size_t columns = count < MOST_COLUMNS ? count : MOST_COLUMNS;
    const size_t wide = MOST_COLUMNS / columns < 4 ? MOST_COLUMNS / columns : 4;
    const char *dot = t->rich ? "\xe2\x97\x8f" : "*";
    double least = 100, most = 0, range;
    size_t i;
    int row;

    widen(&least, &most, records, count, TEST_ACCURACY);
    range = most - least > 0.1 ? most - least : 0.1;
    printf("\n%sLearning curve%s: test accuracy after epochs %" PRIu64 " to %" PRIu64 "\n\n",
           style(t, "\033[1m"), style(t, "\033[0m"), records[0].epoch, records[count - 1].epoch);
    for (row = ROWS - 1; row >= 0; row--) {
        printf("%7.2f %% %s ", least + range * row / (ROWS - 1), t->rich ? "\xe2\x94\x82" : "|");
        for (i = 0; i < columns; i++) {
            const size_t k = columns > 1 ? i * (count - 1) / (columns - 1) : 0;
            const double height = (records[k].value[TEST_ACCURACY] - least) / range;
            const int here = (int)(height * (ROWS - 1) + 0.5) == row;
            printf("%s%s%s%*s", style(t, "\033[36m"), here ? dot : " ", style(t, "\033[0m"),
                   (int)wide - 1, "");
        }
        putchar('\n');
    }
    printf("%10s%s", "", t->rich ? "\xe2\x94\x94" : "+");
    for (i = 0; i <= columns * wide; i++)
        fputs(t->rich ? "\xe2\x94\x80" : "-", stdout);
    putchar('\n');
}

static void draw_confusion(const terminal *t, size_t counts[CLASSES][CLASSES])
{
    int i, j;

    printf("\n%sConfusion matrix%s: a row for each digit meant, a column for each digit read\n\n ",
           style(t, "\033[1m"), style(t, "\033[0m"));
    for (j = 0; j < CLASSES; j++)
        printf("%6d", j);
    puts("    right");
    for (i = 0; i < CLASSES; i++) {
        size_t total = 0;
        printf("%d", i);
        for (j = 0; j < CLASSES; j++) {
            const size_t count = counts[i][j];
            total += count;
            if (count)
                printf("%s%6lu%s", style(t, i == j ? "\033[32m" : "\033[33m"), (unsigned long)count,
                       style(t, "\033[0m"));
            else
                printf("%s     .%s", style(t, "\033[90m"), style(t, "\033[0m"));
        }
        printf("  %6.1f %%\n", total ? 100 * (double)counts[i][i] / (double)total : 0);
    }
}

/* The square of an image that its ink fills, drawn as SIDE x SIDE pixels. */
typedef struct window {
    const unsigned char *image;
    long rows, columns, left, top, side;
} window;

enum { SIDE = 20 };

static window find_ink(const digits *d, size_t index)
{
    window w = { NULL, (long)d->images.rows, (long)d->images.columns, 0, 0, SIDE };
    long x, y, x0 = w.columns, x1 = 0, y0 = w.rows, y1 = 0;

    w.image = d->images.bytes + index * d->pixels;
    for (y = 0; y < w.rows; y++)
        for (x = 0; x < w.columns; x++) {
            if (w.image[y * w.columns + x] == 0)
                continue;
            x0 = x < x0 ? x : x0;
            x1 = x > x1 ? x : x1;
            y0 = y < y0 ? y : y0;
            y1 = y > y1 ? y : y1;
        }
    if (x1 - x0 >= w.side)
        w.side = x1 - x0 + 1;
    if (y1 - y0 >= w.side)
        w.side = y1 - y0 + 1;
    w.left = (x0 + x1 + 1 - w.side) / 2;
    w.top = (y0 + y1 + 1 - w.side) / 2;
    return w;
}

static int window_pixel(const window *w, long x, long y)
{
    x = w->left + x * w->side / SIDE;
    y = w->top + y * w->side / SIDE;
    return x < 0 || y < 0 || x >= w->columns || y >= w->rows ? 0 : w->image[y * w->columns + x];
}

/* Two rows of pixels in one row of characters: half blocks in 24 greys, or ten ASCII shades. */
static void draw_rows(const terminal *t, const window *w, long y)
{
    long x;

    for (x = 0; x < SIDE; x++) {
        const int upper = window_pixel(w, x, y), lower = window_pixel(w, x, y + 1);
        if (t->rich)
            printf("\033[38;5;%d;48;5;%dm\xe2\x96\x80", 232 + upper * 23 / 255,
                   232 + lower * 23 / 255);
        else
            putchar(" .:-=+*#%@"[(upper + lower) * 9 / 510]);
    }
    printf("%s    ", style(t, "\033[0m"));
}

/* The misread digits of which the network was surest. readings has them first, in order. */
static void draw_misread(const terminal *t, const digits *test, const reading *readings,
                         size_t count)
{
    enum { ACROSS = 3 };
    size_t i, first;
    long y;

    if (count == 0)
        return;
    printf("\n%sMisread%s with the greatest confidence:\n", style(t, "\033[1m"),
           style(t, "\033[0m"));
    for (first = 0; first < count; first += ACROSS) {
        const size_t end = first + ACROSS < count ? first + ACROSS : count;
        putchar('\n');
        for (i = first; i < end; i++)
            printf("meant %d, read %s%d%s (%.2f)  ", readings[i].meant, style(t, "\033[33m"),
                   readings[i].read, style(t, "\033[0m"), (double)readings[i].output);
        putchar('\n');
        for (y = 0; y < SIDE; y += 2) {
            for (i = first; i < end; i++) {
                const window w = find_ink(test, readings[i].index);
                draw_rows(t, &w, y);
            }
            putchar('\n');
        }
    }
}

/* Misread before read rightly, surest first; for qsort. */
static int compare_readings(const void *a, const void *b)
{
    const reading *p = (const reading *)a, *q = (const reading *)b;

    if ((p->meant == p->read) != (q->meant == q->read))
        return p->meant == p->read ? 1 : -1;
    if (p->output < q->output || p->output > q->output)
        return p->output < q->output ? 1 : -1;
    return p->index < q->index ? -1 : 1;
}

/* ---- all of it ---- */

static const char *const picture_names[] = { "learning-curve.svg", "confusion-matrix.svg",
                                             "first-layer.svg" };

static void check_outputs(const settings *s)
{
    char path[PATH_SIZE];
    int i;

    if (s->save)
        check_writable(s->save);
    if (!s->pictures)
        return;
    make_directory(s->pictures);
    for (i = 0; i < 3; i++) {
        join_path(path, s->pictures, picture_names[i]);
        check_writable(path);
    }
}

static void write_pictures(const run *r, const bp_net *net, const digits *test,
                           size_t counts[CLASSES][CLASSES])
{
    char path[PATH_SIZE];
    int i;

    putchar('\n');
    for (i = 0; i < 3; i++) {
        int ok = 1;
        join_path(path, r->settings->pictures, picture_names[i]);
        if (i == 0 && r->record_count == 0)
            continue;
        if (i == 0)
            ok = picture_learning_curve(path, r->records, r->record_count);
        if (i == 1)
            ok = picture_confusion(path, counts);
        if (i == 2)
            ok = picture_weights(path, &net->layers[0], test->images.rows, test->images.columns);
        if (!ok)
            fail("%s: the picture cannot be written", path);
        puts(path);
    }
}

static void test_net(const run *r, const bp_net *net, digits *test)
{
    const size_t count = test->images.count;
    reading *readings = (reading *)malloc(sizeof *readings * count);
    size_t counts[CLASSES][CLASSES] = { { 0 } };
    size_t i, wrong = 0;

    if (!readings)
        fail("there is not enough memory for %lu readings", (unsigned long)count);
    read_all(net, test, readings);
    for (i = 0; i < count; i++) {
        counts[readings[i].meant][readings[i].read]++;
        wrong += readings[i].meant != readings[i].read;
    }
    qsort(readings, count, sizeof *readings, compare_readings);
    if (r->record_count > 1)
        draw_learning_curve(&r->terminal, r->records, r->record_count);
    draw_confusion(&r->terminal, counts);
    draw_misread(&r->terminal, test, readings, wrong < MISREAD_SHOWN ? wrong : MISREAD_SHOWN);
    printf("\nTest accuracy after epoch %" PRIu64 ": %.2f %%, %lu of %lu read rightly\n",
           net->epochs_trained, 100 * (double)(count - wrong) / (double)count,
           (unsigned long)(count - wrong), (unsigned long)count);
    if (r->settings->pictures)
        write_pictures(r, net, test, counts);
    free(readings);
}

int main(int argc, char **argv)
{
    settings s = read_settings(argc, argv);
    run r = { NULL, { 0, 0 }, 0, 0, 0, 0, 0, 0, 0, NULL, 0 };
    digits training, test;
    bp_data training_data, test_data;
    char layers[200];
    bp_net *net;

    r.settings = &s;
    r.terminal = find_terminal();
    read_data(&s, &training, &test);
    net = make_net(&s, training.pixels);
    check_outputs(&s);

    describe_layers(layers, sizeof layers, net);
    printf("%s, %lu digits to learn from, %lu to test with\n", layers,
           (unsigned long)training.images.count, (unsigned long)test.images.count);
    training_data = as_data(&training);
    test_data = as_data(&test);
    if (!s.test_only)
        train(&r, net, &training_data, &test_data);
    test_net(&r, net, &test);

    bp_free(net);
    free(r.records);
    idx_free(&training.images);
    idx_free(&training.labels);
    idx_free(&test.images);
    idx_free(&test.labels);
    if (fflush(stdout) || ferror(stdout))
        fail("standard output cannot be written");
    return 0;
}
