/* pytorch.c - asks pytorch.py, a process of its own that waits while others are timed */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "bench.h"

static FILE *requests, *answers;

int pytorch_start(const char *python, const char *script)
{
    int to[2], from[2];
    char line[100];
    if (pipe(to) || pipe(from))
        return 0;
    signal(SIGPIPE, SIG_IGN);
    if (fork() == 0) {
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        close(to[1]);
        close(from[0]);
        execlp(python, python, script, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    requests = fdopen(to[1], "w");
    answers = fdopen(from[0], "r");
    return requests && answers && fgets(line, sizeof line, answers) != NULL;
}

static void *pytorch_create(const problem *p)
{
    const problem **state = malloc(sizeof *state);
    if (state)
        *state = p;
    return state;
}

static double pytorch_time(void *state, double seconds)
{
    const problem *p = *(const problem **)state;
    char line[100];
    fprintf(requests, "%s %zu %g %s\n", p->net, p->batch, seconds, p->data);
    fflush(requests);
    if (!fgets(line, sizeof line, answers)) {
        fprintf(stderr, "bench: %s: tests/bench/pytorch.py broke off\n", p->net);
        exit(1);
    }
    return strtod(line, NULL);
}

const trainer pytorch = { "PyTorch", 1, 0, pytorch_create, NULL, NULL, pytorch_time, free };
