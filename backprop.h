/* backprop.h - feedforward networks trained by backpropagation, in one header
 *
 *   version 1.0.0; no dependency but a C99 (or C++98) compiler
 *   public domain or MIT, as you like: see the end of this file
 *
 * Fully connected layers, sigmoid activations, half mean squared error, and
 * stochastic, mini-batch and batch gradient descent. Put this in ONE C or C++ file:
 *
 *     #define BACKPROP_IMPLEMENTATION
 *     #include "backprop.h"
 *
 * and in every other file that calls it, the #include alone.
 *
 * CONTENTS                             (search for the tag to get there)
 *     >>quickstart     XOR in four calls
 *     >>not            what this is not
 *     >>mathematics    the equations, and the letters used in the code
 *     >>choices        learning rate, batch size, widths: numbers that work
 *     >>config         the macros you may define
 *     >>memory         who owns what; networks without malloc
 *     >>errors         status codes
 *     >>threads        what may be called at once
 *     >>determinism    which bits are promised, and where
 *     >>files          the format of a saved network
 *     >>interface      types and functions
 *     >>implementation the code: it reads from here to >>machine like the mathematics
 *     >>machine        instruction sets and kernels
 *     >>history        versions
 *     >>licence
 *
 *
 * >>quickstart
 * ============
 *
 *     #define BACKPROP_IMPLEMENTATION
 *     #include "backprop.h"
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         const int sizes[] = { 2, 8, 1 };
 *         const bp_real x[] = { 0,0,  0,1,  1,0,  1,1 };
 *         const bp_real y[] = { 0,    1,    1,    0   };
 *         const bp_data data = { 4, x, y, NULL, NULL };
 *         bp_training training = { 0 };
 *         bp_real a[4] = { 0 };
 *         int i;
 *
 *         training.epochs = 2000;
 *         training.batch_size = 1;
 *         training.learning_rate = 2;
 *
 *         bp_net *net = bp_create(sizes, 3, 1);
 *         bp_status status = bp_train(net, &data, &training);
 *         bp_predict(net, x, 4, a);
 *         bp_free(net);
 *
 *         for (i = 0; i < 4; i++)
 *             printf("%g xor %g = %.3f\n", (double)x[2*i], (double)x[2*i + 1], (double)a[i]);
 *         puts(bp_status_string(status));
 *         return status != BP_OK;
 *     }
 *
 * No call needs its predecessor to be checked: bp_train and bp_predict answer a
 * NULL network with BP_INVALID_ARGUMENT, and bp_free(NULL) does nothing.
 *
 *
 * >>not
 * =====
 *
 * No convolution, no recurrence, no other activation or cost, no momentum or Adam
 * (bp_gradient hands you the gradient: bring your own), no automatic differentiation,
 * no GPU, no file formats for data, no logging. It does one thing.
 *
 *
 * >>mathematics
 * =============
 *
 * Layers have n_0 (inputs), n_1 ... n_L (outputs) neurons. Vectors are columns; W^l is
 * n_l x n_{l-1}, and w_jk joins neuron k of layer l-1 to neuron j of layer l.
 *
 *     pre-activation   z^l = W^l a^{l-1} + b^l                                (F1)
 *     activation       a^l = s(z^l),  s(x) = 1 / (1 + e^-x)                   (F2)
 *     cost             C   = 1/n_L sum_j 1/2 (a^L_j - y_j)^2                  (C)
 *     output error     d^L = 1/n_L (a^L - y) * a^L * (1 - a^L)                (B1)
 *     hidden error     d^l = (W^{l+1})^T d^{l+1} * a^l * (1 - a^l)            (B2)
 *     gradients        dC/dW^l = d^l (a^{l-1})^T,   dC/db^l = d^l             (B3)
 *     update           W <- W - eta dC/dW,   b <- b - eta dC/db               (U)
 *
 * Here d is the error, delta = dC/dz; products of vectors written * are element by
 * element; a^0 is the input x. For a batch of B examples C and the gradients are means
 * over the batch, made by giving B1 the factor 1/(B n_L) in place of 1/n_L.
 *
 * The factor 1/n_L stands in the cost AND in its gradient. A learning rate published
 * for the cost 1/2 |a - y|^2 must be multiplied by n_L here: Nielsen's 3.0 for
 * ten outputs is 30. Hidden errors use the weights from before the update. Where B2 is
 * told as delta_z = sum_q w_qz delta_q, as for a single neuron it often is, the factor
 * s'(z) = a (1 - a) is missing; it belongs there.
 *
 *     stochastic   batch_size = 1    an update after every example
 *     mini-batch   batch_size = B    B examples drawn without replacement, then an update;
 *                                    an epoch's last batch may be smaller and is
 *                                    averaged over its own count
 *     batch        batch_size = 0    one update an epoch, from the whole set
 *
 *
 * >>choices
 * =========
 *
 * Inputs     scale them to about 0..1 or -1..1.
 * Targets    must lie in 0..1, as the outputs do: classes as 1 for the class and 0 for
 *            the rest, measurements scaled to about 0.1..0.9.
 * Widths     one hidden layer of 30 to 100 neurons reads digits (95 to 98 %); try more
 *            width before more depth: sigmoids squash the error fourfold a layer.
 * eta        for mini-batches of 10: 3 n_L with up to 100 neurons in the last hidden layer,
 *            200 n_L / width beyond; for batch_size 1 a tenth of that. Halve it if the cost
 *            jumps or stays near 1 / (2 n_L), where all outputs stick; double it if the
 *            cost crawls.
 * Batch      10 learns most per epoch, 32 to 128 are faster per example.
 *
 *
 * >>config
 * ========
 *
 * Define before including; "all" means in every file that includes this one, "impl" means
 * in the one file that also defines BACKPROP_IMPLEMENTATION.
 *
 *     macro                     where  default   effect
 *     BACKPROP_IMPLEMENTATION   impl   -         compile the implementation here
 *     BACKPROP_STATIC           all    -         all functions static: a private copy
 *     BACKPROP_DOUBLE           all    float     bp_real is double
 *     BACKPROP_MALLOC(size)     impl   malloc    both of these or neither
 *     BACKPROP_FREE(pointer)    impl   free
 *     BACKPROP_ASSERT(cond)     impl   nothing   checks of the library's own logic,
 *                                                never of your data
 *     BACKPROP_NO_STDIO         all    -         no files: bp_save, bp_load and
 *                                                bp_export_c are left out
 *     BACKPROP_NO_SIMD          impl   -         plain C only
 *     BACKPROP_EXACT            impl   -         where there is no fused multiply-add, emulate
 *                                                it: slow, but the same bits everywhere
 *     BACKPROP_NO_THREADS       impl   -         one thread even when built with OpenMP
 *     BACKPROP_PARALLEL(n, task, context)        your own threads in place of OpenMP's: call
 *                               impl   OpenMP    task(context, i, n) for i = 0 ... n-1, at once
 *                                                if you can, and return when all are done
 *     BACKPROP_THREADS          impl   1         with it: how many threads = 0 asks for
 *     BACKPROP_H_FILE           impl   "backprop.h"  this file's name, if you renamed it
 *     BACKPROP_ALLOW_FAST_MATH  impl   #error    compile under -ffast-math, which breaks
 *                                                >>determinism and the tests for NaN
 *
 *
 * >>memory
 * ========
 *
 * bp_create, bp_clone, bp_load and bp_decode return one block each, to be given to
 * bp_free. Calls that need working memory allocate one block and free it before they
 * return; small networks predict without any. Training needs no copy of the data.
 *
 * To do without an allocator, ask for sizes and bring the memory (an arena, a static
 * array; any alignment). Nothing is allocated behind your back by these:
 *
 *     bytes = bp_net_size(sizes, 3);
 *     net   = bp_create_in(memory, bytes, sizes, 3, seed);
 *     need  = bp_workspace_size(net, &data, &training);
 *     bp_train_in(net, &data, &training, workspace, need);
 *     bp_predict_in(net, x, 1, a, workspace, need);
 *
 * Such a network needs no bp_free (it does no harm). On a target with no malloc to link,
 * define BACKPROP_MALLOC(size) as NULL and BACKPROP_FREE(pointer) as ((void)(pointer)).
 *
 *
 * >>errors
 * ========
 *
 * Whatever can fail returns a bp_status, or NULL from bp_create and bp_clone. The library
 * never prints, exits, or asserts on your data. A failed call leaves its arguments as
 * they were, except that bp_train leaves the network at the last finite parameters it
 * reached: before each update it makes sure that no parameter will overflow.
 *
 *
 * >>threads
 * =========
 *
 * There is no global state. Any number of threads may call any function that takes a
 * const bp_net * on one network at once, each with its own outputs and workspace (and
 * bp_save with its own path); a call that takes bp_net * wants that network for itself.
 *
 * bp_train shares each batch among threads of its own when compiled with OpenMP (-fopenmp)
 * or given BACKPROP_PARALLEL: the examples on the way forward, the neurons for the update.
 * Batches too small to gain by it stay on one thread, as everything else does.
 *
 *
 * >>determinism
 * =============
 *
 * The same network, data and settings give the same bits: run after run, for every number
 * of threads, with gcc and clang, at every optimisation level (but -ffast-math, which is
 * refused), on every processor with fused multiply-add: x86-64 since 2013, AArch64, RISC-V,
 * POWER, s390x. On x86-64 the instruction is found at run time. Where there is none, or the
 * compiler may not use it (BACKPROP_NO_SIMD without -mfma, "sse2", "plain", WebAssembly), a
 * product and its sum are rounded twice and the bits differ, unless BACKPROP_EXACT is
 * defined. Parameters must be finite, and rounding must be to nearest with subnormals.
 * Every sum has one fixed order and every multiply-add is explicit:
 *
 *     F1   lane i of BPI_LANES takes k = i, i + BPI_LANES ... by fused multiply-add, from
 *          zero; lanes are then added in halves (i and i + 4, i and i + 2 ...); then b_j.
 *          There are 8 lanes of float, 4 of double.
 *     B2   j ascending, by fused multiply-add, from zero.
 *     B3   examples ascending, by fused multiply-add, from zero.
 *     U    one fused multiply-add of -eta and the gradient onto the parameter.
 *
 * s(z) is computed from the same operations; no result depends on libm, on rand(), on the
 * time or on the locale. A prediction does not depend on how many examples share the
 * call, nor on zeros being skipped (but for the sign of a weight that is zero, which
 * changes nothing else). bp_train gives the bits of bp_gradient and bp_update
 * stepped by hand over the same batches.
 *
 *
 * >>files
 * =======
 *
 * All numbers little-endian, the parameters as IEEE 754 bits:
 *
 *     offset  bytes  what
 *     0       8      "backprop"
 *     8       4      format version: 1
 *     12      4      bytes a parameter: 4 (float) or 8 (double)
 *     16      8      epochs trained
 *     24      4      cost: 0 (half mean squared error)
 *     28      4      L, the number of layers of weights
 *     32      4      n_0
 *     36      8 L    for each layer: n_l (4 bytes), activation (4 bytes): 0 (sigmoid)
 *     ..      P B    the parameters in the order W^1 b^1 W^2 b^2 ..., B bytes each
 *     ..      8      checksum: FNV-1a, 64 bits, over all bytes before it
 *
 * Float and double builds read each other's files. Codes that are not known are refused, as
 * are numbers that are not finite. bp_save writes PATH.tmp and renames it to PATH, so
 * that the old file survives a full disk and a kill at any moment.
 */
#ifndef BACKPROP_H
#define BACKPROP_H

#define BACKPROP_VERSION "1.0.0"

#include <stddef.h>
#include <stdint.h>

#ifdef BACKPROP_STATIC
#if defined(__GNUC__)
#define BPI_API __attribute__((unused)) static
#else
#define BPI_API static
#endif
#else
#define BPI_API extern
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* >>interface
 * ===========
 * Units and shapes: matrices are row-major; a row of inputs is one example. */

#ifdef BACKPROP_DOUBLE
typedef double bp_real;
#else
typedef float bp_real;
#endif

/* Why a call failed. bp_status_string has the words. */
typedef enum bp_status {
    BP_OK = 0,
    BP_INVALID_ARGUMENT, /* a null pointer, a size of 0, a rate that is not finite and positive */
    BP_OUT_OF_MEMORY,    /* an allocation failed, memory given is too small, a size overflows */
    BP_IO_ERROR,         /* the file could not be opened, read, written or renamed */
    BP_BAD_FILE,         /* not a network, cut short, damaged, or of an unknown version */
    BP_DIVERGED,         /* the cost or a parameter is no longer finite */
    BP_STOPPED           /* the progress callback asked to stop */
} bp_status;

/* One layer of weights, l = 1 ... L. The pointers lead into bp_net.parameters. */
typedef struct bp_layer {
    int inputs;       /* n_{l-1} */
    int outputs;      /* n_l */
    bp_real *weights; /* W^l, outputs x inputs: w_jk is weights[j*inputs + k] */
    bp_real *biases;  /* b^l, outputs */
} bp_layer;

/* A network. Read and write the parameters as you like; change nothing else. */
typedef struct bp_net {
    int layer_count;         /* L */
    bp_layer *layers;        /* layers[0] is layer 1 of the mathematics */
    size_t parameter_count;  /* P = sum over l of n_l (n_{l-1} + 1) */
    bp_real *parameters;     /* W^1 b^1 W^2 b^2 ..., one block without gaps; all finite */
    uint64_t epochs_trained; /* whole epochs bp_train has done; saved in files */
    void *owned;             /* private: the block that bp_free frees */
    const struct bpi_kernels *kernels; /* private: the inner loops for this machine */
    int tiny;                /* private: a vector holds any layer */
} bp_net;

/* A set of examples: two matrices, or, where inputs is NULL, a source that fills a
 * batch, so that data can be bytes, on disk, or made on the fly. fetch writes example
 * indices[i] to row i of inputs (n x n_0) and of targets (n x n_L); it is called on the
 * thread that called the library, one batch at a time, and any status but BP_OK ends
 * that call with it. All else in here belongs to the caller and is only read, some of it a batch
 * ahead: it must not change during a call. */
typedef struct bp_data {
    size_t count;           /* examples */
    const bp_real *inputs;  /* count x n_0 */
    const bp_real *targets; /* count x n_L */
    bp_status (*fetch)(void *user, const size_t *indices, size_t n, bp_real *inputs,
                       bp_real *targets);
    void *user; /* handed to fetch */
} bp_data;

/* Where training is; what the callback sees. */
typedef struct bp_progress {
    uint64_t epoch;  /* the epoch under way, counted from the network's first as 1 */
    uint64_t epochs; /* the last epoch of this call */
    size_t seen;     /* examples seen in this epoch */
    size_t count;    /* examples in an epoch */
    double cost;     /* mean cost of the examples seen in this epoch, each before its update */
    const bp_net *net; /* may be evaluated, predicted from and saved inside the callback */
} bp_progress;

/* How to train. Zero-initialise it, then set what you need. */
typedef struct bp_training {
    int epochs;           /* how many more */
    size_t batch_size;    /* 1: stochastic; B: mini-batch; 0: the whole set */
    double learning_rate; /* eta: as a bp_real finite and > 0 */
    uint64_t seed;        /* order of the examples: a function of (seed, epoch) alone, so that
                             stopping, saving, loading and going on gives the bits of never
                             stopping */
    int in_order;         /* non-zero: take the examples in the order given */
    int threads;          /* 0: as many as the build allows; the result does not depend on it */
    size_t report_every;  /* examples between calls of on_progress; 0: only at the end of each
                             epoch, where it is called in any case, the epoch then counted */
    int (*on_progress)(void *user, const bp_progress *progress); /* non-zero return: stop */
    void *user;           /* handed to on_progress */
} bp_training;

/* What bp_evaluate found. */
typedef struct bp_evaluation {
    double cost;    /* mean cost, C */
    size_t correct; /* largest output where the largest target is (the first of equals);
                       with one output: on the same side of 1/2 */
    size_t count;   /* examples */
} bp_evaluation;

/* ---- networks ---- */

/* A new network with sizes[0] = n_0 inputs, sizes[1] ... hidden neurons and
 * sizes[size_count - 1] = n_L outputs, set by bp_randomize(net, seed).
 * Returns NULL if size_count < 2, a size is < 1, or there is no memory. Free with bp_free. */
BPI_API bp_net *bp_create(const int *sizes, int size_count, uint64_t seed);

/* A copy of net with memory of its own; NULL if there is none. Free with bp_free. */
BPI_API bp_net *bp_clone(const bp_net *net);

/* Frees a network. NULL, and networks from bp_create_in, are left alone. */
BPI_API void bp_free(bp_net *net);

/* Weights uniform with mean 0 and variance 1/n_{l-1}, biases 0, epochs_trained 0: a
 * function of seed and sizes alone, the same on every platform. */
BPI_API void bp_randomize(bp_net *net, uint64_t seed);

/* ---- using ---- */

/* Forward pass (F1, F2): outputs (count x n_L) from inputs (count x n_0). The two must not
 * overlap. Fails with BP_INVALID_ARGUMENT for NULL or count 0, BP_OUT_OF_MEMORY. */
BPI_API bp_status bp_predict(const bp_net *net, const bp_real *inputs, size_t count,
                             bp_real *outputs);

/* Mean cost (C) and correct answers over data, into *result. Fails as bp_predict does,
 * with what fetch returned, and with BP_DIVERGED if the cost is not finite. */
BPI_API bp_status bp_evaluate(const bp_net *net, const bp_data *data, bp_evaluation *result);

/* ---- learning ---- */

/* The gradient of the mean cost over data (B1, B2, B3): parameter_count numbers in the order
 * of net->parameters, into gradient; the mean cost into *cost unless cost is NULL. Fails as
 * bp_evaluate does. */
BPI_API bp_status bp_gradient(const bp_net *net, const bp_data *data, bp_real *gradient,
                              double *cost);

/* parameters <- parameters - learning_rate * gradient (U). */
BPI_API void bp_update(bp_net *net, const bp_real *gradient, double learning_rate);

/* Gradient descent over data for training->epochs epochs. Fails as bp_gradient does, with
 * BP_DIVERGED before an update that is not finite, and with BP_STOPPED when on_progress asks
 * for it: the updates made are kept, the epoch under way is not counted. */
BPI_API bp_status bp_train(bp_net *net, const bp_data *data, const bp_training *training);

/* Compares bp_gradient with central differences of the cost, one parameter after the other:
 * the worst |difference| / max(|gradient|, 1/100 of the largest component), into
 * *worst_relative_error. In double below 1e-7; in float rounding leaves about 1e-2.
 * Takes 4 parameter_count evaluations of data. */
BPI_API bp_status bp_check_gradient(const bp_net *net, const bp_data *data,
                                    double *worst_relative_error);

/* ---- without an allocator: the same calls in memory of yours (see >>memory) ---- */

/* Bytes of memory that bp_create_in needs; 0 for sizes that bp_create would refuse. */
BPI_API size_t bp_net_size(const int *sizes, int size_count);

/* bp_create in the size bytes at memory, which stay yours and hold the network while it is
 * used. NULL also if size is less than bp_net_size. */
BPI_API bp_net *bp_create_in(void *memory, size_t size, const int *sizes, int size_count,
                             uint64_t seed);

/* Bytes of workspace: for bp_predict_in with data and training NULL (one example at a time;
 * more memory than that takes more at once, faster), for bp_evaluate_in and bp_gradient_in
 * with training NULL, and for bp_train_in. 0 if an argument is invalid or the size overflows. */
BPI_API size_t bp_workspace_size(const bp_net *net, const bp_data *data,
                                 const bp_training *training);

/* The four calls with their workspace given: size bytes at workspace, else BP_OUT_OF_MEMORY. */
BPI_API bp_status bp_predict_in(const bp_net *net, const bp_real *inputs, size_t count,
                                bp_real *outputs, void *workspace, size_t size);
BPI_API bp_status bp_evaluate_in(const bp_net *net, const bp_data *data, bp_evaluation *result,
                                 void *workspace, size_t size);
BPI_API bp_status bp_gradient_in(const bp_net *net, const bp_data *data, bp_real *gradient,
                                 double *cost, void *workspace, size_t size);
BPI_API bp_status bp_train_in(bp_net *net, const bp_data *data, const bp_training *training,
                              void *workspace, size_t size);

/* ---- keeping ---- */

/* Writes the network in the format of >>files to bytes, if capacity suffices, and returns the
 * bytes needed in any case; bytes may be NULL when capacity is 0. Returns 0 for a NULL network
 * or one with a parameter that is not finite. */
BPI_API size_t bp_encode(const bp_net *net, void *bytes, size_t capacity);

/* Makes *net from size bytes; they may come from anyone. Fails with BP_BAD_FILE,
 * BP_OUT_OF_MEMORY, BP_INVALID_ARGUMENT; *net is then untouched. Free with bp_free. */
BPI_API bp_status bp_decode(bp_net **net, const void *bytes, size_t size);

#ifndef BACKPROP_NO_STDIO
/* bp_encode to a file, by way of PATH.tmp, and bp_decode from one. BP_IO_ERROR when the
 * file system refuses; BP_DIVERGED when a parameter is not finite (the old file stays). */
BPI_API bp_status bp_save(const bp_net *net, const char *path);
BPI_API bp_status bp_load(bp_net **net, const char *path);

/* Writes a C file that needs nothing: the parameters as constants, and one function
 *     void NAME(const bp_real *inputs, bp_real *outputs)      (bp_real: float or double)
 * whose outputs equal bp_predict's. name must be a C identifier. Written by way of PATH.tmp. */
BPI_API bp_status bp_export_c(const bp_net *net, const char *path, const char *name);
#endif

/* The instruction set that a network computes with: chosen when it is made, and the fastest this
 * machine has. Another may be named for a test or a comparison: "avx512", "avx2", "sse2", "neon",
 * "wasm", "plain"; NULL for the fastest. BP_INVALID_ARGUMENT if this machine or build lacks it. */
BPI_API const char *bp_simd(const bp_net *net);
BPI_API bp_status bp_use_simd(bp_net *net, const char *name);

/* The status in words, a constant string. */
BPI_API const char *bp_status_string(bp_status status);

#ifdef __cplusplus
}
#endif
#endif /* BACKPROP_H */

/* Stop here if you only want to use it. */

/* >>implementation
 * ================
 * Rows are examples throughout; n is how many. Arrays of a layer carry its number in the
 * manual's sense minus one: layers[0], a[0] and delta[0] belong to layer 1. */
#if defined(BACKPROP_IMPLEMENTATION) && !defined(BPI_IMPLEMENTATION)
#define BPI_IMPLEMENTATION

#include <float.h>
#include <limits.h>
#include <string.h>

#ifndef BACKPROP_NO_STDIO
#include <stdio.h>
#endif

#if (defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__)) && \
    !defined(BACKPROP_ALLOW_FAST_MATH)
#error "-ffast-math breaks the promises of backprop.h; see BACKPROP_ALLOW_FAST_MATH"
#endif
#ifndef BACKPROP_THREADS
#define BACKPROP_THREADS 1
#endif

#if defined(BACKPROP_MALLOC) != defined(BACKPROP_FREE)
#error "define both BACKPROP_MALLOC and BACKPROP_FREE, or neither"
#endif
#ifndef BACKPROP_MALLOC
#include <stdlib.h>
#define BACKPROP_MALLOC(size) malloc(size)
#define BACKPROP_FREE(pointer) free(pointer)
#endif

#ifndef BACKPROP_ASSERT
#define BACKPROP_ASSERT(condition) ((void)0)
#endif

#if defined(__GNUC__)
#define BPI_NOINLINE __attribute__((noinline))
#elif defined(_MSC_VER)
#define BPI_NOINLINE __declspec(noinline)
#else
#define BPI_NOINLINE
#endif

/* BPI_PARALLEL calls task(context, part, parts) for all parts, at once where it can. */
#if defined(BACKPROP_PARALLEL) && !defined(BACKPROP_NO_THREADS)
#define BPI_MOST_THREADS 256
#define BPI_DEFAULT_THREADS (BACKPROP_THREADS)
#define BPI_PARALLEL(parts, task, context) BACKPROP_PARALLEL(parts, task, context)
#elif defined(_OPENMP) && !defined(BACKPROP_NO_THREADS)
#include <omp.h>
#define BPI_MOST_THREADS 256
#define BPI_DEFAULT_THREADS omp_get_max_threads()
#define BPI_PARALLEL(parts, task, context) bpi_openmp(parts, task, context)
static void bpi_openmp(int parts, void (*task)(void *context, int part, int parts), void *context)
{
    int part;
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (part = 0; part < parts; part++)
        task(context, part, parts);
}
#else
#define BPI_MOST_THREADS 1
#define BPI_DEFAULT_THREADS 1
#define BPI_PARALLEL(parts, task, context) task(context, 0, 1)
#endif

#ifdef BACKPROP_DOUBLE
#define BPI_REAL_MAX DBL_MAX
#define BPI_REAL_NAME "double"
typedef int64_t bpi_bits;
#else
#define BPI_REAL_MAX FLT_MAX
#define BPI_REAL_NAME "float"
typedef int32_t bpi_bits;
#endif

enum {
    BPI_LANES = 32 / (int)sizeof(bp_real), /* partial sums of a dot product: 8 or 4 */
    BPI_LINE = 64 / (int)sizeof(bp_real),  /* numbers in a cache line */
#ifdef BACKPROP_NO_SIMD
    BPI_ALIGN = 8, /* enough for anything in here: small machines have no memory to give away */
#else
    BPI_ALIGN = 64, /* a cache line */
#endif
    BPI_ROWS = 256,                        /* examples in flight at once, at most */
    BPI_FEW = 32,                          /* inputs of a layer whose weights are turned, at most */
    BPI_PANEL = 128 * 1024,                /* bytes of room to pack inputs in, see bpi_rows */
    BPI_TINY = 8,                          /* layers of a tiny network, at most */
    BPI_STACK = 4096                       /* bytes bp_predict takes from the stack */
};

/* A matrix whose rows are examples, perhaps taken in another order: row i starts at
 * base + stride * (index ? index[i] : i). */
typedef struct bpi_rows {
    const bp_real *base;
    size_t stride;
    const size_t *index;
    size_t ahead; /* rows that exist, those of the next batches included: worth fetching early */
    /* NULL; or, where many inputs are zero, bpi_marks(stride) bytes a row, which forward fills for
     * descend: 1 for each block that is not all zero */
    uint8_t *marks;
    bp_real *panel; /* NULL; or room of BPI_PANEL bytes for kernels to copy rows to, or columns */
    int dense;      /* activations, which are never zero and at most 1 */
} bpi_rows;

/* The inner loops. */
typedef struct bpi_kernels {
    const char *name;
    int fused; /* multiply-adds are rounded once */
    bp_real (*fma)(bp_real a, bp_real b, bp_real c); /* a b + c as the others compute it */
    /* F1, F2: out_ij = s(sum_k w_jk a_ik + b_j) for examples i < n and neurons j. blocks has room
     * for bpi_block_count numbers: which blocks of inputs are not all zero, and in front how many.
     * Returns a bound of all |a_ik|. */
    bp_real (*forward)(const bp_layer *layer, const bpi_rows *a, size_t n, uint32_t *blocks,
                       bp_real *out);
    /* B1, as bpi_output_error. */
    void (*output_error)(const bp_real *a, const bpi_rows *y, size_t first, size_t n, bp_real scale,
                         bp_real *delta);
    /* B2: delta_ik = (sum_j w_jk above_ij) a_ik (1 - a_ik), layer being the one above. Returns a
     * bound of all |delta_ik|. */
    bp_real (*hidden_error)(const bp_layer *layer, const bp_real *above, const bp_real *a,
                            size_t n, bp_real *delta);
    /* B3: dw_jk += sum_i delta_ij a_ik; db_j likewise. Rows of delta are stride apart: the layer
     * may be some neurons of a wider one. */
    void (*gradient)(const bp_layer *layer, const bp_real *delta, size_t stride,
                     const bpi_rows *a, size_t n, bp_real *dw, bp_real *db);
    /* B3 and U in one: w_jk -= eta sum_i delta_ij a_ik; b_j likewise. */
    void (*descend)(const bp_layer *layer, const bp_real *delta, size_t stride,
                    const bpi_rows *a, size_t n, bp_real eta);
    /* B3 and U for one example, and at once, unless next is NULL, F1 and F2 for the next with the
     * new weights: one pass over them for what else takes two. blocks, out and what is returned are
     * forward's. */
    bp_real (*descend_ahead)(const bp_layer *layer, const bp_real *delta, const bpi_rows *a,
                             bp_real eta, uint32_t *blocks, const bpi_rows *next, bp_real *out);
    /* U: parameters -= eta gradient. */
    void (*update)(bp_real *parameters, const bp_real *gradient, size_t count, bp_real eta);
    /* The largest magnitude in n rows, or 2 if all are smaller; larger than any number if one is
     * not finite. */
    bp_real (*largest)(const bpi_rows *rows, size_t n);
    /* For networks that bpi_is_tiny says they are for; or NULL. The outputs for an example. 0, and
     * nothing done, if they are for the other kernels to compute. */
    int (*predict_tiny)(const bp_net *net, const bp_real *x, bp_real *out);
    /* n updates, one example each, the squares added to *squares. 0, and nothing done, if these or
     * a parameter would not stay finite (or it is for the other kernels to say). */
    int (*descend_tiny)(const bp_net *net, const bpi_rows *x, const bpi_rows *y, size_t n,
                        bp_real scale, bp_real eta, double *squares);
} bpi_kernels;

/* The things the machine room (>>machine) provides. */
static bp_real bpi_fma(bp_real a, bp_real b, bp_real c);      /* a*b + c, rounded once */
static bp_real bpi_sigmoid(bp_real z);                        /* F2 for one neuron */
static const bpi_kernels *bpi_find_kernels(const char *name); /* NULL: this machine's best */
static const bpi_kernels *bpi_choose_kernels(void); /* for a new network */
static const bpi_kernels *bpi_kernels_of(const bp_net *net);
static void bpi_note_layer(bp_net *net, int l); /* its widths are known */
static int bpi_is_tiny(const bp_net *net);
/* Is bpi_rows.panel of use? Sooner where a tile is narrow: it reads a single line of each row. */
static int bpi_packs(size_t inputs, size_t rows, size_t neurons, int narrow);

/* Bytes to predict with that many rows at once. */
static size_t bpi_predict_size(const bp_net *net, size_t rows);

/* ---- memory: one block, carved into aligned arrays ---- */

/* With base NULL nothing is carved, only the size is counted. */
typedef struct bpi_arena {
    unsigned char *base;
    size_t used; /* 0 after an overflow */
    int overflow; /* the size does not fit in size_t */
} bpi_arena;

/* Room for count items of size bytes, aligned to BPI_ALIGN. */
static void *bpi_take(bpi_arena *arena, size_t count, size_t size)
{
    const size_t limit = (size_t)-1 - 2 * BPI_ALIGN, half = (size_t)1 << 4 * sizeof(size_t);
    size_t misaligned = (size_t)((uintptr_t)arena->base + arena->used) % BPI_ALIGN;
    size_t skip = arena->base && misaligned ? BPI_ALIGN - misaligned : 0;
    void *place;
    /* divisions take long: two halves of a word have a product that fits */
    if (arena->overflow || arena->used > limit ||
        ((count | size) >= half && count && size > limit / count) ||
        count * size > limit - arena->used) {
        arena->overflow = 1;
        arena->used = 0;
        return NULL;
    }
    place = arena->base ? arena->base + arena->used + skip : NULL;
    /* When counting, every array may need the full skip. */
    arena->used += count * size + (arena->base ? skip : BPI_ALIGN - 1);
    return place;
}

static bpi_arena bpi_arena_at(void *memory)
{
    bpi_arena arena = { (unsigned char *)memory, 0, 0 };
    return arena;
}

/* NULL for 0 bytes, which is how sizes say that they overflow. */
static void *bpi_allocate(size_t size)
{
    return size ? BACKPROP_MALLOC(size) : NULL;
}

static void bpi_release(void *memory)
{
    if (memory)
        BACKPROP_FREE(memory);
}

/* ---- random numbers: SplitMix64 (Steele, Lea, Flood 2014) ---- */

#define BPI_U64(high, low) ((uint64_t)(high) << 32 | (uint64_t)(low))

static uint64_t bpi_random(uint64_t *state)
{
    uint64_t x = *state += BPI_U64(0x9e3779b9u, 0x7f4a7c15u);
    x = (x ^ x >> 30) * BPI_U64(0xbf58476du, 0x1ce4e5b9u);
    x = (x ^ x >> 27) * BPI_U64(0x94d049bbu, 0x133111ebu);
    return x ^ x >> 31;
}

/* Uniform in 0 ... n-1: draws from the incomplete last stretch of n are thrown away. */
static uint64_t bpi_random_below(uint64_t *state, uint64_t n)
{
    const uint64_t largest = ~(uint64_t)0, stretch = largest - largest % n;
    uint64_t x;
    do
        x = bpi_random(state);
    while (x >= stretch);
    return x % n;
}

/* floor(sqrt(x)), bit by bit: the same on every platform, and no libm. */
static uint32_t bpi_sqrt(uint64_t x)
{
    uint32_t root = 0, bit;
    for (bit = (uint32_t)1 << 31; bit; bit >>= 1)
        if ((uint64_t)(root | bit) * (root | bit) <= x)
            root |= bit;
    return root;
}

/* ---- networks ---- */

/* Adds a layer's parameters to *total; 0 if they do not fit. */
static int bpi_count_layer(size_t *total, size_t inputs, size_t outputs)
{
    const size_t limit = (size_t)-1 / sizeof(bp_real);
    if (inputs >= limit / outputs || outputs * (inputs + 1) > limit - *total)
        return 0;
    *total += outputs * (inputs + 1);
    return 1;
}

/* The number of parameters; 0 if a size is invalid or the number does not fit. */
static size_t bpi_count_parameters(const int *sizes, int size_count)
{
    size_t total = 0;
    int l;
    if (!sizes || size_count < 2 || sizes[0] < 1)
        return 0;
    for (l = 1; l < size_count; l++)
        if (sizes[l] < 1 || !bpi_count_layer(&total, (size_t)sizes[l - 1], (size_t)sizes[l]))
            return 0;
    return total;
}

/* Lays a network out in the arena: the structure, its layers, its parameters. */
static bp_net *bpi_net_place(bpi_arena *arena, int layer_count, size_t parameter_count)
{
    bp_net *net = (bp_net *)bpi_take(arena, 1, sizeof(bp_net));
    bp_layer *layers = (bp_layer *)bpi_take(arena, (size_t)layer_count, sizeof(bp_layer));
    bp_real *parameters = (bp_real *)bpi_take(arena, parameter_count, sizeof(bp_real));
    if (!net)
        return NULL;
    memset(net, 0, sizeof *net);
    net->layer_count = layer_count;
    net->layers = layers;
    net->parameter_count = parameter_count;
    net->parameters = parameters;
    net->kernels = bpi_choose_kernels();
    return net;
}

/* Gives layer l its widths; layers are set in order, each one's parameters behind the last's. */
static void bpi_net_set_layer(bp_net *net, int l, int inputs, int outputs)
{
    bp_layer *layer = &net->layers[l];
    bp_real *start = net->parameters;
    if (l > 0)
        start = net->layers[l - 1].biases + net->layers[l - 1].outputs;
    layer->inputs = inputs;
    layer->outputs = outputs;
    layer->weights = start;
    layer->biases = start + (size_t)inputs * (size_t)outputs;
    bpi_note_layer(net, l);
}

static size_t bpi_net_bytes(int layer_count, size_t parameter_count)
{
    bpi_arena arena = bpi_arena_at(NULL);
    (void)bpi_net_place(&arena, layer_count, parameter_count);
    return arena.used;
}

/* A network in one block of its own, widths and parameters not yet set. */
static bp_net *bpi_net_new(int layer_count, size_t parameter_count)
{
    void *memory = bpi_allocate(bpi_net_bytes(layer_count, parameter_count));
    bpi_arena arena = bpi_arena_at(memory);
    bp_net *net = memory ? bpi_net_place(&arena, layer_count, parameter_count) : NULL;
    if (net)
        net->owned = memory;
    return net;
}

BPI_API size_t bp_net_size(const int *sizes, int size_count)
{
    size_t parameter_count = bpi_count_parameters(sizes, size_count);
    return parameter_count ? bpi_net_bytes(size_count - 1, parameter_count) : 0;
}

BPI_API bp_net *bp_create_in(void *memory, size_t size, const int *sizes, int size_count,
                             uint64_t seed)
{
    bpi_arena arena = bpi_arena_at(memory);
    size_t need = bp_net_size(sizes, size_count);
    bp_net *net;
    int l;
    if (!memory || need == 0 || size < need)
        return NULL;
    net = bpi_net_place(&arena, size_count - 1, bpi_count_parameters(sizes, size_count));
    for (l = 0; l < net->layer_count; l++)
        bpi_net_set_layer(net, l, sizes[l], sizes[l + 1]);
    bp_randomize(net, seed);
    return net;
}

BPI_API bp_net *bp_create(const int *sizes, int size_count, uint64_t seed)
{
    size_t size = bp_net_size(sizes, size_count);
    void *memory = bpi_allocate(size);
    bp_net *net = memory ? bp_create_in(memory, size, sizes, size_count, seed) : NULL;
    if (net)
        net->owned = memory;
    else
        bpi_release(memory);
    return net;
}

BPI_API bp_net *bp_clone(const bp_net *net)
{
    bp_net *copy = net ? bpi_net_new(net->layer_count, net->parameter_count) : NULL;
    int l;
    if (!copy)
        return NULL;
    for (l = 0; l < net->layer_count; l++)
        bpi_net_set_layer(copy, l, net->layers[l].inputs, net->layers[l].outputs);
    memcpy(copy->parameters, net->parameters, net->parameter_count * sizeof(bp_real));
    copy->epochs_trained = net->epochs_trained;
    copy->kernels = net->kernels;
    return copy;
}

BPI_API void bp_free(bp_net *net)
{
    if (net)
        bpi_release(net->owned);
}

/* Uniform weights in +-sqrt(3 / n_{l-1}) have the variance 1 / n_{l-1} that keeps z of the
 * order of one. Integers of 24 and 29 bits make them, whose product is exact in a double. */
BPI_API void bp_randomize(bp_net *net, uint64_t seed)
{
    const double unit = 1.0 / 4503599627370496.0; /* 2^-52 */
    uint64_t state = seed;
    int l;
    if (!net)
        return;
    for (l = 0; l < net->layer_count; l++) {
        bp_layer *layer = &net->layers[l];
        size_t i, count = (size_t)layer->inputs * (size_t)layer->outputs;
        int64_t bound = (int64_t)bpi_sqrt(((uint64_t)3 << 56) / (uint64_t)layer->inputs);
        for (i = 0; i < count; i++) {
            /* odd, in +-(2^24 - 1): symmetric, and never zero */
            int64_t u = (int64_t)(bpi_random(&state) >> 40) * 2 + 1 - ((int64_t)1 << 24);
            layer->weights[i] = (bp_real)((double)(u * bound) * unit);
        }
        memset(layer->biases, 0, (size_t)layer->outputs * sizeof(bp_real));
    }
    net->epochs_trained = 0;
}

/* A number and the integer of the same bits. */
static bp_real bpi_from_bits(bpi_bits bits)
{
    bp_real x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static bpi_bits bpi_to_bits(bp_real x)
{
    bpi_bits bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static int bpi_is_finite(double x)
{
    return x >= -DBL_MAX && x <= DBL_MAX;
}

/* The same in the precision of the build: small processors have no double. */
static int bpi_is_real(bp_real x)
{
    return x >= -BPI_REAL_MAX && x <= BPI_REAL_MAX;
}

/* Not NaN, without the == that some compilers warn of. */
static int bpi_is_number(double x)
{
    return x < 0 || x >= 0;
}

static int bpi_inputs(const bp_net *net)
{
    return net->layers[0].inputs;
}

static int bpi_outputs(const bp_net *net)
{
    return net->layers[net->layer_count - 1].outputs;
}

/* At least 2, and none of a network's parameters, or of as many others, is larger in magnitude;
 * larger than any number if one is not finite. */
static bp_real bpi_largest(const bp_net *net, const bp_real *parameters)
{
    const bpi_rows all = { parameters, net->parameter_count, NULL, 0, NULL, NULL, 0 };
    return bpi_kernels_of(net)->largest(&all, 1);
}

/* ---- working memory of a call ---- */

/* What is not less in magnitude than any input of some examples, and any hidden error. */
typedef struct bpi_bound {
    bp_real input, error;
} bpi_bound;

/* The larger of two; once not a number, always not a number. */
static bp_real bpi_larger(bp_real bound, bp_real other)
{
    return !(other <= bound) && bpi_is_number((double)bound) ? other : bound;
}

/* What a call has in its workspace. */
typedef struct bpi_space {
    size_t rows;       /* examples in flight */
    int threads;
    uint32_t *blocks;  /* scratch for the kernels, for each thread */
    bpi_bound *bounds; /* of each thread's examples */
    bp_real *panels;   /* for each thread, see bpi_rows; or NULL */
    bp_real **a;       /* a[l]: rows x outputs of layers[l] */
    bp_real **delta;   /* delta[l]: likewise */
    bp_real **next;    /* like a, for the example after a single one; or NULL */
    uint8_t *marks;    /* see bpi_rows */
    bp_real *inputs;   /* rows x n_0, for fetch */
    bp_real *targets;
    size_t *order;     /* a permutation of the set, or rows indices for fetch */
    bp_real *gradient; /* of a batch longer than rows, which is summed in memory; or NULL */
} bpi_space;

/* The widest input of layers[first] and those above. */
static size_t bpi_widest(const bp_net *net, int first)
{
    int l, widest = 0;
    for (l = first; l < net->layer_count; l++)
        if (net->layers[l].inputs > widest)
            widest = net->layers[l].inputs;
    return (size_t)widest;
}

/* Bytes to mark the blocks of so many inputs, and zeros up to a multiple of eight. */
static size_t bpi_marks(size_t inputs)
{
    return (inputs / BPI_LANES + 7) / 8 * 8;
}

/* Do rows of so many inputs begin at the same place of a page? Then the first cache, which finds
 * its lines by that place, holds few of them at once: eight, as a rule. */
static int bpi_collides(size_t inputs)
{
    return inputs * sizeof(bp_real) % 4096 == 0;
}

/* Room for the list of blocks of any layer: their number, they, and what is written behind them
 * before it is known to be none. */
static size_t bpi_block_count(const bp_net *net)
{
    return bpi_widest(net, 0) / BPI_LANES + 2;
}

static size_t bpi_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many threads to use when asked for so many, or for 0. */
static int bpi_threads(int wanted)
{
    int most = BPI_MOST_THREADS;
    int threads = wanted ? wanted : BPI_DEFAULT_THREADS;
    return threads < 1 ? 1 : threads < most ? threads : most;
}

/* Sizes and places what bp_evaluate and bp_gradient (training NULL) or bp_train need. */
static void bpi_space_place(bpi_space *space, bpi_arena *arena, const bp_net *net,
                            const bp_data *data, const bp_training *training)
{
    const int shuffled = training && !training->in_order;
    const size_t layers = (size_t)net->layer_count;
    size_t batch = data->count, ahead;
    int l, panels = 0;
    memset(space, 0, sizeof *space);
    if (training && training->batch_size)
        batch = bpi_min(batch, training->batch_size);
    space->rows = bpi_min(batch, BPI_ROWS);
    space->threads = training ? bpi_threads(training->threads) : 1;
    space->blocks = (uint32_t *)bpi_take(arena, (size_t)space->threads,
                                         bpi_block_count(net) * sizeof(uint32_t));
    space->bounds = (bpi_bound *)bpi_take(arena, (size_t)space->threads, sizeof(bpi_bound));
    space->a = (bp_real **)bpi_take(arena, layers, sizeof(bp_real *));
    space->delta = (bp_real **)bpi_take(arena, layers, sizeof(bp_real *));
    space->marks = (uint8_t *)bpi_take(arena, space->rows, bpi_marks((size_t)bpi_inputs(net)));
    ahead = training && data->inputs && batch == 1;
    if (ahead)
        space->next = (bp_real **)bpi_take(arena, layers, sizeof(bp_real *));
    for (l = 0; l < net->layer_count; l++) {
        /* rows is at most BPI_ROWS, and width * sizeof(bp_real) fits: bpi_take sees the rest */
        size_t size = (size_t)net->layers[l].outputs * sizeof(bp_real);
        void *a = bpi_take(arena, space->rows + ahead, size);
        void *delta = bpi_take(arena, space->rows, size);
        /* as for narrow tiles: which kernels will run is not known yet */
        panels |= training && bpi_packs((size_t)net->layers[l].inputs, space->rows,
                                        (size_t)net->layers[l].outputs, 1);
        if (arena->base) {
            space->a[l] = (bp_real *)a;
            space->delta[l] = (bp_real *)delta;
            if (ahead)
                space->next[l] = space->a[l] + net->layers[l].outputs;
        }
    }
    if (panels)
        space->panels = (bp_real *)bpi_take(arena, (size_t)space->threads, BPI_PANEL);
    if (!data->inputs) {
        size_t inputs = (size_t)bpi_inputs(net), outputs = (size_t)bpi_outputs(net);
        space->inputs = (bp_real *)bpi_take(arena, space->rows, inputs * sizeof(bp_real));
        space->targets = (bp_real *)bpi_take(arena, space->rows, outputs * sizeof(bp_real));
    }
    if (shuffled || !data->inputs)
        space->order =
            (size_t *)bpi_take(arena, shuffled ? data->count : space->rows, sizeof(size_t));
    if (batch > space->rows)
        space->gradient = (bp_real *)bpi_take(arena, net->parameter_count, sizeof(bp_real));
}

static int bpi_data_is_valid(const bp_data *data)
{
    return data && data->count && (data->inputs ? data->targets != NULL : data->fetch != NULL);
}

static int bpi_training_is_valid(const bp_training *training)
{
    double eta = training ? training->learning_rate : 0;
    /* eta must also be finite and positive as a bp_real */
    return training && training->epochs >= 0 && training->threads >= 0 && eta > 0 &&
           eta <= (double)BPI_REAL_MAX && (bp_real)eta > 0;
}

BPI_API size_t bp_workspace_size(const bp_net *net, const bp_data *data,
                                 const bp_training *training)
{
    bpi_arena arena = bpi_arena_at(NULL);
    bpi_space space;
    if (!net || (data && !bpi_data_is_valid(data)) ||
        (training && (!data || !bpi_training_is_valid(training))))
        return 0;
    if (!data)
        return bpi_predict_size(net, 1);
    bpi_space_place(&space, &arena, net, data, training);
    return arena.used;
}

/* Checks the arguments that the calls below share, and places their space in the workspace. */
static bp_status bpi_space_open(bpi_space *space, const bp_net *net, const bp_data *data,
                                const bp_training *training, void *workspace, size_t size)
{
    bpi_arena arena = bpi_arena_at(workspace);
    size_t need;
    if (!net || !bpi_data_is_valid(data) || (!workspace && size))
        return BP_INVALID_ARGUMENT;
    need = bp_workspace_size(net, data, training);
    if (!workspace || need == 0 || size < need)
        return BP_OUT_OF_MEMORY;
    bpi_space_place(space, &arena, net, data, training);
    BACKPROP_ASSERT(arena.used <= size);
    return BP_OK;
}

/* ---- forward (F1, F2) ---- */

static bpi_rows bpi_matrix(const bp_real *base, int width)
{
    bpi_rows rows = { base, (size_t)width, NULL, 0, NULL, NULL, 0 };
    return rows;
}

static const bp_real *bpi_row(const bpi_rows *rows, size_t i)
{
    return rows->base + rows->stride * (rows->index ? rows->index[i] : i);
}

/* To row i, but for the marks: in place, as a copy would wait for numbers that were only just
 * written one by one. */
static void bpi_skip(bpi_rows *rows, size_t i)
{
    if (rows->index)
        rows->index += i;
    else
        rows->base += rows->stride * i;
    rows->ahead = rows->ahead > i ? rows->ahead - i : 0;
}

/* The same from row i on. */
static bpi_rows bpi_rows_from(const bpi_rows *rows, size_t i)
{
    bpi_rows from = *rows;
    bpi_skip(&from, i);
    if (from.marks)
        from.marks += i * bpi_marks(from.stride);
    return from;
}

/* A pass of n examples through the network and back. */
typedef struct bpi_pass {
    const bp_net *net;
    const bpi_space *space;
    bpi_rows x, y;
    size_t n;
    int ahead; /* the activations are there already */
    bp_real scale;     /* of the output error, 1/(B n_L); 0: forward only */
    bp_real *gradient; /* where to add the gradient; NULL: descend by eta at once */
    bp_real eta;
} bpi_pass;

/* A thread's panel (see bpi_rows), or NULL. */
static bp_real *bpi_panel(const bpi_space *space, int part)
{
    return space->panels ? space->panels + (size_t)part * BPI_PANEL / sizeof(bp_real) : NULL;
}

/* a^l = s(W^l a^{l-1} + b^l) for l = 1 ... L, for n examples from first on. Returns a bound of
 * their inputs. */
static bp_real bpi_forward(const bpi_pass *pass, size_t first, size_t n, int part)
{
    const bp_net *net = pass->net;
    uint32_t *blocks = pass->space->blocks + (size_t)part * bpi_block_count(net);
    bpi_rows a = bpi_rows_from(&pass->x, first);
    bp_real largest = 0;
    int l;
    for (l = 0; l < net->layer_count; l++) {
        const bp_layer *layer = &net->layers[l];
        bp_real *out = pass->space->a[l] + first * (size_t)layer->outputs;
        bp_real found;
        a.panel = bpi_panel(pass->space, part);
        found = bpi_kernels_of(net)->forward(layer, &a, n, blocks, out);
        largest = l == 0 ? found : largest;
        a = bpi_matrix(out, layer->outputs);
        a.dense = 1;
    }
    return largest;
}

/* ---- cost and errors (C, B1, B2) ---- */

/* Every fourth (a_j - y_j)^2 from the j-th on, added up. The square of a float is exact in a
 * double, so that there is one rounding an addition. */
static double bpi_some_squares(const bp_net *net, const bp_real *a, const bp_real *target, size_t j)
{
    const size_t outputs = (size_t)bpi_outputs(net);
    double sum = 0;
    for (; j < outputs; j += 4) {
        bp_real e = a[j] - target[j];
#ifdef BACKPROP_DOUBLE
        sum = bpi_kernels_of(net)->fma(e, e, sum);
#else
        sum += (double)e * (double)e;
#endif
    }
    return sum;
}

/* sum_j (a_j - y_j)^2 over n examples: four partial sums an example do not wait for one another. */
static double bpi_squares(const bp_net *net, const bp_real *a, const bpi_rows *y, size_t n)
{
    double sum = 0;
    size_t i;
    for (i = 0; i < n; i++, a += bpi_outputs(net)) {
        const bp_real *target = bpi_row(y, i);
        double even = bpi_some_squares(net, a, target, 0);
        double odd = bpi_some_squares(net, a, target, 1);
        even += bpi_some_squares(net, a, target, 2);
        odd += bpi_some_squares(net, a, target, 3);
        sum += even + odd;
    }
    return sum;
}

/* delta^L_j = scale (a_j - y_j) a_j (1 - a_j) for n examples, their targets from row first on */
static void bpi_output_error(const bp_real *a, const bpi_rows *y, size_t first, size_t n,
                             bp_real scale, bp_real *delta)
{
    const size_t outputs = y->stride;
    size_t j;
    for (; n > 0; n--, first++, a += outputs, delta += outputs) {
        const bp_real *target = bpi_row(y, first);
        for (j = 0; j < outputs; j++) {
            /* an assignment an operation: some targets compute wider and round only there */
            bp_real error = a[j] - target[j], slope = 1 - a[j];
            error *= scale;
            slope *= a[j];
            delta[j] = error * slope;
        }
    }
}

/* delta^L by B1, then delta^l for l = L-1 ... 1 by B2. The sum over the layer above, from which B2
 * starts, is often printed without the factor s'(z) = a (1 - a): it belongs there. Returns a bound
 * of the hidden errors. */
static bp_real bpi_errors(const bpi_pass *pass, size_t first, size_t n)
{
    const bp_net *net = pass->net;
    int l = net->layer_count - 1;
    const size_t outputs = (size_t)bpi_outputs(net);
    const bp_real *a = pass->space->a[l] + first * outputs;
    bp_real *delta = pass->space->delta[l] + first * outputs, bound = 0;
    /* a few are done before a vector's last part could be read back */
    if (n * outputs < 64)
        bpi_output_error(a, &pass->y, first, n, pass->scale, delta);
    else
        bpi_kernels_of(net)->output_error(a, &pass->y, first, n, pass->scale, delta);
    for (; l > 0; l--) {
        const size_t inputs = (size_t)net->layers[l].inputs;
        const bp_real *above = delta;
        delta = pass->space->delta[l - 1] + first * inputs;
        bound = bpi_larger(bound, bpi_kernels_of(net)->hidden_error(
                                      &net->layers[l], above,
                                      pass->space->a[l - 1] + first * inputs, n, delta));
    }
    return bound;
}

/* ---- gradient and descent (B3, U) ---- */

/* Neurons first ... last-1 of layer l: their gradient added, or descended upon. */
static void bpi_learn(const bpi_pass *pass, int l, size_t first, size_t last, bp_real *panel)
{
    const bp_net *net = pass->net;
    const bp_layer *whole = &net->layers[l];
    const size_t stride = (size_t)whole->outputs;
    const bp_real *delta = pass->space->delta[l] + first;
    bpi_rows a = l ? bpi_matrix(pass->space->a[l - 1], whole->inputs) : pass->x;
    bp_layer layer = *whole;
    a.dense = l > 0;
    a.panel = panel;
    layer.outputs = (int)(last - first);
    layer.weights += first * (size_t)layer.inputs;
    layer.biases += first;
    BACKPROP_ASSERT(first <= last && last <= stride);
    if (first == last)
        return;
    if (pass->gradient)
        bpi_kernels_of(net)->gradient(&layer, delta, stride, &a, pass->n,
                               pass->gradient + (layer.weights - net->parameters),
                               pass->gradient + (layer.biases - net->parameters));
    else
        bpi_kernels_of(net)->descend(&layer, delta, stride, &a, pass->n, pass->eta);
}

/* ---- threads: each takes its part of the examples, then its part of the neurons, and so every
 * sum is one thread's, in the same order whatever their number ---- */

static void bpi_pass_examples(void *context, int part, int parts)
{
    const bpi_pass *pass = (const bpi_pass *)context;
    const size_t first = pass->n * (size_t)part / (size_t)parts;
    const size_t last = pass->n * (size_t)(part + 1) / (size_t)parts;
    pass->space->bounds[part].input = bpi_forward(pass, first, last - first, part);
    if (pass->scale > 0)
        pass->space->bounds[part].error = bpi_errors(pass, first, last - first);
}

static void bpi_pass_neurons(void *context, int part, int parts)
{
    const bpi_pass *pass = (const bpi_pass *)context;
    int l;
    for (l = 0; l < pass->net->layer_count; l++) {
        const size_t outputs = (size_t)pass->net->layers[l].outputs;
        bpi_learn(pass, l, outputs * (size_t)part / (size_t)parts,
                  outputs * (size_t)(part + 1) / (size_t)parts, bpi_panel(pass->space, part));
    }
}

/* Runs task for all parts and waits for them; a batch too small to gain by it is one part. */
static void bpi_share(void (*task)(void *context, int part, int parts), bpi_pass *pass)
{
    const double work = (double)pass->n * (double)pass->net->parameter_count;
    int parts = pass->n == 1 ? 1 : pass->space->threads;
    if (work < 750000.0 * parts)
        parts = (int)(work / 750000.0);
    if (parts < 2)
        task(pass, 0, 1);
    else
        BPI_PARALLEL(parts, task, pass);
}

/* C from the sum of squares over count examples. */
static double bpi_mean_cost(const bp_net *net, double squares, size_t count)
{
    return squares / (2.0 * (double)bpi_outputs(net) * (double)count);
}

/* The factor of B1 for the mean over count examples. */
static bp_real bpi_error_scale(const bp_net *net, size_t count)
{
    return (bp_real)(1.0 / ((double)bpi_outputs(net) * (double)count));
}

/* ---- examples ---- */

/* Is it worth looking for zeros among n rows? Some blocks of two of them tell: of the first and the
 * sixth, which have been fetched. */
static int bpi_looks_sparse(const bpi_rows *rows, size_t n)
{
    const size_t step = (rows->stride / 64 + 1) * BPI_LANES;
    size_t i, k, m, zeros = 0, total = 0;
    for (i = 0; i < 2; i++) {
        const bp_real *x = bpi_row(rows, i ? bpi_min(n, 6) - 1 : 0);
        for (k = 0; k + BPI_LANES < rows->stride; k += step, total++) {
            int others = 0; /* no branch: it could not be foreseen */
            for (m = 0; m < BPI_LANES; m++)
                others |= (x[k + m] < 0) | (x[k + m] > 0);
            zeros += !others;
        }
    }
    return zeros * 4 > total;
}

/* Where to mark blocks, or NULL. A single row is looked through as it is used. */
static uint8_t *bpi_marks_for(const bpi_rows *rows, size_t n, uint8_t *marks)
{
    return n > 1 && bpi_looks_sparse(rows, n) ? marks : NULL;
}

/* Shows n examples from position first on: views into the matrices, or what fetch makes. */
static bp_status bpi_view(const bp_net *net, const bp_data *data, const bpi_space *space,
                          int shuffled, size_t first, size_t n, bpi_rows *x, bpi_rows *y)
{
    size_t *order = space->order, i;
    if (data->inputs) {
        *x = bpi_matrix(data->inputs, bpi_inputs(net));
        *y = bpi_matrix(data->targets, bpi_outputs(net));
        x->index = y->index = shuffled ? order : NULL;
        x->ahead = data->count;
        *x = bpi_rows_from(x, first);
        *y = bpi_rows_from(y, first);
        return BP_OK;
    }
    *x = bpi_matrix(space->inputs, bpi_inputs(net));
    *y = bpi_matrix(space->targets, bpi_outputs(net));
    if (shuffled)
        order += first;
    else
        for (i = 0; i < n; i++)
            order[i] = first + i;
    return data->fetch(data->user, order, n, space->inputs, space->targets);
}

/* A permutation drawn by Fisher and Yates's shuffle from seed and epoch alone. */
static void bpi_shuffle(size_t *order, size_t count, uint64_t seed, uint64_t epoch)
{
    uint64_t state = seed;
    size_t i;
    state = bpi_random(&state) ^ epoch;
    state = bpi_random(&state);
    for (i = 0; i < count; i++)
        order[i] = i;
    for (i = count; i > 1; i--) {
        size_t j = (size_t)bpi_random_below(&state, (uint64_t)i), swapped = order[j];
        order[j] = order[i - 1];
        order[i - 1] = swapped;
    }
}

/* ---- the gradient of a set ---- */

/* Views n examples from position first on and takes them forward, unless that is done, and, with
 * scale, back; adds their squares to *squares. */
static bp_status bpi_begin(bpi_pass *pass, const bp_data *data, int shuffled, size_t first,
                           size_t n, double *squares)
{
    const bp_net *net = pass->net;
    if (pass->ahead) {
        pass->space->bounds[0].error = bpi_errors(pass, 0, n);
    } else {
        bp_status status = bpi_view(net, data, pass->space, shuffled, first, n, &pass->x, &pass->y);
        if (status != BP_OK)
            return status;
        pass->x.marks = bpi_marks_for(&pass->x, n, pass->space->marks);
        pass->n = n;
        memset(pass->space->bounds, 0, (size_t)pass->space->threads * sizeof(bpi_bound));
        bpi_share(bpi_pass_examples, pass);
    }
    *squares += bpi_squares(net, pass->space->a[net->layer_count - 1], &pass->y, n);
    return bpi_is_finite(*squares) ? BP_OK : BP_DIVERGED;
}

static bpi_pass bpi_new_pass(const bp_net *net, const bpi_space *space, bp_real scale)
{
    bpi_pass pass;
    memset(&pass, 0, sizeof pass);
    pass.net = net;
    pass.space = space;
    pass.scale = scale;
    return pass;
}

/* The gradient of the mean cost over count examples from position first on; adds their
 * squares to *squares. On failure with count <= space->rows gradient is untouched. */
static bp_status bpi_gradient_of(const bp_net *net, const bp_data *data, const bpi_space *space,
                                 int shuffled, size_t first, size_t count, bp_real *gradient,
                                 double *squares)
{
    bpi_pass pass = bpi_new_pass(net, space, bpi_error_scale(net, count));
    size_t seen, n;
    pass.gradient = gradient;
    for (seen = 0; seen < count; seen += n) {
        bp_status status;
        n = bpi_min(count - seen, space->rows);
        status = bpi_begin(&pass, data, shuffled, first + seen, n, squares);
        if (status != BP_OK)
            return status;
        if (seen == 0)
            memset(gradient, 0, net->parameter_count * sizeof(bp_real));
        bpi_share(bpi_pass_neurons, &pass);
    }
    return BP_OK;
}

/* ---- update (U), with the promise that no parameter leaves the finite ---- */

/* True if parameters - eta gradient is finite throughout. */
static int bpi_update_is_finite(const bp_net *net, const bp_real *parameters,
                                const bp_real *gradient, size_t count, bp_real eta)
{
    size_t i;
    for (i = 0; i < count; i++)
        if (!bpi_is_real(bpi_kernels_of(net)->fma(-eta, gradient[i], parameters[i])))
            return 0;
    return 1;
}

/* The same for a whole gradient: bounds nearly always say so. */
static int bpi_update_is_safe(const bp_net *net, const bp_real *gradient, bp_real eta)
{
    const bp_real most = (eta > 1 ? eta : 1) * bpi_largest(net, gradient);
    return bpi_largest(net, net->parameters) + most < BPI_REAL_MAX / 4 ||
           bpi_update_is_finite(net, net->parameters, gradient, net->parameter_count, eta);
}

/* The same for the update that a batch of deltas makes, in the order of the kernels. */
static int bpi_descent_is_finite(const bp_net *net, const bp_layer *layer, const bp_real *delta,
                                 const bpi_rows *a, size_t n, bp_real eta)
{
    size_t j, k, i, outputs = (size_t)layer->outputs, inputs = (size_t)layer->inputs;
    for (j = 0; j < outputs; j++)
        for (k = 0; k <= inputs; k++) {
            /* the bias is the weight of an input that is always 1 */
            const bp_real *p = k < inputs ? &layer->weights[j * inputs + k] : &layer->biases[j];
            bp_real dp = 0;
            for (i = 0; i < n; i++)
                dp = bpi_kernels_of(net)->fma(delta[i * outputs + j],
                                              k < inputs ? bpi_row(a, i)[k] : 1, dp);
            if (!bpi_update_is_finite(net, p, &dp, 1, eta))
                return 0;
        }
    return 1;
}

/* What bp_train carries from batch to batch. */
typedef struct bpi_run {
    bp_net *net;
    const bp_data *data;
    const bp_training *training;
    bpi_space *space;
    bpi_pass pass;       /* the one under way */
    size_t batch;        /* examples an update; the last of an epoch may take fewer */
    int tiny;            /* many updates a call, as long as they go well */
    bp_real eta;
    bp_real largest;     /* no parameter is larger in magnitude */
    uint64_t last_epoch; /* the last of this call */
} bpi_run;

/* Can a batch be descended upon without a parameter overflowing? A bound that grows with
 * every update nearly always says so; when it is used up, it is measured anew; and in the
 * end each new parameter is computed before any is stored. */
static int bpi_descent_is_safe(bpi_run *run, bpi_rows x, size_t n, double squares)
{
    const bp_real limit = BPI_REAL_MAX / 4;
    const bp_net *net = run->net;
    const bpi_space *space = run->space;
    const bpi_rows delta = bpi_matrix(space->delta[net->layer_count - 1], bpi_outputs(net));
    /* |delta^L_j| is at most scale |a_j - y_j|, which their squares and 1 exceed */
    bp_real error = squares < (double)BPI_REAL_MAX ? (bp_real)(squares + 1) * run->pass.scale
                                                   : bpi_kernels_of(net)->largest(&delta, n);
    bp_real most, input = 1; /* hidden activations are not larger */
    int l;
    for (l = 0; l < space->threads; l++) {
        error = bpi_larger(error, space->bounds[l].error);
        input = bpi_larger(input, space->bounds[l].input);
    }
    /* |dw_jk| <= n max|delta| max|a| */
    most = (bp_real)(int)n * error * input * (run->eta > 1 ? run->eta : 1);
    if (!(run->largest + most < limit))
        /* far below the limit, or the end is near */
        run->largest = bpi_largest(net, net->parameters);
    run->largest += most;
    if (run->largest < limit)
        return 1;
    for (l = 0; l < net->layer_count; l++) {
        const bp_layer *layer = &net->layers[l];
        if (!bpi_descent_is_finite(net, layer, space->delta[l], &x, n, run->eta))
            return 0;
        x = bpi_matrix(space->a[l], layer->outputs);
    }
    return 1;
}

/* ---- one update of gradient descent ---- */

/* Descends upon the pass's single example; the one after it, if there is one, goes forward as the
 * weights are passed over, layer by layer, and is then the example of the pass. */
static void bpi_descend_ahead(bpi_run *run)
{
    const bp_net *net = run->net;
    bpi_space *space = run->space;
    bpi_pass *pass = &run->pass;
    bp_real **passed = space->a;
    const bpi_rows *next = &pass->x;
    bpi_rows a = pass->x, a_next;
    int l;
    bpi_skip(&pass->x, 1);
    bpi_skip(&pass->y, 1);
    pass->ahead = space->next && next->ahead > 0;
    if (pass->ahead) {
        space->a = space->next;
        space->next = passed;
    }
    for (l = 0; l < net->layer_count; l++) {
        bp_real *out = pass->ahead ? space->a[l] : NULL;
        const bp_real found = bpi_kernels_of(net)->descend_ahead(
            &net->layers[l], space->delta[l], &a, run->eta, space->blocks,
            pass->ahead ? next : NULL, out);
        if (l == 0)
            space->bounds[0].input = found;
        a = bpi_matrix(passed[l], net->layers[l].outputs);
        a_next = bpi_matrix(out, net->layers[l].outputs);
        a.dense = a_next.dense = 1;
        next = &a_next;
    }
}

static bp_status bpi_step(bpi_run *run, size_t first, size_t n, double *squares)
{
    bp_net *net = run->net;
    const bpi_space *space = run->space;
    bpi_pass *pass = &run->pass;
    int shuffled = !run->training->in_order;
    bp_status status;
    if (n > space->rows) {
        status = bpi_gradient_of(net, run->data, space, shuffled, first, n, space->gradient,
                                 squares);
        if (status == BP_OK && !bpi_update_is_safe(net, space->gradient, run->eta))
            status = BP_DIVERGED;
        if (status == BP_OK)
            bpi_kernels_of(net)->update(net->parameters, space->gradient, net->parameter_count,
                                        run->eta);
        return status;
    }
    if (!pass->ahead) {
        *pass = bpi_new_pass(net, space, bpi_error_scale(net, n));
        pass->eta = run->eta;
    }
    status = bpi_begin(pass, run->data, shuffled, first, n, squares);
    if (status != BP_OK)
        return status;
    if (!bpi_descent_is_safe(run, pass->x, n, *squares))
        return BP_DIVERGED;
    if (n == 1)
        bpi_descend_ahead(run);
    else
        bpi_share(bpi_pass_neurons, pass);
    return BP_OK;
}

/* The next examples of a tiny network, up to where a report is due, each with its update; returns
 * how many: 0 if they are for bpi_step. */
static size_t bpi_step_tiny(bpi_run *run, size_t seen, double *squares)
{
    const size_t every = run->training->report_every;
    size_t n = bpi_min(run->data->count - seen, BPI_ROWS);
    bpi_rows x, y;
    if (!run->tiny || !bpi_is_tiny(run->net))
        return 0;
    if (every)
        n = bpi_min(n, every - seen % every);
    (void)bpi_view(run->net, run->data, run->space, !run->training->in_order, seen, n, &x, &y);
    run->tiny = bpi_kernels_of(run->net)->descend_tiny(run->net, &x, &y, n,
                                                       bpi_error_scale(run->net, 1), run->eta,
                                                       squares);
    run->largest = BPI_REAL_MAX; /* not known any more: bpi_step will measure it */
    return run->tiny ? n : 0;
}

/* ---- training ---- */

/* Tells the callback; non-zero if it wants to stop. */
static int bpi_report(const bpi_run *run, size_t seen, double squares)
{
    const bp_training *training = run->training;
    bp_progress progress;
    if (!training->on_progress)
        return 0;
    progress.epoch = run->net->epochs_trained + (seen < run->data->count);
    progress.epochs = run->last_epoch;
    progress.seen = seen;
    progress.count = run->data->count;
    progress.cost = bpi_mean_cost(run->net, squares, seen);
    progress.net = run->net;
    return training->on_progress(training->user, &progress);
}

static bp_status bpi_epoch(bpi_run *run)
{
    const bp_training *training = run->training;
    size_t count = run->data->count, every = training->report_every, seen = 0;
    double squares = 0;
    if (!training->in_order)
        bpi_shuffle(run->space->order, count, training->seed, run->net->epochs_trained);
    while (seen < count) {
        const size_t before = seen;
        size_t n = bpi_step_tiny(run, seen, &squares);
        if (n == 0) {
            double batch_squares = 0;
            bp_status status;
            n = bpi_min(run->batch, count - seen);
            status = bpi_step(run, seen, n, &batch_squares);
            if (status != BP_OK)
                return status;
            squares += batch_squares;
        }
        seen += n;
        if (seen == count)
            run->net->epochs_trained++;
        if ((seen == count || (every && seen / every > before / every)) &&
            bpi_report(run, seen, squares))
            return BP_STOPPED;
    }
    return BP_OK;
}

BPI_API bp_status bp_train_in(bp_net *net, const bp_data *data, const bp_training *training,
                              void *workspace, size_t size)
{
    bpi_space space;
    bpi_run run;
    bp_status status;
    int epoch;
    if (!bpi_training_is_valid(training))
        return BP_INVALID_ARGUMENT;
    status = bpi_space_open(&space, net, data, training, workspace, size);
    if (status != BP_OK)
        return status;
    run.net = net;
    run.data = data;
    run.training = training;
    run.space = &space;
    run.pass = bpi_new_pass(net, &space, 0);
    run.batch = training->batch_size ? training->batch_size : data->count;
    run.eta = (bp_real)training->learning_rate;
    run.tiny = run.batch == 1 && data->inputs && bpi_is_tiny(net);
    run.largest = bpi_largest(net, net->parameters);
    run.last_epoch = net->epochs_trained + (uint64_t)training->epochs;
    if (!bpi_is_real(run.largest))
        return BP_DIVERGED;
    for (epoch = 0; epoch < training->epochs && status == BP_OK; epoch++)
        status = bpi_epoch(&run);
    return status;
}

BPI_API void bp_update(bp_net *net, const bp_real *gradient, double learning_rate)
{
    if (net && gradient)
        bpi_kernels_of(net)->update(net->parameters, gradient, net->parameter_count,
                             (bp_real)learning_rate);
}

BPI_API bp_status bp_gradient_in(const bp_net *net, const bp_data *data, bp_real *gradient,
                                 double *cost, void *workspace, size_t size)
{
    bpi_space space;
    bp_status status;
    double squares = 0;
    if (!gradient)
        return BP_INVALID_ARGUMENT;
    status = bpi_space_open(&space, net, data, NULL, workspace, size);
    if (status != BP_OK)
        return status;
    /* A failure after the first rows must not be seen in gradient: sum beside it. */
    status = bpi_gradient_of(net, data, &space, 0, 0, data->count,
                             space.gradient ? space.gradient : gradient, &squares);
    if (status != BP_OK)
        return status;
    if (space.gradient)
        memcpy(gradient, space.gradient, net->parameter_count * sizeof(bp_real));
    if (cost)
        *cost = bpi_mean_cost(net, squares, data->count);
    return BP_OK;
}

/* ---- prediction and evaluation ---- */

/* Bytes each row takes of a workspace to predict in: the activations of hidden layers alternate
 * between two buffers; and marks. */
static size_t bpi_predict_row(const bp_net *net)
{
    return 2 * sizeof(bp_real) * bpi_widest(net, 1) + bpi_marks((size_t)bpi_inputs(net));
}

/* Bytes to predict with that many rows (at most BPI_ROWS) at once; 0 if they overflow. */
static size_t bpi_predict_size(const bp_net *net, size_t rows)
{
    const uint64_t size = 3 * BPI_ALIGN + bpi_block_count(net) * sizeof(uint32_t) +
                          bpi_predict_row(net) * (uint64_t)rows;
    return (size_t)size == size ? (size_t)size : 0;
}

/* Predicts with that many rows at once, in a workspace that is large enough. */
static void bpi_predict(const bp_net *net, const bp_real *inputs, size_t count, bp_real *outputs,
                        void *workspace, size_t rows)
{
    const size_t width = bpi_widest(net, 1);
    bpi_arena arena = bpi_arena_at(workspace);
    uint32_t *blocks = (uint32_t *)bpi_take(&arena, bpi_block_count(net), sizeof(uint32_t));
    bp_real *buffer = (bp_real *)bpi_take(&arena, 2 * rows * width, sizeof(bp_real));
    uint8_t *marks = (uint8_t *)bpi_take(&arena, rows, bpi_marks((size_t)bpi_inputs(net)));
    size_t n;
    for (; count; count -= n) {
        bpi_rows a = bpi_matrix(inputs, bpi_inputs(net));
        int l, last = net->layer_count - 1;
        n = bpi_min(count, rows);
        a.marks = bpi_marks_for(&a, n, marks);
        for (l = 0; l <= last; l++) {
            bp_real *out = l == last ? outputs : buffer + (size_t)(l & 1) * rows * width;
            bpi_kernels_of(net)->forward(&net->layers[l], &a, n, blocks, out);
            a = bpi_matrix(out, net->layers[l].outputs);
            a.dense = 1;
        }
        inputs += n * (size_t)bpi_inputs(net);
        outputs += n * (size_t)bpi_outputs(net);
    }
}

BPI_API bp_status bp_predict_in(const bp_net *net, const bp_real *inputs, size_t count,
                                bp_real *outputs, void *workspace, size_t size)
{
    size_t need, row, rows = BPI_ROWS;
    if (!net || !inputs || !count || !outputs || (!workspace && size))
        return BP_INVALID_ARGUMENT;
    need = bpi_predict_size(net, 1);
    if (!workspace || need == 0 || size < need)
        return BP_OUT_OF_MEMORY;
    if (count == 1 && bpi_is_tiny(net) &&
        bpi_kernels_of(net)->predict_tiny(net, inputs, outputs))
        return BP_OK;
    row = bpi_predict_row(net);
    if (row * BPI_ROWS > size - need)
        rows = 1 + (size - need) / row;
    bpi_predict(net, inputs, count, outputs, workspace, bpi_min(rows, count));
    return BP_OK;
}

/* The index of the largest, the first among equals. */
static int bpi_argmax(const bp_real *x, int n)
{
    int i, best = 0;
    for (i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

static int bpi_is_correct(const bp_real *a, const bp_real *y, int outputs)
{
    const bp_real half = (bp_real)0.5;
    if (outputs == 1)
        return (a[0] >= half) == (y[0] >= half);
    return bpi_argmax(a, outputs) == bpi_argmax(y, outputs);
}

BPI_API bp_status bp_evaluate_in(const bp_net *net, const bp_data *data, bp_evaluation *result,
                                 void *workspace, size_t size)
{
    bpi_space space;
    bpi_pass pass;
    bp_status status;
    size_t seen, n, i, correct = 0;
    double squares = 0;
    if (!result)
        return BP_INVALID_ARGUMENT;
    status = bpi_space_open(&space, net, data, NULL, workspace, size);
    if (status != BP_OK)
        return status;
    pass = bpi_new_pass(net, &space, 0);
    for (seen = 0; seen < data->count; seen += n) {
        const int outputs = bpi_outputs(net);
        const bp_real *a = space.a[net->layer_count - 1];
        n = bpi_min(data->count - seen, space.rows);
        status = bpi_begin(&pass, data, 0, seen, n, &squares);
        if (status != BP_OK)
            return status;
        for (i = 0; i < n; i++, a += outputs)
            correct += (size_t)bpi_is_correct(a, bpi_row(&pass.y, i), outputs);
    }
    result->cost = bpi_mean_cost(net, squares, data->count);
    result->correct = correct;
    result->count = data->count;
    return BP_OK;
}

/* ---- the same with memory allocated for the call ---- */

/* In a workspace on the stack, if it suffices. Apart from bp_predict, whose shortest way would have
 * all that this takes to set up. */
static BPI_NOINLINE bp_status bpi_predict_anywhere(const bp_net *net, const bp_real *inputs,
                                                   size_t count, bp_real *outputs)
{
    unsigned char stack[BPI_STACK];
    void *workspace = stack;
    size_t rows = bpi_min(count, 32), size = bpi_predict_size(net, rows);
    if (size == 0 || size > sizeof stack) {
        rows = bpi_min(count, BPI_ROWS);
        workspace = bpi_allocate(bpi_predict_size(net, rows));
    }
    if (!workspace)
        return BP_OUT_OF_MEMORY;
    bpi_predict(net, inputs, count, outputs, workspace, rows);
    if (workspace != stack)
        BACKPROP_FREE(workspace);
    return BP_OK;
}

BPI_API bp_status bp_predict(const bp_net *net, const bp_real *inputs, size_t count,
                             bp_real *outputs)
{
    if (!net || !inputs || !count || !outputs)
        return BP_INVALID_ARGUMENT;
    if (count == 1 && bpi_is_tiny(net) &&
        bpi_kernels_of(net)->predict_tiny(net, inputs, outputs))
        return BP_OK;
    return bpi_predict_anywhere(net, inputs, count, outputs);
}

/* These allocate; what bp_workspace_size finds invalid, the call itself will find too. */
BPI_API bp_status bp_evaluate(const bp_net *net, const bp_data *data, bp_evaluation *result)
{
    size_t size = bp_workspace_size(net, data, NULL);
    void *workspace = data ? bpi_allocate(size) : NULL;
    bp_status status = bp_evaluate_in(net, data, result, workspace, workspace ? size : 0);
    bpi_release(workspace);
    return status;
}

BPI_API bp_status bp_gradient(const bp_net *net, const bp_data *data, bp_real *gradient,
                              double *cost)
{
    size_t size = bp_workspace_size(net, data, NULL);
    void *workspace = data ? bpi_allocate(size) : NULL;
    bp_status status = bp_gradient_in(net, data, gradient, cost, workspace, workspace ? size : 0);
    bpi_release(workspace);
    return status;
}

BPI_API bp_status bp_train(bp_net *net, const bp_data *data, const bp_training *training)
{
    size_t size = training ? bp_workspace_size(net, data, training) : 0;
    void *workspace = bpi_allocate(size);
    bp_status status = bp_train_in(net, data, training, workspace, workspace ? size : 0);
    bpi_release(workspace);
    return status;
}

/* ---- gradient check ---- */

/* dC/dp by central differences of fourth order:
 * (8 (C(p+h) - C(p-h)) - (C(p+2h) - C(p-2h))) / 12h */
static bp_status bpi_difference(bp_net *net, const bp_data *data, bp_real *p, double *slope)
{
    /* a power of two, so that p +- h keeps its distance; large where rounding is large */
    const double h = sizeof(bp_real) == sizeof(double) ? 1.0 / 1024 : 1.0 / 32;
    const double weight[4] = { 1, -8, 8, -1 };
    const int offset[4] = { -2, -1, 1, 2 };
    const bp_real before = *p;
    double sum = 0;
    int i;
    for (i = 0; i < 4; i++) {
        bp_evaluation at;
        bp_status status;
        *p = (bp_real)((double)before + offset[i] * h);
        status = bp_evaluate(net, data, &at);
        *p = before;
        if (status != BP_OK)
            return status;
        sum += weight[i] * at.cost;
    }
    *slope = sum / (12 * h);
    return BP_OK;
}

static double bpi_magnitude(double x)
{
    return x < 0 ? -x : x;
}

BPI_API bp_status bp_check_gradient(const bp_net *net, const bp_data *data,
                                    double *worst_relative_error)
{
    double worst = 0, least = 0;
    bp_status status;
    bp_real *gradient;
    bp_net *copy;
    size_t i;
    if (!net || !bpi_data_is_valid(data) || !worst_relative_error)
        return BP_INVALID_ARGUMENT;
    copy = bp_clone(net);
    gradient = (bp_real *)bpi_allocate(net->parameter_count * sizeof(bp_real));
    /* for compilers that cannot see that bp_gradient sets all of it */
    if (gradient)
        memset(gradient, 0, net->parameter_count * sizeof(bp_real));
    status = copy && gradient ? bp_gradient(net, data, gradient, NULL) : BP_OUT_OF_MEMORY;
    for (i = 0; status == BP_OK && i < net->parameter_count; i++)
        if (bpi_magnitude((double)gradient[i]) / 100 > least)
            least = bpi_magnitude((double)gradient[i]) / 100;
    for (i = 0; status == BP_OK && i < net->parameter_count; i++) {
        double slope = 0, scale = bpi_magnitude((double)gradient[i]), error;
        status = bpi_difference(copy, data, &copy->parameters[i], &slope);
        scale = bpi_magnitude(slope) > scale ? bpi_magnitude(slope) : scale;
        scale = least > scale ? least : scale;
        error = scale > 0 ? bpi_magnitude(slope - (double)gradient[i]) / scale : 0;
        if (!(error <= worst))
            worst = error;
    }
    if (status == BP_OK)
        *worst_relative_error = worst;
    bp_free(copy);
    bpi_release(gradient);
    return status;
}

/* ---- files: to and from bytes ---- */

enum {
    BPI_VERSION = 1,
    BPI_HEADER = 36, /* bytes before the layers */
    BPI_CHECKSUM = 8
};

static const char bpi_magic[8] = { 'b', 'a', 'c', 'k', 'p', 'r', 'o', 'p' };

/* Little-endian, whatever this machine is. */
static unsigned char *bpi_put(unsigned char *bytes, uint64_t value, int count)
{
    int i;
    for (i = 0; i < count; i++)
        *bytes++ = (unsigned char)(value >> 8 * i & 0xff);
    return bytes;
}

static uint64_t bpi_get(const unsigned char *bytes, int count)
{
    uint64_t value = 0;
    while (count-- > 0)
        value = value << 8 | bytes[count];
    return value;
}

/* FNV-1a: every step is a bijection of the state, so any single changed byte shows. */
static uint64_t bpi_checksum(const unsigned char *bytes, size_t count)
{
    uint64_t hash = BPI_U64(0xcbf29ce4u, 0x84222325u);
    size_t i;
    for (i = 0; i < count; i++)
        hash = (hash ^ bytes[i]) * BPI_U64(0x00000100u, 0x000001b3u);
    return hash;
}

/* The number that count (4 or 8) bytes hold. */
static double bpi_get_real(const unsigned char *bytes, int count)
{
    uint64_t bits = bpi_get(bytes, count);
    uint32_t float_bits = (uint32_t)(bits & 0xffffffffu);
    float single;
    double number;
    memcpy(&single, &float_bits, sizeof single);
    memcpy(&number, &bits, sizeof number);
    return count == 4 ? (double)single : number;
}

/* 0 if it does not fit. */
static size_t bpi_encoded_size(size_t layers, size_t parameter_count, size_t real_size)
{
    const size_t limit = (size_t)-1 - BPI_HEADER - BPI_CHECKSUM;
    if (layers > limit / 8 || parameter_count > (limit - 8 * layers) / real_size)
        return 0;
    return BPI_HEADER + 8 * layers + parameter_count * real_size + BPI_CHECKSUM;
}

BPI_API size_t bp_encode(const bp_net *net, void *bytes, size_t capacity)
{
    unsigned char *p = (unsigned char *)bytes;
    size_t size, i;
    int l;
    if (!net || !bpi_is_real(bpi_largest(net, net->parameters)))
        return 0;
    size = bpi_encoded_size((size_t)net->layer_count, net->parameter_count, sizeof(bp_real));
    if (!bytes || capacity < size)
        return size;
    memcpy(p, bpi_magic, sizeof bpi_magic);
    p = bpi_put(p + sizeof bpi_magic, BPI_VERSION, 4);
    p = bpi_put(p, sizeof(bp_real), 4);
    p = bpi_put(p, net->epochs_trained, 8);
    p = bpi_put(p, 0, 4); /* half mean squared error */
    p = bpi_put(p, (uint64_t)net->layer_count, 4);
    p = bpi_put(p, (uint64_t)bpi_inputs(net), 4);
    for (l = 0; l < net->layer_count; l++) {
        p = bpi_put(p, (uint64_t)net->layers[l].outputs, 4);
        p = bpi_put(p, 0, 4); /* sigmoid */
    }
    for (i = 0; i < net->parameter_count; i++)
        p = bpi_put(p, (uint64_t)bpi_to_bits(net->parameters[i]), (int)sizeof(bp_real));
    p = bpi_put(p, bpi_checksum((unsigned char *)bytes, size - BPI_CHECKSUM), BPI_CHECKSUM);
    BACKPROP_ASSERT((size_t)(p - (unsigned char *)bytes) == size);
    (void)p;
    return size;
}

/* n_l as the file has it; behind BPI_HEADER - 4 stands n_0, then 8 bytes a layer. */
static uint64_t bpi_encoded_width(const unsigned char *bytes, size_t l)
{
    return bpi_get(l ? bytes + BPI_HEADER + 8 * (l - 1) : bytes + BPI_HEADER - 4, 4);
}

/* Whoever has the first size bytes of a file: how many does it take to know more? First the
 * header, then the layers, then all of it; 0 if they are no network's. Only the size of the whole
 * can be size or less, and then *parameter_count is set. */
static size_t bpi_expected_size(const unsigned char *bytes, size_t size, size_t *parameter_count)
{
    size_t l, layers, real_size, head;
    uint64_t inputs, outputs;
    if (size < BPI_HEADER)
        return BPI_HEADER;
    real_size = (size_t)bpi_get(bytes + 12, 4);
    layers = (size_t)bpi_get(bytes + 28, 4);
    inputs = bpi_encoded_width(bytes, 0);
    if (memcmp(bytes, bpi_magic, sizeof bpi_magic) != 0 || bpi_get(bytes + 8, 4) != BPI_VERSION ||
        (real_size != 4 && real_size != 8) || bpi_get(bytes + 24, 4) != 0 || layers == 0 ||
        layers >= INT_MAX || inputs == 0 || inputs > INT_MAX)
        return 0;
    head = bpi_encoded_size(layers, 0, 1);
    if (head == 0 || size < head)
        return head;
    *parameter_count = 0;
    for (l = 1; l <= layers; l++) {
        outputs = bpi_encoded_width(bytes, l);
        if (outputs == 0 || outputs > INT_MAX || bpi_get(bytes + BPI_HEADER + 8 * l - 4, 4) != 0 ||
            !bpi_count_layer(parameter_count, (size_t)inputs, (size_t)outputs))
            return 0;
        inputs = outputs;
    }
    return bpi_encoded_size(layers, *parameter_count, real_size);
}

/* Fills in widths and parameters; 0 if a parameter is not finite in this precision. */
static int bpi_decode_net(bp_net *net, const unsigned char *bytes)
{
    int real_size = (int)bpi_get(bytes + 12, 4), l;
    const unsigned char *p = bytes + BPI_HEADER + 8 * (size_t)net->layer_count;
    size_t i;
    net->epochs_trained = bpi_get(bytes + 16, 8);
    for (l = 0; l < net->layer_count; l++)
        bpi_net_set_layer(net, l, (int)bpi_encoded_width(bytes, (size_t)l),
                          (int)bpi_encoded_width(bytes, (size_t)l + 1));
    for (i = 0; i < net->parameter_count; i++, p += real_size) {
        double number = bpi_get_real(p, real_size);
        if (!(number >= -(double)BPI_REAL_MAX && number <= (double)BPI_REAL_MAX))
            return 0;
        net->parameters[i] = (bp_real)number;
    }
    return 1;
}

BPI_API bp_status bp_decode(bp_net **net, const void *bytes, size_t size)
{
    const unsigned char *p = (const unsigned char *)bytes;
    size_t parameter_count = 0;
    bp_net *decoded;
    if (!net || !bytes)
        return BP_INVALID_ARGUMENT;
    if (bpi_expected_size(p, size, &parameter_count) != size ||
        bpi_get(p + size - BPI_CHECKSUM, 8) != bpi_checksum(p, size - BPI_CHECKSUM))
        return BP_BAD_FILE;
    decoded = bpi_net_new((int)bpi_get(p + 28, 4), parameter_count);
    if (!decoded)
        return BP_OUT_OF_MEMORY;
    if (!bpi_decode_net(decoded, p)) {
        bp_free(decoded);
        return BP_BAD_FILE;
    }
    *net = decoded;
    return BP_OK;
}

#ifndef BACKPROP_NO_STDIO

/* ---- files: a network as C source ---- */

/* The source, @ standing for the name: bpi_fma, bpi_sigmoid and bpi_dot once more, in the same
 * order of operations. */
static const char *const bpi_export_head =
    "/* A feedforward network, written by backprop.h " BACKPROP_VERSION ".\n"
    " *     void @(const " BPI_REAL_NAME " *inputs, " BPI_REAL_NAME " *outputs);\n"
    " * needs no library and no header; it may run on any number of threads at once. */\n"
    "#include <stddef.h>\n"
    "#include <stdint.h>\n"
    "\n"
    "typedef " BPI_REAL_NAME " @_real;\n";

/* For a network that has been computing without fused multiply-add: the product is stored, so
 * that no compiler fuses it. */
static const char *const bpi_export_unfused =
    "\n"
    "static @_real @_fma(@_real a, @_real b, @_real c)\n"
    "{\n"
    "    volatile @_real product = a * b;\n"
    "    return product + c;\n"
    "}\n";

static const char *const bpi_export_fused =
    "\n"
#ifdef BACKPROP_DOUBLE
    "#define @_BUILTIN __builtin_fma\n"
#else
    "#define @_BUILTIN __builtin_fmaf\n"
#endif
    "#if defined(__FMA__) || defined(__aarch64__) || defined(__ARM_FEATURE_FMA) || \\\n"
    "    defined(__powerpc64__) || defined(__s390x__) || defined(__riscv_flen)\n"
    "static @_real @_fma(@_real a, @_real b, @_real c) { return @_BUILTIN(a, b, c); }\n"
    "#else\n"
    "/* x + y rounded to odd: what is lost leaves a last bit set, for a later rounding to see. */\n"
    "static double @_odd_sum(double x, double y)\n"
    "{\n"
    "    union { double sum; uint64_t bits; } u;\n"
    "    double part, lost;\n"
    "    u.sum = x + y;\n"
    "    part = u.sum - x;\n"
    "    lost = (x - (u.sum - part)) + (y - part);\n"
    "    if ((lost < 0 || lost > 0) && !(u.bits & 1))\n"
    "        u.bits += (lost > 0) == (u.sum > 0) ? 1 : (uint64_t)-1;\n"
    "    return u.sum;\n"
    "}\n"
    "\n"
    "/* a*b + c rounded once, without an instruction for it */\n"
#ifdef BACKPROP_DOUBLE
    "static double @_fma(double a, double b, double c)\n"
    "{\n"
    "    const double big = 2.5822498780869086e120, p = a * b;\n"
    "    double ah = a * 134217729, bh = b * 134217729, low, part, sum;\n"
    "    if (a == 0 || b == 0 || !(p > -1e290 && p < 1e290) || c - c != 0)\n"
    "        return p + c;\n"
    "    if (a > 1e280 || a < -1e280)\n"
    "        return @_fma(a / big, b * big, c);\n"
    "    if (b > 1e280 || b < -1e280)\n"
    "        return @_fma(b, a, c);\n"
    "    if (p > -1e-270 && p < 1e-270)\n"
    "        return c > 1e-210 || c < -1e-210 ? c : @_fma(a * big, b, c * big) / big;\n"
    "    ah -= ah - a;\n"
    "    bh -= bh - b;\n"
    "    low = ((ah * bh - p) + ah * (b - bh) + (a - ah) * bh) + (a - ah) * (b - bh);\n"
    "    sum = low + c;\n"
    "    part = sum - low;\n"
    "    low = (low - (sum - part)) + (c - part);\n"
    "    part = p + sum;\n"
    "    c = part - p;\n"
    "    return part + @_odd_sum(low, (p - (part - c)) + (sum - c));\n"
    "}\n"
#else
    "static float @_fma(float a, float b, float c)\n"
    "{\n"
    "    return (float)@_odd_sum((double)a * (double)b, (double)c);\n"
    "}\n"
#endif
    "#endif\n";

static const char *const bpi_export_sigmoid =
    "\n"
#ifdef BACKPROP_DOUBLE
    "typedef int64_t @_bits;\n"
    "enum { @_LANES = 4, @_DIGITS = 53, @_BIAS = 1023 };\n"
    "static const @_real @_highest = 50, @_lowest = -708, @_zero = -760;\n"
    "static const @_real @_log2_e = 1.4426950408889634;\n"
    "static const @_real @_ln2_high = 6.93147180369123816490e-01;\n"
    "static const @_real @_ln2_low = 1.90821492927058770002e-10;\n"
    "\n"
    "/* (e^f - 1 - f) / f^2 */\n"
    "static @_real @_tail(@_real f)\n"
    "{\n"
    "    const @_real f2 = f * f, f4 = f2 * f2;\n"
    "    const @_real r2 = @_fma(0.16666666666666413, f, 0.50000000000000111);\n"
    "    const @_real r4 = @_fma(0.0083333333334948047, f, 0.041666666666529878);\n"
    "    const @_real r6 = @_fma(0.00019841269506038332, f, 0.0013888888943715753);\n"
    "    const @_real r8 = @_fma(2.7557586667326862e-06, f, 2.480149300037011e-05);\n"
    "    const @_real r10 = @_fma(2.5000029998579918e-08, f, 2.7630286607595988e-07);\n"
    "    return @_fma(@_fma(r10, f4, @_fma(r8, f2, r6)), f4, @_fma(r4, f2, r2));\n"
    "}\n"
#else
    "typedef int32_t @_bits;\n"
    "enum { @_LANES = 8, @_DIGITS = 24, @_BIAS = 127 };\n"
    "static const @_real @_highest = 40, @_lowest = -87, @_zero = -110;\n"
    "static const @_real @_log2_e = 1.44269504f;\n"
    "static const @_real @_ln2_high = 0.693359375f, @_ln2_low = -2.12194440e-4f;\n"
    "\n"
    "/* (e^f - 1 - f) / f^2 */\n"
    "static @_real @_tail(@_real f)\n"
    "{\n"
    "    const @_real f2 = f * f, r2 = @_fma(0.166665198f, f, 0.499999934f);\n"
    "    const @_real r4 = @_fma(0.00836881704f, f, 0.0416683978f);\n"
    "    return @_fma(@_fma(0.00138143879f, f2, r4), f2, r2);\n"
    "}\n"
#endif
    "\n"
    "static @_real @_power_of_2(int n)\n"
    "{\n"
    "    union { @_bits bits; @_real x; } u;\n"
    "    u.bits = (@_bits)(n + @_BIAS) << (@_DIGITS - 1);\n"
    "    return u.x;\n"
    "}\n"
    "\n"
    "/* 1 / (1 + e^-z) */\n"
    "static @_real @_sigmoid(@_real z)\n"
    "{\n"
    "    const @_real rounder = 3 * @_power_of_2(@_DIGITS - 2);\n"
    "    @_real n, f, t, sum;\n"
    "    if (z != z)\n"
    "        return z;\n"
    "    if (z > @_highest)\n"
    "        z = @_highest;\n"
    "    if (z < @_zero)\n"
    "        return 0;\n"
    "    n = @_fma(z, -@_log2_e, rounder) - rounder;\n"
    "    f = @_fma(n, -@_ln2_low, @_fma(n, -@_ln2_high, -z));\n"
    "    t = z < @_lowest ? 0 : @_power_of_2(-(int)n);\n"
    "    sum = t + 1;\n"
    "    sum += @_fma(@_tail(f), f * f, f + (t - (sum - 1)));\n"
    "    if (z < @_lowest)\n"
    "        t = @_power_of_2(-(@_BIAS / 2));\n"
    "    t /= sum;\n"
    "    return z < @_lowest ? t * @_power_of_2(@_BIAS / 2 - (int)n) : t;\n"
    "}\n";

static const char *const bpi_export_predict =
    "\n"
    "#ifdef __cplusplus\n"
    "extern \"C\"\n"
    "#endif\n"
    "void @(const @_real *inputs, @_real *outputs);\n"
    "\n"
    "/* out = sigmoid(W a + b) layer by layer, summed in lanes that are then added in halves */\n"
    "void @(const @_real *inputs, @_real *outputs)\n"
    "{\n"
    "    @_real hidden[@_HIDDEN], lane[@_LANES], *out = hidden;\n"
    "    const @_real *w = @_parameters, *a = inputs;\n"
    "    int l, j, k, half;\n"
    "    for (l = 1; l <= @_LAYERS; l++) {\n"
    "        const int n = @_widths[l - 1];\n"
    "        const @_real *b = w + (size_t)n * (size_t)@_widths[l];\n"
    "        out = l < @_LAYERS ? out : outputs;\n"
    "        for (j = 0; j < @_widths[l]; j++, w += n) {\n"
    "            for (k = 0; k < @_LANES; k++)\n"
    "                lane[k] = 0;\n"
    "            for (k = 0; k < n; k++)\n"
    "                lane[k % @_LANES] = @_fma(w[k], a[k], lane[k % @_LANES]);\n"
    "            for (half = @_LANES / 2; half; half /= 2)\n"
    "                for (k = 0; k < half; k++)\n"
    "                    lane[k] += lane[k + half];\n"
    "            out[j] = @_sigmoid(lane[0] + b[j]);\n"
    "        }\n"
    "        a = out;\n"
    "        out += @_widths[l];\n"
    "        w += @_widths[l];\n"
    "    }\n"
    "}\n";

/* Writes text with the name for each @. */
static void bpi_export_text(FILE *file, const char *text, const char *name)
{
    for (; *text; text++)
        if (*text == '@')
            fputs(name, file);
        else
            putc(*text, file);
}

/* A constant in full: nine digits tell any two floats apart, seventeen any two doubles. Whatever
 * the locale puts for the point is put right. */
static void bpi_export_real(FILE *file, bp_real x)
{
    const int is_float = sizeof(bp_real) == sizeof(float);
    char text[64], *p;
    int point = 0;
    sprintf(text, "%.*e", is_float ? 8 : 16, (double)x);
    for (p = text; *p; p++)
        if (strchr("-+0123456789e", *p))
            putc(*p, file);
        else if (!point++)
            putc('.', file);
    if (is_float)
        putc('f', file);
}

/* The whole file; 0 if it could not be written. */
static int bpi_export_net(FILE *file, const bp_net *net, const char *name)
{
    size_t i, hidden = net->layer_count == 1; /* C has no empty arrays */
    int l;
    bpi_export_text(file, bpi_export_head, name);
    bpi_export_text(file, bpi_kernels_of(net)->fused ? bpi_export_fused : bpi_export_unfused, name);
    bpi_export_text(file, bpi_export_sigmoid, name);
    fprintf(file, "\nstatic const int %s_widths[] = { %d", name, bpi_inputs(net));
    for (l = 0; l < net->layer_count; l++) {
        fprintf(file, ", %d", net->layers[l].outputs);
        hidden += l ? (size_t)net->layers[l].inputs : 0;
    }
    fprintf(file, " };\nenum { %s_LAYERS = %d, %s_HIDDEN = %lu };\n", name, net->layer_count, name,
            (unsigned long)hidden);
    bpi_export_text(file, "\n/* W b of one layer after the other */\n", name);
    bpi_export_text(file, "static const @_real @_parameters[] = {", name);
    for (i = 0; i < net->parameter_count; i++) {
        fputs(i % 6 ? ", " : i ? ",\n    " : "\n    ", file);
        bpi_export_real(file, net->parameters[i]);
    }
    fputs("\n};\n", file);
    bpi_export_text(file, bpi_export_predict, name);
    return !ferror(file);
}

/* Letters, digits and _, no digit first, and no word of C's. */
static int bpi_is_identifier(const char *name)
{
    static const char letters[] =
        "0123456789_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static const char keywords[] =
        " auto break case char const continue default do double else enum extern float for goto if "
        "inline int long register restrict return short signed sizeof static struct switch typedef "
        "union unsigned void volatile while main _Bool _Complex _Imaginary ";
    const size_t length = strlen(name);
    const char *p, *found;
    if (length == 0 || (*name >= '0' && *name <= '9'))
        return 0;
    for (p = name; *p; p++)
        if (!strchr(letters, *p))
            return 0;
    for (found = strstr(keywords, name); found; found = strstr(found + 1, name))
        if (found[-1] == ' ' && found[length] == ' ')
            return 0;
    return 1;
}

/* ---- files: on disk ---- */

#ifdef _WIN32
#ifdef __cplusplus
extern "C"
#endif
__declspec(dllimport) int __stdcall MoveFileExA(const char *from, const char *to,
                                                unsigned long flags);
#endif

/* Moves a file over another in one step: C's rename will not do that on Windows. */
static int bpi_replace(const char *from, const char *to)
{
#ifdef _WIN32
    const unsigned long replace_existing_write_through = 1 | 8;
    return MoveFileExA(from, to, replace_existing_write_through) != 0;
#else
    return rename(from, to) == 0;
#endif
}

/* Writes a file of size bytes, or, where bytes is NULL, the network as C source under a name. It
 * is made beside its place and put there last; if anything fails, it goes and what was at path
 * stays. */
static bp_status bpi_write_file(const char *path, const void *bytes, size_t size,
                                const bp_net *net, const char *name)
{
    const size_t length = strlen(path);
    char *temporary = (char *)BACKPROP_MALLOC(length + sizeof ".tmp");
    int good = 0;
    FILE *file;
    if (!temporary)
        return BP_OUT_OF_MEMORY;
    memcpy(temporary, path, length);
    memcpy(temporary + length, ".tmp", sizeof ".tmp");
    file = fopen(temporary, "wb");
    if (file) {
        if (bytes)
            good = fwrite(bytes, 1, size, file) == size;
        else
            good = bpi_export_net(file, net, name);
        good = fclose(file) == 0 && good;
        good = good && bpi_replace(temporary, path);
        if (!good)
            remove(temporary);
    }
    BACKPROP_FREE(temporary);
    return good ? BP_OK : BP_IO_ERROR;
}

BPI_API bp_status bp_save(const bp_net *net, const char *path)
{
    bp_status status;
    size_t size;
    void *bytes;
    if (!net || !path)
        return BP_INVALID_ARGUMENT;
    size = bp_encode(net, NULL, 0);
    if (size == 0)
        return BP_DIVERGED;
    bytes = bpi_allocate(size);
    if (!bytes)
        return BP_OUT_OF_MEMORY;
    bp_encode(net, bytes, size);
    status = bpi_write_file(path, bytes, size, net, NULL);
    BACKPROP_FREE(bytes);
    return status;
}

BPI_API bp_status bp_export_c(const bp_net *net, const char *path, const char *name)
{
    if (!net || !path || !name || !bpi_is_identifier(name))
        return BP_INVALID_ARGUMENT;
    if (!bpi_is_real(bpi_largest(net, net->parameters)))
        return BP_DIVERGED;
    return bpi_write_file(path, NULL, 0, net, name);
}

/* Reads what may be a network, for bp_decode to judge, and, where there is one, the byte behind
 * it. Memory at most doubles at a time, so that a file cannot make us allocate more than twice
 * what it holds, whatever its header claims. */
static bp_status bpi_read_file(FILE *file, unsigned char **bytes, size_t *size)
{
    size_t capacity = 0, expected, got, parameter_count;
    do {
        expected = bpi_expected_size(*bytes, *size, &parameter_count);
        if (expected < *size || expected == 0)
            return BP_OK;
        if (*size == capacity) {
            unsigned char *larger;
            capacity = bpi_min(expected, 2 * capacity + 4096) + 1;
            larger = (unsigned char *)BACKPROP_MALLOC(capacity);
            if (!larger)
                return BP_OUT_OF_MEMORY;
            if (*size)
                memcpy(larger, *bytes, *size);
            bpi_release(*bytes);
            *bytes = larger;
        }
        got = fread(*bytes + *size, 1, capacity - *size, file);
        *size += got;
    } while (got);
    return ferror(file) ? BP_IO_ERROR : BP_OK;
}

BPI_API bp_status bp_load(bp_net **net, const char *path)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    bp_status status;
    FILE *file;
    if (!net || !path)
        return BP_INVALID_ARGUMENT;
    file = fopen(path, "rb");
    if (!file)
        return BP_IO_ERROR;
    status = bpi_read_file(file, &bytes, &size);
    fclose(file);
    if (status == BP_OK)
        status = bp_decode(net, bytes, size);
    bpi_release(bytes);
    return status;
}

#endif /* BACKPROP_NO_STDIO */

BPI_API const char *bp_status_string(bp_status status)
{
    static const char *const words[] = {
        "success",
        "invalid argument",
        "out of memory",
        "the file could not be opened, read or written",
        "the file is not a network, or is damaged",
        "training diverged: the cost or a parameter is no longer finite",
        "stopped by the progress callback"
    };
    unsigned i = (unsigned)status;
    return i < sizeof words / sizeof *words ? words[i] : "unknown status";
}

/* >>machine
 * =========
 * From here on it is about processors. */

/* Does the compiler turn bpi_fma into one instruction on this target? */
#if defined(__FMA__) || defined(__aarch64__) || defined(__ARM_FEATURE_FMA) ||                     \
    defined(__powerpc64__) || defined(__s390x__) || defined(__riscv_flen) || defined(__FP_FAST_FMA)
#define BPI_FMA 1
#else
#define BPI_FMA 0
#endif

#if BPI_FMA || defined(BACKPROP_EXACT)
#define BPI_FUSED 1
#else
#define BPI_FUSED 0
#endif

#if !BPI_FMA && defined(BACKPROP_EXACT)
#if defined(FLT_EVAL_METHOD) && (FLT_EVAL_METHOD == 2 || FLT_EVAL_METHOD < 0)
#error "BACKPROP_EXACT needs arithmetic that rounds to float and double: -msse2 -mfpmath=sse"
#endif

/* x + y rounded to odd: what is lost leaves a last bit set, for a later rounding to see
 * (Boldo and Melquiond 2008). */
static double bpi_odd_sum(double x, double y)
{
    double sum = x + y, part = sum - x, lost = (x - (sum - part)) + (y - part);
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    if ((lost < 0 || lost > 0) && !(bits & 1))
        bits += (lost > 0) == (sum > 0) ? 1 : (uint64_t)-1;
    memcpy(&sum, &bits, sizeof sum);
    return sum;
}

static bp_real bpi_fma_emulated(bp_real a, bp_real b, bp_real c)
{
#ifndef BACKPROP_DOUBLE
    /* the product of floats is exact in a double, and 53 bits are enough to round to odd */
    return (float)bpi_odd_sum((double)a * (double)b, (double)c);
#else
    /* p + low = a b exactly (Veltkamp, Dekker); where that would underflow, all is scaled. Not
     * exact beyond 1e290 and for results below 1e-307. */
    const double big = 2.5822498780869086e120 /* 2^400 */, p = a * b;
    double ah = a * 134217729 /* 2^27 + 1 */, bh = b * 134217729, low, part, sum;
    if (a == 0 || b == 0 || !(p > -1e290 && p < 1e290) || c - c != 0)
        return p + c;
    if (a > 1e280 || a < -1e280)
        return bpi_fma_emulated(a / big, b * big, c);
    if (b > 1e280 || b < -1e280)
        return bpi_fma_emulated(b, a, c);
    if (p > -1e-270 && p < 1e-270)
        return c > 1e-210 || c < -1e-210 ? c : bpi_fma_emulated(a * big, b, c * big) / big;
    ah -= ah - a;
    bh -= bh - b;
    low = ((ah * bh - p) + ah * (b - bh) + (a - ah) * bh) + (a - ah) * (b - bh);
    sum = low + c;
    part = sum - low;
    low = (low - (sum - part)) + (c - part);
    part = p + sum;
    c = part - p;
    return part + bpi_odd_sum(low, (p - (part - c)) + (sum - c));
#endif
}
#endif

static bp_real bpi_fma(bp_real a, bp_real b, bp_real c)
{
#if !BPI_FMA && defined(BACKPROP_EXACT)
    return bpi_fma_emulated(a, b, c);
#elif !BPI_FMA
    return a * b + c;
#elif defined(BACKPROP_DOUBLE)
    return __builtin_fma(a, b, c);
#else
    return __builtin_fmaf(a, b, c);
#endif
}

/* s(z) = 1 / (1 + e^-z). With n = round(-z / ln 2) and f = -z - n ln 2, e^-z = 2^n e^f, and
 *     s(z) = t / (t + e^f),   t = 2^-n,
 * where e^f = 1 + f + f^2 r(f), r being a polynomial of least relative error on +-ln(2)/2,
 * its terms paired so that few wait for others. Adding 1.5 2^23 (or 2^52) rounds to an integer. */
#ifdef BACKPROP_DOUBLE
#define BPI_SIGMOID_ZERO (-760.0)
#define BPI_SIGMOID_LOWEST (-708.0)
#define BPI_SIGMOID_HIGHEST 50.0
#define BPI_EXPONENT_BIAS 1023
#define BPI_MANTISSA_BITS 52
#define BPI_ROUNDER 6755399441055744.0
#define BPI_LOG2_E 1.4426950408889634
#define BPI_LN2_HIGH 6.93147180369123816490e-01
#define BPI_LN2_LOW 1.90821492927058770002e-10
#define BPI_E2 0.50000000000000111
#define BPI_E3 0.16666666666666413
#define BPI_E4 0.041666666666529878
#define BPI_E5 0.0083333333334948047
#define BPI_E6 0.0013888888943715753
#define BPI_E7 0.00019841269506038332
#define BPI_E8 2.480149300037011e-05
#define BPI_E9 2.7557586667326862e-06
#define BPI_E10 2.7630286607595988e-07
#define BPI_E11 2.5000029998579918e-08
#else
#define BPI_SIGMOID_ZERO (-110.0f)
#define BPI_SIGMOID_LOWEST (-87.0f)
#define BPI_SIGMOID_HIGHEST 40.0f
#define BPI_EXPONENT_BIAS 127
#define BPI_MANTISSA_BITS 23
#define BPI_ROUNDER 12582912.0f
#define BPI_LOG2_E 1.44269504f
#define BPI_LN2_HIGH 0.693359375f
#define BPI_LN2_LOW (-2.12194440e-4f)
#define BPI_E2 0.499999934f
#define BPI_E3 0.166665198f
#define BPI_E4 0.0416683978f
#define BPI_E5 0.00836881704f
#define BPI_E6 0.00138143879f
#endif

/* t + e^f = (t + 1) + (f^2 r(f) + f), what t + 1 rounds away added to f. */
static bp_real bpi_add_exp(bp_real t, bp_real f)
{
    bp_real f2 = f * f, sum = t + 1, lost = t - (sum - 1);
    bp_real r, r2 = bpi_fma(BPI_E3, f, BPI_E2), r4 = bpi_fma(BPI_E5, f, BPI_E4);
#ifdef BACKPROP_DOUBLE
    bp_real f4 = f2 * f2, r6 = bpi_fma(BPI_E7, f, BPI_E6), r8 = bpi_fma(BPI_E9, f, BPI_E8);
    r = bpi_fma(bpi_fma(BPI_E11, f, BPI_E10), f4, bpi_fma(r8, f2, r6));
    r = bpi_fma(r, f4, bpi_fma(r4, f2, r2));
#else
    r = bpi_fma(bpi_fma(BPI_E6, f2, r4), f2, r2);
#endif
    return sum + bpi_fma(r, f2, f + lost);
}

/* 2^n for n in the range of normal numbers */
static bp_real bpi_power_of_2(int n)
{
    return bpi_from_bits((bpi_bits)(n + BPI_EXPONENT_BIAS) << BPI_MANTISSA_BITS);
}

static bp_real bpi_sigmoid(bp_real z)
{
    bp_real rounded, n, f, t;
    bpi_bits i;
    if (!bpi_is_number((double)z))
        return bpi_from_bits((bpi_bits)(2 * BPI_EXPONENT_BIAS + 1) << BPI_MANTISSA_BITS |
                             (bpi_bits)1 << (BPI_MANTISSA_BITS - 1));
    if (z > BPI_SIGMOID_HIGHEST)
        z = BPI_SIGMOID_HIGHEST;
    if (z < BPI_SIGMOID_ZERO)
        return 0;
    rounded = bpi_fma(z, -BPI_LOG2_E, BPI_ROUNDER);
    i = bpi_to_bits(rounded) - bpi_to_bits(BPI_ROUNDER);
    n = rounded - BPI_ROUNDER;
    f = bpi_fma(n, -BPI_LN2_HIGH, -z);
    f = bpi_fma(n, -BPI_LN2_LOW, f);
    if (z < BPI_SIGMOID_LOWEST) {
        /* t is too small to be normal: divide first, scale down then, rounding twice but late */
        t = bpi_power_of_2(-BPI_EXPONENT_BIAS / 2);
        t /= bpi_add_exp(0, f);
        return t * bpi_power_of_2(BPI_EXPONENT_BIAS / 2 - (int)i);
    }
    t = bpi_power_of_2(-(int)i);
    return t / bpi_add_exp(t, f);
}

/* The sum of w_k a_k in lanes, the lanes added in halves. Lanes that no k falls into are zero and
 * left out. */
static bp_real bpi_dot(const bp_real *w, const bp_real *a, size_t n)
{
    bp_real lane[BPI_LANES];
    size_t k, i, half = BPI_LANES / 2;
    for (i = 0; i < BPI_LANES; i++)
        lane[i] = 0;
    for (k = 0; k + BPI_LANES <= n; k += BPI_LANES)
        for (i = 0; i < BPI_LANES; i++)
            lane[i] = bpi_fma(w[k + i], a[k + i], lane[i]);
    for (i = 0; k + i < n; i++)
        lane[i] = bpi_fma(w[k + i], a[k + i], lane[i]);
    while (half && half >= n)
        half /= 2;
    for (; half; half /= 2)
        for (i = 0; i < half; i++)
            lane[i] += lane[i + half];
    return lane[0];
}

static bp_real bpi_largest_plain(const bpi_rows *rows, size_t n)
{
    bp_real largest = 2;
    size_t i, k;
    for (i = 0; i < n; i++)
        for (k = 0; k < rows->stride; k++) {
            const bp_real x = bpi_row(rows, i)[k];
            largest = bpi_larger(largest, x < 0 ? -x : x);
        }
    return largest;
}

static bp_real bpi_forward_plain(const bp_layer *layer, const bpi_rows *a, size_t n,
                                 uint32_t *blocks, bp_real *out)
{
    const size_t inputs = (size_t)layer->inputs, outputs = (size_t)layer->outputs;
    size_t i, j;
    (void)blocks;
    for (i = 0; i < n; i++, out += outputs)
        for (j = 0; j < outputs; j++) {
            bp_real z = bpi_dot(layer->weights + j * inputs, bpi_row(a, i), inputs);
            out[j] = bpi_sigmoid(z + layer->biases[j]);
        }
    return bpi_largest_plain(a, n);
}

static bp_real bpi_hidden_error_plain(const bp_layer *layer, const bp_real *above,
                                      const bp_real *a, size_t n, bp_real *delta)
{
    const size_t inputs = (size_t)layer->inputs, outputs = (size_t)layer->outputs;
    const bpi_rows all = bpi_matrix(delta, layer->inputs);
    size_t i, j, k;
    for (i = 0; i < n; i++, above += outputs, a += inputs, delta += inputs) {
        for (k = 0; k < inputs; k++)
            delta[k] = 0;
        for (j = 0; j < outputs; j++)
            for (k = 0; k < inputs; k++)
                delta[k] = bpi_fma(layer->weights[j * inputs + k], above[j], delta[k]);
        for (k = 0; k < inputs; k++) {
            bp_real slope = 1 - a[k];
            slope *= a[k];
            delta[k] *= slope;
        }
    }
    return bpi_largest_plain(&all, n);
}

static void bpi_gradient_plain(const bp_layer *layer, const bp_real *delta, size_t stride,
                               const bpi_rows *a, size_t n, bp_real *dw, bp_real *db)
{
    const size_t inputs = (size_t)layer->inputs, outputs = (size_t)layer->outputs;
    size_t i, j, k;
    for (j = 0; j < outputs; j++, dw += inputs)
        for (i = 0; i < n; i++) {
            const bp_real *a_i = bpi_row(a, i), delta_ij = delta[i * stride + j];
            db[j] += delta_ij;
            for (k = 0; k < inputs; k++)
                dw[k] = bpi_fma(delta_ij, a_i[k], dw[k]);
        }
}

static void bpi_descend_plain(const bp_layer *layer, const bp_real *delta, size_t stride,
                              const bpi_rows *a, size_t n, bp_real eta)
{
    enum { STRETCH = 64 };
    const size_t inputs = (size_t)layer->inputs, outputs = (size_t)layer->outputs;
    size_t i, j, k, first;
    for (j = 0; j < outputs; j++) {
        bp_real *w = layer->weights + j * inputs, db = 0;
        for (first = 0; first < inputs; first += STRETCH) {
            const size_t width = bpi_min(STRETCH, inputs - first);
            bp_real dw[STRETCH];
            for (k = 0; k < width; k++)
                dw[k] = 0;
            for (i = 0; i < n; i++)
                for (k = 0; k < width; k++)
                    dw[k] = bpi_fma(delta[i * stride + j], bpi_row(a, i)[first + k], dw[k]);
            for (k = 0; k < width; k++)
                w[first + k] = bpi_fma(-eta, dw[k], w[first + k]);
        }
        for (i = 0; i < n; i++)
            db += delta[i * stride + j];
        layer->biases[j] = bpi_fma(-eta, db, layer->biases[j]);
    }
}

static bp_real bpi_descend_ahead_plain(const bp_layer *layer, const bp_real *delta,
                                       const bpi_rows *a, bp_real eta, uint32_t *blocks,
                                       const bpi_rows *next, bp_real *out)
{
    bpi_descend_plain(layer, delta, (size_t)layer->outputs, a, 1, eta);
    return next ? bpi_forward_plain(layer, next, 1, blocks, out) : 0;
}

static void bpi_update_plain(bp_real *parameters, const bp_real *gradient, size_t count,
                             bp_real eta)
{
    size_t i;
    for (i = 0; i < count; i++)
        parameters[i] = bpi_fma(-eta, gradient[i], parameters[i]);
}

static const bpi_kernels bpi_kernels_plain = {
    "plain",
    BPI_FUSED,
    bpi_fma,
    bpi_forward_plain,
    bpi_output_error,
    bpi_hidden_error_plain,
    bpi_gradient_plain,
    bpi_descend_plain,
    bpi_descend_ahead_plain,
    bpi_update_plain,
    bpi_largest_plain,
    NULL,
    NULL
};

/* ---- instruction sets ---- */

/* Which of them can be compiled here? */
#if defined(BACKPROP_NO_SIMD) || defined(__TINYC__)
#elif (defined(__GNUC__) || defined(_MSC_VER)) && (defined(__x86_64__) || defined(_M_X64))
#define BPI_X86 1
#elif defined(__aarch64__) && defined(__ARM_NEON) && defined(__GNUC__)
#define BPI_NEON 1
#elif defined(__wasm_simd128__)
#define BPI_WASM 1
#endif

#if defined(BPI_X86) || defined(BPI_NEON) || defined(BPI_WASM)
#define BPI_CHOICE 1
#endif

#define BPI_PASS_SSE2 1
#define BPI_PASS_AVX2 2
#define BPI_PASS_AVX512 3
#define BPI_PASS_NEON 4
#define BPI_PASS_WASM 5

#if defined(_MSC_VER) && !defined(__clang__)
#define BPI_INLINE __forceinline
#define BPI_UNROLL
#define BPI_PREFETCH(p) ((void)(p))
#define BPI_PREFETCH_SECOND(p) ((void)(p))
#define BPI_TARGET_AVX2
#define BPI_TARGET_AVX512
#else
#define BPI_INLINE inline __attribute__((always_inline))
#define BPI_PREFETCH(p) __builtin_prefetch(p)
#define BPI_PREFETCH_SECOND(p) __builtin_prefetch(p, 0, 2)
#define BPI_TARGET_AVX2 __attribute__((target("avx2,fma")))
#define BPI_TARGET_AVX512 __attribute__((target("avx2,fma,avx512f,avx512vl")))
#if defined(__clang__)
/* Unrolled, it takes minutes to compile with a sanitizer; and one of them does not know what AVX's
 * masked moves write. */
#if __has_feature(memory_sanitizer)
#define BPI_NO_MASKS 1
#endif
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || \
    __has_feature(thread_sanitizer)
#define BPI_UNROLL
#else
#define BPI_UNROLL _Pragma("clang loop unroll(full)")
#endif
#else
#define BPI_UNROLL _Pragma("GCC unroll 16")
#endif
#endif

/* What 1.5 2^23 + n has in its last bits, taken from this and shifted, gives 2^-n. */
#ifdef BACKPROP_DOUBLE
#define BPI_MAGIC ((((int64_t)1075 << 52) | ((int64_t)1 << 51)) + 1023)
#else
#define BPI_MAGIC (0x4b400000 + 127)
#endif

/* The name under which this file includes itself. */
#ifndef BACKPROP_H_FILE
#define BACKPROP_H_FILE "backprop.h"
#endif

#ifdef BPI_X86
#include <immintrin.h>
#ifdef _MSC_VER
#include <intrin.h>
#else
#include <cpuid.h>
#endif
/* Windows keeps the stack on boundaries of 16 bytes, and gcc for it moves its vectors of 32 and 64
 * bytes there as if they stood on boundaries of their own, which faults (gcc bug 54412). So the
 * assembler is told to make every such move in this file one that may be unaligned: the same on
 * aligned memory, and as fast. */
#if defined(__MINGW64__) && !defined(__clang__)
__asm__(".ifndef bpi_unaligned_moves\n"
        ".set bpi_unaligned_moves, 1\n"
        ".macro vmovaps operands:vararg\n vmovups \\operands\n .endm\n"
        ".macro vmovapd operands:vararg\n vmovupd \\operands\n .endm\n"
        ".macro vmovdqa operands:vararg\n vmovdqu \\operands\n .endm\n"
        ".macro vmovdqa32 operands:vararg\n vmovdqu32 \\operands\n .endm\n"
        ".macro vmovdqa64 operands:vararg\n vmovdqu64 \\operands\n .endm\n"
        ".endif\n");
#endif
#define BPI_PASS BPI_PASS_SSE2
#include BACKPROP_H_FILE
#define BPI_PASS BPI_PASS_AVX2
#include BACKPROP_H_FILE
#define BPI_PASS BPI_PASS_AVX512
#include BACKPROP_H_FILE

/* What the processor has, and what of it the operating system saves. */
static void bpi_cpuid(unsigned leaf, unsigned *r)
{
#ifdef _MSC_VER
    int registers[4];
    __cpuidex(registers, (int)leaf, 0);
    r[0] = (unsigned)registers[0];
    r[1] = (unsigned)registers[1];
    r[2] = (unsigned)registers[2];
    r[3] = (unsigned)registers[3];
#else
    __cpuid_count(leaf, 0, r[0], r[1], r[2], r[3]);
#endif
}

static unsigned bpi_xcr0(void)
{
#ifdef _MSC_VER
    return (unsigned)_xgetbv(0);
#else
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
#endif
}

static int bpi_has(const bpi_kernels *kernels)
{
    const unsigned fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28;        /* leaf 1, ecx */
    const unsigned avx2 = 1u << 5, avx512f = 1u << 16, avx512vl = 1u << 31;   /* leaf 7, ebx */
    const unsigned ymm = 0x06, zmm = 0xe6;                                    /* XCR0 */
    unsigned r[4], basic, extended;
    if (kernels == &bpi_kernels_plain || kernels == &bpi_kernels_sse2)
        return 1;
    bpi_cpuid(0, r);
    if (r[0] < 7)
        return 0;
    bpi_cpuid(1, r);
    basic = r[2];
    bpi_cpuid(7, r);
    extended = r[1];
    if ((~basic & (fma | osxsave | avx)) || !(extended & avx2) || (bpi_xcr0() & ymm) != ymm)
        return 0;
    return kernels == &bpi_kernels_avx2 ||
           (!(~extended & (avx512f | avx512vl)) && (bpi_xcr0() & zmm) == zmm);
}
#else
#ifdef BPI_NEON
#include <arm_neon.h>
#define BPI_PASS BPI_PASS_NEON
#include BACKPROP_H_FILE
#elif defined(BPI_WASM)
#include <wasm_simd128.h>
#define BPI_PASS BPI_PASS_WASM
#include BACKPROP_H_FILE
#endif
static int bpi_has(const bpi_kernels *kernels)
{
    return kernels != NULL;
}
#endif

/* The named set, or the best where name is NULL; NULL if this machine does not have it. */
static const bpi_kernels *bpi_find_kernels(const char *name)
{
    static const bpi_kernels *const all[] = {
#ifdef BPI_X86
        &bpi_kernels_avx512, &bpi_kernels_avx2, &bpi_kernels_sse2,
#elif defined(BPI_NEON)
        &bpi_kernels_neon,
#elif defined(BPI_WASM)
        &bpi_kernels_wasm,
#endif
        &bpi_kernels_plain
    };
    size_t i;
    for (i = 0; i < sizeof all / sizeof *all; i++)
        if ((!name || strcmp(all[i]->name, name) == 0) && bpi_has(all[i]))
            return all[i];
    return NULL;
}

/* Where plain C is all there is, its loops are called by name: those that nobody calls can then be
 * left out by the compiler or the linker, as no table of all of them is in use. */
static const bpi_kernels *bpi_kernels_of(const bp_net *net)
{
#ifdef BPI_CHOICE
    return net->kernels;
#else
    (void)net;
    return &bpi_kernels_plain;
#endif
}

static void bpi_note_layer(bp_net *net, int l)
{
#ifdef BPI_CHOICE
    const bp_layer *layer = &net->layers[l];
    if (l == 0)
        net->tiny = net->layer_count <= BPI_TINY && layer->inputs <= BPI_LANES;
    net->tiny = net->tiny && layer->outputs <= BPI_LANES;
#else
    (void)net;
    (void)l;
#endif
}

static int bpi_is_tiny(const bp_net *net)
{
    return net->tiny && bpi_kernels_of(net)->predict_tiny;
}

static int bpi_packs(size_t inputs, size_t rows, size_t neurons, int narrow)
{
#ifdef BPI_CHOICE
    enum { CACHE = 32 * 1024, PAGES = 64 * 4096 }; /* the first cache, and what it knows pages of */
    const size_t bytes = inputs * sizeof(bp_real), step = bytes & (~bytes + 1);
    if (neurons < 16)
        return 0;
    if (bpi_collides(inputs))
        return rows > 4;
    if (rows >= 64 && neurons >= 384)
        return 1;
    /* do rows a multiple of step apart fill their CACHE / step places, or rows too many pages? */
    return narrow && (rows * step >= CACHE || (rows > 64 && rows * bytes > PAGES));
#else
    (void)bpi_collides(inputs);
    (void)rows;
    (void)neurons;
    (void)narrow;
    return 0;
#endif
}

static const bpi_kernels *bpi_choose_kernels(void)
{
#ifdef BPI_CHOICE
    return bpi_find_kernels(NULL);
#else
    return NULL;
#endif
}

BPI_API const char *bp_simd(const bp_net *net)
{
    return net ? bpi_kernels_of(net)->name : NULL;
}

BPI_API bp_status bp_use_simd(bp_net *net, const char *name)
{
    const bpi_kernels *kernels = net ? bpi_find_kernels(name) : NULL;
    if (!kernels)
        return BP_INVALID_ARGUMENT;
    net->kernels = kernels;
    return BP_OK;
}

#endif /* BACKPROP_IMPLEMENTATION */

/* Kernels in vectors. The file includes itself for each instruction set, with BPI_PASS saying
 * which: first come the operations of that set, then the kernels in terms of them. */
#ifdef BPI_PASS

#define BPI_PASTE_(a, b) a##b
#define BPI_PASTE(a, b) BPI_PASTE_(a, b)
#define BPI_N(name) BPI_PASTE(BPI_PASTE(bpi_, name), BPI_SUFFIX)

#if BPI_PASS == BPI_PASS_NEON
/* ---- AArch64: 32 registers of 16 bytes ---- */
#define BPI_SUFFIX _neon
#define BPI_NAME "neon"
#define BPI_TARGET
#define BPI_TILE 6
#define BPI_SET_FUSED 1
#ifdef BACKPROP_DOUBLE
typedef float64x2_t bpi_v_neon;
#define BPI_OP(name) BPI_PASTE(v##name, q_f64)
#define BPI_BITS(x) vreinterpretq_s64_f64(x)
#define BPI_REAL(x) vreinterpretq_f64_s64(x)
#define BPI_EXPONENT(i) vshlq_n_s64(vsubq_s64(vdupq_n_s64(BPI_MAGIC), i), BPI_MANTISSA_BITS)
#define BPI_SET1(x) vdupq_n_f64(x)
#define BPI_OR(a, b) BPI_REAL(vorrq_s64(BPI_BITS(a), BPI_BITS(b)))
#define BPI_ANY(mask) (vgetq_lane_u64(mask, 0) | vgetq_lane_u64(mask, 1))
#define BPI_MASK_NOT(mask) veorq_u64(mask, vdupq_n_u64(~(uint64_t)0))
#else
typedef float32x4_t bpi_v_neon;
#define BPI_OP(name) BPI_PASTE(v##name, q_f32)
#define BPI_BITS(x) vreinterpretq_s32_f32(x)
#define BPI_REAL(x) vreinterpretq_f32_s32(x)
#define BPI_EXPONENT(i) vshlq_n_s32(vsubq_s32(vdupq_n_s32(BPI_MAGIC), i), BPI_MANTISSA_BITS)
#define BPI_SET1(x) vdupq_n_f32(x)
#define BPI_OR(a, b) BPI_REAL(vorrq_s32(BPI_BITS(a), BPI_BITS(b)))
#define BPI_ANY(mask) vmaxvq_u32(mask)
#define BPI_MASK_NOT(mask) vmvnq_u32(mask)
#endif
#define BPI_LOAD(p) BPI_OP(ld1)(p)
#define BPI_STORE(p, x) BPI_OP(st1)(p, x)
#define BPI_ADD(a, b) BPI_OP(add)(a, b)
#define BPI_SUB(a, b) BPI_OP(sub)(a, b)
#define BPI_MUL(a, b) BPI_OP(mul)(a, b)
#define BPI_DIV(a, b) BPI_OP(div)(a, b)
#define BPI_MIN(a, b) BPI_OP(min)(a, b)
#define BPI_MAX(a, b) BPI_OP(maxnm)(a, b)
#define BPI_ABS(x) BPI_OP(abs)(x)
#define BPI_MADD(a, b, c) BPI_OP(fma)(c, a, b)
#define BPI_ANY_NOT_GE(a, b) (BPI_ANY(BPI_MASK_NOT(BPI_OP(cge)(a, b))) != 0)
#define BPI_ANY_NOT_LE(a, b) (BPI_ANY(BPI_MASK_NOT(BPI_OP(cle)(a, b))) != 0)
#define BPI_ANY_NONZERO(a) (BPI_ANY(BPI_MASK_NOT(BPI_OP(ceq)(a, BPI_SET1(0)))) != 0)

#elif BPI_PASS == BPI_PASS_WASM
/* ---- WebAssembly: no fused multiply-add ---- */
#define BPI_SUFFIX _wasm
#define BPI_NAME "wasm"
#define BPI_TARGET
#define BPI_TILE 2
#define BPI_SET_FUSED BPI_FUSED
typedef v128_t bpi_v_wasm;
#ifdef BACKPROP_DOUBLE
#define BPI_OP(name) BPI_PASTE(wasm_f64x2_, name)
#define BPI_EXPONENT(i) wasm_i64x2_shl(wasm_i64x2_sub(wasm_i64x2_splat(BPI_MAGIC), i), 52)
#else
#define BPI_OP(name) BPI_PASTE(wasm_f32x4_, name)
#define BPI_EXPONENT(i) wasm_i32x4_shl(wasm_i32x4_sub(wasm_i32x4_splat(BPI_MAGIC), i), 23)
#endif
#define BPI_BITS(x) (x)
#define BPI_REAL(x) (x)
#define BPI_SET1(x) BPI_OP(splat)(x)
#define BPI_LOAD(p) wasm_v128_load(p)
#define BPI_STORE(p, x) wasm_v128_store(p, x)
#define BPI_ADD(a, b) BPI_OP(add)(a, b)
#define BPI_SUB(a, b) BPI_OP(sub)(a, b)
#define BPI_MUL(a, b) BPI_OP(mul)(a, b)
#define BPI_DIV(a, b) BPI_OP(div)(a, b)
#define BPI_MIN(a, b) BPI_OP(pmin)(a, b)
#define BPI_MAX(a, b) BPI_OP(pmax)(a, b)
#define BPI_ABS(x) BPI_OP(abs)(x)
#define BPI_OR(a, b) wasm_v128_or(a, b)
#define BPI_ANY_NOT_GE(a, b) wasm_v128_any_true(wasm_v128_not(BPI_OP(ge)(a, b)))
#define BPI_ANY_NOT_LE(a, b) wasm_v128_any_true(wasm_v128_not(BPI_OP(le)(a, b)))
#define BPI_ANY_NONZERO(a) wasm_v128_any_true(BPI_OP(ne)(a, BPI_SET1(0)))

#else
/* ---- x86 ---- */
#ifdef BACKPROP_DOUBLE
#define BPI_OP(name) BPI_PASTE(BPI_PASTE(BPI_MM, name), _pd)
#define BPI_EPI(name) BPI_PASTE(BPI_PASTE(BPI_MM, name), _epi64)
#define BPI_MAGIC_VECTOR BPI_PASTE(BPI_MM, set1_epi64x)(BPI_MAGIC)
#define BPI_BITS(x) BPI_PASTE(BPI_PASTE(BPI_MM, castpd_), BPI_SI)(x)
#define BPI_REAL(x) BPI_PASTE(BPI_PASTE(BPI_MM, cast), BPI_PASTE(BPI_SI, _pd))(x)
#else
#define BPI_OP(name) BPI_PASTE(BPI_PASTE(BPI_MM, name), _ps)
#define BPI_EPI(name) BPI_PASTE(BPI_PASTE(BPI_MM, name), _epi32)
#define BPI_MAGIC_VECTOR BPI_EPI(set1)(BPI_MAGIC)
#define BPI_BITS(x) BPI_PASTE(BPI_PASTE(BPI_MM, castps_), BPI_SI)(x)
#define BPI_REAL(x) BPI_PASTE(BPI_PASTE(BPI_MM, cast), BPI_PASTE(BPI_SI, _ps))(x)
#endif
#define BPI_EXPONENT(i) BPI_EPI(slli)(BPI_EPI(sub)(BPI_MAGIC_VECTOR, i), BPI_MANTISSA_BITS)
#define BPI_SET1(x) BPI_OP(set1)(x)
#define BPI_LOAD(p) BPI_OP(loadu)(p)
#define BPI_STORE(p, x) BPI_OP(storeu)(p, x)
#define BPI_ADD(a, b) BPI_OP(add)(a, b)
#define BPI_SUB(a, b) BPI_OP(sub)(a, b)
#define BPI_MUL(a, b) BPI_OP(mul)(a, b)
#define BPI_DIV(a, b) BPI_OP(div)(a, b)
#define BPI_MIN(a, b) BPI_OP(min)(a, b)
#define BPI_MAX(a, b) BPI_OP(max)(a, b)
#define BPI_OR(a, b) BPI_OP(or)(a, b)
#define BPI_ABS(x) BPI_OP(andnot)(BPI_SET1((bp_real)-0.0), x)

#if BPI_PASS == BPI_PASS_SSE2
#define BPI_SUFFIX _sse2
#define BPI_NAME "sse2"
#define BPI_TARGET
#define BPI_TILE 2
#define BPI_SET_FUSED BPI_FUSED
#ifdef __FMA__
#define BPI_MADD(a, b, c) BPI_OP(fmadd)(a, b, c)
#endif
#define BPI_MM _mm_
#define BPI_SI si128
#ifdef BACKPROP_DOUBLE
typedef __m128d bpi_v_sse2;
#else
typedef __m128 bpi_v_sse2;
#endif
#define BPI_ANY_NOT_GE(a, b) (BPI_OP(movemask)(BPI_OP(cmpnge)(a, b)) != 0)
#define BPI_ANY_NOT_LE(a, b) (BPI_OP(movemask)(BPI_OP(cmpnle)(a, b)) != 0)
#define BPI_ANY_NONZERO(a) (BPI_OP(movemask)(BPI_OP(cmpneq)(a, BPI_OP(setzero)())) != 0)
#else
#if BPI_PASS == BPI_PASS_AVX512
/* AVX-512's masks and 32 registers, in vectors of 32 bytes, or of 64. Some of what these are made
 * with has a mask, of ones: without, gcc warns in C++ of a variable of its own headers. */
#define BPI_SUFFIX _avx512
#define BPI_NAME "avx512"
#define BPI_TARGET BPI_TARGET_AVX512
#define BPI_TILE 6
#define BPI_PART_MASK(n) ((__mmask8)((1u << (n)) - 1))
#define BPI_LOAD_PART(p, n) BPI_OP(maskz_loadu)(BPI_PART_MASK(n), p)
#define BPI_STORE_PART(p, n, x) BPI_OP(mask_storeu)(p, BPI_PART_MASK(n), x)
#ifdef BACKPROP_DOUBLE
#define BPI_WIDE __m512d
#define BPI_WIDE_OP(name) BPI_PASTE(BPI_PASTE(_mm512_, name), _pd)
#define BPI_WIDE_MASK(n) ((__mmask8)((1u << (n)) - 1))
#define BPI_WIDE_BOTH(x) _mm512_maskz_broadcast_f64x4(0xff, x)
#define BPI_WIDE_JOIN(x, y) _mm512_maskz_insertf64x4(0xff, _mm512_castpd256_pd512(x), y, 1)
#define BPI_WIDE_FOUR_TIMES(p)                                                                    \
    _mm512_castps_pd(_mm512_maskz_broadcast_f32x4(0xffff, _mm_castpd_ps(_mm_loadu_pd(p))))
#else
#define BPI_WIDE __m512
#define BPI_WIDE_OP(name) BPI_PASTE(BPI_PASTE(_mm512_, name), _ps)
#define BPI_WIDE_MASK(n) ((__mmask16)((1u << (n)) - 1))
#define BPI_WIDE_BOTH(x)                                                                          \
    _mm512_castpd_ps(_mm512_maskz_broadcast_f64x4(0xff, _mm256_castps_pd(x)))
#define BPI_WIDE_JOIN(x, y)                                                                       \
    _mm512_castpd_ps(_mm512_maskz_insertf64x4(                                                    \
        0xff, _mm512_castps_pd(_mm512_castps256_ps512(x)), _mm256_castps_pd(y), 1))
#define BPI_WIDE_FOUR_TIMES(p) _mm512_maskz_broadcast_f32x4(0xffff, _mm_loadu_ps(p))
#endif
#define BPI_PAIRS 1
#define BPI_WIDE_SET1(x) BPI_WIDE_OP(set1)(x)
#define BPI_WIDE_LOAD(p) BPI_WIDE_OP(loadu)(p)
#define BPI_WIDE_STORE(p, x) BPI_WIDE_OP(storeu)(p, x)
#define BPI_WIDE_GET(p, n) BPI_WIDE_OP(maskz_loadu)(BPI_WIDE_MASK(n), p)
#define BPI_WIDE_PUT(p, n, x) BPI_WIDE_OP(mask_storeu)(p, BPI_WIDE_MASK(n), x)
#define BPI_WIDE_ADD(a, b) BPI_WIDE_OP(add)(a, b)
#define BPI_WIDE_SUB(a, b) BPI_WIDE_OP(sub)(a, b)
#define BPI_WIDE_MUL(a, b) BPI_WIDE_OP(mul)(a, b)
#define BPI_WIDE_MADD(a, b, c) BPI_WIDE_OP(fmadd)(a, b, c)
#else
#define BPI_SUFFIX _avx2
#define BPI_NAME "avx2"
#define BPI_TARGET BPI_TARGET_AVX2
#define BPI_TILE 3
#ifndef BPI_NO_MASKS
/* n lanes of ones, from a table that slides */
#define BPI_PART_MASK(n) _mm256_loadu_si256((const __m256i *)(const void *)                      \
                                            ((const char *)bpi_ones + 32 - (n) * sizeof(bp_real)))
#define BPI_LOAD_PART(p, n) BPI_OP(maskload)(p, BPI_PART_MASK(n))
#define BPI_STORE_PART(p, n, x) BPI_OP(maskstore)(p, BPI_PART_MASK(n), x)
static const int32_t bpi_ones[16] = { -1, -1, -1, -1, -1, -1, -1, -1 };
#endif
#endif
#define BPI_SET_FUSED 1
#define BPI_MM _mm256_
#define BPI_SI si256
#ifdef BACKPROP_DOUBLE
typedef __m256d BPI_PASTE(bpi_v, BPI_SUFFIX);
#else
typedef __m256 BPI_PASTE(bpi_v, BPI_SUFFIX);
#define BPI_LOAD_TWICE(p) _mm256_broadcast_ps((const __m128 *)(const void *)(p))
#endif
#define BPI_MADD(a, b, c) BPI_OP(fmadd)(a, b, c)
/* lane i in all lanes */
#ifdef BACKPROP_DOUBLE
#define BPI_FIRST_LANE(x) _mm256_broadcastsd_pd(_mm256_castpd256_pd128(x))
#define BPI_LANE(x, i)                                                                            \
    BPI_REAL(_mm256_permutevar8x32_epi32(                                                         \
        BPI_BITS(x), _mm256_set1_epi64x((int64_t)(((i) << 1) + 1) << 32 | (int64_t)((i) << 1))))
#else
#define BPI_FIRST_LANE(x) _mm256_broadcastss_ps(_mm256_castps256_ps128(x))
#define BPI_LANE(x, i) _mm256_permutevar8x32_ps(x, _mm256_set1_epi32((int)(i)))
#endif
#define BPI_ANY_NOT_GE(a, b) (BPI_OP(movemask)(BPI_OP(cmp)(a, b, _CMP_NGE_UQ)) != 0)
#define BPI_ANY_NOT_LE(a, b) (BPI_OP(movemask)(BPI_OP(cmp)(a, b, _CMP_NLE_UQ)) != 0)
#define BPI_ANY_NONZERO(a) (_mm256_testz_si256(BPI_BITS(a), BPI_BITS(a)) ^ 1)
#endif
#endif

/* ---- from here on the same for every set ---- */

#define BPI_LOCAL BPI_TARGET static BPI_INLINE
#define BPI_V BPI_N(v)
enum { BPI_N(width) = (int)(sizeof(BPI_V) / sizeof(bp_real)) };
#define BPI_W ((size_t)BPI_N(width))

#ifndef BPI_MADD
#define BPI_MADD(a, b, c) BPI_N(madd)(a, b, c)
/* Without the instruction; lane by lane if it must be exact all the same. */
BPI_LOCAL BPI_V BPI_N(madd)(BPI_V a, BPI_V b, BPI_V c)
{
#ifdef BACKPROP_EXACT
    bp_real x[BPI_N(width)], y[BPI_N(width)], z[BPI_N(width)];
    size_t i;
    BPI_STORE(x, a);
    BPI_STORE(y, b);
    BPI_STORE(z, c);
    for (i = 0; i < BPI_W; i++)
        z[i] = bpi_fma(x[i], y[i], z[i]);
    return BPI_LOAD(z);
#else
    return BPI_ADD(BPI_MUL(a, b), c);
#endif
}
#endif

#ifdef BPI_LOAD_PART
#define BPI_GET(p, n) BPI_LOAD_PART(p, n)
#define BPI_PUT(p, n, x) BPI_STORE_PART(p, n, x)
#else
#define BPI_GET(p, n) BPI_N(get)(p, n)
#define BPI_PUT(p, n, x) BPI_N(put)(p, n, x)
/* The first n of a vector, the rest zero; and the way back. */
BPI_LOCAL BPI_V BPI_N(get)(const bp_real *p, size_t n)
{
    bp_real part[BPI_N(width)];
    size_t i;
    for (i = 0; i < BPI_W; i++)
        part[i] = i < n ? p[i] : 0;
    return BPI_LOAD(part);
}
BPI_LOCAL void BPI_N(put)(bp_real *p, size_t n, BPI_V x)
{
    bp_real part[BPI_N(width)];
    size_t i;
    BPI_STORE(part, x);
    for (i = 0; i < n; i++)
        p[i] = part[i];
}
#endif

/* The widest vectors there are: as wide as the others, or two of them side by side. */
#ifndef BPI_WIDE_LOAD
#define BPI_WIDE BPI_V
#define BPI_WIDE_SET1(x) BPI_SET1(x)
#define BPI_WIDE_LOAD(p) BPI_LOAD(p)
#define BPI_WIDE_STORE(p, x) BPI_STORE(p, x)
#define BPI_WIDE_GET(p, n) BPI_GET(p, n)
#define BPI_WIDE_PUT(p, n, x) BPI_PUT(p, n, x)
#define BPI_WIDE_ADD(a, b) BPI_ADD(a, b)
#define BPI_WIDE_SUB(a, b) BPI_SUB(a, b)
#define BPI_WIDE_MUL(a, b) BPI_MUL(a, b)
#define BPI_WIDE_MADD(a, b, c) BPI_MADD(a, b, c)
#endif
enum { BPI_N(wide) = (int)(sizeof(BPI_WIDE) / sizeof(bp_real)), /* numbers in one */
       BPI_N(pair) = BPI_N(wide) / BPI_N(width) };               /* of the others in one */
#define BPI_WW ((size_t)BPI_N(wide))

/* n limited to what a vector holds that starts `from` later */
BPI_LOCAL size_t BPI_N(part)(size_t n, size_t from)
{
    return n <= from ? 0 : n - from < BPI_W ? n - from : BPI_W;
}

BPI_LOCAL BPI_V BPI_N(load_part)(const bp_real *p, size_t n)
{
    return n == BPI_W ? BPI_LOAD(p) : BPI_GET(p, n);
}

BPI_LOCAL void BPI_N(store_part)(bp_real *p, size_t n, BPI_V x)
{
    if (n == BPI_W)
        BPI_STORE(p, x);
    else
        BPI_PUT(p, n, x);
}

BPI_LOCAL BPI_WIDE BPI_N(wide_load)(const bp_real *p, size_t n)
{
    return n >= BPI_WW ? BPI_WIDE_LOAD(p) : BPI_WIDE_GET(p, n);
}

BPI_LOCAL void BPI_N(wide_store)(bp_real *p, size_t n, BPI_WIDE x)
{
    if (n >= BPI_WW)
        BPI_WIDE_STORE(p, x);
    else
        BPI_WIDE_PUT(p, n, x);
}

/* bpi_sigmoid for a vector: its steps, its order. Lanes below the lowest, which are scaled down
 * last, and those that are not numbers are rare: what they are made of is returned too. */
BPI_LOCAL BPI_V BPI_N(sigmoid_usual)(BPI_V z_given, BPI_V *exponent, BPI_V *p)
{
    const BPI_V one = BPI_SET1(1), rounder = BPI_SET1(BPI_ROUNDER);
    /* in this order x86 takes what is not a number, and a is none either */
    BPI_V z = BPI_MIN(BPI_SET1(BPI_SIGMOID_HIGHEST), z_given);
    BPI_V rounded = BPI_MADD(z, BPI_SET1(-BPI_LOG2_E), rounder);
    BPI_V n = BPI_SUB(rounded, rounder);
    BPI_V f = BPI_MADD(n, BPI_SET1(-BPI_LN2_LOW),
                       BPI_MADD(n, BPI_SET1(-BPI_LN2_HIGH), BPI_SUB(BPI_SET1(0), z)));
    BPI_V f2 = BPI_MUL(f, f), t = BPI_REAL(BPI_EXPONENT(BPI_BITS(rounded)));
    BPI_V sum = BPI_ADD(t, one), lost = BPI_SUB(t, BPI_SUB(sum, one)), r;
#define BPI_PAIR(high, low) BPI_MADD(BPI_SET1(high), f, BPI_SET1(low))
#ifdef BACKPROP_DOUBLE
    BPI_V f4 = BPI_MUL(f2, f2);
    r = BPI_MADD(BPI_PAIR(BPI_E9, BPI_E8), f2, BPI_PAIR(BPI_E7, BPI_E6));
    r = BPI_MADD(BPI_PAIR(BPI_E11, BPI_E10), f4, r);
    r = BPI_MADD(r, f4, BPI_MADD(BPI_PAIR(BPI_E5, BPI_E4), f2, BPI_PAIR(BPI_E3, BPI_E2)));
#else
    r = BPI_MADD(BPI_SET1(BPI_E6), f2, BPI_PAIR(BPI_E5, BPI_E4));
    r = BPI_MADD(r, f2, BPI_PAIR(BPI_E3, BPI_E2));
#endif
#undef BPI_PAIR
    *exponent = n;
    *p = BPI_MADD(r, f2, f);
    return BPI_DIV(t, BPI_ADD(sum, BPI_MADD(r, f2, BPI_ADD(f, lost))));
}

BPI_LOCAL int BPI_N(is_rare)(BPI_V z)
{
    return BPI_ANY_NOT_GE(z, BPI_SET1(BPI_SIGMOID_LOWEST));
}

/* With rare lanes, which are seen to one by one. */
BPI_TARGET static BPI_NOINLINE BPI_V BPI_N(sigmoid_rare)(BPI_V z_given)
{
    bp_real z[BPI_N(width)], a[BPI_N(width)], exponent[BPI_N(width)], sum[BPI_N(width)];
    BPI_V n, p;
    size_t i;
    BPI_STORE(z, z_given);
    BPI_STORE(a, BPI_N(sigmoid_usual)(z_given, &n, &p));
    BPI_STORE(exponent, n);
    BPI_STORE(sum, BPI_ADD(p, BPI_SET1(1)));
    for (i = 0; i < BPI_W; i++)
        if (!(z[i] >= BPI_SIGMOID_ZERO))
            a[i] = bpi_sigmoid(z[i]);
        else if (z[i] < BPI_SIGMOID_LOWEST) {
            a[i] = bpi_power_of_2(-(BPI_EXPONENT_BIAS / 2)) / sum[i];
            a[i] *= bpi_power_of_2(BPI_EXPONENT_BIAS / 2 - (int)exponent[i]);
        }
    return BPI_LOAD(a);
}

BPI_LOCAL BPI_V BPI_N(sigmoid)(BPI_V z)
{
    BPI_V n, p, a = BPI_N(sigmoid_usual)(z, &n, &p);
    return BPI_N(is_rare)(z) ? BPI_N(sigmoid_rare)(z) : a;
}

/* Lane i and lane i + half added until one is left, for eight vectors at once. */
#if BPI_PASS == BPI_PASS_WASM
BPI_LOCAL void BPI_N(fold)(const BPI_V *s, BPI_V *z)
{
    bp_real lane[BPI_N(width)], sum[8];
    size_t i, j, half;
    for (j = 0; j < 8; j++) {
        BPI_STORE(lane, s[j]);
        for (half = BPI_W / 2; half; half /= 2)
            for (i = 0; i < half; i++)
                lane[i] += lane[i + half];
        sum[j] = lane[0];
    }
    for (j = 0; j < 8; j += BPI_W)
        z[j / BPI_W] = BPI_LOAD(sum + j);
}
#elif !defined(BACKPROP_DOUBLE) && (BPI_PASS == BPI_PASS_AVX2 || BPI_PASS == BPI_PASS_AVX512)
BPI_LOCAL __m256 BPI_N(halves)(__m256 x, __m256 y)
{
    return _mm256_add_ps(_mm256_permute2f128_ps(x, y, 0x20), _mm256_permute2f128_ps(x, y, 0x31));
}
BPI_LOCAL __m256 BPI_N(quarters)(__m256 x, __m256 y)
{
    const __m256d p = _mm256_castps_pd(x), q = _mm256_castps_pd(y);
    return _mm256_add_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(p, q)),
                         _mm256_castpd_ps(_mm256_unpackhi_pd(p, q)));
}
BPI_LOCAL void BPI_N(fold)(const BPI_V *s, BPI_V *z)
{
    const __m256 x = BPI_N(quarters)(BPI_N(halves)(s[0], s[4]), BPI_N(halves)(s[1], s[5]));
    const __m256 y = BPI_N(quarters)(BPI_N(halves)(s[2], s[6]), BPI_N(halves)(s[3], s[7]));
    z[0] = _mm256_add_ps(_mm256_shuffle_ps(x, y, 0x88), _mm256_shuffle_ps(x, y, 0xdd));
}
/* Only four of them; the lanes behind repeat some. */
BPI_LOCAL void BPI_N(fold_four)(const BPI_V *s, BPI_V *z)
{
    const __m256 x = BPI_N(quarters)(BPI_N(halves)(s[0], s[2]), BPI_N(halves)(s[1], s[3]));
    const __m256 y = _mm256_add_ps(_mm256_shuffle_ps(x, x, 0x88), _mm256_shuffle_ps(x, x, 0xdd));
    z[0] = _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(y), 0x08));
}
/* Only one, in all lanes. */
BPI_LOCAL BPI_V BPI_N(fold_one)(BPI_V x)
{
    x = _mm256_add_ps(x, _mm256_permute2f128_ps(x, x, 0x01));
    x = _mm256_add_ps(x, _mm256_permute_ps(x, 0x4e));
    return _mm256_add_ps(x, _mm256_permute_ps(x, 0xb1));
}
#else
#if BPI_PASS == BPI_PASS_NEON && defined(BACKPROP_DOUBLE)
BPI_LOCAL void BPI_N(fold_four)(const BPI_V *s, BPI_V *z)
{
    z[0] = vpaddq_f64(s[0], s[1]);
    z[1] = vpaddq_f64(s[2], s[3]);
}
#elif BPI_PASS == BPI_PASS_NEON
BPI_LOCAL void BPI_N(fold_four)(const BPI_V *s, BPI_V *z)
{
    float32x2_t a = vadd_f32(vget_low_f32(s[0]), vget_high_f32(s[0]));
    float32x2_t b = vadd_f32(vget_low_f32(s[1]), vget_high_f32(s[1]));
    float32x2_t c = vadd_f32(vget_low_f32(s[2]), vget_high_f32(s[2]));
    float32x2_t d = vadd_f32(vget_low_f32(s[3]), vget_high_f32(s[3]));
    z[0] = vcombine_f32(vpadd_f32(a, b), vpadd_f32(c, d));
}
#elif !defined(BACKPROP_DOUBLE)
BPI_LOCAL void BPI_N(fold_four)(const BPI_V *s, BPI_V *z)
{
    __m128 x = _mm_add_ps(_mm_unpacklo_ps(s[0], s[1]), _mm_unpackhi_ps(s[0], s[1]));
    __m128 y = _mm_add_ps(_mm_unpacklo_ps(s[2], s[3]), _mm_unpackhi_ps(s[2], s[3]));
    z[0] = _mm_add_ps(_mm_movelh_ps(x, y), _mm_movehl_ps(y, x));
}
#elif BPI_PASS == BPI_PASS_SSE2
BPI_LOCAL void BPI_N(fold_four)(const BPI_V *s, BPI_V *z)
{
    z[0] = _mm_add_pd(_mm_unpacklo_pd(s[0], s[1]), _mm_unpackhi_pd(s[0], s[1]));
    z[1] = _mm_add_pd(_mm_unpacklo_pd(s[2], s[3]), _mm_unpackhi_pd(s[2], s[3]));
}
#else
BPI_LOCAL __m256d BPI_N(halves)(__m256d x, __m256d y)
{
    return _mm256_add_pd(_mm256_permute2f128_pd(x, y, 0x20), _mm256_permute2f128_pd(x, y, 0x31));
}
BPI_LOCAL void BPI_N(fold_four)(const BPI_V *s, BPI_V *z)
{
    const __m256d x = BPI_N(halves)(s[0], s[2]), y = BPI_N(halves)(s[1], s[3]);
    z[0] = _mm256_add_pd(_mm256_unpacklo_pd(x, y), _mm256_unpackhi_pd(x, y));
}
BPI_LOCAL BPI_V BPI_N(fold_one)(BPI_V x)
{
    x = _mm256_add_pd(x, _mm256_permute2f128_pd(x, x, 0x01));
    return _mm256_add_pd(x, _mm256_permute_pd(x, 0x5));
}
#endif
BPI_LOCAL void BPI_N(fold)(const BPI_V *s, BPI_V *z)
{
    BPI_N(fold_four)(s, z);
    BPI_N(fold_four)(s + 4, z + 4 / BPI_W);
}
#endif
#ifdef BPI_PAIRS
/* Sixteen sums: of four neurons for a pair of examples, x[0] ... x[3], and another, y[0] ... y[3].
 * Each example gets a quarter of z[0]; where that holds only two, the other neurons are in z[1]. */
#ifdef BACKPROP_DOUBLE
#define BPI_QUARTERS(x, y, i) _mm512_maskz_shuffle_f64x2(0xff, x, y, i)
#else
#define BPI_QUARTERS(x, y, i) _mm512_maskz_shuffle_f32x4(0xffff, x, y, i)
#endif
BPI_LOCAL void BPI_N(fold_pairs)(const BPI_WIDE *x, const BPI_WIDE *y, BPI_WIDE *z)
{
    BPI_WIDE h[4];
    int m;
    BPI_UNROLL
    for (m = 0; m < 4; m++)
        h[m] = BPI_WIDE_ADD(BPI_QUARTERS(x[m], y[m], 0x88), BPI_QUARTERS(x[m], y[m], 0xdd));
#ifdef BACKPROP_DOUBLE
    BPI_UNROLL
    for (m = 0; m < 2; m++)
        z[m] = BPI_WIDE_ADD(_mm512_maskz_unpacklo_pd(0xff, h[2 * m], h[2 * m + 1]),
                            _mm512_maskz_unpackhi_pd(0xff, h[2 * m], h[2 * m + 1]));
#else
    BPI_UNROLL
    for (m = 0; m < 4; m += 2) {
        const __m512d p = _mm512_castps_pd(h[m]), q = _mm512_castps_pd(h[m + 1]);
        h[m] = BPI_WIDE_ADD(_mm512_castpd_ps(_mm512_maskz_unpacklo_pd(0xff, p, q)),
                            _mm512_castpd_ps(_mm512_maskz_unpackhi_pd(0xff, p, q)));
    }
    z[0] = BPI_WIDE_ADD(_mm512_maskz_shuffle_ps(0xffff, h[0], h[2], 0x88),
                        _mm512_maskz_shuffle_ps(0xffff, h[0], h[2], 0xdd));
#endif
}
#undef BPI_QUARTERS
#endif

/* ---- forward ---- */

/* A block in one vector: other than zero (and -0) where any of its inputs is. */
BPI_LOCAL BPI_V BPI_N(block)(const bp_real *a)
{
    return BPI_W < BPI_LANES ? BPI_OR(BPI_LOAD(a), BPI_LOAD(a + BPI_W)) : BPI_LOAD(a);
}

/* All bits of n numbers, put together with those in seen. */
BPI_LOCAL BPI_V BPI_N(bits)(const bp_real *a, size_t n, BPI_V seen)
{
    for (; n >= BPI_W; n -= BPI_W, a += BPI_W)
        seen = BPI_OR(seen, BPI_LOAD(a));
    return n ? BPI_OR(seen, BPI_GET(a, n)) : seen;
}

/* Lists every block; the number of them stands in front. */
BPI_TARGET static void BPI_N(list_all)(size_t inputs, uint32_t *blocks)
{
    size_t b;
    blocks[0] = (uint32_t)(inputs / BPI_LANES);
    for (b = 0; b < blocks[0]; b++)
        blocks[b + 1] = (uint32_t)(b * BPI_LANES);
}

/* Fetches the row behind the first into the second cache while that one is computed with. */
BPI_LOCAL void BPI_N(fetch_next)(const bpi_rows *rows, size_t inputs)
{
    size_t k;
    for (k = 0; rows->ahead > 1 && k < inputs; k += BPI_LINE)
        BPI_PREFETCH_SECOND(bpi_row(rows, 1) + k);
}

/* Marks the blocks of an example that are not all zero (see bpi_rows); all bits of its inputs are
 * gathered in seen. */
BPI_LOCAL void BPI_N(mark)(const bp_real *a, size_t inputs, uint8_t *marks, BPI_V *seen)
{
    const uint8_t *end = marks + bpi_marks(inputs);
    BPI_V all = *seen;
    size_t k;
    for (k = 0; k + BPI_LANES <= inputs; k += BPI_LANES) {
        const BPI_V x = BPI_N(block)(a + k);
        all = BPI_OR(all, x);
        *marks++ = (uint8_t)BPI_ANY_NONZERO(x);
    }
    while (marks < end)
        *marks++ = 0;
    *seen = BPI_N(bits)(a + k, inputs - k, all);
}

/* Lists the blocks that are marked for any of the rows. */
BPI_LOCAL void BPI_N(list_marked)(const uint8_t *marks, size_t rows, size_t inputs,
                                  uint32_t *blocks)
{
    const size_t step = bpi_marks(inputs);
    size_t b, i, count = 0;
    for (b = 0; b < step; b += 8, marks += 8) {
        uint64_t eight, any = 0;
        uint8_t each[8];
        for (i = 0; i < rows; i++) {
            memcpy(&eight, marks + i * step, 8);
            any |= eight;
        }
        memcpy(each, &any, 8);
        for (i = 0; i < 8; i++) {
            blocks[count + 1] = (uint32_t)((b + i) * BPI_LANES);
            count += each[i];
        }
    }
    blocks[0] = (uint32_t)count;
}

/* Lists the blocks of BPI_LANES inputs in which any of two examples is not zero; all their bits
 * are gathered in seen. */
BPI_LOCAL void BPI_N(list_blocks)(const bp_real *a, const bp_real *next, size_t inputs,
                                  uint32_t *blocks, BPI_V *seen)
{
    BPI_V all = *seen;
    size_t k, count = 0;
    for (k = 0; k + BPI_LANES <= inputs; k += BPI_LANES) {
        const BPI_V any = BPI_OR(BPI_N(block)(a + k), BPI_N(block)(next + k));
        all = BPI_OR(all, any);
        blocks[count + 1] = (uint32_t)k;
        count += (size_t)BPI_ANY_NONZERO(any);
    }
    blocks[0] = (uint32_t)count;
    all = BPI_N(bits)(a + k, inputs - k, all);
    *seen = BPI_N(bits)(next + k, inputs - k, all);
}

/* Looks through the inputs of some rows, from the i-th on: all their bits are gathered in seen, and
 * their blocks marked if that is asked for. */
BPI_TARGET static void BPI_N(look)(const bpi_rows *rows, const bp_real *const *a, size_t i,
                                   size_t count, BPI_V *seen)
{
    const size_t inputs = rows->stride, marks = bpi_marks(inputs);
    size_t r;
    for (r = 0; r < count; r++)
        if (rows->marks)
            BPI_N(mark)(a[r], inputs, rows->marks + (i + r) * marks, seen);
        else
            *seen = BPI_N(bits)(a[r], inputs, *seen);
}

/* The largest of a vector's lanes. */
BPI_LOCAL bp_real BPI_N(most)(BPI_V x)
{
    bp_real each[BPI_N(width)];
    size_t i;
    BPI_STORE(each, x);
    for (i = 1; i < BPI_W; i++)
        each[0] = each[i] > each[0] ? each[i] : each[0];
    return each[0];
}

/* Can a magnitude exceed 2 among numbers whose bits these are, put together? Magnitudes are ordered
 * as their bits are, so that none exceeds what they make; and of numbers below 2 they make a number
 * below 2, as the top bit of an exponent is then 0. */
BPI_LOCAL int BPI_N(is_large)(BPI_V seen)
{
    return BPI_ANY_NOT_LE(BPI_ABS(seen), BPI_SET1(2));
}

/* 2 unless a magnitude is larger, and infinity once one is not finite. */
BPI_TARGET static bp_real BPI_N(largest)(const bpi_rows *rows, size_t n)
{
    BPI_V largest = BPI_SET1(2), limit = BPI_SET1(BPI_REAL_MAX), seen = BPI_SET1(0);
    size_t i, k;
    for (i = 0; i < n; i++)
        seen = BPI_N(bits)(bpi_row(rows, i), rows->stride, seen);
    if (!BPI_N(is_large)(seen))
        return 2;
    for (i = 0; i < n; i++) {
        const bp_real *x = bpi_row(rows, i);
        for (k = 0; k < rows->stride; k += BPI_W) {
            BPI_V magnitude = BPI_ABS(BPI_N(load_part)(x + k, BPI_N(part)(rows->stride, k)));
            if (BPI_ANY_NOT_LE(magnitude, limit))
                return bpi_from_bits((bpi_bits)(2 * BPI_EXPONENT_BIAS + 1) << BPI_MANTISSA_BITS);
            largest = BPI_MAX(largest, magnitude);
        }
    }
    return BPI_N(most)(largest);
}

/* A tile of the forward pass: some examples, one a row, or two where its vectors are wide. */
typedef struct BPI_N(tile) {
    const bp_layer *layer;
    const bp_real *a[2 * BPI_TILE];
    int far; /* the weights are in memory rather than in a cache: the next are fetched meanwhile; */
    const bp_real *next[2 * BPI_TILE]; /* otherwise some of the examples to come: */
    size_t nexts;                      /* so many; */
    size_t turns, share; /* each takes so many turns (see strip), so many bytes in one */
    const uint32_t *blocks;
    bp_real *out; /* of the first example */
} BPI_N(tile);

/* Its sums under way, for each row and neuron: in the lanes of vectors of one kind or the other. */
typedef struct BPI_N(sums) {
    BPI_V one[BPI_TILE][8];
    BPI_WIDE pair[BPI_TILE][4];
} BPI_N(sums);

typedef BPI_V BPI_N(eight)[8 / (int)BPI_N(width)];

/* Four numbers and the same four again, from m on. */
BPI_LOCAL BPI_V BPI_N(twice)(const bp_real *p, size_t m)
{
#ifdef BPI_LOAD_TWICE
    (void)m;
    return BPI_LOAD_TWICE(p);
#else
    return BPI_LOAD(p + m % 4);
#endif
}

/* z = s + b for the tile's examples and some neurons from j on, the lanes of s being added up:
 * eight sums at a time, of one example and eight neurons or of two examples and four. */
BPI_LOCAL void BPI_N(sum_up)(const int tall, const int neurons, const BPI_N(tile) *tile, size_t j,
                             const BPI_N(sums) *s)
{
    const size_t outputs = (size_t)tile->layer->outputs;
    const bp_real *b = tile->layer->biases + j;
    bp_real z[8];
    BPI_V each[8];
    BPI_N(eight) sums;
    size_t v;
    int r, m;
    BPI_UNROLL
    for (r = 0; r < tall; r += neurons == 4 ? 2 : 1) {
        const int below = r + 1 < tall ? r + 1 : r;
        bp_real *out = tile->out + (size_t)r * outputs + j;
        BPI_UNROLL
        for (m = 0; m < 8; m++)
            each[m] = m < neurons ? s->one[r][m] : s->one[below][m - 4];
        BPI_N(fold)(each, sums);
        for (v = 0; v < 8; v += BPI_W)
            BPI_STORE(z + v, BPI_ADD(sums[v / BPI_W],
                                     neurons == 8 ? BPI_LOAD(b + v) : BPI_N(twice)(b, v)));
        memcpy(out, z, (size_t)neurons * sizeof(bp_real));
        if (neurons == 4 && below > r)
            memcpy(out + outputs, z + 4, 4 * sizeof(bp_real));
    }
}

#ifdef BPI_PAIRS
/* The same for pairs of examples and four neurons: sixteen sums at a time. */
BPI_LOCAL void BPI_N(sum_up_pairs)(const int tall, const BPI_N(tile) *tile, size_t j,
                                   const BPI_N(sums) *s)
{
    enum { QUARTER = (int)(16 / sizeof(bp_real)), VECTORS = 4 / QUARTER };
    const size_t outputs = (size_t)tile->layer->outputs;
    BPI_WIDE sums[VECTORS];
    bp_real z[4 * QUARTER];
    int r, i, v;
    BPI_UNROLL
    for (r = 0; r < tall; r += 2) {
        const int below = r + 1 < tall ? r + 1 : r;
        BPI_N(fold_pairs)(s->pair[r], s->pair[below], sums);
        BPI_UNROLL
        for (v = 0; v < VECTORS; v++) {
            const size_t first = j + (size_t)(v * QUARTER);
            bp_real *out = tile->out + (size_t)(2 * r) * outputs + first;
            BPI_WIDE_STORE(z, BPI_WIDE_ADD(sums[v],
                                           BPI_WIDE_FOUR_TIMES(tile->layer->biases + first)));
            BPI_UNROLL
            for (i = 0; i < 4; i++, out += outputs)
                if (i < 2 || below > r)
                    memcpy(out, z + i * QUARTER, QUARTER * sizeof(bp_real));
        }
    }
}
#endif

/* a = s(z) in place: apart from the sums, as their next ones would wait for it */
BPI_TARGET static void BPI_N(activate)(bp_real *z, size_t count)
{
    for (; count >= BPI_W; count -= BPI_W, z += BPI_W)
        BPI_STORE(z, BPI_N(sigmoid)(BPI_LOAD(z)));
    if (count)
        BPI_PUT(z, count, BPI_N(sigmoid)(BPI_GET(z, count)));
}

/* Where row i begins: read anew each time if there are more rows than registers, which compilers
 * would else make room for among the vectors. */
BPI_LOCAL const bp_real *BPI_N(row)(const bp_real *const *a, int i, const int anew)
{
    return anew ? *(const bp_real *const volatile *)(a + i) : a[i];
}

/* s += a w for all examples and some neurons at input k */
BPI_LOCAL void BPI_N(dots)(const int tall, const int pairs, const int neurons,
                           const bp_real *const *a, const bp_real *w, size_t inputs, size_t k,
                           size_t part, BPI_N(sums) *s)
{
    BPI_V w_k[8], x_k[3];
    int r, m;
    w += k;
    /* of sixteen registers twelve hold sums, three the examples, and one is left for weights */
    if (tall == 3 && neurons == 4 && !pairs) {
        BPI_UNROLL
        for (r = 0; r < tall; r++)
            x_k[r] = BPI_N(load_part)(a[r] + k, part);
        BPI_UNROLL
        for (m = 0; m < neurons; m++) {
            w_k[m] = BPI_N(load_part)(w + (size_t)m * inputs, part);
            BPI_UNROLL
            for (r = 0; r < tall; r++)
                s->one[r][m] = BPI_MADD(x_k[r], w_k[m], s->one[r][m]);
        }
        return;
    }
    BPI_UNROLL
    for (m = 0; m < neurons; m++)
        w_k[m] = BPI_N(load_part)(w + (size_t)m * inputs, part);
    BPI_UNROLL
    for (r = 0; r < tall; r++) {
        const int i = pairs ? 2 * r : r;
        const BPI_V x = BPI_N(load_part)(BPI_N(row)(a, i, pairs) + k, part);
#ifdef BPI_PAIRS
        const BPI_V y = BPI_N(load_part)(BPI_N(row)(a, i + pairs, pairs) + k, part);
        const BPI_WIDE two = BPI_WIDE_JOIN(x, y);
#endif
        BPI_UNROLL
        for (m = 0; m < neurons; m++)
            if (!pairs)
                s->one[r][m] = BPI_MADD(x, w_k[m], s->one[r][m]);
#ifdef BPI_PAIRS
            else
                s->pair[r][m] = BPI_WIDE_MADD(two, BPI_WIDE_BOTH(w_k[m]), s->pair[r][m]);
#endif
    }
}

/* The tile's dot products with some neurons from j on, in the lanes of one vector, which start at
 * offset. Meanwhile what is coming is fetched, up to where it stops: some lines before each block
 * (behind it, clang would put the block off, and run out of registers), and not into the first
 * cache, which has no room for them. */
BPI_LOCAL void BPI_N(tile_dots)(const int tall, const int pairs, const int neurons,
                                const BPI_N(tile) *tile, size_t j, size_t offset,
                                uintptr_t coming, uintptr_t stop, BPI_N(sums) *s)
{
    const size_t inputs = (size_t)tile->layer->inputs, tail = inputs % BPI_LANES;
    const size_t part = BPI_N(part)(tail, offset);
    const uint32_t *block = tile->blocks + 1, *end = block + tile->blocks[0];
    const bp_real *w = tile->layer->weights + j * inputs;
    const int lines = tile->far ? neurons / 2 : 1;
    int r, m;
    BPI_UNROLL
    for (r = 0; r < tall; r++)
        BPI_UNROLL
        for (m = 0; m < neurons; m++)
            if (pairs)
                s->pair[r][m] = BPI_WIDE_SET1(0);
            else
                s->one[r][m] = BPI_SET1(0);
    for (; block < end; block++) {
        if (coming < stop) {
            BPI_PREFETCH_SECOND((const void *)coming);
            BPI_UNROLL
            for (m = 1; m < neurons / 2; m++)
                if (tile->far)
                    BPI_PREFETCH_SECOND((const void *)(coming + (uintptr_t)m * BPI_ALIGN));
            coming += (uintptr_t)lines * BPI_ALIGN;
        }
        BPI_N(dots)(tall, pairs, neurons, tile->a, w, inputs, *block + offset, BPI_W, s);
    }
    if (part)
        BPI_N(dots)(tall, pairs, neurons, tile->a, w, inputs, inputs - tail + offset, part, s);
    for (; coming < stop; coming += BPI_ALIGN)
        BPI_PREFETCH_SECOND((const void *)coming);
}

/* The tile's z for some neurons from j on. */
BPI_LOCAL void BPI_N(turn)(const int tall, const int pairs, const int neurons,
                           const BPI_N(tile) *tile, size_t j, uintptr_t coming, uintptr_t stop)
{
    BPI_N(sums) s, t;
    int r, m;
    BPI_N(tile_dots)(tall, pairs, neurons, tile, j, 0, coming, stop, &s);
    if (BPI_W < BPI_LANES) {
        BPI_N(tile_dots)(tall, pairs, neurons, tile, j, BPI_W, 0, 0, &t);
        BPI_UNROLL
        for (r = 0; r < tall; r++)
            BPI_UNROLL
            for (m = 0; m < neurons; m++)
                s.one[r][m] = BPI_ADD(t.one[r][m], s.one[r][m]);
    }
#ifdef BPI_PAIRS
    if (pairs) {
        BPI_N(sum_up_pairs)(tall, tile, j, &s);
        return;
    }
#endif
    BPI_N(sum_up)(tall, neurons, tile, j, &s);
}

/* The tile's z for the neurons first ... last-1: four in a turn, or eight if only one example needs
 * registers. Those of the last turn may overlap those before. */
BPI_LOCAL void BPI_N(strip)(const int tall, const int pairs, const BPI_N(tile) *tile, size_t first,
                            size_t last)
{
    const size_t inputs = (size_t)tile->layer->inputs, outputs = (size_t)tile->layer->outputs;
    const size_t row = inputs * sizeof(bp_real), most = tall == 1 && outputs >= 8 ? 8 : 4;
    size_t j, next = first ? tile->nexts : 0, turn = 0;
    for (j = first; j < last; j += most) {
        uintptr_t coming = 0, stop = 0;
        if (tile->far) {
            /* the next turn's weights; if there are none, no pointer behind the last is made */
            coming = (uintptr_t)(tile->layer->weights + j * inputs) + most * row;
            stop = coming + most * row;
        } else if (next < tile->nexts) {
            coming = (uintptr_t)tile->next[next] + turn * tile->share;
            stop = bpi_min(coming + tile->share, (uintptr_t)tile->next[next] + row);
            turn = turn + 1 < tile->turns ? turn + 1 : 0;
            next += turn == 0;
        }
        if (tall == 1 && most == 8 && last - j > 4)
            BPI_N(turn)(tall, pairs, 8, tile, bpi_min(j, outputs - 8), coming, stop);
        else
            BPI_N(turn)(tall, pairs, 4, tile, bpi_min(j, outputs - 4), coming, stop);
    }
}

#define BPI_STRIP(name, tall, pairs)                                                              \
    BPI_TARGET static void BPI_N(name)(const BPI_N(tile) *tile, size_t first, size_t last)        \
    {                                                                                             \
        BPI_N(strip)(tall, pairs, tile, first, last);                                             \
    }
BPI_STRIP(strip1, 1, 0)
BPI_STRIP(strip2, 2, 0)
#if BPI_TILE >= 3
BPI_STRIP(strip3, 3, 0)
#endif
#if BPI_TILE == 6
BPI_STRIP(strip4, 4, 0)
BPI_STRIP(strip6, 6, 0)
#endif
#ifdef BPI_PAIRS
BPI_STRIP(pairs4, 4, 1)
BPI_STRIP(pairs5, 5, 1)
BPI_STRIP(pairs6, 6, 1)
#endif
#undef BPI_STRIP

/* The next tile's height where n rows are left: 1, 2, 3, 4 or 6, but no more than 2, 3 or 6. Tall
 * tiles should not leave a single row. */
BPI_LOCAL size_t BPI_N(tall)(size_t n, size_t most)
{
    const size_t tall = n == 5 ? 3 : n == 7 || n == 8 ? 4 : bpi_min(n, 6);
    return most == 3 && n == 4 ? 2 : bpi_min(tall, most);
}

/* Not less than any magnitude among the inputs, seen being all their bits put together. */
BPI_LOCAL bp_real BPI_N(bound)(BPI_V seen, const bpi_rows *rows, size_t n)
{
    return rows->dense ? 1 : BPI_N(is_large)(seen) ? BPI_N(largest)(rows, n) : 2;
}

/* Are the weights in memory rather than in a cache, and their rows longer than so many bytes? */
BPI_LOCAL int BPI_N(is_far)(const bp_layer *layer, size_t bytes)
{
    const size_t row = (size_t)layer->inputs * sizeof(bp_real);
    return row > bytes && row * (size_t)layer->outputs > 1024 * 1024;
}

/* Rows of weights up to a page, which a single example meets one right after the other, the
 * processor sees coming. */
enum { BPI_N(page) = 4096 };

/* Sets up a tile for n examples, and in which groups the neurons meet them: as many as the second
 * cache holds. */
BPI_TARGET static size_t BPI_N(open)(BPI_N(tile) *tile, const bp_layer *layer, size_t n,
                                     int marked)
{
    enum { CACHE = 256 * 1024 };
    const size_t inputs = (size_t)layer->inputs, outputs = (size_t)layer->outputs;
    /* examples in a tile; a single one takes twice the neurons */
    const size_t most = n == 1 ? 2 : marked ? BPI_TILE : (size_t)BPI_N(pair) * BPI_TILE;
    size_t neurons = outputs;
    if (inputs * outputs * sizeof(bp_real) > 4 * CACHE && n > most)
        neurons = bpi_min(outputs, (CACHE / sizeof(bp_real) / inputs / 16 + 1) * 16);
    tile->layer = layer;
    tile->turns = neurons < 4 * most ? 1 : neurons / (4 * most);
    tile->share = (inputs * sizeof(bp_real) / BPI_ALIGN / tile->turns + 1) * BPI_ALIGN;
    return neurons;
}

/* Lists n rows from the first on. In two loops: of a choice within one clang makes masked loads,
 * which take long where there is no index. */
BPI_TARGET static void BPI_N(list_rows)(const bpi_rows *rows, size_t first, size_t n,
                                        const bp_real **list)
{
    size_t i;
    if (rows->index)
        for (i = 0; i < n; i++)
            list[i] = rows->base + rows->stride * rows->index[first + i];
    else
        for (i = 0; i < n; i++)
            list[i] = rows->base + rows->stride * (first + i);
}

/* Copies so many numbers of each row listed, and lists the copies: rows a line further apart, so
 * that they do not collide. */
BPI_TARGET static void BPI_N(pack)(const bp_real **list, size_t rows, size_t columns,
                                   bp_real *panel)
{
    size_t i;
    for (i = 0; i < rows; i++, panel += columns + BPI_LINE) {
        memcpy(panel, list[i], columns * sizeof(bp_real));
        list[i] = panel;
    }
}

/* How many examples the next tile takes of n: pairs of them if there are enough; but not where
 * zeros are left out, as few are shared by so many. */
BPI_LOCAL size_t BPI_N(examples)(size_t n, int marked)
{
#ifdef BPI_PAIRS
    const size_t even = n % 2 && n < 14 ? n - bpi_min(n, 3) : n;
    if (even >= 8 && !marked)
        return bpi_min(even, 12);
#endif
    (void)marked;
    return BPI_N(tall)(n, BPI_TILE);
}

/* Takes n examples through the neurons j ... last-1. */
BPI_TARGET static void BPI_N(forward_group)(BPI_N(tile) *tile, const bpi_rows *rows, size_t n,
                                            size_t j, size_t last, uint32_t *blocks, BPI_V *seen,
                                            bp_real *out)
{
    /* numbers of examples that do not occur have the function of fewer */
    static void (*const strip[])(const BPI_N(tile) *, size_t, size_t) = {
        BPI_N(strip1), BPI_N(strip1), BPI_N(strip2),
#if BPI_TILE >= 3
        BPI_N(strip3),
#endif
#if BPI_TILE == 6
        BPI_N(strip4), BPI_N(strip4), BPI_N(strip6),
#endif
#ifdef BPI_PAIRS
        BPI_N(strip6), BPI_N(pairs4), BPI_N(pairs4), BPI_N(pairs5), BPI_N(pairs5), BPI_N(pairs6)
#endif
    };
    const size_t inputs = (size_t)tile->layer->inputs, outputs = (size_t)tile->layer->outputs;
    /* from the example computed with to the one fetched */
    const size_t ahead = n == 1 ? 1 : rows->marks ? 6 : 6 * (size_t)BPI_N(pair);
    const size_t room = rows->panel && bpi_packs(inputs, n, outputs, 0) ? BPI_PANEL : 0;
    size_t i, tall;
    for (i = 0; i < n; i += tall) {
        tall = bpi_min(BPI_N(examples)(n - i, rows->marks != NULL),
                       sizeof strip / sizeof *strip - 1);
        /* rows that collide with four of weights: four, or copies, if there is room for them */
        if (bpi_collides(inputs) && tall * (inputs + BPI_LINE) * sizeof(bp_real) > room)
            tall = bpi_min(tall, 4);
        tile->out = out + i * outputs;
        tile->nexts = i + ahead >= rows->ahead ? 0 : bpi_min(rows->ahead - i - ahead, tall);
        BPI_N(list_rows)(rows, i, tall, tile->a);
        BPI_N(list_rows)(rows, i + ahead, tile->nexts, tile->next);
        if (j == 0 && !rows->dense && (n > 1 || rows->marks))
            BPI_N(look)(rows, tile->a, i, tall, seen);
        if (rows->marks)
            BPI_N(list_marked)(rows->marks + i * bpi_marks(inputs), tall, inputs, blocks);
        /* whole rows are fetched: too many if few of their blocks count */
        tile->far = i == 0 && blocks[0] >= inputs / BPI_LANES / 2 &&
                    BPI_N(is_far)(tile->layer, n == 1 ? BPI_N(page) : 0);
        if (bpi_collides(inputs) && tall > 4)
            BPI_N(pack)(tile->a, tall, inputs, rows->panel);
        strip[tall](tile, j, last);
        if (last == outputs)
            BPI_N(activate)(tile->out, tall * outputs);
    }
}

/* A layer of few inputs: each lane of F1 is a vector here, with a neuron in each place. Lanes 0,
 * 2 ... of so many, for `tall` examples, added up as F1 does; from one column and one input further
 * on, lanes 1, 3 ...: all at once would not fit the registers. */
BPI_LOCAL void BPI_N(few_lanes)(const int tall, const int lanes, const bp_real *column,
                                const bp_real *a, size_t inputs, BPI_WIDE *sum)
{
    BPI_WIDE s[4][6];
    size_t k;
    int q, e;
    BPI_UNROLL
    for (q = 0; q < lanes / 2; q++)
        BPI_UNROLL
        for (e = 0; e < tall; e++)
            s[q][e] = BPI_WIDE_SET1(0);
    for (k = 0; k < inputs; k += BPI_LANES, column += BPI_LANES * BPI_WW, a += BPI_LANES)
        BPI_UNROLL
        for (q = 0; q < lanes / 2; q++) {
            const BPI_WIDE w = BPI_WIDE_LOAD(column + (size_t)(2 * q) * BPI_WW);
            BPI_UNROLL
            for (e = 0; e < tall; e++)
                s[q][e] = BPI_WIDE_MADD(w, BPI_WIDE_SET1(a[e * BPI_FEW + 2 * q]), s[q][e]);
        }
    BPI_UNROLL
    for (e = 0; e < tall; e++) {
        sum[e] = s[0][e];
        if (lanes == 8)
            sum[e] = BPI_WIDE_ADD(BPI_WIDE_ADD(s[0][e], s[2][e]),
                                  BPI_WIDE_ADD(s[1][e], s[3][e]));
        else if (lanes == 4)
            sum[e] = BPI_WIDE_ADD(s[0][e], s[1][e]);
    }
}

/* z of a vector of neurons, from j on, for `tall` examples, the first count of which are wanted. */
BPI_LOCAL void BPI_N(few_neurons)(const int tall, const int lanes, const bp_layer *layer, size_t j,
                                  const bp_real *column, const bp_real *a, size_t count,
                                  bp_real *out)
{
    const size_t inputs = (size_t)layer->inputs, outputs = (size_t)layer->outputs;
    const BPI_WIDE b = BPI_N(wide_load)(layer->biases + j, outputs - j);
    BPI_WIDE even[6], odd[6];
    size_t e;
    BPI_N(few_lanes)(tall, lanes, column, a, inputs, even);
    BPI_N(few_lanes)(tall, lanes, column + BPI_WW, a + 1, inputs, odd);
    BPI_UNROLL
    for (e = 0; e < (size_t)tall; e++)
        if (e < count)
            BPI_N(wide_store)(out + e * outputs + j, outputs - j,
                              BPI_WIDE_ADD(BPI_WIDE_ADD(even[e], odd[e]), b));
}

/* The weights of a vector of neurons, from j on, become columns. Places behind the last neuron hold
 * it again, or what was there: nothing is made of them. */
BPI_TARGET static void BPI_N(turn_weights)(const bp_layer *layer, size_t j, bp_real *column)
{
    const size_t inputs = (size_t)layer->inputs, last = (size_t)layer->outputs - 1;
    enum { SOME = BPI_N(wide) < 4 ? 2 : 4 };
    const bp_real *row[SOME];
    size_t m, k, i;
    for (m = 0; m < BPI_WW && j + m <= last; m += SOME) {
        for (i = 0; i < SOME; i++)
            row[i] = layer->weights + bpi_min(j + m + i, last) * inputs;
        for (k = 0; k < inputs; k++)
            BPI_UNROLL
            for (i = 0; i < SOME; i++)
                column[k * BPI_WW + m + i] = row[i][k];
    }
}

/* Are inputs few, and n examples worth turning the weights for? Not where a block takes several
 * vectors, unless there is but one; nor where most places of a vector would be empty. */
BPI_LOCAL int BPI_N(turns_weights)(const bp_layer *layer, size_t n)
{
    const size_t inputs = (size_t)layer->inputs, outputs = (size_t)layer->outputs;
    const size_t most = BPI_WW >= BPI_LANES ? BPI_FEW : BPI_LANES;
    const size_t places = (outputs + BPI_WW - 1) / BPI_WW * BPI_WW;
    return inputs <= most && n >= (inputs <= BPI_LANES / 2 ? 3 : inputs / 2 + 4) &&
           places * inputs <= 48 * outputs;
}

/* A layer of at most BPI_FEW inputs. Examples are copied to rows that end in zeros, up to whole
 * blocks. */
BPI_TARGET static bp_real BPI_N(forward_few)(const bp_layer *layer, const bpi_rows *rows,
                                             size_t n, bp_real *out)
{
    const size_t inputs = (size_t)layer->inputs, outputs = (size_t)layer->outputs;
    const size_t padded = (inputs + BPI_LANES - 1) / BPI_LANES * BPI_LANES;
    const size_t some = BPI_TILE == 6 || inputs <= BPI_LANES / 2 ? 6 : 3;
    bp_real column[(int)BPI_FEW * BPI_N(wide)], a[6][BPI_FEW];
    BPI_V seen = BPI_SET1(0);
    size_t i, j, k, e, count;
    memset(column, 0, padded * sizeof(BPI_WIDE));
    memset(a, 0, sizeof a);
    for (j = 0; j < outputs; j += BPI_WW) {
        BPI_N(turn_weights)(layer, j, column);
        for (i = 0; i < n; i += count) {
            count = bpi_min(n - i, some);
            for (e = 0; e < count; e++)
                for (k = 0; k < inputs; k += BPI_WW)
                    BPI_WIDE_STORE(a[e] + k,
                                   BPI_N(wide_load)(bpi_row(rows, i + e) + k, inputs - k));
            if (inputs <= BPI_LANES / 2)
                BPI_N(few_neurons)(6, BPI_LANES / 2, layer, j, column, a[0], count,
                                   out + i * outputs);
            else if (count > 2)
                BPI_N(few_neurons)(BPI_TILE == 6 ? 6 : 3, BPI_LANES, layer, j, column, a[0], count,
                                   out + i * outputs);
            else
                BPI_N(few_neurons)(2, BPI_LANES, layer, j, column, a[0], count,
                                   out + i * outputs);
        }
    }
    BPI_N(activate)(out, n * outputs);
    for (i = 0; i < n && !rows->dense; i++)
        seen = BPI_N(bits)(bpi_row(rows, i), inputs, seen);
    return BPI_N(bound)(seen, rows, n);
}

/* Rows of weights and `wide` examples at column k: s += w x, and all bits of x gathered. */
BPI_LOCAL void BPI_N(dots_narrow)(const int tall, const int wide, const bp_real *const *x,
                                  const bp_real *w, size_t inputs, size_t k, size_t part,
                                  BPI_V (*s)[8], BPI_V *seen)
{
    BPI_V row[3], all = *seen;
    int r, e;
    BPI_UNROLL
    for (r = 0; r < tall; r++)
        row[r] = BPI_N(load_part)(w + (size_t)r * inputs + k, part);
    BPI_UNROLL
    for (e = 0; e < wide; e++) {
        const BPI_V x_k = BPI_N(load_part)(x[e] + k, part);
        all = BPI_OR(all, x_k);
        BPI_UNROLL
        for (r = 0; r < tall; r++)
            s[r][e] = BPI_MADD(x_k, row[r], s[r][e]);
    }
    *seen = all;
}

/* All neurons of a layer of few for up to `wide` examples, which are then what is side by side. */
BPI_LOCAL void BPI_N(narrow)(const int tall, const int wide, const bp_layer *layer,
                             const bp_real *const *x, size_t count, BPI_V *seen, bp_real *out)
{
    const size_t inputs = (size_t)layer->inputs, tail = inputs % BPI_LANES;
    BPI_V s[3][8], half[3][8], z[8], all = *seen;
    bp_real each[8];
    size_t v, k, m;
    int r, e;
    for (v = 0; v < BPI_LANES; v += BPI_W) {
        BPI_UNROLL
        for (r = 0; r < tall; r++)
            BPI_UNROLL
            for (e = 0; e < wide; e++)
                s[r][e] = BPI_SET1(0);
        for (k = v; k + BPI_LANES <= inputs + v; k += BPI_LANES)
            BPI_N(dots_narrow)(tall, wide, x, layer->weights, inputs, k, BPI_W, s, &all);
        if (tail > v)
            BPI_N(dots_narrow)(tall, wide, x, layer->weights, inputs, k, BPI_N(part)(tail, v), s,
                               &all);
        for (r = 0; r < tall && BPI_W < BPI_LANES; r++)
            for (e = 0; e < wide; e++)
                s[r][e] = v ? BPI_ADD(half[r][e], s[r][e]) : (half[r][e] = s[r][e]);
    }
    BPI_UNROLL
    for (r = 0; r < tall; r++) {
        const BPI_V b = BPI_SET1(layer->biases[r]);
        BPI_UNROLL
        for (e = wide; e < 8; e++)
            s[r][e] = s[r][e - 4];
        BPI_N(fold)(s[r], z);
        for (m = 0; m < 8; m += BPI_W)
            BPI_STORE(each + m, BPI_N(sigmoid)(BPI_ADD(z[m / BPI_W], b)));
        /* of a size that is not known the loop would become a call */
        if (tall == 1 && count == 8)
            memcpy(out, each, sizeof each);
        else
            for (m = 0; m < count; m++)
                out[m * (size_t)tall + (size_t)r] = each[m];
    }
    *seen = all;
}

#define BPI_NARROW(tall)                                                                          \
    BPI_TARGET static void BPI_N(narrow##tall)(const bp_layer *layer, const bp_real *const *x,    \
                                               size_t count, BPI_V *seen, bp_real *out)           \
    {                                                                                             \
        if (count > 4 && (BPI_TILE == 6 || (tall) == 1))                                          \
            BPI_N(narrow)(tall, 8, layer, x, count, seen, out);                                   \
        else                                                                                      \
            BPI_N(narrow)(tall, 4, layer, x, count, seen, out);                                   \
    }
BPI_NARROW(1)
BPI_NARROW(2)
BPI_NARROW(3)
#undef BPI_NARROW

/* A layer so narrow that it would waste the columns of a tile. */
BPI_TARGET static bp_real BPI_N(forward_narrow)(const bp_layer *layer, const bpi_rows *rows,
                                                size_t n, bp_real *out)
{
    static void (*const narrow[])(const bp_layer *, const bp_real *const *, size_t, BPI_V *,
                                  bp_real *) = {
        NULL, BPI_N(narrow1), BPI_N(narrow2), BPI_N(narrow3)
    };
    const size_t outputs = (size_t)layer->outputs, some = BPI_TILE == 6 || outputs == 1 ? 8 : 4;
    const bp_real *x[8];
    BPI_V seen = BPI_SET1(0);
    size_t i, e;
    for (i = 0; i < n; i += some) {
        const size_t count = bpi_min(some, n - i);
        BPI_N(list_rows)(rows, i, count, x);
        for (e = count; e < 8; e++)
            x[e] = x[count - 1];
        if (rows->marks)
            BPI_N(look)(rows, x, i, count, &seen);
        narrow[outputs](layer, x, count, &seen, out + i * outputs);
    }
    return BPI_N(bound)(seen, rows, n);
}

BPI_TARGET static bp_real BPI_N(forward)(const bp_layer *layer, const bpi_rows *rows, size_t n,
                                         uint32_t *blocks, bp_real *out)
{
    const size_t inputs = (size_t)layer->inputs, outputs = (size_t)layer->outputs;
    BPI_V seen = BPI_SET1(0);
    BPI_N(tile) tile;
    size_t j, neurons;
    if (BPI_N(turns_weights)(layer, n) && outputs >= 4 && !rows->marks)
        return BPI_N(forward_few)(layer, rows, n, out);
    if (outputs < 4)
        return BPI_N(forward_narrow)(layer, rows, n, out);
    neurons = BPI_N(open)(&tile, layer, n, rows->marks != NULL);
    tile.blocks = blocks;
    if (n == 1 && !rows->dense && !rows->marks)
        BPI_N(list_blocks)(bpi_row(rows, 0), bpi_row(rows, 0), inputs, blocks, &seen);
    else
        BPI_N(list_all)(inputs, blocks);
    for (j = 0; j < outputs; j += neurons)
        BPI_N(forward_group)(&tile, rows, n, j, bpi_min(j + neurons, outputs), blocks, &seen, out);
    return BPI_N(bound)(seen, rows, n);
}

/* ---- hidden errors and gradients: sums of rows, each row times a coefficient ---- */

/* What becomes of a sum: see BPI_N(finish). */
#define BPI_ERROR 0
#define BPI_GRADIENT 1
#define BPI_DESCEND 2

/* A tile: as many rows of out, at most; and so many vectors wide. 8, 12 or 24 sums. That is a line,
 * but two for AVX-512. */
#define BPI_HEIGHT (BPI_TILE >= 3 ? 6 : 2)
enum { BPI_N(wides) = (BPI_TILE == 3 ? 2 : 4) / BPI_N(pair),
       BPI_N(narrow_tile) = BPI_N(pair) == 1 };
/* Examples whose coefficients are held in vectors, at most. */
#define BPI_HELD 10

/* out_ik = sum_t c_it x_tk for i < n, k < width. c_it are errors of examples by neurons: for errors
 * below, i counts examples, and c_it stands at c[i apart + t]; for gradients, i counts neurons, and
 * c_it stands at c[i + t apart]. */
typedef struct BPI_N(job) {
    int what;
    const bp_real *c;
    size_t apart, n, width, first; /* only from column first on */
    bp_real *out;
    const bp_real *beside; /* for errors: a, laid out like out */
    bp_real eta;
    BPI_WIDE *squares; /* for errors: their sum over all of these, for each place of a vector */
} BPI_N(job);

/* Some rows of out under way, and some of x, t = 0 ... count-1; all from one column on. */
typedef struct BPI_N(rows) {
    int what;  /* BPI_GRADIENT while more x are to come: the sums go back to out */
    int begun; /* they start from there */
    int far, out_far; /* of x, of out the next columns are fetched */
    size_t count, width;
    const bp_real *x[BPI_ROWS];
    uintptr_t coming; /* more of x: so many rows of it are fetched into the second cache */
    size_t comings;
    const bp_real *c;
    size_t apart;
    bp_real *out;
    const bp_real *beside;
    bp_real eta;
    BPI_WIDE *squares;
    bp_real copy[8 * (int)BPI_ROWS]; /* see copy_coefficients */
} BPI_N(rows);

/* error: s a (1 - a); gradient: s, which began from out; descend: out - eta s; for n numbers, at
 * most those of a vector. */
BPI_LOCAL BPI_WIDE BPI_N(finish)(const int what, BPI_WIDE s, const bp_real *out, const bp_real *a,
                                 size_t n, bp_real eta)
{
    if (what == BPI_ERROR) {
        const BPI_WIDE a_k = BPI_N(wide_load)(a, n);
        s = BPI_WIDE_MUL(s, BPI_WIDE_MUL(a_k, BPI_WIDE_SUB(BPI_WIDE_SET1(1), a_k)));
    } else if (what == BPI_DESCEND) {
        s = BPI_WIDE_MADD(BPI_WIDE_SET1(-eta), s, BPI_N(wide_load)(out, n));
    }
    return s;
}

/* The sums of a row of a tile, which is at out; squares of errors are added up. That eta is read
 * anew for each vector makes them be put away one by one, while the next tile is begun: up to 5 %
 * faster on Zen 4. */
BPI_LOCAL void BPI_N(finish_row)(const int wides, const int whole, const int what, BPI_WIDE *s,
                                 const BPI_N(rows) *rows, bp_real *out, const bp_real *beside,
                                 size_t left, BPI_WIDE *squares)
{
    int v;
    BPI_UNROLL
    for (v = 0; v < wides; v++) {
        s[v] = BPI_N(finish)(what, s[v], out + (size_t)v * BPI_WW, beside + (size_t)v * BPI_WW,
                             v + 1 < wides ? BPI_WW : left,
                             *(const volatile bp_real *)&rows->eta);
        if (what == BPI_ERROR)
            *squares = BPI_WIDE_ADD(*squares, BPI_WIDE_MUL(s[v], s[v]));
        if (whole)
            BPI_WIDE_STORE(out + (size_t)v * BPI_WW, s[v]);
    }
}

/* The sums of a tile whose first row is at out. Those of one that is not whole are all finished
 * before they are put away: see descend_parts. */
BPI_LOCAL void BPI_N(finish_tile)(const int tall, const int wides, const int whole, const int what,
                                  BPI_WIDE (*s)[BPI_N(wides)], const BPI_N(rows) *rows,
                                  bp_real *out, const bp_real *beside, size_t left)
{
    const size_t width = rows->width;
    BPI_WIDE squares = BPI_WIDE_SET1(0);
    bp_real *row = out;
    int r, v;
    BPI_N(finish_row)(wides, whole, what, s[0], rows, out, beside, left, &squares);
    BPI_UNROLL
    for (r = 1; r < tall; r++) {
        out += width;
        beside += width;
        BPI_N(finish_row)(wides, whole, what, s[r], rows, out, beside, left, &squares);
    }
    if (what == BPI_ERROR)
        *rows->squares = BPI_WIDE_ADD(*rows->squares, squares);
    if (whole)
        return;
    BPI_UNROLL
    for (r = 0; r < tall; r++, row += width)
        BPI_UNROLL
        for (v = 0; v < wides; v++)
            BPI_N(wide_store)(row + (size_t)v * BPI_WW, v + 1 < wides ? BPI_WW : left, s[r][v]);
}

/* Fetches the columns of a tile into the first cache or the second. Where they begin within a line,
 * that one came with those before. The address may be behind the end, where C has no pointers. */
BPI_LOCAL void BPI_N(fetch_tile)(uintptr_t address, const int second)
{
    size_t i;
    for (i = 64; i <= BPI_N(wides) * sizeof(BPI_WIDE); i += 64)
        if (second)
            BPI_PREFETCH_SECOND((const void *)(address + i - 1));
        else
            BPI_PREFETCH((const void *)(address + i - 1));
}

/* The columns of the tile at k, of the rows to come. */
BPI_LOCAL void BPI_N(fetch_coming)(const BPI_N(rows) *rows, size_t k)
{
    uintptr_t at = rows->coming + k * sizeof(bp_real);
    size_t t;
    for (t = 0; t < rows->comings; t++, at += rows->width * sizeof(bp_real))
        BPI_N(fetch_tile)(at, 1);
}

/* Tiles along as many rows of out, so many vectors wide (unless they are whole, the last may be a
 * part), for columns k ... k_end-1; of errors, or of what gradients and descent need: this decides
 * how coefficients lie, which are read where they are. */
BPI_LOCAL void BPI_N(combine)(const int tall, const int wides, const int whole, const int error,
                              const BPI_N(rows) *rows, size_t k, size_t k_end)
{
    const size_t width = rows->width, count = rows->count, first = k;
    const size_t c_i = error ? rows->apart : 1, c_t = error ? 1 : rows->apart;
    const size_t columns = (size_t)wides * BPI_WW;
    const int what = rows->what, begun = rows->begun;
    const int far = whole && rows->far, out_far = whole && !error && rows->out_far;
    size_t t;
    int r, v;
    for (; k < k_end; k += columns) {
        const size_t left = whole ? BPI_WW : k_end - k - (columns - BPI_WW);
        bp_real *out = rows->out + k;
        const bp_real *beside = rows->beside + k;
        /* the next tile's: behind this one, or in the rows below */
        const size_t next = k + columns < k_end ? columns : (size_t)tall * width + first - k;
        BPI_WIDE s[6][BPI_N(wides)], y[BPI_N(wides)];
        if (whole)
            BPI_N(fetch_coming)(rows, k);
        BPI_UNROLL
        for (r = 0; r < tall; r++) {
            if (out_far)
                BPI_N(fetch_tile)((uintptr_t)out + (next + (size_t)r * width) * sizeof(bp_real), 0);
            BPI_UNROLL
            for (v = 0; v < wides; v++)
                s[r][v] = begun ? BPI_N(wide_load)(out + (size_t)r * width + (size_t)v * BPI_WW,
                                                   v + 1 < wides ? BPI_WW : left)
                                : BPI_WIDE_SET1(0);
        }
        for (t = 0; t < count; t++) {
            const bp_real *x = rows->x[t] + k, *c = rows->c + t * c_t;
            BPI_UNROLL
            for (v = 0; v < wides; v++)
                y[v] = BPI_N(wide_load)(x + (size_t)v * BPI_WW, v + 1 < wides ? BPI_WW : left);
            if (far)
                BPI_N(fetch_tile)((uintptr_t)x + BPI_N(wides) * sizeof(BPI_WIDE), 0);
            BPI_UNROLL
            for (r = 0; r < tall; r++) {
                const BPI_WIDE c_r = BPI_WIDE_SET1(c[(size_t)r * c_i]);
                BPI_UNROLL
                for (v = 0; v < wides; v++)
                    s[r][v] = BPI_WIDE_MADD(c_r, y[v], s[r][v]);
            }
        }
#define BPI_FINISH(what) BPI_N(finish_tile)(tall, wides, whole, what, s, rows, out, beside, left)
        if (!error && what == BPI_DESCEND)
            BPI_FINISH(BPI_DESCEND);
        else if (error && what == BPI_ERROR)
            BPI_FINISH(BPI_ERROR);
        else
            BPI_FINISH(BPI_GRADIENT);
#undef BPI_FINISH
    }
}

/* Takes so many columns in tiles of the widths that fit. */
BPI_LOCAL void BPI_N(combine_row)(const int tall, const int error, const BPI_N(rows) *rows,
                                  size_t columns)
{
    const size_t most = columns / (BPI_N(wides) * BPI_WW) * (BPI_N(wides) * BPI_WW);
    const size_t two = most + (columns - most + BPI_WW - 1) / (2 * BPI_WW) * (2 * BPI_WW);
    BPI_N(combine)(tall, BPI_N(wides), 1, error, rows, 0, most);
    BPI_N(combine)(tall, 2, 0, error, rows, most, bpi_min(two, columns));
    BPI_N(combine)(tall, 1, 0, error, rows, two, columns);
}

#define BPI_COMBINE(tall)                                                                         \
    BPI_TARGET static void BPI_N(combine##tall)(const BPI_N(rows) *rows, size_t columns)          \
    {                                                                                             \
        BPI_N(combine_row)(tall, 0, rows, columns);                                               \
    }                                                                                             \
    BPI_TARGET static void BPI_N(errors##tall)(const BPI_N(rows) *rows, size_t columns)           \
    {                                                                                             \
        BPI_N(combine_row)(tall, 1, rows, columns);                                               \
    }
BPI_COMBINE(1)
BPI_COMBINE(2)
#if BPI_TILE >= 3
BPI_COMBINE(3)
BPI_COMBINE(4)
BPI_COMBINE(6)
#endif
#undef BPI_COMBINE

/* Lists rows first ... first+count-1 of x from column k on: where they are, or copies of so many
 * columns, close together in the panel, where they do not collide. */
BPI_TARGET static void BPI_N(list_x)(BPI_N(rows) *rows, const bpi_rows *x, size_t first, size_t k,
                                     size_t columns, bp_real *panel)
{
    bpi_rows from = *x;
    from.base += k;
    BPI_N(list_rows)(&from, first, rows->count, rows->x);
    if (panel)
        BPI_N(pack)(rows->x, rows->count, columns, panel);
}

/* Copies the coefficients of some rows of out, which are so far apart for one x and the next, close
 * together: they lie in more pages than the processor knows at once. Eight for each x, whether
 * there are that many rows or not; but behind the last x they may not exist. */
BPI_TARGET static void BPI_N(copy_coefficients)(const bp_real *c, size_t apart, size_t count,
                                                size_t tall, bp_real *copy)
{
    size_t t, r;
    for (t = 1; t < count; t++, c += apart, copy += 8)
        for (r = 0; r < 8; r += BPI_W)
            BPI_STORE(copy + r, BPI_LOAD(c + r));
    memcpy(copy, c, tall * sizeof(bp_real));
}

/* The rows of x that are listed, at columns k ... k+columns-1, into some rows of out after the
 * other. Each time `share` rows of what x brings next are fetched: it begins `coming` behind the
 * first of these. */
BPI_TARGET static void BPI_N(combine_columns)(const BPI_N(job) *job, BPI_N(rows) *rows,
                                              size_t first, size_t k, size_t columns, int packed,
                                              const bp_real *x, size_t coming, size_t share)
{
#if BPI_TILE >= 3
#define BPI_HEIGHTS(name)                                                                         \
    { NULL, BPI_N(name##1), BPI_N(name##2), BPI_N(name##3), BPI_N(name##4), NULL, BPI_N(name##6) }
#else
#define BPI_HEIGHTS(name) { NULL, BPI_N(name##1), BPI_N(name##2) }
#endif
    static void (*const combine[])(const BPI_N(rows) *, size_t) = BPI_HEIGHTS(combine);
    static void (*const errors[])(const BPI_N(rows) *, size_t) = BPI_HEIGHTS(errors);
#undef BPI_HEIGHTS
    const size_t count = rows->count, width = job->width;
    const int error = job->what == BPI_ERROR;
    /* of the 64 pages that a processor knows, x and out need some */
    const int copies = BPI_N(narrow_tile) && !error && count > 48 &&
                       count * job->apart * sizeof(bp_real) > 48 * 4096;
    size_t i, tall, fetched = 0;
    rows->apart = copies ? 8 : job->apart;
    for (i = 0; i < job->n; i += tall, fetched += rows->comings) {
        tall = BPI_N(tall)(job->n - i, BPI_HEIGHT);
        rows->c = job->c + (error ? i * job->apart + first : i + first * job->apart);
        if (copies) {
            BPI_N(copy_coefficients)(rows->c, job->apart, count, tall, rows->copy);
            rows->c = rows->copy;
        }
        /* in narrow tiles the next line is wanted soon; but of many x the first cache has no room
         * for it */
        rows->far = !packed && (i == 0 || (BPI_N(narrow_tile) && count <= 64));
        rows->coming = (uintptr_t)x + ((first + fetched) * width + coming) * sizeof(bp_real);
        rows->comings = bpi_min(share, count - fetched);
        rows->out = job->out + i * width + k;
        rows->beside = job->beside + i * width + k;
        (error ? errors : combine)[tall](rows, columns);
    }
}

/* Rows first ... first+count-1 of x into all of out: as many columns at a time as stay in the
 * second cache, or fit where they are packed, while they meet some rows of out after the other. Of
 * weights, what comes next is fetched meanwhile, in the width of these columns: further ones, or
 * further rows. */
BPI_TARGET static void BPI_N(combine_rows)(const BPI_N(job) *job, const bpi_rows *x, size_t first,
                                           size_t count, int last)
{
    /* no less than two lines, so that the rows of a panel are an odd number of lines apart */
    enum { WIDE = 2 * BPI_LINE };
    bp_real *panel = bpi_packs(job->width, count, job->n, BPI_N(narrow_tile)) ? x->panel : NULL;
    const size_t room = panel ? BPI_PANEL : 256 * 1024;
    const size_t between = panel ? BPI_LINE : 0;
    const size_t fit = (room / sizeof(bp_real) / count - between) / WIDE * WIDE;
    BPI_N(rows) rows;
    size_t k, columns;
    rows.what = last ? job->what : BPI_GRADIENT;
    rows.begun = first > 0 || job->what == BPI_GRADIENT;
    rows.count = count;
    rows.width = job->width;
    rows.eta = job->eta;
    rows.squares = job->squares;
    rows.out_far = job->what == BPI_DESCEND && job->n * job->width * sizeof(bp_real) > 1024 * 1024;
    for (k = job->first; k < job->width; k += columns) {
        size_t coming = k + fit, share = 0;
        columns = bpi_min(fit, job->width - k);
        BPI_N(list_x)(&rows, x, first, k, columns, panel);
        if (coming >= job->width)
            coming = count * job->width;
        /* not for a few examples, which have done with these rows too soon for it to pay */
        if (job->what == BPI_ERROR && job->n >= 6 && (!last || coming < job->width))
            share = BPI_HEIGHT * count / job->n + 1;
        BPI_N(combine_columns)(job, &rows, first, k, columns, panel != NULL, x->base, coming,
                               share);
    }
}

/* As many rows of weights as pass through the first cache together. From memory they come faster
 * if they are few, which is what counts where there is little to compute. */
BPI_LOCAL size_t BPI_N(rows_at_once)(const bp_layer *layer, size_t n)
{
    const size_t bytes = (size_t)layer->inputs * (size_t)layer->outputs * sizeof(bp_real);
    return n == 1 ? 8 : n >= 64 || bytes <= 512 * 1024 ? 64 : n >= 16 ? 32 : 16;
}

/* B1. Where targets are one behind the other, they are a single row. */
BPI_TARGET static void BPI_N(output_error)(const bp_real *a, const bpi_rows *y, size_t first,
                                           size_t n, bp_real scale, bp_real *delta)
{
    const size_t some = y->index ? 1 : n, width = some * y->stride;
    const BPI_WIDE scales = BPI_WIDE_SET1(scale), one = BPI_WIDE_SET1(1);
    size_t i, j;
    for (i = 0; i < n; i += some, a += width, delta += width) {
        const bp_real *target = bpi_row(y, first + i);
        for (j = 0; j < width; j += BPI_WW) {
            const size_t left = width - j;
            const BPI_WIDE a_j = BPI_N(wide_load)(a + j, left);
            const BPI_WIDE slope = BPI_WIDE_MUL(BPI_WIDE_SUB(one, a_j), a_j);
            BPI_WIDE error = BPI_WIDE_SUB(a_j, BPI_N(wide_load)(target + j, left));
            error = BPI_WIDE_MUL(error, scales);
            BPI_N(wide_store)(delta + j, left, BPI_WIDE_MUL(error, slope));
        }
    }
}

/* B2, the errors of some neurons above at a time. None is larger than 2 unless the sum of their
 * squares exceeds 4. */
BPI_TARGET static bp_real BPI_N(hidden_error)(const bp_layer *layer, const bp_real *above,
                                              const bp_real *a, size_t n, bp_real *delta)
{
    const size_t outputs = (size_t)layer->outputs, inputs = (size_t)layer->inputs;
    const size_t some = BPI_N(rows_at_once)(layer, n);
    BPI_WIDE squares = BPI_WIDE_SET1(0);
    const BPI_N(job) job = { BPI_ERROR, above, outputs, n, inputs, 0, delta, a, 0, &squares };
    const bpi_rows w = bpi_matrix(layer->weights, layer->inputs);
    const bpi_rows errors = bpi_matrix(delta, layer->inputs);
    bp_real each[BPI_N(wide)];
    size_t first, count, i;
    int large = 0;
    for (first = 0; first < outputs; first += count) {
        count = bpi_min(some, outputs - first);
        BPI_N(combine_rows)(&job, &w, first, count, first + count == outputs);
    }
    BPI_WIDE_STORE(each, squares);
    for (i = 0; i < BPI_WW; i += BPI_W)
        large |= BPI_ANY_NOT_LE(BPI_LOAD(each + i), BPI_SET1(4));
    return large ? BPI_N(largest)(&errors, n) : 2;
}

/* Sums delta over the examples: added to db, or descended upon. */
BPI_TARGET static void BPI_N(bias)(const int what, const bp_real *delta, size_t stride, size_t n,
                                   size_t outputs, bp_real *db, bp_real eta)
{
    size_t i, j;
    for (j = 0; j < outputs; j += BPI_WW) {
        const size_t left = outputs - j;
        BPI_WIDE s = what == BPI_GRADIENT ? BPI_N(wide_load)(db + j, left) : BPI_WIDE_SET1(0);
        for (i = 0; i < n; i++)
            s = BPI_WIDE_ADD(BPI_N(wide_load)(delta + i * stride + j, left), s);
        BPI_N(wide_store)(db + j, left, BPI_N(finish)(what, s, db + j, db + j, left, eta));
    }
}

/* Some neurons, at most BPI_N(neurons), and what it takes to descend upon a vector's columns of
 * their weights. */
enum { BPI_N(neurons) = 64 };
typedef struct BPI_N(column) {
    bp_real *w; /* of the first neuron */
    size_t inputs, neurons;
    const bp_real *const *a; /* the examples' inputs */
    const bp_real *delta;    /* their errors, so far apart: */
    size_t stride;
    bp_real eta;
    BPI_V sum[BPI_N(neurons)]; /* over the examples so far */
} BPI_N(column);

/* w_jk -= eta sum_i delta_ij a_ik: count examples, those in the list, stay in registers while one
 * neuron after the other passes. */
BPI_LOCAL void BPI_N(descend_column)(const int count, BPI_N(column) *column, size_t k,
                                     const uint8_t *list, const int begun, const int last)
{
    const BPI_V minus_eta = BPI_SET1(-column->eta);
    const size_t neurons = column->neurons, inputs = column->inputs;
    const bp_real *delta[10];
    bp_real *w = column->w + k;
    BPI_V x[10], *sum = column->sum;
    size_t j;
    int i;
    BPI_UNROLL
    for (i = 0; i < count; i++) {
        delta[i] = column->delta + list[i] * column->stride;
        x[i] = BPI_LOAD(column->a[list[i]] + k);
    }
    for (j = 0; j < neurons; j++, w += inputs) {
        BPI_V s = begun ? sum[j] : BPI_SET1(0);
        BPI_UNROLL
        for (i = 0; i < count; i++)
            s = BPI_MADD(BPI_SET1(delta[i][j]), x[i], s);
        if (last)
            BPI_STORE(w, BPI_MADD(minus_eta, s, BPI_LOAD(w)));
        else
            sum[j] = s;
    }
}

#define BPI_COLUMN(count)                                                                         \
    BPI_TARGET static void BPI_N(column##count)(BPI_N(column) *column, size_t k,                  \
                                                const uint8_t *list, int begun, int last)         \
    {                                                                                             \
        if (!last)                                                                                \
            BPI_N(descend_column)(count, column, k, list, begun, 0);                              \
        else if (begun)                                                                           \
            BPI_N(descend_column)(count, column, k, list, 1, 1);                                  \
        else                                                                                      \
            BPI_N(descend_column)(count, column, k, list, 0, 1);                                  \
    }
BPI_COLUMN(1) BPI_COLUMN(2) BPI_COLUMN(3) BPI_COLUMN(4) BPI_COLUMN(5)
BPI_COLUMN(6) BPI_COLUMN(7) BPI_COLUMN(8) BPI_COLUMN(9) BPI_COLUMN(10)
#undef BPI_COLUMN

/* Which of the rows are marked at a block. */
typedef struct BPI_N(list) {
    size_t count;
    uint8_t row[BPI_ROWS];
} BPI_N(list);

/* Lists them for the eight blocks whose marks these are, of the first of n rows, which are so many
 * bytes apart. */
BPI_TARGET static void BPI_N(list_eight)(const uint8_t *marks, size_t apart, size_t n,
                                         BPI_N(list) *list)
{
    size_t count[8] = { 0 }, i, b;
    for (i = 0; i < n; i++) {
        BPI_UNROLL
        for (b = 0; b < 8; b++) {
            list[b].row[count[b]] = (uint8_t)i;
            count[b] += marks[i * apart + b];
        }
    }
    for (b = 0; b < 8; b++)
        list[b].count = count[b];
}

/* The weights' part of descend where many blocks of a are zero: all columns but the last few, less
 * than a block. Which examples count is listed for some blocks at once, as nothing is left to find
 * out then when a guess of the processor's has failed. */
BPI_TARGET static void BPI_N(descend_sparse)(const bp_layer *layer, const bp_real *delta,
                                             size_t stride, const bpi_rows *rows, size_t n,
                                             bp_real eta)
{
    static void (*const columns[])(BPI_N(column) *, size_t, const uint8_t *, int, int) = {
        BPI_N(column1), BPI_N(column2), BPI_N(column3), BPI_N(column4), BPI_N(column5),
        BPI_N(column6), BPI_N(column7), BPI_N(column8), BPI_N(column9), BPI_N(column10)
    };
    enum { SOME = 64 };
    const size_t outputs = (size_t)layer->outputs, inputs = (size_t)layer->inputs;
    const size_t marks = bpi_marks(inputs);
    const bp_real *a[BPI_ROWS];
    BPI_N(list) lists[SOME];
    size_t first, b, i, j, v;
    BPI_N(column) column;
    BPI_N(list_rows)(rows, 0, n, a);
    column.inputs = inputs;
    column.a = a;
    column.stride = stride;
    column.eta = eta;
    for (first = 0; first < marks; first += SOME) {
        const size_t some = bpi_min(SOME, marks - first);
        for (b = 0; b < some; b += 8)
            BPI_N(list_eight)(rows->marks + first + b, marks, n, &lists[b]);
        for (j = 0; j < outputs; j += BPI_N(neurons)) {
            column.neurons = bpi_min(BPI_N(neurons), outputs - j);
            column.w = layer->weights + j * inputs;
            column.delta = delta + j;
            for (b = 0; b < some; b++) {
                const size_t count = lists[b].count;
                for (v = 0; v < BPI_LANES; v += BPI_W)
                    for (i = 0; i < count; i += 10)
                        columns[bpi_min(10, count - i) - 1](
                            &column, (first + b) * BPI_LANES + v, lists[b].row + i, i > 0,
                            i + 10 >= count);
            }
        }
    }
}

BPI_TARGET static void BPI_N(update)(bp_real *parameters, const bp_real *gradient, size_t count,
                                     bp_real eta)
{
    size_t i;
    for (i = 0; i < count; i += BPI_WW)
        BPI_N(wide_store)(parameters + i, count - i,
                          BPI_N(finish)(BPI_DESCEND, BPI_N(wide_load)(gradient + i, count - i),
                                        parameters + i, parameters + i, count - i, eta));
}

/* Are inputs so few that vectors along them would be at least half empty, and n examples worth it?
 * So few are no more than a block, and never marked. */
BPI_LOCAL int BPI_N(turns_sums)(const bp_layer *layer, size_t n)
{
    const size_t outputs = (size_t)layer->outputs, inputs = (size_t)layer->inputs;
    return 2 * inputs <= BPI_WW && outputs >= 8 && outputs >= 3 * inputs &&
           n > 1 && n + 2 >= inputs * inputs / 2;
}

/* Gradient of such a layer, or descent upon it, w and b being the gradient or the parameters:
 * examples' inputs are the coefficients, and so a neuron is in each place of a vector. An input of
 * 1 makes biases one more column of weights. */
BPI_TARGET static void BPI_N(learn_few)(const int what, const bp_layer *layer,
                                        const bp_real *delta, size_t stride, const bpi_rows *a,
                                        size_t n, bp_real *w, bp_real *b, bp_real eta)
{
    enum { MOST = BPI_N(wide) / 2 + 1, NEURONS = 64 }; /* of inputs, see turns_sums; of neurons */
    const size_t outputs = (size_t)layer->outputs, inputs = (size_t)layer->inputs;
    const size_t columns = inputs + 1;
    bp_real x[(int)BPI_ROWS * MOST], sum[MOST * NEURONS], turned[(MOST - 1) * NEURONS];
    bpi_rows rows = bpi_matrix(delta, 0);
    size_t i, j, k, m;
    rows.stride = stride;
    for (i = 0; i < n; i++) {
        for (k = 0; k < inputs; k++)
            x[i * columns + k] = bpi_row(a, i)[k];
        x[i * columns + inputs] = 1;
    }
    for (j = 0; j < outputs; j += NEURONS) {
        const size_t some = bpi_min(NEURONS, outputs - j);
        const BPI_N(job) job = { BPI_GRADIENT, x, columns, columns, some, 0, sum, sum, 0, NULL };
        rows.base = delta + j;
        if (what == BPI_DESCEND)
            memset(sum, 0, columns * some * sizeof(bp_real));
        else
            for (k = 0; k < columns; k++)
                for (m = 0; m < some; m++)
                    sum[k * some + m] = k < inputs ? w[(j + m) * inputs + k] : b[j + m];
        BPI_N(combine_rows)(&job, &rows, 0, n, 1);
        for (k = 0; k < inputs; k++)
            for (m = 0; m < some; m++)
                turned[m * inputs + k] = sum[k * some + m];
        if (what == BPI_DESCEND) {
            BPI_N(update)(w + j * inputs, turned, some * inputs, eta);
            BPI_N(update)(b + j, sum + inputs * some, some, eta);
        } else {
            memcpy(w + j * inputs, turned, some * inputs * sizeof(bp_real));
            memcpy(b + j, sum + inputs * some, some * sizeof(bp_real));
        }
    }
}

BPI_TARGET static void BPI_N(gradient)(const bp_layer *layer, const bp_real *delta, size_t stride,
                                       const bpi_rows *a, size_t n, bp_real *dw, bp_real *db)
{
    const size_t outputs = (size_t)layer->outputs, inputs = (size_t)layer->inputs;
    const BPI_N(job) job = { BPI_GRADIENT, delta, stride, outputs, inputs, 0, dw, dw, 0, NULL };
    if (BPI_N(turns_sums)(layer, n)) {
        BPI_N(learn_few)(BPI_GRADIENT, layer, delta, stride, a, n, dw, db, 0);
        return;
    }
    BPI_N(combine_rows)(&job, a, 0, n, 1);
    BPI_N(bias)(BPI_GRADIENT, delta, stride, n, outputs, db, 0);
}

/* A vector of n numbers of some rows of out, descended upon with so few examples that all their
 * coefficients c are in vectors beforehand: in registers, but for some of sets that have sixteen.
 * Where out is far, the rows that come next are fetched. */
BPI_LOCAL void BPI_N(descend_vector)(const int tall, const int count, const BPI_N(job) *job,
                                     BPI_WIDE (*c)[BPI_HELD], const bp_real *const *x, size_t k,
                                     size_t n, int far, bp_real *out)
{
    const size_t width = job->width;
    /* behind the last row there is no pointer */
    const uintptr_t at = (uintptr_t)(out + k), below = width * sizeof(bp_real);
    BPI_WIDE s[4], x_k;
    int i, r;
    BPI_UNROLL
    for (r = 0; r < tall; r++) {
        if (far)
            BPI_PREFETCH_SECOND((const void *)(at + (uintptr_t)(tall + r) * below));
        s[r] = BPI_WIDE_SET1(0);
    }
    BPI_UNROLL
    for (i = 0; i < count; i++) {
        x_k = BPI_N(wide_load)(x[i] + k, n);
        BPI_UNROLL
        for (r = 0; r < tall; r++)
            s[r] = BPI_WIDE_MADD(c[r][i], x_k, s[r]);
    }
    BPI_UNROLL
    for (r = 0; r < tall; r++)
        s[r] = BPI_N(finish)(BPI_DESCEND, s[r], out + (size_t)r * width + k, out, n, job->eta);
    BPI_UNROLL
    for (r = 0; r < tall; r++)
        BPI_N(wide_store)(out + (size_t)r * width + k, n, s[r]);
}

/* All rows of out, some at a time; returns how many are left. */
BPI_LOCAL size_t BPI_N(descend_held)(const int tall, const int count, const BPI_N(job) *given,
                                     const bp_real *const *x)
{
    /* a copy, which the compiler need not read anew after each store to out */
    const BPI_N(job) job = *given;
    const size_t rows = (size_t)tall;
    const int far = job.n * job.width * sizeof(bp_real) > 1024 * 1024;
    BPI_WIDE c[4][BPI_HELD];
    bp_real *out = job.out;
    size_t j, k;
    int i, r;
    for (j = 0; j + rows <= job.n; j += rows, out += rows * job.width) {
        BPI_UNROLL
        for (i = 0; i < count; i++)
            BPI_UNROLL
            for (r = 0; r < tall; r++)
                c[r][i] = BPI_WIDE_SET1(job.c[(size_t)i * job.apart + j + (size_t)r]);
        for (k = job.first; k + BPI_WW <= job.width; k += BPI_WW)
            BPI_N(descend_vector)(tall, count, &job, c, x, k, BPI_WW, far, out);
        if (k < job.width)
            BPI_N(descend_vector)(tall, count, &job, c, x, k, job.width - k, 0, out);
    }
    return job.n - j;
}

#define BPI_DESCEND_HELD(tall, count)                                                             \
    BPI_TARGET static size_t BPI_N(held##count)(const BPI_N(job) *job, const bp_real *const *x)   \
    {                                                                                             \
        return BPI_N(descend_held)(tall, count, job, x);                                          \
    }
BPI_DESCEND_HELD(4, 2)
BPI_DESCEND_HELD(4, 3)
BPI_DESCEND_HELD(4, 4)
#if BPI_TILE >= 3
BPI_DESCEND_HELD(4, 5)
BPI_DESCEND_HELD(4, 6)
#endif
#if BPI_TILE == 6
BPI_DESCEND_HELD(3, 7)
BPI_DESCEND_HELD(3, 8)
BPI_DESCEND_HELD(3, 9)
BPI_DESCEND_HELD(3, 10)
#endif
#undef BPI_DESCEND_HELD

/* With few examples, all rows of out but the last few: the job is what is left. */
BPI_TARGET static void BPI_N(descend_few)(BPI_N(job) *job, const bpi_rows *a, size_t n)
{
    static size_t (*const held[])(const BPI_N(job) *, const bp_real *const *) = {
        NULL, NULL, BPI_N(held2), BPI_N(held3), BPI_N(held4),
#if BPI_TILE >= 3
        BPI_N(held5), BPI_N(held6),
#endif
#if BPI_TILE == 6
        BPI_N(held7), BPI_N(held8), BPI_N(held9), BPI_N(held10)
#endif
    };
    const size_t most = BPI_TILE < 3 ? 4 : BPI_TILE == 6 && job->width >= 128 ? BPI_HELD : 6;
    const bp_real *x[BPI_HELD];
    size_t left;
    if (n < 2 || n > (bpi_collides(job->width) ? 4 : most) || job->first == job->width)
        return;
    BPI_N(list_rows)(a, 0, n, x);
    left = held[n](job, x);
    job->c += job->n - left;
    job->out += (job->n - left) * job->width;
    job->n = left;
}

BPI_TARGET static void BPI_N(descend)(const bp_layer *layer, const bp_real *delta, size_t stride,
                                      const bpi_rows *a, size_t n, bp_real eta)
{
    const size_t outputs = (size_t)layer->outputs, inputs = (size_t)layer->inputs;
    bp_real *w = layer->weights;
    /* descend_sparse goes down a column of many neurons' weights: if these collide, it takes many
     * examples to be faster than to count zeros too */
    const int sparse = a->marks && (n >= 64 || !bpi_collides(inputs));
    const size_t first = sparse ? inputs / BPI_LANES * BPI_LANES : 0;
    BPI_N(job) job = { BPI_DESCEND, delta, stride, outputs, inputs, first, w, w, eta, NULL };
    if (BPI_N(turns_sums)(layer, n)) {
        BPI_N(learn_few)(BPI_DESCEND, layer, delta, stride, a, n, w, layer->biases, eta);
        return;
    }
    if (sparse)
        BPI_N(descend_sparse)(layer, delta, stride, a, n, eta);
    BPI_N(descend_few)(&job, a, n);
    if (job.n)
        BPI_N(combine_rows)(&job, a, 0, n, 1);
    BPI_N(bias)(BPI_DESCEND, delta, stride, n, outputs, layer->biases, eta);
}

/* One vector of each row of the weights w, read once: w_jk -= eta delta_j a_k, and the new w_jk
 * times the next example's a_k into s[j]. */
BPI_LOCAL void BPI_N(descend_vectors)(const int rows, const BPI_V *delta, const bp_real *a,
                                      BPI_V minus_eta, const bp_real *next, size_t inputs,
                                      bp_real *w, BPI_V *s)
{
    const BPI_V x = BPI_LOAD(a), y = BPI_LOAD(next);
    int j;
    BPI_UNROLL
    for (j = 0; j < rows; j++, w += inputs) {
        const BPI_V dw = BPI_MADD(delta[j], x, BPI_SET1(0));
        const BPI_V new_w = BPI_MADD(minus_eta, dw, BPI_LOAD(w));
        BPI_STORE(w, new_w);
        s[j] = BPI_MADD(new_w, y, s[j]);
    }
}

/* The same with parts of vectors. They are stored when all have been loaded: the next row, if rows
 * are short, begins in what a masked store may write, and would wait for it. */
BPI_LOCAL void BPI_N(descend_parts)(const int rows, const BPI_V *delta, const bp_real *a,
                                    BPI_V minus_eta, const bp_real *next, size_t part,
                                    size_t inputs, bp_real *w, BPI_V *s)
{
    const BPI_V x = BPI_N(load_part)(a, part), y = BPI_N(load_part)(next, part);
    BPI_V new_w[8];
    int j;
    BPI_UNROLL
    for (j = 0; j < rows; j++)
        new_w[j] = BPI_N(load_part)(w + (size_t)j * inputs, part);
    BPI_UNROLL
    for (j = 0; j < rows; j++) {
        const BPI_V dw = BPI_MADD(delta[j], x, BPI_SET1(0));
        new_w[j] = BPI_MADD(minus_eta, dw, new_w[j]);
        s[j] = BPI_MADD(new_w[j], y, s[j]);
    }
    BPI_UNROLL
    for (j = 0; j < rows; j++)
        BPI_N(store_part)(w + (size_t)j * inputs, part, new_w[j]);
}

/* What descend_ahead has: the deltas of an example, its inputs a, and the next one's. */
typedef struct {
    const bp_layer *layer;
    const bp_real *delta, *a, *next;
    bp_real eta;
    const uint32_t *blocks; /* where either's inputs are not all zero */
    int far;                /* are the weights in memory? */
    int eights;             /* do eight rows and the two examples not collide? */
} BPI_N(ahead);

/* U for the rows of some neurons from j on, and F1's sums for the next example: at the blocks and
 * the tail, in the lanes of one vector, which start at offset. */
BPI_LOCAL void BPI_N(descend_lanes)(const int rows, const BPI_N(ahead) *ahead, size_t j,
                                    size_t offset, BPI_V *s)
{
    const BPI_V minus_eta = BPI_SET1(-ahead->eta);
    const bp_real *a = ahead->a, *next = ahead->next;
    const uint32_t *block, *end = ahead->blocks + 1 + ahead->blocks[0];
    const size_t inputs = (size_t)ahead->layer->inputs, tail = inputs % BPI_LANES;
    const size_t part = BPI_N(part)(tail, offset);
    bp_real *w = ahead->layer->weights + j * inputs;
    BPI_V d[8];
    size_t k;
    int r;
    BPI_UNROLL
    for (r = 0; r < rows; r++) {
        d[r] = BPI_SET1(ahead->delta[j + (size_t)r]);
        s[r] = BPI_SET1(0);
    }
    for (block = ahead->blocks + 1; block < end; block++) {
        k = *block + offset;
        for (r = 0; r < rows && ahead->far; r++)
            BPI_PREFETCH((const void *)((uintptr_t)(w + (size_t)r * inputs + k) +
                                        (size_t)rows * inputs * sizeof(bp_real)));
        BPI_N(descend_vectors)(rows, d, a + k, minus_eta, next + k, inputs, w + k, s);
    }
    k = inputs - tail + offset;
    if (part)
        BPI_N(descend_parts)(rows, d, a + k, minus_eta, next + k, part, inputs, w + k, s);
}

/* The same in all lanes. */
BPI_LOCAL void BPI_N(descend_rows)(const int rows, const BPI_N(ahead) *ahead, size_t j, BPI_V *sum)
{
    BPI_V s[8];
    int r;
    BPI_N(descend_lanes)(rows, ahead, j, 0, sum);
    if (BPI_W == BPI_LANES)
        return;
    BPI_N(descend_lanes)(rows, ahead, j, BPI_W, s);
    BPI_UNROLL
    for (r = 0; r < rows; r++)
        sum[r] = BPI_ADD(s[r], sum[r]);
}

/* The last neurons, fewer than eight, from j on, and their sums with lanes added up. */
BPI_TARGET static void BPI_N(descend_last)(const BPI_N(ahead) *ahead, size_t j, BPI_V *z)
{
    const size_t left = (size_t)ahead->layer->outputs - j, pair = left & 4, one = left & 6;
    BPI_V sum[8];
    size_t m;
    BPI_UNROLL
    for (m = 0; m < 8; m++)
        sum[m] = BPI_SET1(0);
    /* the most frequent number by itself: its sum need not leave its register */
    if (left == 1) {
        BPI_N(descend_rows)(1, ahead, j, sum);
        BPI_N(fold)(sum, z);
        return;
    }
    if (left & 4)
        BPI_N(descend_rows)(4, ahead, j, sum);
    if (left & 2)
        BPI_N(descend_rows)(2, ahead, j + pair, sum + pair);
    if (left & 1)
        BPI_N(descend_rows)(1, ahead, j + one, sum + one);
    BPI_N(fold)(sum, z);
}

/* Eight neurons from j on, or the last: all at once, as a tile of one example takes them, or in
 * fours. */
BPI_LOCAL void BPI_N(descend_eight)(const BPI_N(ahead) *ahead, size_t j, BPI_V *z)
{
    BPI_V sum[8];
    if ((size_t)ahead->layer->outputs - j < 8) {
        BPI_N(descend_last)(ahead, j, z);
        return;
    }
    if (BPI_TILE == 6 && ahead->eights)
        BPI_N(descend_rows)(8, ahead, j, sum);
    else {
        BPI_N(descend_rows)(4, ahead, j, sum);
        BPI_N(descend_rows)(4, ahead, j + 4, sum + 4);
    }
    BPI_N(fold)(sum, z);
}

/* Eight neurons at a time. Where rows are short, sigmoids wait until all sums are there: they would
 * keep the processor from those of the next neurons. */
BPI_TARGET static bp_real BPI_N(descend_ahead)(const bp_layer *layer, const bp_real *delta,
                                               const bpi_rows *rows, bp_real eta, uint32_t *blocks,
                                               const bpi_rows *next, bp_real *out)
{
    const size_t outputs = (size_t)layer->outputs, inputs = (size_t)layer->inputs;
    const int wait = outputs > 16 && inputs <= 128;
    BPI_N(ahead) ahead;
    BPI_V seen = BPI_SET1(0);
    size_t j, m;
    ahead.layer = layer;
    ahead.delta = delta;
    ahead.eta = eta;
    ahead.blocks = blocks;
    ahead.far = BPI_N(is_far)(layer, BPI_N(page));
    ahead.eights = !bpi_collides(inputs);
    /* without a next example this one takes its place, and what comes of it is not used */
    next = next ? next : rows;
    ahead.a = bpi_row(rows, 0);
    ahead.next = bpi_row(next, 0);
    BPI_N(fetch_next)(next, inputs);
    BPI_N(list_blocks)(ahead.a, ahead.next, inputs, blocks, &seen);
    for (j = 0; j < outputs; j += 8) {
        BPI_N(eight) z;
        BPI_N(descend_eight)(&ahead, j, z);
        for (m = 0; m < 8 && j + m < outputs; m += BPI_W) {
            const size_t part = BPI_N(part)(outputs - j, m);
            bp_real *b = layer->biases + j + m;
            const BPI_V d = BPI_ADD(BPI_SET1(0), BPI_N(load_part)(delta + j + m, part));
            const BPI_V new_b = BPI_MADD(BPI_SET1(-eta), d, BPI_N(load_part)(b, part));
            BPI_V a = BPI_ADD(z[m / BPI_W], new_b);
            BPI_N(store_part)(b, part, new_b);
            if (!out)
                continue;
            if (!wait)
                a = BPI_N(sigmoid)(a);
            BPI_N(store_part)(out + j + m, part, a);
        }
    }
    if (out && wait)
        BPI_N(activate)(out, outputs);
    return BPI_N(bound)(seen, next, 1);
}

/* ---- tiny networks: one vector holds the neurons of any layer ---- */

#ifdef BPI_LANE
/* The products of a with four rows of n weights; behind the last row it is the last again. */
BPI_LOCAL void BPI_N(tiny_four)(const bp_real *w, size_t n, size_t rows, BPI_V a, BPI_V *s)
{
    s[0] = BPI_MUL(BPI_GET(w, n), a);
    w += rows > 1 ? n : 0;
    s[1] = BPI_MUL(BPI_GET(w, n), a);
    w += rows > 2 ? n : 0;
    s[2] = BPI_MUL(BPI_GET(w, n), a);
    w += rows > 3 ? n : 0;
    s[3] = BPI_MUL(BPI_GET(w, n), a);
}

/* From the inputs to the outputs one vector after the other, none of them in memory. Lanes behind
 * the last neuron meet weights of zero in the next layer; they are numbers unless others are not.
 * Few instructions, so that the processor has the next call under way before this one ends; none
 * of them a call, for which registers would have to be saved. */
BPI_TARGET static int BPI_N(predict_tiny)(const bp_net *net, const bp_real *x, bp_real *out)
{
    const bp_layer *layer = net->layers, *end = layer + net->layer_count;
    size_t inputs, outputs = (size_t)layer->inputs;
    BPI_V a = BPI_GET(x, outputs), lowest = BPI_SET1(0), z, n, p;
    do {
        BPI_V s[8];
        inputs = outputs;
        outputs = (size_t)layer->outputs;
        if (outputs == 1) {
            /* a multiplication and the addition behind it gcc may fuse; but not this */
            z = BPI_N(fold_one)(BPI_MADD(BPI_GET(layer->weights, inputs), a, BPI_SET1(0)));
        } else {
            BPI_N(tiny_four)(layer->weights, inputs, outputs, a, s);
            if (outputs <= 4) {
                BPI_N(fold_four)(s, &z);
            } else {
                BPI_N(tiny_four)(layer->weights + 4 * inputs, inputs, outputs - 4, a, s + 4);
                BPI_N(fold)(s, &z);
            }
        }
        z = BPI_ADD(z, BPI_GET(layer->biases, outputs));
        /* z, where one of the two is not a number: then no z of the layers above is one */
        lowest = BPI_MIN(lowest, z);
        a = BPI_N(sigmoid_usual)(z, &n, &p);
    } while (++layer < end);
    if (BPI_N(is_rare)(lowest))
        return 0;
    BPI_PUT(out, outputs, a);
    return 1;
}

/* A layer while it is trained: its weights twice, so that every step is one of whole vectors.
 * Weights and errors behind the last input and the last neuron are zero, and stay so. */
typedef struct BPI_N(tiny) {
    BPI_V column[BPI_LANES]; /* w_jk for all j */
    BPI_V row[BPI_LANES];    /* w_jk for all k; not of the first layer, which has no errors below */
    BPI_V b;
    bp_real a[BPI_LANES]; /* a^{l-1} */
    size_t inputs, outputs;
} BPI_N(tiny);

/* n times 1, and zeros */
BPI_LOCAL BPI_V BPI_N(ones)(size_t n)
{
    bp_real each[BPI_LANES];
    BPI_STORE(each, BPI_SET1(1));
    return BPI_GET(each, n);
}

BPI_TARGET static void BPI_N(tiny_open)(const bp_layer *layer, BPI_N(tiny) *t)
{
    bp_real each[BPI_LANES];
    size_t j, k;
    t->inputs = (size_t)layer->inputs;
    t->outputs = (size_t)layer->outputs;
    t->b = BPI_GET(layer->biases, t->outputs);
    memset(each, 0, sizeof each);
    for (k = 0; k < t->inputs; k++) {
        for (j = 0; j < t->outputs; j++)
            each[j] = layer->weights[j * t->inputs + k];
        t->column[k] = BPI_LOAD(each);
    }
    for (j = 0; j < t->outputs; j++)
        t->row[j] = BPI_GET(layer->weights + j * t->inputs, t->inputs);
}

/* The way back. */
BPI_TARGET static void BPI_N(tiny_close)(const bp_layer *layer, const BPI_N(tiny) *t)
{
    bp_real each[BPI_LANES];
    size_t j, k;
    BPI_PUT(layer->biases, t->outputs, t->b);
    for (k = 0; k < t->inputs; k++) {
        BPI_STORE(each, t->column[k]);
        for (j = 0; j < t->outputs; j++)
            layer->weights[j * t->inputs + k] = each[j];
    }
}

BPI_TARGET static int BPI_N(tiny_is_finite)(const BPI_N(tiny) *t)
{
    const BPI_V limit = BPI_SET1(BPI_REAL_MAX);
    int lost = BPI_ANY_NOT_LE(BPI_ABS(t->b), limit);
    size_t k;
    for (k = 0; k < t->inputs; k++)
        lost |= BPI_ANY_NOT_LE(BPI_ABS(t->column[k]), limit);
    return !lost;
}

/* w_jk a_k + w_jm a_m, m being k + BPI_LANES / 2, for all j */
BPI_LOCAL BPI_V BPI_N(tiny_pair)(const BPI_N(tiny) *t, BPI_V a, const size_t k)
{
    const size_t m = k + BPI_LANES / 2;
    const BPI_V zero = BPI_SET1(0), s = BPI_MADD(t->column[k], BPI_LANE(a, k), zero);
    return m < t->inputs ? BPI_ADD(s, BPI_MADD(t->column[m], BPI_LANE(a, m), zero)) : s;
}

/* a^l = s(W^l a^{l-1} + b^l). Lanes are neurons here, and F1 adds up vectors in halves. */
BPI_LOCAL BPI_V BPI_N(tiny_forward)(BPI_N(tiny) *t, BPI_V a, int *rare)
{
    BPI_V z = BPI_N(tiny_pair)(t, a, 0), odd, n, p;
    BPI_STORE(t->a, a);
    if (BPI_LANES == 8 && t->inputs > 2)
        z = BPI_ADD(z, BPI_N(tiny_pair)(t, a, 2));
    if (t->inputs > 1) {
        odd = BPI_N(tiny_pair)(t, a, 1);
        if (BPI_LANES == 8 && t->inputs > 3)
            odd = BPI_ADD(odd, BPI_N(tiny_pair)(t, a, 3));
        z = BPI_ADD(z, odd);
    }
    z = BPI_ADD(z, t->b);
    *rare |= BPI_N(is_rare)(z);
    return BPI_N(sigmoid_usual)(z, &n, &p);
}

/* B2: delta^{l-1}, and U for the rows */
BPI_LOCAL BPI_V BPI_N(tiny_error)(BPI_N(tiny) *t, BPI_V delta, BPI_V minus_eta)
{
    const BPI_V a = BPI_N(load_part)(t->a, t->inputs), zero = BPI_SET1(0);
    BPI_V s = zero, d = BPI_FIRST_LANE(delta); /* the quickest to get at */
    size_t j;
    for (j = 0; j < t->outputs; j++) {
        s = BPI_MADD(d, t->row[j], s);
        t->row[j] = BPI_MADD(minus_eta, BPI_MADD(d, a, zero), t->row[j]);
        d = BPI_LANE(delta, j + 1);
    }
    return BPI_MUL(s, BPI_MUL(a, BPI_SUB(BPI_SET1(1), a)));
}

/* B3, U: w_jk -= eta delta_j a_k, b_j -= eta delta_j */
BPI_LOCAL void BPI_N(tiny_update)(BPI_N(tiny) *t, BPI_V delta, BPI_V minus_eta)
{
    const BPI_V zero = BPI_SET1(0);
    BPI_V dw;
    size_t k;
    BPI_UNROLL
    for (k = 0; k < BPI_LANES; k++)
        if (k < t->inputs) {
            dw = BPI_MADD(delta, BPI_SET1(t->a[k]), zero);
            t->column[k] = BPI_MADD(minus_eta, dw, t->column[k]);
        }
    t->b = BPI_MADD(minus_eta, BPI_ADD(zero, delta), t->b);
}

/* bpi_squares for one example, e = a - y */
BPI_LOCAL double BPI_N(tiny_squares)(BPI_V e)
{
    double part[4];
#ifdef BACKPROP_DOUBLE
    _mm256_storeu_pd(part, _mm256_fmadd_pd(e, e, _mm256_setzero_pd()));
#else
    const __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(e));
    const __m256d high = _mm256_cvtps_pd(_mm256_extractf128_ps(e, 1));
    _mm256_storeu_pd(part, _mm256_fmadd_pd(high, high, _mm256_mul_pd(low, low)));
#endif
    return (part[0] + part[2]) + (part[1] + part[3]);
}

/* One update waits for the last, all the way forward and back: so parameters stay in vectors, and
 * nothing is called in between. Was every parameter finite? That is asked in the end: once one is
 * not, it never is again. Rare sigmoids are left to the other kernels too. */
BPI_TARGET static int BPI_N(descend_tiny)(const bp_net *net, const bpi_rows *x, const bpi_rows *y,
                                          size_t n, bp_real scale, bp_real eta, double *squares)
{
    const int last = net->layer_count - 1;
    const BPI_V minus_eta = BPI_SET1(-eta), one = BPI_SET1(1);
    const BPI_V used = BPI_N(ones)((size_t)bpi_outputs(net));
    const BPI_V scales = BPI_MUL(used, BPI_SET1(scale));
    BPI_N(tiny) layer[BPI_TINY], first; /* the first apart, for registers to hold it */
    double sum = *squares;
    BPI_V a, error, delta, below;
    size_t i;
    int l, rare = 0;
    for (l = 0; l <= last; l++)
        BPI_N(tiny_open)(&net->layers[l], &layer[l]);
    first = layer[0];
    for (i = 0; i < n; i++) {
        a = BPI_N(tiny_forward)(&first, BPI_GET(bpi_row(x, i), first.inputs), &rare);
        for (l = 1; l <= last; l++)
            a = BPI_N(tiny_forward)(&layer[l], a, &rare);
        /* B1 */
        error = BPI_SUB(a, BPI_GET(bpi_row(y, i), layer[last].outputs));
        delta = BPI_MUL(BPI_MUL(error, scales), BPI_MUL(BPI_SUB(one, a), a));
        sum += BPI_N(tiny_squares)(BPI_MUL(error, used));
        for (l = last; l > 0; l--, delta = below) {
            below = BPI_N(tiny_error)(&layer[l], delta, minus_eta);
            BPI_N(tiny_update)(&layer[l], delta, minus_eta);
        }
        BPI_N(tiny_update)(&first, delta, minus_eta);
    }
    layer[0] = first;
    for (l = 0; l <= last; l++)
        if (rare || !bpi_is_finite(sum) || !BPI_N(tiny_is_finite)(&layer[l]))
            return 0;
    for (l = 0; l <= last; l++)
        BPI_N(tiny_close)(&net->layers[l], &layer[l]);
    *squares = sum;
    return 1;
}
#endif

BPI_TARGET static bp_real BPI_N(fma)(bp_real a, bp_real b, bp_real c)
{
    bp_real each[BPI_N(width)];
    BPI_STORE(each, BPI_MADD(BPI_SET1(a), BPI_SET1(b), BPI_SET1(c)));
    return each[0];
}

static const bpi_kernels BPI_N(kernels) = {
    BPI_NAME,
    BPI_SET_FUSED,
    BPI_N(fma),
    BPI_N(forward),
    BPI_N(output_error),
    BPI_N(hidden_error),
    BPI_N(gradient),
    BPI_N(descend),
    BPI_N(descend_ahead),
    BPI_N(update),
    BPI_N(largest),
#ifdef BPI_LANE
    BPI_N(predict_tiny),
    BPI_N(descend_tiny)
#else
    NULL,
    NULL
#endif
};

/* What another pass may define otherwise; the rest it defines alike. */
#undef BPI_SUFFIX
#undef BPI_NAME
#undef BPI_TARGET
#undef BPI_TILE
#undef BPI_SET_FUSED
#undef BPI_MM
#undef BPI_SI
#undef BPI_MADD
#undef BPI_PART_MASK
#undef BPI_LOAD_PART
#undef BPI_STORE_PART
#undef BPI_WIDE
#undef BPI_WIDE_SET1
#undef BPI_WIDE_LOAD
#undef BPI_WIDE_STORE
#undef BPI_WIDE_GET
#undef BPI_WIDE_PUT
#undef BPI_PAIRS
#undef BPI_WIDE_ADD
#undef BPI_WIDE_SUB
#undef BPI_WIDE_BOTH
#undef BPI_WIDE_JOIN
#undef BPI_WIDE_FOUR_TIMES
#undef BPI_WIDE_MUL
#undef BPI_WIDE_MADD
#undef BPI_LOAD_TWICE
#undef BPI_LANE
#undef BPI_FIRST_LANE
#undef BPI_GET
#undef BPI_PUT
#undef BPI_ANY_NOT_GE
#undef BPI_ANY_NOT_LE
#undef BPI_ANY_NONZERO
#undef BPI_V
#undef BPI_PASS
#endif /* BPI_PASS */


/* >>history
 * =========
 *     1.0.0  2026-11  first version
 *
 * >>licence
 * =========
 *
 * backprop.h is available under either of two licences. Choose whichever you prefer.
 *
 * ------------------------------------------------------------------------------
 * ALTERNATIVE A - MIT License
 *
 * Copyright (c) 2026 the backprop.h authors
 *
 * Permission is hereby granted, free of charge, to any person obtaining a copy of this software
 * and associated documentation files (the "Software"), to deal in the Software without
 * restriction, including without limitation the rights to use, copy, modify, merge, publish,
 * distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
 * Software is furnished to do so, subject to the following conditions:
 *
 * The above copyright notice and this permission notice shall be included in all copies or
 * substantial portions of the Software.
 *
 * THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING
 * BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
 * NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
 * DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
 * OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
 *
 * ------------------------------------------------------------------------------
 * ALTERNATIVE B - Public Domain (The Unlicense, www.unlicense.org)
 *
 * This is free and unencumbered software released into the public domain.
 *
 * Anyone is free to copy, modify, publish, use, compile, sell, or distribute this software, either
 * in source code form or as a compiled binary, for any purpose, commercial or non-commercial, and
 * by any means.
 *
 * In jurisdictions that recognize copyright laws, the author or authors of this software dedicate
 * any and all copyright interest in the software to the public domain. We make this dedication for
 * the benefit of the public at large and to the detriment of our heirs and successors. We intend
 * this dedication to be an overt act of relinquishment in perpetuity of all present and future
 * rights to this software under copyright law.
 *
 * THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING
 * BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
 * NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
 * LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
 * CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
 *
 * For more information, please refer to <https://unlicense.org/>
 */
