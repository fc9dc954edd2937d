/* The implementation alone, as a program of several files has it. */
#define BACKPROP_IMPLEMENTATION
#include "backprop.h"
