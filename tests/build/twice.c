/* The header in every order: before the implementation, with it, after it, and once more with
 * the switch still defined. The macros named here must come out of it as they went in. */
#include "backprop.h"
#define BACKPROP_IMPLEMENTATION
#include "backprop.h"
#include "backprop.h"
#undef BACKPROP_IMPLEMENTATION
#include "backprop.h"

int main(void)
{
    static const int sizes[] = { 1, 1 };
    bp_net *net = bp_create(sizes, 2, 1);
    int made = net != NULL;
    bp_free(net);
    return !made;
}
