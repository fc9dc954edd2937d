/* The library, compiled once for the whole program. */
#define BACKPROP_IMPLEMENTATION
#include "backprop.h"
