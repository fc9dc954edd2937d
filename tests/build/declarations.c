/* The declarations alone, as every file but one of a program sees them. */
#include "backprop.h"

int main(void)
{
    return bp_status_string(BP_OK) == NULL;
}
