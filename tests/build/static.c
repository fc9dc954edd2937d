/* A private copy of the library, which calls next to nothing of it and must not be warned of the
 * rest. Compiled twice, with the function called HERE, and linked to one program: each copy has
 * its own bp_real. The one that knows a THERE has main. */
#define BACKPROP_STATIC
#define BACKPROP_IMPLEMENTATION
#include "backprop.h"

int HERE(void);

int HERE(void)
{
    static const int sizes[] = { 2, 3, 1 };
    static const bp_real x[] = { (bp_real)0.5, -1 };
    bp_real a = -1;
    bp_net *net = bp_create(sizes, 3, 1);
    bp_status status = bp_predict(net, x, 1, &a);
    bp_free(net);
    return status == BP_OK && a > 0 && a < 1 ? (int)sizeof(bp_real) : 0;
}

#ifdef THERE
int THERE(void);

int main(void)
{
    return HERE() == 4 && THERE() == THERE_SIZE ? 0 : 1;
}
#endif
