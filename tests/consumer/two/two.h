/* two.h - two parts of one program, each with a copy of the library of its own precision */
#include <stddef.h>

/* Learns XOR in double precision and writes the network to bytes; returns their number, or 0. */
size_t learn(unsigned char *bytes, size_t capacity);

/* Reads that network in single precision and prints what it answers; 0 if it cannot. */
int answer(const unsigned char *bytes, size_t size);
