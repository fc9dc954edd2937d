/* What predicts and does nothing else, with parameters from elsewhere: how small can the library
 * be made? */
#define BACKPROP_STATIC
#define BACKPROP_IMPLEMENTATION
#define BACKPROP_NO_STDIO
#define BACKPROP_NO_SIMD
#define BACKPROP_MALLOC(size) NULL
#define BACKPROP_FREE(pointer) ((void)(pointer))
#include "backprop.h"

int lean_predict(const bp_real *parameters, const bp_real *x, bp_real *a);

int lean_predict(const bp_real *parameters, const bp_real *x, bp_real *a)
{
    static const int sizes[] = { 2, 8, 1 };
    static unsigned char memory[1024], workspace[512];
    bp_net *net = bp_create_in(memory, sizeof memory, sizes, 3, 1);

    if (!net)
        return 0;
    memcpy(net->parameters, parameters, net->parameter_count * sizeof(bp_real));
    return bp_predict_in(net, x, 1, a, workspace, sizeof workspace) == BP_OK;
}
