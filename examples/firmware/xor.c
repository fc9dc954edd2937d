/* xor.c - learns XOR on the board: no operating system, no malloc, no stdio
 *
 * All memory is in two static arrays. bp_net_size and bp_workspace_size tell how large they must
 * be; one that is too small gets a clear answer, never an overflow. */
#define BACKPROP_IMPLEMENTATION
#define BACKPROP_STATIC /* the compiler then leaves out what is not called */
#define BACKPROP_NO_STDIO
#define BACKPROP_NO_SIMD
#define BACKPROP_EXACT /* the bits of a desktop, with or without a floating-point unit */
#define BACKPROP_MALLOC(size) NULL
#define BACKPROP_FREE(pointer) ((void)(pointer))
#include "backprop.h"
#include "board.h"

static const int sizes[] = { 2, 8, 1 };
static const bp_real x[] = { 0, 0, 0, 1, 1, 0, 1, 1 };
static const bp_real y[] = { 0, 1, 1, 0 };
static const bp_data data = { 4, x, y, NULL, NULL };
static unsigned char memory[1024], workspace[2048];

/* FNV-1a over the bits of all parameters, so that boards can be compared. */
static unsigned long hash_parameters(const bp_net *net)
{
    uint32_t hash = 2166136261u;
    size_t i;
    int shift;

    for (i = 0; i < net->parameter_count; i++) {
        uint32_t bits;
        memcpy(&bits, &net->parameters[i], sizeof bits);
        for (shift = 0; shift < 32; shift += 8)
            hash = (hash ^ (bits >> shift & 0xff)) * 16777619u;
    }
    return hash;
}

static void print_line(const char *what, size_t number, const char *unit)
{
    print(what);
    print_number((unsigned long)number);
    print(unit);
}

int main(void)
{
    bp_net *net = bp_create_in(memory, sizeof memory, sizes, 3, 1);
    bp_training training = { 0 };
    bp_real a[4];
    bp_status status;
    int i, right = 0;

    training.epochs = 2000;
    training.batch_size = 1;
    training.learning_rate = 2;

    status = bp_train_in(net, &data, &training, workspace, sizeof workspace);
    if (status == BP_OK)
        status = bp_predict_in(net, x, 4, a, workspace, sizeof workspace);
    if (status != BP_OK) {
        print("XOR was not learnt.\n");
        return 1;
    }

    for (i = 0; i < 4; i++) {
        print_line("", (size_t)x[2 * i], " xor ");
        print_line("", (size_t)x[2 * i + 1], " = ");
        print_line("", (size_t)(a[i] * 100 + (bp_real)0.5), " %\n");
        right += (a[i] > (bp_real)0.5) == (y[i] > (bp_real)0.5);
    }
    print_line("Hash of the parameters: ", hash_parameters(net), "\n");
    print_line("Memory: network ", bp_net_size(sizes, 3), " bytes, ");
    print_line("workspace ", bp_workspace_size(net, &data, &training), " bytes, ");
    print_line("stack ", stack_used(), " bytes\n");
    return right != 4;
}
