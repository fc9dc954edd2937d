/* gate.h - a shared library that learns logic gates; that it has a network inside is its own
 * business */
#ifndef GATE_H
#define GATE_H

/* Learns the gate with this truth table, for 00, 01, 10 and 11, and writes what it then answers.
 * Returns NULL, or what went wrong. */
const char *gate_learn(const float truth[4], float answers[4]);

#endif
