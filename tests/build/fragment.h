/* The names that fragments in README.md and in the manual use without declaring them. */
#define BACKPROP_IMPLEMENTATION
#include "backprop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int sizes[] = { 2, 4, 1 };
static bp_net *net, *copy;
static bp_data data, training_data, test_data;
static bp_training training;
static bp_evaluation result;
static bp_status status;
static bp_real x[8], y[4], a[4], *inputs, *outputs, *targets, *gradient;
static unsigned char memory[4096], workspace[4096];
static size_t bytes, need, size, count;
static double cost;
static uint64_t seed;
