/* XOR learnt with no allocator and no stdio: what a microcontroller would run. The object must
 * ask the linker for nothing but memcpy and its like. */
#define BACKPROP_NO_STDIO
#define BACKPROP_MALLOC(size) NULL
#define BACKPROP_FREE(pointer) ((void)(pointer))
#define BACKPROP_IMPLEMENTATION
#include "backprop.h"

static unsigned char net_memory[2048], workspace[8192];

int main(void)
{
    static const int sizes[] = { 2, 4, 1 };
    static const bp_real x[] = { 0, 0, 0, 1, 1, 0, 1, 1 };
    static const bp_real y[] = { 0, 1, 1, 0 };
    const bp_data data = { 4, x, y, NULL, NULL };
    bp_training training;
    bp_evaluation result;
    bp_real a[4];
    bp_net *net = bp_create_in(net_memory, sizeof net_memory, sizes, 3, 1);
    int i;

    for (i = 0; i < (int)sizeof training; i++) ((unsigned char *)&training)[i] = 0;
    training.epochs = 5000;
    training.batch_size = 1;
    training.learning_rate = 4;

    if (bp_workspace_size(net, &data, &training) > sizeof workspace) return 1;
    if (bp_train_in(net, &data, &training, workspace, sizeof workspace) != BP_OK) return 2;
    if (bp_predict_in(net, x, 4, a, workspace, sizeof workspace) != BP_OK) return 3;
    if (bp_evaluate_in(net, &data, &result, workspace, sizeof workspace) != BP_OK) return 4;
    if (result.correct != 4) return 5;
    for (i = 0; i < 4; i++)
        if ((a[i] > (bp_real)0.5) != (y[i] > (bp_real)0.5)) return 6;
    return 0;
}
