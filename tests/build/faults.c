/* faults.c - a program that is killed while it trains and saves, and one whose disk fails
 *
 *     faults kill PATH TIMES     a child trains and saves to PATH after every epoch; it is killed,
 *                                goes on each time, and ends where one never stopped does
 *     faults remove PATH TIMES   what the child has saved is removed under its hands instead
 *     faults accepts PATH        bp_save and bp_export_c must work ...
 *     faults refuses PATH        ... or must fail, and leave what was there
 *
 * tests/test_faults.sh makes the places where saving fails. */
#define _XOPEN_SOURCE 700
/* MAP_ANONYMOUS */
#define _DEFAULT_SOURCE
#define _DARWIN_C_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BACKPROP_IMPLEMENTATION
#include "backprop.h"
#include "tests/check.h"

enum { INPUTS = 784, HIDDEN = 100, OUTPUTS = 10, EXAMPLES = 60, BATCH = 7 };

static bp_real inputs[EXAMPLES * INPUTS], targets[EXAMPLES * OUTPUTS];
static const bp_data data = { EXAMPLES, inputs, targets, NULL, NULL };
static uint64_t state = 1; /* of the random moments */

static void make_examples(void)
{
    uint64_t seed = 1;
    size_t i;
    for (i = 0; i < EXAMPLES * INPUTS; i++)
        inputs[i] = (bp_real)(bpi_random(&seed) >> 40) / (bp_real)(1 << 24);
    for (i = 0; i < EXAMPLES * OUTPUTS; i++)
        targets[i] = bpi_random(&seed) % OUTPUTS == 0;
}

static bp_net *create(void)
{
    static const int sizes[] = { INPUTS, HIDDEN, OUTPUTS };
    bp_net *net = bp_create(sizes, 3, 1);
    if (!net)
        exit(1);
    return net;
}

static bp_status train(bp_net *net, uint64_t epochs)
{
    bp_training training;
    memset(&training, 0, sizeof training);
    training.epochs = (int)epochs;
    training.batch_size = BATCH;
    training.learning_rate = 1;
    training.seed = 5;
    return bp_train(net, &data, &training);
}

/* ---- the child ---- */

/* What the parent sees of the child, and says to it. */
typedef struct shared {
    volatile int saving;
    volatile int stop; /* end after this epoch */
    volatile unsigned saved, refused;
} shared;

/* Goes on from the file, if there is one, and saves after every epoch. The exit status is 0 if
 * all went well but saves that the file system refused. */
static int work(shared *see, const char *path)
{
    bp_net *net = NULL;
    bp_status status = bp_load(&net, path);
    if (status == BP_IO_ERROR)
        net = create();
    else if (status != BP_OK)
        return 2;
    do {
        if (train(net, 1) != BP_OK)
            return 3;
        see->saving = 1;
        status = bp_save(net, path);
        see->saving = 0;
        if (status == BP_OK)
            see->saved++;
        else if (status == BP_IO_ERROR)
            see->refused++;
        else
            return 4;
    } while (!see->stop || status != BP_OK);
    bp_free(net);
    return 0;
}

static pid_t start(shared *see, const char *path)
{
    pid_t child;
    fflush(stdout);
    child = fork();
    if (child == 0)
        _exit(work(see, path));
    if (child < 0) {
        perror("fork");
        exit(1);
    }
    return child;
}

/* ---- time ---- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void wait_for(double seconds)
{
    struct timespec t;
    t.tv_sec = (time_t)seconds;
    t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        ;
}

/* A moment in the next few epochs, on this machine: an epoch and a save took so long. */
static double random_moment(double epoch)
{
    return epoch * 5 * (double)(bpi_random(&state) >> 11) / 9007199254740992.0;
}

static double time_of_epoch(const char *path)
{
    bp_net *net = create();
    double since;
    int i;
    train(net, 1);
    since = now();
    for (i = 0; i < 5; i++)
        CHECK(train(net, 1) == BP_OK && bp_save(net, path) == BP_OK, "epoch %d", i);
    bp_free(net);
    remove(path);
    return (now() - since) / 5;
}

/* ---- files ---- */

typedef struct content {
    unsigned char *bytes; /* NULL: there is no file */
    size_t size;
} content;

static content slurp(const char *path)
{
    content c = { NULL, 0 };
    FILE *file = fopen(path, "rb");
    if (!file)
        return c;
    c.bytes = (unsigned char *)malloc(1 << 20);
    if (c.bytes)
        c.size = fread(c.bytes, 1, 1 << 20, file);
    fclose(file);
    return c;
}

static const char *temporary(const char *path)
{
    static char name[1024];
    sprintf(name, "%.1000s.tmp", path);
    return name;
}

static int exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* The epochs in the file, which must be whole; 0 without a file. */
static uint64_t saved_epochs(const char *path, int kill_number)
{
    bp_net *net = NULL;
    bp_status status = bp_load(&net, path);
    uint64_t epochs = status == BP_OK ? net->epochs_trained : 0;
    CHECK(status == BP_OK || (status == BP_IO_ERROR && !exists(path)), "after kill %d: %s",
          kill_number, bp_status_string(status));
    bp_free(net);
    return epochs;
}

/* The file is what training without a break and without a save comes to. */
static void check_end(const char *path)
{
    bp_net *net = NULL, *straight = create();
    CHECK(bp_load(&net, path) == BP_OK && net->epochs_trained > 0, "the last file");
    if (net) {
        CHECK(train(straight, net->epochs_trained) == BP_OK, "without a break");
        CHECK_BYTES(net->parameters, straight->parameters,
                    net->parameter_count * sizeof(bp_real), "after %lu epochs",
                    (unsigned long)net->epochs_trained);
        printf("%lu epochs, ", (unsigned long)net->epochs_trained);
    }
    CHECK(!exists(temporary(path)), "a temporary is left");
    bp_free(net);
    bp_free(straight);
}

static void finish(shared *see, pid_t child)
{
    int status = 0;
    see->stop = 1;
    CHECK(waitpid(child, &status, 0) == child && status == 0, "the last child: status %d", status);
}

/* ---- kill ---- */

static void test_kills(shared *see, const char *path, int kills)
{
    const double epoch = time_of_epoch(path);
    uint64_t epochs = 0;
    int i, saving = 0, left = 0;
    for (i = 1; i <= kills; i++) {
        const pid_t child = start(see, path);
        int status = 0;
        uint64_t reached;
        wait_for(random_moment(epoch));
        kill(child, SIGKILL);
        CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status), "kill %d: status %d", i,
              status);
        saving += see->saving;
        see->saving = 0;
        left += exists(temporary(path));
        reached = saved_epochs(path, i);
        CHECK(reached >= epochs, "kill %d: back to epoch %lu", i, (unsigned long)reached);
        epochs = reached;
    }
    finish(see, start(see, path));
    check_end(path);
    printf("%d kills, %d of them in bp_save, %d left a temporary\n", kills, saving, left);
    CHECK(saving > 0 && saving < kills && left > 0, "too few places to be killed in");
}

/* ---- remove ---- */

/* The file, or the temporary before it takes the file's place, is gone at any moment. */
static void test_removals(shared *see, const char *path, int times)
{
    const double epoch = time_of_epoch(path);
    const pid_t child = start(see, path);
    int i, removed = 0;
    for (i = 0; i < times; i++) {
        wait_for(random_moment(epoch));
        if (i % 2 == 0) {
            removed += remove(path) == 0;
        } else {
            const double since = now();
            while (remove(temporary(path)) != 0 && now() - since < 10 * epoch)
                ;
        }
    }
    finish(see, child);
    check_end(path);
    printf("%d files removed, %u saves, %u refused\n", removed, see->saved, see->refused);
    CHECK(removed > 0 && see->refused > 0 && see->saved > 0, "too little was removed");
}

/* ---- one save ---- */

static bp_status save(const bp_net *net, const char *path)
{
    return bp_save(net, path);
}

static bp_status export_c(const bp_net *net, const char *path)
{
    return bp_export_c(net, path, "net");
}

static void test_once(const char *path, bp_status want,
                      bp_status (*call)(const bp_net *net, const char *path))
{
    bp_net *net = create();
    const content before = slurp(path);
    content after;
    const int was = exists(temporary(path));
    const bp_status status = call(net, path);
    CHECK(status == want, "%s: %s", path, bp_status_string(status));
    after = slurp(path);
    if (want == BP_OK) {
        CHECK(after.size > 100000, "%lu bytes", (unsigned long)after.size);
        CHECK(!exists(temporary(path)), "a temporary is left");
    } else {
        CHECK((before.bytes != NULL) == (after.bytes != NULL) && before.size == after.size,
              "%lu bytes, then %lu", (unsigned long)before.size, (unsigned long)after.size);
        CHECK_BYTES(after.bytes, before.bytes, before.size, "the old file");
        CHECK(was || !exists(temporary(path)), "a temporary is left");
    }
    free(before.bytes);
    free(after.bytes);
    bp_free(net);
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";
    const int times = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 0;
    shared *see = (shared *)mmap(NULL, sizeof *see, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    make_examples();
    if (strcmp(what, "kill") == 0 && times > 0 && see != MAP_FAILED) {
        test_kills(see, argv[2], times);
    } else if (strcmp(what, "remove") == 0 && times > 0 && see != MAP_FAILED) {
        test_removals(see, argv[2], times);
    } else if (strcmp(what, "accepts") == 0 || strcmp(what, "refuses") == 0) {
        const bp_status want = what[0] == 'a' ? BP_OK : BP_IO_ERROR;
        test_once(argv[2], want, export_c);
        test_once(argv[2], want, save);
    } else {
        fputs("usage: faults kill|remove|accepts|refuses PATH [TIMES]\n", stderr);
        return 1;
    }
    return check_report("faults");
}
