/* interface.c - fuzz target: the whole interface, with arguments that the fuzzer chooses
 *
 * A run creates a network of sizes that may be absurd and makes up to eight calls on it, each
 * with settings valid or not, data with infinities and NaN, sources that fail, callbacks that
 * stop, and memory that may run out at any allocation. After each call stands what the manual
 * promises of it. Files go to a disk in memory that may be full. */
#include "fuzz.h"

static void run_parts(int parts, void (*task)(void *context, int part, int parts), void *context);
static FILE *disk_open(const char *path, const char *mode);
static int disk_close(FILE *file);
static int disk_rename(const char *from, const char *to);
static int disk_remove(const char *path);

#define fopen(path, mode) disk_open(path, mode)
#define fclose(file) disk_close(file)
#define rename(from, to) disk_rename(from, to)
#define remove(path) disk_remove(path)
/* The parts in the wrong order: threads need not be punctual. */
#define BACKPROP_PARALLEL(parts, task, context) run_parts(parts, task, context)
#define BACKPROP_THREADS 3
#define BACKPROP_MALLOC(size) heap_malloc(size)
#define BACKPROP_FREE(pointer) heap_free(pointer)
#define BACKPROP_ASSERT(condition) MUST(condition)
#define BACKPROP_IMPLEMENTATION
#include "backprop.h"
#undef fopen
#undef fclose

static void run_parts(int parts, void (*task)(void *context, int part, int parts), void *context)
{
    while (parts-- > 0)
        task(context, parts, parts + 1);
}

/* ---- a disk for one file, "net", and its temporary ---- */

static struct {
    uint8_t file[1 << 19], temporary[1 << 19];
    size_t file_size, temporary_size; /* (size_t)-1: there is none */
    size_t room;                      /* a file that is longer finds the disk full */
    int writing;
} disk;

static FILE *disk_open(const char *path, const char *mode)
{
    disk.writing = mode[0] == 'w';
    if (disk.writing) {
        MUST(strcmp(path, "net.tmp") == 0 && strcmp(mode, "wb") == 0);
        disk.temporary_size = 0;
        return fmemopen(disk.temporary, sizeof disk.temporary, "wb");
    }
    MUST(strcmp(path, "net") == 0 && disk.file_size + 1 > 1);
    return fmemopen(disk.file, disk.file_size, "rb");
}

/* That the disk is full shows late, as it does where writes are buffered. */
static int disk_close(FILE *file)
{
    const long end = ftell(file);
    MUST(fclose(file) == 0 && end >= 0);
    if (disk.writing)
        disk.temporary_size = (size_t)end;
    return disk.writing && (size_t)end > disk.room ? EOF : 0;
}

static int disk_rename(const char *from, const char *to)
{
    MUST(strcmp(from, "net.tmp") == 0 && strcmp(to, "net") == 0);
    MUST(disk.temporary_size + 1 > 1);
    memcpy(disk.file, disk.temporary, disk.temporary_size);
    disk.file_size = disk.temporary_size;
    disk.temporary_size = (size_t)-1;
    return 0;
}

static int disk_remove(const char *path)
{
    MUST(strcmp(path, "net.tmp") == 0);
    disk.temporary_size = (size_t)-1;
    return 0;
}

/* ---- what a run works with ---- */

typedef struct world {
    source from;
    bp_net *net;
    bp_data data;
    bp_real *inputs, *targets; /* what data shows, or what fetch copies from */
    size_t count;              /* examples in them */
    double wildest;            /* the largest finite magnitude in them */
    int spoiled;               /* something in them is not finite */
    unsigned fetch_at, fetched; /* the call of fetch that fails, from 1; calls made */
    unsigned stop_at, reports;  /* likewise for on_progress, which then stops */
    uint64_t seen_epoch;
} world;

/* ---- numbers ---- */

static bp_real infinity(void)
{
    const volatile bp_real most = BPI_REAL_MAX;
    return most * 2;
}

static bp_real special(uint64_t choice)
{
    switch (choice % 10) {
    case 0: return infinity();
    case 1: return -infinity();
    case 2: return infinity() - infinity();
    case 3: return BPI_REAL_MAX;
    case 4: return -BPI_REAL_MAX;
    case 5: return (bp_real)1e-42;
    case 6: return (bp_real)-0.0;
    case 7: return (bp_real)1e30;
    case 8: return (bp_real)-1e10;
    default: return 1000;
    }
}

/* Between 0 and 1, and now and then, by style, zero or special. */
static bp_real number(unsigned style, uint64_t *state)
{
    const uint64_t bits = draw(state);
    if (style == 1 && bits % 4 != 0)
        return 0;
    if (style == 2 && bits % 64 == 0)
        return special(bits >> 8);
    if (style == 3)
        return special(bits >> 8);
    return (bp_real)(bits >> 40) / (bp_real)(1 << 24);
}

/* count numbers in a block of their own. */
static bp_real *numbers(world *w, size_t count, unsigned style, uint64_t seed)
{
    bp_real *x = (bp_real *)malloc(count * sizeof(bp_real));
    size_t i;
    MUST(x != NULL);
    for (i = 0; i < count; i++) {
        x[i] = number(style, &seed);
        if (bpi_is_finite((double)x[i]))
            w->wildest = larger(w->wildest, (double)x[i]);
        else
            w->spoiled = 1;
    }
    return x;
}

static int inputs_of(const world *w)
{
    return w->net->layers[0].inputs;
}

static int outputs_of(const world *w)
{
    return w->net->layers[w->net->layer_count - 1].outputs;
}

static void check_finite(const bp_net *net)
{
    size_t i;
    for (i = 0; i < net->parameter_count; i++)
        MUST(bpi_is_finite((double)net->parameters[i]));
}

/* Equal as numbers: skipped zeros may change the sign of a zero. */
static void check_equal(const bp_real *a, const bp_real *b, size_t count)
{
    size_t i;
    for (i = 0; i < count; i++)
        MUST((a[i] <= b[i] && a[i] >= b[i]) ||
             (!bpi_is_number((double)a[i]) && !bpi_is_number((double)b[i])));
}

static int same_bits(const bp_net *a, const bp_net *b)
{
    return a->epochs_trained == b->epochs_trained &&
           memcmp(a->parameters, b->parameters, a->parameter_count * sizeof(bp_real)) == 0;
}

/* A clone that computes with another instruction set, if one has the same arithmetic. */
static bp_net *twin_of(world *w)
{
    static const char *const names[] = { "avx512", "avx2", "sse2", "neon", "plain" };
    bp_net *twin;
    heap_reset(0);
    twin = bp_clone(w->net);
    MUST(twin != NULL && same_bits(twin, w->net));
    if (bp_use_simd(twin, names[take(&w->from, 5)]) == BP_OK &&
        twin->kernels->fused != w->net->kernels->fused)
        MUST(bp_use_simd(twin, NULL) == BP_OK);
    return twin;
}

/* ---- data ---- */

static bp_status fetch(void *user, const size_t *indices, size_t n, bp_real *inputs,
                       bp_real *targets)
{
    world *w = (world *)user;
    const size_t width = (size_t)inputs_of(w), outputs = (size_t)outputs_of(w);
    size_t i;
    MUST(n > 0);
    if (++w->fetched == w->fetch_at)
        return BP_BAD_FILE;
    for (i = 0; i < n; i++) {
        MUST(indices[i] < w->data.count);
        memcpy(inputs + i * width, w->inputs + indices[i] % w->count * width,
               width * sizeof(bp_real));
        memcpy(targets + i * outputs, w->targets + indices[i] % w->count * outputs,
               outputs * sizeof(bp_real));
    }
    return BP_OK;
}

/* Examples for the network, so few that a call stays quick. */
static void take_data(world *w)
{
    static const size_t counts[] = { 1, 2, 3, 5, 8, 17, 40, 300 };
    const unsigned style = take(&w->from, 4);
    const uint64_t seed = take_bits(&w->from, 1);
    const size_t most = 10000 / w->net->parameter_count + 1;
    w->count = bpi_min(counts[take(&w->from, 8)], most);
    w->wildest = 0;
    w->spoiled = 0;
    free(w->inputs);
    free(w->targets);
    w->inputs = numbers(w, w->count * (size_t)inputs_of(w), style, seed);
    w->targets = numbers(w, w->count * (size_t)outputs_of(w), style & 2 ? style : 0, seed + 1);
    memset(&w->data, 0, sizeof w->data);
    w->data.count = w->count;
    if (take(&w->from, 2)) {
        w->data.fetch = fetch;
        w->data.user = w;
    } else {
        w->data.inputs = w->inputs;
        w->data.targets = w->targets;
    }
    w->fetch_at = take(&w->from, 8) ? 0 : take(&w->from, 4) + 1;
}

/* Now and then spoils what was asked for: 0 if it is no set of examples any more. */
static int spoil_data(world *w)
{
    switch (take(&w->from, 32)) {
    case 1:
        w->data.count = 0;
        return 0;
    case 2:
        w->data.targets = NULL;
        w->data.fetch = w->data.inputs ? fetch : NULL;
        return 0;
    default:
        return 1;
    }
}

static void begin(world *w, unsigned fail_at)
{
    w->fetched = w->reports = 0;
    w->seen_epoch = 0;
    heap_reset(fail_at);
}

/* Half of all calls get all the memory they want. */
static unsigned take_failure(world *w)
{
    return take(&w->from, 2) ? 0 : take(&w->from, 8);
}

/* The failures that a call over data may report, each only for its cause. */
static void check_cause(const world *w, bp_status status, int valid)
{
    MUST(status == BP_OK || status == BP_INVALID_ARGUMENT || status == BP_OUT_OF_MEMORY ||
         status == BP_BAD_FILE || status == BP_DIVERGED || status == BP_STOPPED ||
         status == BP_INVALID_DATA);
    MUST((status == BP_INVALID_ARGUMENT) == !valid);
    MUST(status != BP_OUT_OF_MEMORY || heap.failed);
    MUST(status != BP_BAD_FILE || (w->data.fetch && w->fetched == w->fetch_at));
    MUST(status != BP_STOPPED || w->reports == w->stop_at);
    MUST(status != BP_INVALID_DATA || w->spoiled);
}

/* ---- the calls ---- */

static int on_progress(void *user, const bp_progress *progress)
{
    world *w = (world *)user;
    w->reports++;
    MUST(progress->count == w->data.count && progress->seen > 0);
    MUST(progress->seen <= progress->count && progress->epoch <= progress->epochs);
    MUST(progress->epoch >= w->seen_epoch);
    MUST(bpi_is_finite(progress->cost) && progress->cost >= 0);
    check_finite(progress->net);
    w->seen_epoch = progress->epoch;
    return w->reports == w->stop_at;
}

static double take_rate(source *from)
{
    static const double rates[] = { 0.5, 3,     30,   1e-3,  100, 0,
                                    -1,  1e-60, 1e20, 3e38,  1e300 };
    const unsigned choice = take(from, 32);
    if (choice == 31)
        return (double)infinity();
    if (choice == 30)
        return (double)(infinity() - infinity());
    return rates[choice < 20 ? choice % 5 : choice - 20 + 1];
}

static bp_training take_training(world *w)
{
    static const size_t batches[] = { 1, 1, 2, 3, 10, 0, 64, (size_t)-1 };
    static const int threads[] = { 0, 1, 2, 7, 300, -1, 0x7fffffff, 4 };
    bp_training training;
    memset(&training, 0, sizeof training);
    training.epochs = (int)take(&w->from, 5) - 1;
    training.batch_size = batches[take(&w->from, 8)];
    training.learning_rate = take_rate(&w->from);
    training.seed = take_bits(&w->from, 2);
    training.in_order = (int)take(&w->from, 2);
    training.threads = threads[take(&w->from, 8)];
    training.report_every = take(&w->from, 2) ? take(&w->from, 20) : 0;
    w->stop_at = take(&w->from, 4) ? 0 : take(&w->from, 16) + 1;
    if (take(&w->from, 2)) {
        training.on_progress = on_progress;
        training.user = w;
    }
    return training;
}

/* bp_train, or bp_train_in with the memory it says it needs, or a byte less. */
static bp_status train(world *w, bp_net *net, const bp_training *training, unsigned how)
{
    size_t need = how ? bp_workspace_size(net, &w->data, training) : 0;
    uint8_t *memory;
    bp_status status;
    if (need == 0 || need > HEAP_MOST)
        return bp_train(net, &w->data, training);
    need -= how == 2;
    memory = (uint8_t *)malloc(need + how);
    MUST(memory != NULL);
    status = bp_train_in(net, &w->data, training, memory + how, need);
    free(memory);
    MUST((status == BP_OUT_OF_MEMORY) == (how == 2) && heap.calls == 0);
    heap.failed = how == 2;
    return status;
}

/* Every batch by bp_gradient and bp_update, in order; 0 if the gradient leaves the numbers. */
static int train_by_hand(world *w, bp_net *net, const bp_training *training)
{
    const size_t batch = training->batch_size ? bpi_min(training->batch_size, w->count) : w->count;
    bp_real *gradient = (bp_real *)malloc(net->parameter_count * sizeof(bp_real));
    size_t first;
    int ok = 1;
    MUST(gradient != NULL);
    for (first = 0; first < w->count && ok; first += batch) {
        bp_data part;
        memset(&part, 0, sizeof part);
        part.count = bpi_min(batch, w->count - first);
        part.inputs = w->inputs + first * (size_t)inputs_of(w);
        part.targets = w->targets + first * (size_t)outputs_of(w);
        heap_reset(0);
        ok = bp_gradient(net, &part, gradient, NULL) == BP_OK;
        if (ok)
            bp_update(net, gradient, training->learning_rate);
    }
    free(gradient);
    return ok;
}

/* What training did, against a twin trained with other instructions and one trained by hand. */
static void check_trained(world *w, bp_net *before, const bp_training *training, bp_status status)
{
    bp_net *hand;
    heap_reset(0);
    hand = bp_clone(before);
    MUST(hand != NULL);
    begin(w, 0);
    MUST(bp_train(before, &w->data, training) == status);
    MUST(before->epochs_trained == w->net->epochs_trained);
    check_equal(before->parameters, w->net->parameters, w->net->parameter_count);
    if (status == BP_OK && training->epochs == 1 && training->in_order) {
        MUST(train_by_hand(w, hand, training));
        check_equal(hand->parameters, w->net->parameters, w->net->parameter_count);
    }
    bp_free(hand);
}

static void call_train(world *w)
{
    const bp_training training = take_training(w);
    const double eta = training.learning_rate;
    const uint64_t epochs = w->net->epochs_trained;
    int valid = training.epochs >= 0 && training.threads >= 0 && eta > 0 &&
                eta <= (double)BPI_REAL_MAX && (bp_real)eta > 0;
    bp_net *before;
    bp_status status;
    size_t i;
    take_data(w);
    valid = spoil_data(w) && valid;
    before = twin_of(w);
    begin(w, take_failure(w));
    status = train(w, w->net, &training, take(&w->from, 3));
    check_cause(w, status, valid);
    if (status != BP_DIVERGED)
        check_finite(w->net);
    if (status == BP_OK)
        MUST(w->net->epochs_trained == epochs + (uint64_t)training.epochs);
    if (status == BP_INVALID_ARGUMENT || status == BP_OUT_OF_MEMORY)
        MUST(same_bits(w->net, before));
    else
        check_trained(w, before, &training, status);
    bp_free(before);
    /* The calls to come want finite parameters. */
    for (i = 0; i < w->net->parameter_count; i++)
        if (!bpi_is_finite((double)w->net->parameters[i]))
            w->net->parameters[i] = 0;
}

/* May sums overflow, so that an output can be infinity - infinity? */
static int may_overflow(const world *w)
{
    const size_t count = w->net->parameter_count;
    double most = 0;
    size_t i;
    for (i = 0; i < count; i++)
        most = larger(most, (double)w->net->parameters[i]);
    return w->spoiled || most * (w->wildest + 1) * (double)count > (double)BPI_REAL_MAX / 4;
}

static void call_predict(world *w)
{
    size_t i, outputs = (size_t)outputs_of(w), total;
    bp_real *all, *one;
    bp_status status;
    bp_net *twin;
    take_data(w);
    twin = twin_of(w);
    total = w->count * outputs;
    all = (bp_real *)malloc(total * sizeof(bp_real));
    one = (bp_real *)malloc(total * sizeof(bp_real));
    MUST(all != NULL && one != NULL);
    begin(w, take_failure(w));
    status = bp_predict(w->net, w->inputs, w->count, all);
    MUST(status == BP_OK || (status == BP_OUT_OF_MEMORY && heap.failed));
    heap_reset(0);
    if (status == BP_OK) {
        for (i = 0; i < total; i++)
            MUST((all[i] >= 0 && all[i] <= 1) ||
                 (!bpi_is_number((double)all[i]) && may_overflow(w)));
        for (i = 0; i < w->count; i++)
            MUST(bp_predict(twin, w->inputs + i * (size_t)inputs_of(w), 1, one + i * outputs) ==
                 BP_OK);
        check_equal(one, all, total);
    }
    MUST(bp_predict(w->net, NULL, 1, all) == BP_INVALID_ARGUMENT);
    MUST(bp_predict(w->net, w->inputs, 0, all) == BP_INVALID_ARGUMENT);
    MUST(bp_predict(NULL, w->inputs, 1, all) == BP_INVALID_ARGUMENT);
    bp_free(twin);
    free(all);
    free(one);
}

/* bp_evaluate and bp_gradient see the same cost; one that fails leaves what it was given. */
static void call_evaluate(world *w)
{
    const size_t count = w->net->parameter_count;
    bp_real *gradient = (bp_real *)malloc(count * sizeof(bp_real));
    bp_evaluation result;
    bp_status status;
    double cost = -1;
    size_t i;
    int valid;
    MUST(gradient != NULL);
    memset(&result, 0x5a, sizeof result);
    memset(gradient, 0x5a, count * sizeof(bp_real));
    take_data(w);
    valid = spoil_data(w);
    begin(w, take_failure(w));
    status = bp_evaluate(w->net, &w->data, &result);
    check_cause(w, status, valid);
    if (status == BP_OK)
        MUST(bpi_is_finite(result.cost) && result.cost >= 0 && result.correct <= result.count &&
             result.count == w->data.count);
    else
        for (i = 0; i < sizeof result.cost; i++)
            MUST(((unsigned char *)&result.cost)[i] == 0x5a);
    begin(w, take_failure(w));
    status = bp_gradient(w->net, &w->data, gradient, &cost);
    check_cause(w, status, valid);
    if (status == BP_OK) {
        heap_reset(0);
        w->fetch_at = 0;
        MUST(bp_evaluate(w->net, &w->data, &result) == BP_OK);
        MUST(cost <= result.cost && cost >= result.cost);
    } else {
        for (i = 0; i < count * sizeof(bp_real); i++)
            MUST(((unsigned char *)gradient)[i] == 0x5a);
        MUST(cost <= -1 && cost >= -1);
    }
    free(gradient);
}

static void call_check_gradient(world *w)
{
    double worst = -1;
    bp_status status;
    if (w->net->parameter_count > 40)
        return;
    take_data(w);
    begin(w, take_failure(w));
    status = bp_check_gradient(w->net, &w->data, &worst);
    check_cause(w, status, 1);
    MUST((status == BP_OK) == !(worst <= -1 && worst >= -1));
}

/* Into bytes and back; then one byte changed, and the end cut off. */
static void call_encode(world *w)
{
    bp_net mark, *copy = &mark;
    bp_status status;
    size_t need, at;
    uint8_t *bytes;
    heap_reset(take_failure(w));
    need = bp_encode(w->net, NULL, 0);
    bytes = (uint8_t *)malloc(need);
    MUST(need > 0 && bytes != NULL);
    bytes[0] = 0x5a;
    MUST(bp_encode(w->net, bytes, need - 1) == need && bytes[0] == 0x5a);
    MUST(bp_encode(w->net, bytes, need) == need);
    status = bp_decode(&copy, bytes, need);
    MUST(status == BP_OK || (status == BP_OUT_OF_MEMORY && heap.failed && copy == &mark));
    if (status == BP_OK) {
        MUST(same_bits(copy, w->net));
        bp_free(copy);
    }
    copy = &mark;
    at = (size_t)take_bits(&w->from, 2) % need;
    MUST(bp_decode(&copy, bytes, at) == BP_BAD_FILE && copy == &mark);
    bytes[at] ^= (uint8_t)(take(&w->from, 255) + 1);
    MUST(bp_decode(&copy, bytes, need) == BP_BAD_FILE && copy == &mark);
    free(bytes);
}

/* Nothing but the file is left, and after a failure it is the old one. */
static void check_disk(bp_status status, size_t old_size)
{
    MUST(disk.temporary_size == (size_t)-1);
    MUST(status == BP_OK || disk.file_size == old_size);
    MUST(status != BP_OUT_OF_MEMORY || heap.failed);
    MUST(status != BP_IO_ERROR || disk.room < sizeof disk.file);
}

static void check_load(world *w)
{
    bp_net mark, *copy = &mark;
    bp_status status;
    heap_reset(take_failure(w));
    status = bp_load(&copy, "net");
    MUST(status == BP_OK || (status == BP_OUT_OF_MEMORY && heap.failed && copy == &mark));
    if (status != BP_OK)
        return;
    MUST(same_bits(copy, w->net));
    bp_free(copy);
}

/* Through a file, and as C under a name that may be none, on a disk that may be full. */
static void call_save(world *w)
{
    char name[9] = { 0 };
    bp_net mark, *copy = &mark;
    bp_status status;
    size_t old_size;
    unsigned i, length;
    disk.file_size = disk.temporary_size = (size_t)-1;
    disk.room = take(&w->from, 2) ? sizeof disk.file : (size_t)take_bits(&w->from, 2) + 1;
    heap_reset(take_failure(w));
    status = bp_save(w->net, "net");
    MUST(status == BP_OK || status == BP_OUT_OF_MEMORY || status == BP_IO_ERROR);
    check_disk(status, (size_t)-1);
    if (status == BP_OK)
        check_load(w);
    for (length = take(&w->from, sizeof name), i = 0; i < length; i++)
        name[i] = (char)(take(&w->from, 4) ? 'a' + take(&w->from, 26) : take(&w->from, 128));
    old_size = disk.file_size;
    heap_reset(take_failure(w));
    status = bp_export_c(w->net, "net", name);
    MUST((status == BP_INVALID_ARGUMENT) == !bpi_is_identifier(name));
    check_disk(status, old_size);
    heap_reset(0);
    if (status == BP_OK)
        MUST(bp_load(&copy, "net") == BP_BAD_FILE && copy == &mark);
}

static void call_clone(world *w)
{
    bp_net *copy;
    heap_reset(take_failure(w));
    copy = bp_clone(w->net);
    MUST(copy != NULL || heap.failed);
    if (!copy)
        return;
    MUST(same_bits(copy, w->net) && copy->kernels == w->net->kernels);
    bp_free(w->net);
    w->net = copy;
}

/* Parameters that its owner sets: as large as they may be. */
static void call_poke(world *w)
{
    const size_t count = w->net->parameter_count;
    unsigned pokes = take(&w->from, 4);
    for (; pokes > 0; pokes--) {
        const bp_real x = special(take(&w->from, 10));
        w->net->parameters[take_bits(&w->from, 2) % count] = bpi_is_finite((double)x) ? x : 0;
    }
    w->net->epochs_trained = take_bits(&w->from, (int)take(&w->from, 9));
}

static void call_randomize(world *w)
{
    const uint64_t seed = take_bits(&w->from, 8);
    bp_net *twin = twin_of(w);
    bp_randomize(w->net, seed);
    bp_randomize(twin, seed);
    MUST(same_bits(w->net, twin) && w->net->epochs_trained == 0);
    check_finite(w->net);
    bp_free(twin);
}

/* ---- a run ---- */

/* A width: mostly a few neurons, sometimes hundreds, none at all, or all there are. */
static int take_width(source *from)
{
    static const int odd[] = { 0, -1, 0x7fffffff, -0x7fffffff - 1, 100000, 0x10000, 46341, 257 };
    const unsigned choice = take(from, 256);
    if (choice < 224)
        return (int)(choice % 32) + 1;
    if (choice < 248)
        return (int)(choice - 223) * 9;
    return odd[choice - 248];
}

/* The bytes that the parameters alone take, without fear of overflow; 0 for invalid sizes. */
static double parameter_bytes(const int *sizes, int size_count)
{
    double count = 0;
    int l;
    if (size_count < 2 || sizes[0] < 1)
        return 0;
    for (l = 1; l < size_count; l++) {
        if (sizes[l] < 1)
            return 0;
        count += (double)sizes[l] * ((double)sizes[l - 1] + 1);
    }
    return count * (double)sizeof(bp_real);
}

static bp_net *create(source *from)
{
    int sizes[8], i, size_count = (int)(take(from, 8) ? take(from, 4) + 2 : take(from, 8));
    const uint64_t seed = take_bits(from, 2);
    double need;
    size_t size;
    bp_net *net;
    for (i = 0; i < 8; i++)
        sizes[i] = i < size_count ? take_width(from) : 1;
    need = parameter_bytes(sizes, size_count);
    size = bp_net_size(sizes, size_count);
    /* near the largest size_t either answer may be right */
    if (need <= 0 || need > 1.01 * (double)SIZE_MAX)
        MUST(size == 0);
    else if (need < 0.99 * (double)SIZE_MAX)
        MUST((double)size >= 0.999 * need && (double)size <= 1.001 * need + 4096);
    heap_reset(take(from, 8) == 1);
    net = bp_create(sizes, size_count, seed);
    MUST(net != NULL || heap.failed || size == 0);
    MUST(net == NULL || (size > 0 && need <= HEAP_MOST));
    /* Large ones have been created; going on with them would take too long. */
    if (net && net->parameter_count > 10000) {
        bp_free(net);
        net = NULL;
    }
    return net;
}

/* Without a network every call says so, or does nothing. */
static void call_without(void)
{
    const bp_real x = 0;
    bp_real a;
    bp_data data;
    bp_training training;
    double cost;
    memset(&data, 0, sizeof data);
    memset(&training, 0, sizeof training);
    data.count = 1;
    data.inputs = data.targets = &x;
    training.learning_rate = 1;
    MUST(bp_predict(NULL, &x, 1, &a) == BP_INVALID_ARGUMENT);
    MUST(bp_train(NULL, &data, &training) == BP_INVALID_ARGUMENT);
    MUST(bp_gradient(NULL, &data, &a, &cost) == BP_INVALID_ARGUMENT);
    MUST(bp_evaluate(NULL, &data, NULL) == BP_INVALID_ARGUMENT);
    MUST(bp_clone(NULL) == NULL && bp_encode(NULL, NULL, 0) == 0);
    bp_update(NULL, &x, 1);
    bp_randomize(NULL, 1);
    bp_free(NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const calls[])(world *w) = {
        call_train,  call_train,          call_train,  call_predict, call_predict, call_evaluate,
        call_encode, call_check_gradient, call_save,   call_clone,   call_poke,    call_randomize
    };
    world w;
    int i;
    memset(&w, 0, sizeof w);
    w.from.bytes = data;
    w.from.size = size;
    w.net = create(&w.from);
    if (!w.net)
        call_without();
    for (i = 0; i < 8 && w.net && w.from.size > 0; i++)
        calls[take(&w.from, 12)](&w);
    bp_free(w.net);
    free(w.inputs);
    free(w.targets);
    MUST(heap.blocks == 0);
    return 0;
}
