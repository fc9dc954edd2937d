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
 *     >>quickstart   XOR in four calls       >>threads        what may be called at once
 *     >>not          what this is not        >>determinism    which bits are promised, and where
 *     >>mathematics  equations and letters   >>files          the format of a saved network
 *     >>choices      numbers that work       >>interface      types and functions
 *     >>config       macros you may define   >>implementation reads like the mathematics
 *     >>memory       who owns what           >>machine        instruction sets and kernels
 *     >>errors       status codes            >>history        versions; >>licence ends it
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
 * >>not
 * =====
 *
 * No convolution, no recurrence, no other activation or cost, no momentum or Adam
 * (bp_gradient hands you the gradient: bring your own), no automatic differentiation,
 * no GPU, no file formats for data, no logging. It does one thing.
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
 * The factor 1/n_L stands in the cost AND in its gradient. A learning rate published for the cost
 * 1/2 |a - y|^2 must be multiplied by n_L here: Nielsen's 3.0 for ten outputs is 30. Hidden errors
 * use the weights from before the update. Where B2 is told as delta_z = sum_q w_qz delta_q, as for
 * a single neuron it often is, the factor s'(z) = a (1 - a) is missing; it belongs there.
 *
 *     stochastic   batch_size = 1    an update after every example
 *     mini-batch   batch_size = B    B examples drawn without replacement, then an update;
 *                                    an epoch's last batch may be smaller and is
 *                                    averaged over its own count
 *     batch        batch_size = 0    one update an epoch, from the whole set
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
 * >>config
 * ========
 *
 * Define before including: "all" in every file that includes this one, "impl" in the one file that
 * also defines BACKPROP_IMPLEMENTATION.
 *
 *     macro                     where  default   effect
 *     BACKPROP_IMPLEMENTATION   impl   -         compile the implementation here
 *     BACKPROP_STATIC           all    -         all functions static: a private copy
 *     BACKPROP_DOUBLE           all    float     bp_real is double
 *     BACKPROP_MALLOC(size)     impl   malloc    both of these or neither
 *     BACKPROP_FREE(pointer)    impl   free
 *     BACKPROP_ASSERT(cond)     impl   nothing   checks of the library's own logic only
 *     BACKPROP_NO_STDIO         all    -         without bp_save, bp_load and bp_export_c
 *     BACKPROP_NO_SIMD          impl   -         plain C only
 *     BACKPROP_EXACT            impl   -         emulate fused multiply-add: slow, same bits
 *     BACKPROP_NO_THREADS       impl   -         one thread even when built with OpenMP
 *     BACKPROP_PARALLEL(n, task, context)        your own threads in place of OpenMP's: call
 *                               impl   OpenMP    task(context, i, n) for i = 0 ... n-1, at once
 *                                                if you can, and return when all are done
 *     BACKPROP_THREADS          impl   1         with it: how many threads = 0 asks for
 *     BACKPROP_H_FILE           impl   "backprop.h"  this file's name, if you renamed it
 *     BACKPROP_ALLOW_FAST_MATH  impl   #error    -ffast-math, which breaks >>determinism
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
 * >>errors
 * ========
 *
 * Whatever can fail returns a bp_status, or NULL from bp_create and bp_clone. The library never
 * prints, exits, or asserts on your data. A failed call leaves its arguments as they were, except
 * that bp_train keeps the updates it made. BP_DIVERGED comes right after the update that made a
 * parameter not finite, or before one if the cost is not finite; such parameters are then in the
 * network, but bp_save refuses them, so that the last good file stays. If the cost is not finite
 * because an input or a target is not, the status is BP_INVALID_DATA instead.
 *
 * >>threads
 * =========
 *
 * There is no global state. Any number of threads may call any function that takes a
 * const bp_net * on one network at once, each with its own outputs and workspace (and
 * bp_save with its own path); a call that takes bp_net * wants that network for itself.
 *
 * bp_train shares each batch among threads of its own when compiled with OpenMP (-fopenmp) or given
 * BACKPROP_PARALLEL: neurons of each layer, on the way forward and for the update, and examples for
 * the last layer and the errors. Too small batches, and all else, stay on one thread.
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
 * s(z) is computed from the same operations; no result depends on libm, on rand(), on the time or
 * on the locale. A prediction does not depend on how many examples share the call, nor on zeros
 * being skipped (but for the sign of a weight that is zero, which changes nothing else). bp_train
 * gives the bits of bp_gradient and bp_update stepped by hand over the same batches.
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
    BP_STOPPED,          /* the progress callback asked to stop */
    BP_INVALID_DATA      /* the cost is not finite, because an input or a target is not */
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
    int widest;              /* private: neurons of the widest hidden layer */
} bp_net;

/* A set of examples: two matrices, or, where inputs is NULL, a source that fills a batch, so that
 * data can be bytes, on disk, or made on the fly. fetch writes example indices[i] to row i of
 * inputs (n x n_0) and of targets (n x n_L); it is called on the thread that called the library,
 * one batch at a time, and any status but BP_OK ends that call with it. All else in here belongs to
 * the caller and is only read, some of it a batch ahead: it must not change during a call. */
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
 * with what fetch returned, and, if the cost is not finite, with BP_INVALID_DATA where an
 * input or a target is not, else with BP_DIVERGED. */
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
 * BP_DIVERGED after an update that made a parameter not finite, and with BP_STOPPED when
 * on_progress asks for it: the updates made are kept, the epoch under way is not counted. */
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

/* Stop here if you only want to use it.
 *
 * >>implementation
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

#if (defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) ||   \
     defined(_M_FP_FAST) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)) &&           \
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

#define BPI_STRING_(x) #x
#define BPI_STRING(x) BPI_STRING_(x)

#ifdef BACKPROP_DOUBLE
#define BPI_REAL_MAX DBL_MAX
#define BPI_REAL_NAME "double"
#define BPI_REAL_SUFFIX ""
#define BPI_EXPONENT_BIAS 1023
#define BPI_MANTISSA_BITS 52
#define BPI_BITS 64
typedef uint64_t bpi_bits;
#else
#define BPI_REAL_MAX FLT_MAX
#define BPI_REAL_NAME "float"
#define BPI_REAL_SUFFIX "f"
#define BPI_EXPONENT_BIAS 127
#define BPI_MANTISSA_BITS 23
#define BPI_BITS 32
typedef uint32_t bpi_bits;
#endif

enum {
    BPI_LANES = 32 / (int)sizeof(bp_real), /* partial sums of a dot product: 8 or 4 */
    BPI_HEIGHT = 8,  /* examples in a tile, at most */
    BPI_ROWS = 256,  /* examples in flight at once, at most */
    BPI_TERMS = 64,  /* neurons above summed up at a time for hidden errors: read side by side */
#ifdef BACKPROP_NO_SIMD
    BPI_ALIGN = 8,     /* enough for anything in here: small machines have no memory to give away */
    BPI_PREDICTED = 1, /* examples predicted at once, at most: small code */
#else
    BPI_ALIGN = 64, /* a cache line */
    BPI_PREDICTED = BPI_ROWS,
#endif
    BPI_STACK = 4096 /* bytes of stack that bp_predict works in, if they suffice */
};

/* ---- arithmetic ---- */

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

/* x + y rounded to odd (Boldo and Melquiond 2008): what is lost leaves a last bit set. */
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

/* Which instruction sets can be compiled here? BACKPROP_EXACT needs multiply-adds, or plain C. */
#if defined(BACKPROP_NO_SIMD) || defined(__TINYC__)
#define BPI_VECTORS 0
#elif (defined(__GNUC__) && defined(__x86_64__)) || (defined(_M_X64) && !defined(__clang__))
#define BPI_X86 1
#if defined(__GNUC__) && (BPI_FMA || !defined(BACKPROP_EXACT))
#define BPI_SSE2 1
#endif
#elif defined(__aarch64__) && defined(__ARM_NEON) && defined(__GNUC__)
#define BPI_NEON 1
#elif defined(__wasm_simd128__) && !defined(BACKPROP_EXACT)
#define BPI_WASM 1
#else
#define BPI_VECTORS 0
#endif
#ifndef BPI_VECTORS
#define BPI_VECTORS 1
#endif

/* s(z) = 1 / (1 + e^-z). With n = round(-z / ln 2) and f = -z - n ln 2, e^-z = 2^n e^f, and
 *     s(z) = t / (t + e^f),   t = 2^-n,
 * where e^f = 1 + f + f^2 r(f), r being a polynomial of least relative error on +-ln(2)/2, its
 * terms paired so that few wait for others; t + e^f = (t + 1) + (f^2 r(f) + f), what t + 1 rounds
 * away added to f. Adding 1.5 2^23 (or 2^52) rounds to an integer, and what n then has in its last
 * bits, taken from BPI_MAGIC and shifted, is t. Below BPI_SIGMOID_LOWEST t is no normal number:
 * there t = 2^-63 (2^-511) is divided and the rest of the scale multiplied late. Above
 * BPI_SIGMOID_HIGHEST s(z) is 1, below BPI_SIGMOID_ZERO 0. */
#ifdef BACKPROP_DOUBLE
#define BPI_MAGIC ((((int64_t)1075 << 52) | ((int64_t)1 << 51)) + 1023)
#define BPI_SIGMOID_ZERO (-760.0)
#define BPI_SIGMOID_LOWEST (-708.0)
#define BPI_SIGMOID_HIGHEST 50.0
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
#define BPI_MAGIC (0x4b400000 + 127)
#define BPI_SIGMOID_ZERO (-110.0f)
#define BPI_SIGMOID_LOWEST (-87.0f)
#define BPI_SIGMOID_HIGHEST 40.0f
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

/* 2^n for n in the range of normal numbers */
static bp_real bpi_power_of_2(int n)
{
    return bpi_from_bits((bpi_bits)(n + BPI_EXPONENT_BIAS) << BPI_MANTISSA_BITS);
}

static int bpi_is_finite(double x)
{
    return x >= -DBL_MAX && x <= DBL_MAX;
}

/* Not NaN, without the == that some compilers warn of. */
static int bpi_is_number(double x)
{
    return x < 0 || x >= 0;
}

/* ---- memory: one block, carved into aligned arrays ---- */

/* With base NULL nothing is carved, only the size is counted. */
typedef struct bpi_arena {
    unsigned char *base; /* aligned */
    size_t used;         /* with what it may take to align; 0 when it exceeds the limit */
    size_t limit;        /* bytes there are */
    int full;
} bpi_arena;

static bpi_arena bpi_arena_at(void *memory, size_t limit)
{
    const size_t mask = BPI_ALIGN - 1;
    bpi_arena arena = { NULL, BPI_ALIGN - 1, 0, 0 };
    arena.limit = limit;
    arena.full = limit < mask;
    if (memory)
        arena.base = (unsigned char *)memory + ((mask + 1 - ((uintptr_t)memory & mask)) & mask);
    return arena;
}

/* Room for count items of size bytes, aligned to BPI_ALIGN; NULL also if there is none. */
static void *bpi_take(bpi_arena *arena, size_t count, size_t size)
{
    const size_t half = (size_t)1 << 4 * sizeof(size_t), mask = BPI_ALIGN - 1;
    const size_t offset = arena->used - mask;
    /* divisions take long: two halves of a word have a product that fits */
    if (arena->full ||
        ((count | size) >= half && count && size > (size_t)-1 / count) ||
        count * size > arena->limit - mask ||
        ((count * size + mask) & ~mask) > arena->limit - arena->used) {
        arena->full = 1;
        arena->used = 0;
        return NULL;
    }
    arena->used += (count * size + mask) & ~mask;
    return arena->base ? arena->base + offset : NULL;
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

/* ---- what the library and the machine room share ---- */

/* A matrix whose rows are examples, perhaps taken in another order: row i starts at
 * base + stride * (index ? index[i] : i). */
typedef struct bpi_rows {
    const bp_real *base;
    size_t stride;
    const size_t *index;
    const uint8_t *marks; /* NULL; or, where many inputs are zero, bpi_blocks(stride) bytes a row:
                             1 for each block of BPI_LANES inputs that is not all zero */
} bpi_rows;

/* What a thread's panels and kernels work in. */
typedef struct bpi_scratch {
    uint32_t *blocks;     /* a list of blocks of inputs; or NULL */
    const bp_real **list; /* rows that a tile reads, */
    size_t *places;       /* and where their coefficients are */
    bp_real *panel;       /* copies of rows that would crowd each other out of the cache; or NULL */
    int bad;              /* an update made a parameter not finite */
} bpi_scratch;

/* z = W a + b for one tile of examples, still without s. */
typedef struct bpi_dot_job {
    size_t rows;                  /* examples */
    const bp_real *a[BPI_HEIGHT]; /* their inputs; behind the last the last again */
    bp_real *out[BPI_HEIGHT];     /* where their outputs go, likewise */
    const bp_real *w, *b;         /* of the first of some neurons */
    size_t inputs, neurons;
    const uint32_t *blocks;       /* the blocks of inputs that count; NULL: all */
    size_t block_count;
    int prefetch;                 /* the weights are in memory: fetch the next ones */
} bpi_dot_job;

/* What becomes of a sum s: s a (1 - a) for B2; out + s for B3; out - eta s for B3 and U in one. */
enum { BPI_ERROR, BPI_ADD, BPI_DESCEND };

/* out[r][k] = f(sum_t c[t][r] x[t][k]) for a tile of rows r and all columns k. */
typedef struct bpi_axpy_job {
    int f;
    int accumulate;           /* sums start from out, not from zero */
    int prefetch;             /* out is in memory: fetch its next rows */
    size_t rows, width, count;
    const bp_real *const *x;  /* count rows */
    const bp_real *c;         /* c[t][r] is c[c_at[t] + r * c_row] */
    const size_t *c_at;       /* c_term apart, unless some are left out */
    size_t c_term, c_row;
    bp_real *out;             /* rows ldo apart */
    const bp_real *a;         /* for BPI_ERROR: activations, laid out as out */
    size_t ldo;
    bp_real eta;
} bpi_axpy_job;

/* An instruction set: its micro-kernels, and the sizes of their tiles. Those that return an int
 * say whether they made a parameter that is not finite. */
typedef struct bpi_kernels {
    const char *name;
    int fused;           /* multiply-adds are rounded once */
    int skips_zeros;     /* it pays to leave out blocks of zeros in batches */
    size_t dot_rows;     /* examples of a tile of dot, at most */
    size_t axpy_columns; /* columns of a tile of axpy */
    size_t dot_neurons;  /* neurons that dot needs, at least */
    void (*dot)(const bpi_dot_job *tile);
    /* B3, U for one example, and F1, F2 for the next unless it is NULL; or no function */
    int (*descend_one)(const bp_layer *layer, const bp_real *delta, const bp_real *a, bp_real eta,
                       uint32_t *blocks, const bp_real *next, bp_real *out, size_t room);
    void (*dot_narrow)(const bpi_dot_job *tile); /* for few neurons: up to BPI_LANES examples */
    int (*axpy)(bpi_axpy_job *tile); /* takes some of the rows, leaves in tile->rows how many */
    bp_real (*fma)(bp_real a, bp_real b, bp_real c);
    int (*update)(bp_real *p, const bp_real *gradient, size_t count, bp_real eta); /* U */
    void (*activate)(bp_real *z, size_t count); /* F2, in place */
    void (*output_error)(const bp_real *a, const bp_real *y, size_t count, bp_real scale,
                         bp_real *delta, size_t room); /* B1 */
    void (*hidden_error_one)(const bp_layer *layer, const bp_real *above, const bp_real *a,
                             bp_real *delta, size_t room); /* B2 for one, layer being above */
    size_t (*mark)(const bp_real *a, size_t blocks, uint8_t *marks); /* see bpi_rows; how many */
    /* F1, F2 for one example. Here and above room is how many numbers may be written. */
    void (*forward_one)(const bp_layer *layer, const bp_real *a, uint32_t *blocks, bp_real *out,
                        size_t room);
} bpi_kernels;

/* The things the machine room (>>machine) provides. */
static const bpi_kernels *bpi_find_kernels(const char *name); /* NULL: this machine's best */
static const bpi_kernels *bpi_kernels_of(const bp_net *net);
static void bpi_scratch_place(bpi_scratch *scratch, bpi_arena *arena, const bp_net *net,
                              size_t rows);
static int bpi_lists_zeros(const bp_net *net); /* are its inputs many enough? */
static void bpi_forward_panel(const bpi_kernels *kernels, const bp_layer *layer, const bpi_rows *a,
                              size_t n, const bpi_scratch *scratch, bp_real *out, size_t ldo);
static void bpi_hidden_error(const bpi_kernels *kernels, const bp_layer *layer,
                             const bp_real *above, const bp_real *a, size_t n,
                             const bpi_scratch *scratch, bp_real *delta);
static int bpi_gradient_panel(const bpi_kernels *kernels, int f, const bp_layer *layer,
                              const bp_real *delta, size_t ld, const bpi_rows *a, size_t n,
                              bp_real eta, const bpi_scratch *scratch, bp_real *w, bp_real *b);
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
    net->kernels = BPI_VECTORS ? bpi_find_kernels(NULL) : NULL;
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
    if (l > 0 && inputs > net->widest)
        net->widest = inputs;
}

static size_t bpi_net_bytes(int layer_count, size_t parameter_count)
{
    bpi_arena arena = bpi_arena_at(NULL, (size_t)-1);
    (void)bpi_net_place(&arena, layer_count, parameter_count);
    return arena.used;
}

/* A network in one block of its own, widths and parameters not yet set. */
static bp_net *bpi_net_new(int layer_count, size_t parameter_count)
{
    const size_t size = bpi_net_bytes(layer_count, parameter_count);
    void *memory = bpi_allocate(size);
    bpi_arena arena = bpi_arena_at(memory, size);
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
    bpi_arena arena = bpi_arena_at(memory, size);
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

static int bpi_inputs(const bp_net *net)
{
    return net->layers[0].inputs;
}

static int bpi_outputs(const bp_net *net)
{
    return net->layers[net->layer_count - 1].outputs;
}

/* Are all finite? Told by their bits: a comparison with what is not a number may trap. */
static int bpi_all_finite(const bp_real *x, size_t count)
{
    const bpi_bits exponent = (bpi_bits)(2 * BPI_EXPONENT_BIAS + 1) << BPI_MANTISSA_BITS;
    size_t i;
    for (i = 0; i < count; i++)
        if ((bpi_to_bits(x[i]) & exponent) == exponent)
            return 0;
    return 1;
}

/* ---- working memory of a call ---- */

/* What a call has in its workspace. */
typedef struct bpi_space {
    size_t rows;          /* examples in flight */
    int threads;
    bpi_scratch *scratch; /* of each thread */
    bp_real **a;          /* a[l]: rows x outputs of layers[l] */
    bp_real **delta;      /* delta[l]: likewise */
    bp_real **next;       /* like a, for the example after a single one; or NULL */
    uint8_t *marks;       /* see bpi_rows; or NULL */
    bp_real *inputs;      /* rows x n_0, for fetch */
    bp_real *targets;
    size_t *order;        /* a permutation of the set, or rows indices for fetch */
    bp_real *gradient;    /* of a batch longer than rows, which is summed in memory; or NULL */
} bpi_space;

/* Blocks of BPI_LANES numbers in so many. */
static size_t bpi_blocks(size_t inputs)
{
    return inputs / BPI_LANES;
}

static size_t bpi_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Numbers in whole vectors that hold the layer's outputs. */
static size_t bpi_room(const bp_layer *layer)
{
    return ((size_t)layer->outputs + BPI_LANES - 1) / BPI_LANES * BPI_LANES;
}

/* How many threads to use when asked for so many, or for 0. */
static int bpi_threads(int wanted)
{
    int most = BPI_MOST_THREADS;
    int threads = wanted ? wanted : BPI_DEFAULT_THREADS;
    return threads < 1 ? 1 : threads < most ? threads : most;
}

/* Places activations or errors of so many rows for each layer. */
static bp_real **bpi_place_layers(bpi_arena *arena, const bp_net *net, size_t rows)
{
    bp_real **arrays = (bp_real **)bpi_take(arena, (size_t)net->layer_count, sizeof(bp_real *));
    int l;
    for (l = 0; l < net->layer_count; l++) {
        /* of a single example whole vectors are stored: there is room */
        const size_t bytes = bpi_room(&net->layers[l]) * sizeof(bp_real);
        bp_real *array = (bp_real *)bpi_take(arena, rows, bytes);
        if (arrays)
            arrays[l] = array;
    }
    return arrays;
}

/* Places what bp_evaluate and bp_gradient (training NULL) or bp_train need. */
static void bpi_space_place(bpi_space *space, bpi_arena *arena, const bp_net *net,
                            const bp_data *data, const bp_training *training)
{
    const int shuffled = training && !training->in_order;
    size_t batch = data->count;
    bpi_scratch counted;
    int i;
    memset(space, 0, sizeof *space);
    if (training && training->batch_size)
        batch = bpi_min(batch, training->batch_size);
    space->rows = bpi_min(batch, BPI_ROWS);
    space->threads = training && batch > 1 ? bpi_threads(training->threads) : 1;
    space->scratch = (bpi_scratch *)bpi_take(arena, (size_t)space->threads, sizeof(bpi_scratch));
    for (i = 0; i < space->threads; i++)
        bpi_scratch_place(space->scratch ? &space->scratch[i] : &counted, arena, net, space->rows);
    space->a = bpi_place_layers(arena, net, space->rows);
    space->delta = bpi_place_layers(arena, net, space->rows);
    if (training && data->inputs && batch == 1 && data->count > 1 && BPI_VECTORS)
        space->next = bpi_place_layers(arena, net, 1);
    if (batch > 1 && bpi_lists_zeros(net))
        space->marks = (uint8_t *)bpi_take(arena, space->rows,
                                           bpi_blocks((size_t)net->layers[0].inputs));
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

/* ---- forward (F1, F2) ---- */

static bpi_rows bpi_matrix(const bp_real *base, int width)
{
    bpi_rows rows = { NULL, 0, NULL, NULL };
    rows.base = base;
    rows.stride = (size_t)width;
    return rows;
}

static const bp_real *bpi_row(const bpi_rows *rows, size_t i)
{
    return rows->base + rows->stride * (rows->index ? rows->index[i] : i);
}

/* The same from row i on. */
static bpi_rows bpi_rows_from(const bpi_rows *rows, size_t i)
{
    bpi_rows from = *rows;
    if (from.index)
        from.index += i;
    else
        from.base += from.stride * i;
    if (from.marks)
        from.marks += i * bpi_blocks(from.stride);
    return from;
}

/* Neurons first ... last-1 of a layer, as a layer. */
static bp_layer bpi_neurons(const bp_layer *layer, size_t first, size_t last)
{
    bp_layer some = *layer;
    some.outputs = (int)(last - first);
    some.weights += first * (size_t)layer->inputs;
    some.biases += first;
    return some;
}

/* What a call does with a set of examples: what it was given, and where it is. */
typedef struct bpi_run {
    const bp_net *net;
    const bp_data *data;
    const bp_training *training; /* NULL: none */
    bpi_space space;
    int shuffled;                /* the examples come in the order of space.order */
    bpi_rows x, y;               /* the examples under way: */
    size_t n;                    /* how many */
    double squares;              /* sum of (a_j - y_j)^2 over those seen */
    int layer;                   /* which bpi_forward_neurons computes */
    int ahead;                   /* the next single example has gone forward already */
    size_t batch;                /* examples an update, B */
    bp_real scale;               /* of the output error, 1/(B n_L); 0: forward only */
    bp_real *gradient;           /* where to add the gradient; NULL: descend by eta at once */
    bp_real eta;
    uint64_t last_epoch;         /* of this call */
} bpi_run;

/* Checks the arguments that the calls below share, and places their space in the workspace. */
static bp_status bpi_open(bpi_run *run, const bp_net *net, const bp_data *data,
                          const bp_training *training, void *workspace, size_t size)
{
    bpi_arena arena = bpi_arena_at(NULL, size);
    if (!net || !bpi_data_is_valid(data) || (!workspace && size))
        return BP_INVALID_ARGUMENT;
    if (!workspace)
        return BP_OUT_OF_MEMORY;
    memset(run, 0, sizeof *run);
    run->net = net;
    run->data = data;
    run->training = training;
    run->shuffled = training && !training->in_order;
    /* first only counted: a workspace that is too small is not written to */
    bpi_space_place(&run->space, &arena, net, data, training);
    if (arena.full)
        return BP_OUT_OF_MEMORY;
    arena = bpi_arena_at(workspace, size);
    bpi_space_place(&run->space, &arena, net, data, training);
    return BP_OK;
}

/* ---- cost and errors (C, B1, B2) ---- */

/* sum_j (a_j - y_j)^2 of an example, in four partial sums, which do not wait for one another. The
 * square of a float is exact in a double, so that there is one rounding an addition. */
static double bpi_squares(const bp_net *net, const bp_real *a, const bp_real *target)
{
    const size_t outputs = (size_t)bpi_outputs(net);
    double sum[4];
    size_t i, j;
    for (i = 0; i < 4; i++) {
        sum[i] = 0;
        for (j = i; j < outputs; j += 4) {
            bp_real e = a[j] - target[j];
#ifdef BACKPROP_DOUBLE
            sum[i] = bpi_kernels_of(net)->fma(e, e, sum[i]);
#else
            sum[i] += (double)e * (double)e;
#endif
        }
    }
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

/* delta^L by B1, then delta^l for l = L-1 ... 1 by B2, for n examples from first on. */
static void bpi_errors(const bpi_run *run, size_t first, size_t n, const bpi_scratch *scratch)
{
    const bp_net *net = run->net;
    const bpi_kernels *kernels = bpi_kernels_of(net);
    const size_t outputs = (size_t)bpi_outputs(net);
    int l = net->layer_count - 1;
    const bp_real *a = run->space.a[l] + first * outputs;
    bp_real *delta = run->space.delta[l] + first * outputs;
    size_t i, room = run->n == 1 ? bpi_room(&net->layers[l]) : outputs;
    if (run->y.index)
        for (i = 0; i < n; i++)
            kernels->output_error(a + i * outputs, bpi_row(&run->y, first + i), outputs,
                                  run->scale, delta + i * outputs, room);
    else
        kernels->output_error(a, bpi_row(&run->y, first), n * outputs, run->scale, delta,
                              n == 1 ? room : n * outputs);
    for (; l > 0; l--) {
        const size_t inputs = (size_t)net->layers[l].inputs;
        const bp_real *above = delta;
        a = run->space.a[l - 1] + first * inputs;
        delta = run->space.delta[l - 1] + first * inputs;
        room = bpi_room(&net->layers[l - 1]);
        if (run->n == 1 && net->layers[l].outputs <= BPI_TERMS)
            kernels->hidden_error_one(&net->layers[l], above, a, delta, room);
        else
            bpi_hidden_error(kernels, &net->layers[l], above, a, n, scratch, delta);
    }
}

/* ---- threads: each owns some neurons of every layer, whose weights stay in its core's cache, on
 * the way forward and in descent; only the last layer and the errors, which need whole layers, are
 * shared by examples. Every sum is one thread's, in the same order whatever their number. ---- */

/* The first neuron of a part of them. */
static size_t bpi_part_start(size_t count, int part, int parts)
{
    return count * (size_t)part / (size_t)parts;
}

/* What layers[l] reads. */
static bpi_rows bpi_layer_inputs(const bpi_run *run, int l)
{
    return l ? bpi_matrix(run->space.a[l - 1], run->net->layers[l].inputs) : run->x;
}

static void bpi_forward_neurons(void *context, int part, int parts)
{
    const bpi_run *run = (const bpi_run *)context;
    const bp_layer *layer = &run->net->layers[run->layer];
    const size_t outputs = (size_t)layer->outputs;
    const size_t first = bpi_part_start(outputs, part, parts);
    const size_t last = bpi_part_start(outputs, part + 1, parts);
    const bpi_rows a = bpi_layer_inputs(run, run->layer);
    const bp_layer some = bpi_neurons(layer, first, last);
    if (first < last)
        bpi_forward_panel(bpi_kernels_of(run->net), &some, &a, run->n, &run->space.scratch[part],
                          run->space.a[run->layer] + first, outputs);
}

static void bpi_last_layer_and_errors(void *context, int part, int parts)
{
    const bpi_run *run = (const bpi_run *)context;
    const int l = run->net->layer_count - 1;
    const bp_layer *layer = &run->net->layers[l];
    const bpi_scratch *scratch = &run->space.scratch[part];
    const size_t first = bpi_part_start(run->n, part, parts), outputs = (size_t)layer->outputs;
    const size_t n = bpi_part_start(run->n, part + 1, parts) - first;
    const bpi_rows all = bpi_layer_inputs(run, l), a = bpi_rows_from(&all, first);
    if (n > 0)
        bpi_forward_panel(bpi_kernels_of(run->net), layer, &a, n, scratch,
                          run->space.a[l] + first * outputs, outputs);
    if (n > 0 && run->scale > 0)
        bpi_errors(run, first, n, scratch);
}

/* ---- gradient and descent (B3, U) ---- */

static void bpi_learn_neurons(void *context, int part, int parts)
{
    const bpi_run *run = (const bpi_run *)context;
    const bp_net *net = run->net;
    bpi_scratch *scratch = &run->space.scratch[part];
    int l, bad = 0;
    for (l = 0; l < net->layer_count; l++) {
        const size_t outputs = (size_t)net->layers[l].outputs;
        const size_t first = bpi_part_start(outputs, part, parts);
        const size_t last = bpi_part_start(outputs, part + 1, parts);
        const bpi_rows a = bpi_layer_inputs(run, l);
        const bp_layer some = bpi_neurons(&net->layers[l], first, last);
        bp_real *w = some.weights, *b = some.biases;
        if (run->gradient) {
            w = run->gradient + (w - net->parameters);
            b = run->gradient + (b - net->parameters);
        }
        if (first < last)
            bad |= bpi_gradient_panel(bpi_kernels_of(net), run->gradient ? BPI_ADD : BPI_DESCEND,
                                      &some, run->space.delta[l] + first, outputs, &a, run->n,
                                      run->eta, scratch, w, b);
    }
    scratch->bad = bad;
}

/* Runs task for all parts, waits for them, and returns how many; a small batch is one part. */
static int bpi_share(void (*task)(void *context, int part, int parts), bpi_run *run)
{
    const double work = (double)run->n * (double)run->net->parameter_count;
    int parts = run->space.threads;
    if (work < 750000.0 * parts)
        parts = (int)(work / 750000.0);
    if (parts < 2)
        task(run, 0, parts = 1);
    else
        BPI_PARALLEL(parts, task, run);
    return parts;
}

/* Learns from the examples under way; non-zero if that made a parameter not finite. */
static int bpi_learn(bpi_run *run)
{
    int parts = bpi_share(bpi_learn_neurons, run), bad = 0;
    while (parts-- > 0)
        bad |= run->space.scratch[parts].bad;
    return bad;
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

/* Marks the blocks of n rows that are not all zero, where that pays: where a quarter are. */
static void bpi_mark_zeros(const bp_net *net, bpi_rows *rows, size_t n, uint8_t *marks)
{
    const bpi_kernels *kernels = bpi_kernels_of(net);
    const size_t blocks = bpi_blocks(rows->stride);
    size_t i, marked = 0;
    if (!marks || !kernels->skips_zeros)
        return;
    for (i = 0; i < n; i++) {
        marked += kernels->mark(bpi_row(rows, i), blocks, marks + i * blocks);
        if (marked * 4 > (i + 1) * blocks * 3)
            return;
    }
    rows->marks = marks;
}

/* Takes n examples from position first on: views into the matrices, or what fetch makes. */
static bp_status bpi_view(bpi_run *run, size_t first, size_t n)
{
    const bp_data *data = run->data;
    const bpi_space *space = &run->space;
    size_t *order = space->order, i;
    run->n = n;
    run->x = bpi_matrix(data->inputs ? data->inputs : space->inputs, bpi_inputs(run->net));
    run->y = bpi_matrix(data->inputs ? data->targets : space->targets, bpi_outputs(run->net));
    if (data->inputs) {
        run->x.index = run->y.index = run->shuffled ? order : NULL;
        run->x = bpi_rows_from(&run->x, first);
        run->y = bpi_rows_from(&run->y, first);
        return BP_OK;
    }
    if (run->shuffled)
        order += first;
    else
        for (i = 0; i < n; i++)
            order[i] = first + i;
    return data->fetch(data->user, order, n, space->inputs, space->targets);
}

/* Why a cost is not finite: is it the examples? */
static bp_status bpi_blame(const bpi_run *run)
{
    size_t i;
    for (i = 0; i < run->n; i++)
        if (!bpi_all_finite(bpi_row(&run->x, i), run->x.stride) ||
            !bpi_all_finite(bpi_row(&run->y, i), run->y.stride))
            return BP_INVALID_DATA;
    return BP_DIVERGED;
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

/* a^l = s(W^l a^{l-1} + b^l) for l = 1 ... L; and the errors, if they are scaled. */
static void bpi_forward(bpi_run *run)
{
    const bp_net *net = run->net;
    const bpi_space *space = &run->space;
    const int last = net->layer_count - 1;
    int l;
    if (run->n > 1) {
        bpi_mark_zeros(net, &run->x, run->n, space->marks);
        for (run->layer = 0; run->layer < last; run->layer++)
            bpi_share(bpi_forward_neurons, run);
        bpi_share(bpi_last_layer_and_errors, run);
        return;
    }
    for (l = 0; l <= last && !run->ahead; l++)
        bpi_kernels_of(net)->forward_one(&net->layers[l],
                                         l ? space->a[l - 1] : bpi_row(&run->x, 0),
                                         l ? NULL : space->scratch->blocks, space->a[l],
                                         bpi_room(&net->layers[l]));
    if (run->scale > 0)
        bpi_errors(run, 0, 1, space->scratch);
}

/* Takes n examples from position first on forward and, with scale, back; adds their squares. */
static bp_status bpi_begin(bpi_run *run, size_t first, size_t n)
{
    const bp_net *net = run->net;
    const size_t outputs = (size_t)bpi_outputs(net);
    bp_status status = bpi_view(run, first, n);
    double sum = 0;
    size_t i;
    if (status != BP_OK)
        return status;
    bpi_forward(run);
    for (i = 0; i < n; i++)
        sum += bpi_squares(net, run->space.a[net->layer_count - 1] + i * outputs,
                           bpi_row(&run->y, i));
    run->squares += sum;
    return bpi_is_finite(run->squares) ? BP_OK : bpi_blame(run);
}

/* The gradient of the mean cost over count examples from position first on. On failure with
 * count <= space.rows gradient is untouched. */
static bp_status bpi_gradient_of(bpi_run *run, size_t first, size_t count, bp_real *gradient)
{
    const size_t end = first + count;
    size_t n;
    run->gradient = gradient;
    run->batch = count;
    run->scale = bpi_error_scale(run->net, count);
    for (; first < end; first += n) {
        bp_status status;
        n = bpi_min(end - first, run->space.rows);
        status = bpi_begin(run, first, n);
        if (status != BP_OK)
            return status;
        if (end - first == count)
            memset(gradient, 0, run->net->parameter_count * sizeof(bp_real));
        bpi_learn(run);
    }
    run->gradient = NULL;
    return BP_OK;
}

/* ---- updates of gradient descent (U) ---- */

/* Descends upon a single example; the next, if there is one, goes forward as the weights are passed
 * over, layer by layer. Non-zero if a parameter is not finite any more. */
static int bpi_descend(bpi_run *run, const bpi_kernels *kernels, const bp_real *next)
{
    bpi_space *space = &run->space;
    const bp_real *x = bpi_row(&run->x, 0);
    bp_real **a = space->a;
    int l, bad = 0;
    for (l = 0; l < run->net->layer_count; l++) {
        const bp_layer *layer = &run->net->layers[l];
        bp_real *out = next ? space->next[l] : NULL;
        bad |= kernels->descend_one(layer, space->delta[l], x, run->eta,
                                    l ? NULL : space->scratch->blocks, next, out,
                                    bpi_room(layer));
        x = a[l];
        next = out;
    }
    run->ahead = next != NULL;
    if (next) {
        space->a = space->next;
        space->next = a;
    }
    return bad;
}

/* One update from n examples. */
static bp_status bpi_step(bpi_run *run, size_t first, size_t n)
{
    const bp_net *net = run->net;
    const bpi_kernels *kernels = bpi_kernels_of(net);
    bp_status status;
    int bad;
    if (n > run->space.rows) {
        status = bpi_gradient_of(run, first, n, run->space.gradient);
        if (status != BP_OK)
            return status;
        bad = kernels->update(net->parameters, run->space.gradient, net->parameter_count, run->eta);
        return bad ? BP_DIVERGED : BP_OK;
    }
    if (run->batch != n)
        run->scale = bpi_error_scale(net, n);
    run->batch = n;
    status = bpi_begin(run, first, n);
    if (status != BP_OK)
        return status;
    if (n == 1 && kernels->descend_one)
        bad = bpi_descend(run, kernels, run->space.next && first + 1 < run->data->count
                                            ? bpi_row(&run->x, 1) : NULL);
    else
        bad = bpi_learn(run);
    return bad ? BP_DIVERGED : BP_OK;
}

/* ---- training ---- */

/* Tells the callback; non-zero if it wants to stop. */
static int bpi_report(const bpi_run *run, size_t seen)
{
    const bp_training *training = run->training;
    bp_progress progress;
    if (!training->on_progress)
        return 0;
    progress.epoch = run->net->epochs_trained + (seen < run->data->count);
    progress.epochs = run->last_epoch;
    progress.seen = seen;
    progress.count = run->data->count;
    progress.cost = bpi_mean_cost(run->net, run->squares, seen);
    progress.net = run->net;
    return training->on_progress(training->user, &progress);
}

static bp_status bpi_epoch(bpi_run *run, bp_net *net)
{
    const bp_training *training = run->training;
    const size_t count = run->data->count, every = training->report_every;
    const size_t batch = training->batch_size ? training->batch_size : count;
    size_t seen = 0, n, due = every;
    double squares = 0;
    if (run->shuffled)
        bpi_shuffle(run->space.order, count, training->seed, net->epochs_trained);
    for (; seen < count; seen += n) {
        bp_status status;
        n = bpi_min(batch, count - seen);
        run->squares = 0;
        status = bpi_step(run, seen, n);
        if (status != BP_OK)
            return status;
        squares += run->squares;
        run->squares = squares;
        if (seen + n == count)
            net->epochs_trained++;
        else if (!every || seen + n < due)
            continue;
        else
            due = ((seen + n) / every + 1) * every;
        if (bpi_report(run, seen + n))
            return BP_STOPPED;
    }
    return BP_OK;
}

BPI_API bp_status bp_train_in(bp_net *net, const bp_data *data, const bp_training *training,
                              void *workspace, size_t size)
{
    bpi_run run;
    bp_status status;
    int epoch;
    if (!bpi_training_is_valid(training))
        return BP_INVALID_ARGUMENT;
    status = bpi_open(&run, net, data, training, workspace, size);
    if (status != BP_OK)
        return status;
    run.eta = (bp_real)training->learning_rate;
    run.last_epoch = net->epochs_trained + (uint64_t)training->epochs;
    for (epoch = 0; epoch < training->epochs && status == BP_OK; epoch++)
        status = bpi_epoch(&run, net);
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
    bpi_run run;
    bp_status status;
    bp_real *sum;
    if (!gradient)
        return BP_INVALID_ARGUMENT;
    status = bpi_open(&run, net, data, NULL, workspace, size);
    if (status != BP_OK)
        return status;
    /* A failure after the first rows must not be seen in gradient: sum beside it. */
    sum = run.space.gradient ? run.space.gradient : gradient;
    status = bpi_gradient_of(&run, 0, data->count, sum);
    if (status != BP_OK)
        return status;
    if (sum != gradient)
        memcpy(gradient, sum, net->parameter_count * sizeof(bp_real));
    if (cost)
        *cost = bpi_mean_cost(net, run.squares, data->count);
    return BP_OK;
}

/* ---- prediction and evaluation ---- */

/* What a prediction works in: the activations of hidden layers alternate between two buffers. */
typedef struct bpi_predict_space {
    bpi_scratch scratch;
    bp_real *even, *odd;
    uint8_t *marks;
} bpi_predict_space;

static void bpi_predict_place(bpi_predict_space *space, bpi_arena *arena, const bp_net *net,
                              size_t rows)
{
    /* whole vectors may be stored where there is one row */
    const size_t width = ((size_t)net->widest + BPI_LANES - 1) / BPI_LANES * BPI_LANES;
    const size_t blocks = bpi_lists_zeros(net) ? bpi_blocks((size_t)bpi_inputs(net)) : 0;
    space->marks = NULL;
    space->scratch.blocks = NULL;
    space->even = (bp_real *)bpi_take(arena, rows, 2 * width * sizeof(bp_real));
    space->odd = space->even ? space->even + rows * width : NULL;
    if (rows > 1) {
        bpi_scratch_place(&space->scratch, arena, net, rows);
        if (blocks)
            space->marks = (uint8_t *)bpi_take(arena, rows, blocks);
    } else if (blocks) {
        space->scratch.blocks = (uint32_t *)bpi_take(arena, blocks, sizeof(uint32_t));
    }
}

/* Bytes to predict with that many rows (at most BPI_ROWS) at once; 0 if they overflow. */
static size_t bpi_predict_size(const bp_net *net, size_t rows)
{
    bpi_arena arena = bpi_arena_at(NULL, (size_t)-1);
    bpi_predict_space space;
    bpi_predict_place(&space, &arena, net, rows);
    return arena.used;
}

BPI_API size_t bp_workspace_size(const bp_net *net, const bp_data *data,
                                 const bp_training *training)
{
    bpi_arena arena = bpi_arena_at(NULL, (size_t)-1);
    bpi_space space;
    if (!net || (data && !bpi_data_is_valid(data)) ||
        (training && (!data || !bpi_training_is_valid(training))))
        return 0;
    if (!data)
        return bpi_predict_size(net, 1);
    bpi_space_place(&space, &arena, net, data, training);
    return arena.used;
}

static void bpi_predict_one(const bp_net *net, const bp_real *a, bp_real *outputs,
                            const bpi_predict_space *space)
{
    const bpi_kernels *kernels = bpi_kernels_of(net);
    const bp_layer *layer = net->layers, *last = layer + net->layer_count - 1;
    uint32_t *blocks = space->scratch.blocks;
    bp_real *out = space->even, *other = space->odd, *swapped;
    for (; layer < last; layer++) {
        kernels->forward_one(layer, a, blocks, out, bpi_room(layer));
        blocks = NULL;
        a = swapped = out;
        out = other;
        other = swapped;
    }
    kernels->forward_one(last, a, blocks, outputs, (size_t)last->outputs);
}

/* n examples, as many as the space is for. */
static void bpi_predict_rows(const bp_net *net, const bp_real *inputs, size_t n, bp_real *outputs,
                             const bpi_predict_space *space)
{
    bpi_rows a = bpi_matrix(inputs, bpi_inputs(net));
    int l;
    bpi_mark_zeros(net, &a, n, space->marks);
    for (l = 0; l < net->layer_count; l++) {
        const bp_layer *layer = &net->layers[l];
        bp_real *out = l == net->layer_count - 1 ? outputs : l & 1 ? space->odd : space->even;
        bpi_forward_panel(bpi_kernels_of(net), layer, &a, n, &space->scratch, out,
                          (size_t)layer->outputs);
        a = bpi_matrix(out, layer->outputs);
    }
}

BPI_API bp_status bp_predict_in(const bp_net *net, const bp_real *inputs, size_t count,
                                bp_real *outputs, void *workspace, size_t size)
{
    bpi_predict_space space;
    bpi_arena arena;
    size_t n, rows = bpi_min(count, BPI_PREDICTED);
    if (!net || !inputs || !count || !outputs || (!workspace && size))
        return BP_INVALID_ARGUMENT;
    if (!workspace)
        return BP_OUT_OF_MEMORY;
    for (;; rows /= 2) {
        arena = bpi_arena_at(workspace, size);
        bpi_predict_place(&space, &arena, net, rows);
        if (!arena.full)
            break;
        if (rows == 1)
            return BP_OUT_OF_MEMORY;
    }
    for (; count; count -= n) {
        n = bpi_min(count, rows);
        if (n == 1 || BPI_PREDICTED == 1)
            bpi_predict_one(net, inputs, outputs, &space);
        else
            bpi_predict_rows(net, inputs, n, outputs, &space);
        inputs += n * (size_t)bpi_inputs(net);
        outputs += n * (size_t)bpi_outputs(net);
    }
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
    if (outputs == 1)
        return (2 * a[0] >= 1) == (2 * y[0] >= 1);
    return bpi_argmax(a, outputs) == bpi_argmax(y, outputs);
}

BPI_API bp_status bp_evaluate_in(const bp_net *net, const bp_data *data, bp_evaluation *result,
                                 void *workspace, size_t size)
{
    bpi_run run;
    bp_status status;
    size_t seen, n, i, correct = 0;
    if (!result)
        return BP_INVALID_ARGUMENT;
    status = bpi_open(&run, net, data, NULL, workspace, size);
    if (status != BP_OK)
        return status;
    for (seen = 0; seen < data->count; seen += n) {
        const int outputs = bpi_outputs(net);
        const bp_real *a = run.space.a[net->layer_count - 1];
        n = bpi_min(data->count - seen, run.space.rows);
        status = bpi_begin(&run, seen, n);
        if (status != BP_OK)
            return status;
        for (i = 0; i < n; i++, a += outputs)
            correct += (size_t)bpi_is_correct(a, bpi_row(&run.y, i), outputs);
    }
    result->cost = bpi_mean_cost(net, run.squares, data->count);
    result->correct = correct;
    result->count = data->count;
    return BP_OK;
}

/* ---- the same with memory allocated for the call ---- */

/* On the stack, if it has room for the only example, or for 32 at a time; else allocated. */
BPI_API bp_status bp_predict(const bp_net *net, const bp_real *inputs, size_t count,
                             bp_real *outputs)
{
    unsigned char stack[BPI_STACK];
    bp_status status = BP_OUT_OF_MEMORY;
    void *workspace;
    size_t size;
    if (!net || !count)
        return BP_INVALID_ARGUMENT;
    if (count == 1 || bpi_predict_size(net, bpi_min(count, BPI_PREDICTED / 8)) <= sizeof stack)
        status = bp_predict_in(net, inputs, count, outputs, stack, sizeof stack);
    if (status != BP_OUT_OF_MEMORY)
        return status;
    size = bpi_predict_size(net, bpi_min(count, BPI_PREDICTED));
    workspace = bpi_allocate(size);
    status = bp_predict_in(net, inputs, count, outputs, workspace, workspace ? size : 0);
    bpi_release(workspace);
    return status;
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

/* The larger of a and |x|; once not a number, always not a number. */
static double bpi_larger(double a, double x)
{
    const double magnitude = x < 0 ? -x : x;
    return magnitude <= a || !bpi_is_number(a) ? a : magnitude;
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
        least = bpi_larger(least, (double)gradient[i] / 100);
    for (i = 0; status == BP_OK && i < net->parameter_count; i++) {
        double slope = 0, scale, error;
        status = bpi_difference(copy, data, &copy->parameters[i], &slope);
        scale = bpi_larger(bpi_larger(least, slope), (double)gradient[i]);
        error = scale > 0 ? (slope - (double)gradient[i]) / scale : scale;
        worst = bpi_larger(worst, error);
    }
    if (status == BP_OK)
        *worst_relative_error = worst;
    bp_free(copy);
    bpi_release(gradient);
    return status;
}

/* ---- files: to and from bytes ---- */

enum { BPI_VERSION = 1, BPI_HEADER = 36 /* bytes before the layers */, BPI_CHECKSUM = 8 };

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
    if (!net || !bpi_all_finite(net->parameters, net->parameter_count))
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

/* The source, @ standing for the name: F1 and F2 once more, in the same order of operations. */
static const char *const bpi_export_head =
    "/* A feedforward network, written by backprop.h " BACKPROP_VERSION ".\n"
    " *     void @(const " BPI_REAL_NAME " *inputs, " BPI_REAL_NAME " *outputs);\n"
    " * needs no library and no header; it may run on any number of threads at once. */\n"
    "#include <stddef.h>\n"
    "#include <stdint.h>\n"
    "\ntypedef " BPI_REAL_NAME " @_real;\n";

/* For a network that computes without fused multiply-add: no compiler fuses a stored product. */
static const char *const bpi_export_unfused =
    "\nstatic @_real @_fma(@_real a, @_real b, @_real c)\n"
    "{\n"
    "    volatile @_real product = a * b;\n"
    "    return product + c;\n"
    "}\n";

static const char *const bpi_export_fused =
    "\n"
    "#if defined(__FMA__) || defined(__aarch64__) || defined(__ARM_FEATURE_FMA) || \\\n"
    "    defined(__powerpc64__) || defined(__s390x__) || defined(__riscv_flen)\n"
    "static @_real @_fma(@_real a, @_real b, @_real c)\n"
    "{\n"
    "    return __builtin_fma" BPI_REAL_SUFFIX "(a, b, c);\n"
    "}\n"
    "#else\n"
    "/* x + y rounded to odd */\n"
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
    "\n/* a*b + c rounded once, without an instruction for it */\n"
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

#define BPI_PAIR_TEXT(odd, even) "@_fma(" BPI_STRING(odd) ", f, " BPI_STRING(even) ")"
static const char *const bpi_export_sigmoid =
    "\ntypedef int" BPI_STRING(BPI_BITS) "_t @_bits;\n"
    "enum { @_LANES = 256 / " BPI_STRING(BPI_BITS) ", @_DIGITS = " BPI_STRING(BPI_MANTISSA_BITS)
    " + 1, @_BIAS = " BPI_STRING(BPI_EXPONENT_BIAS) " };\n"
    "static const @_real @_highest = " BPI_STRING(BPI_SIGMOID_HIGHEST) ", @_lowest = "
    BPI_STRING(BPI_SIGMOID_LOWEST) ", @_zero = " BPI_STRING(BPI_SIGMOID_ZERO) ";\n"
    "static const @_real @_log2_e = " BPI_STRING(BPI_LOG2_E) ";\n"
    "static const @_real @_ln2_high = " BPI_STRING(BPI_LN2_HIGH) ", @_ln2_low = "
    BPI_STRING(BPI_LN2_LOW) ";\n"
    "\n/* (e^f - 1 - f) / f^2 */\n"
    "static @_real @_tail(@_real f)\n"
    "{\n"
    "    const @_real f2 = f * f, r2 = " BPI_PAIR_TEXT(BPI_E3, BPI_E2) ";\n"
    "    const @_real r4 = " BPI_PAIR_TEXT(BPI_E5, BPI_E4) ";\n"
#ifdef BACKPROP_DOUBLE
    "    const @_real f4 = f2 * f2, r6 = " BPI_PAIR_TEXT(BPI_E7, BPI_E6) ";\n"
    "    const @_real r8 = " BPI_PAIR_TEXT(BPI_E9, BPI_E8) ";\n"
    "    const @_real r10 = " BPI_PAIR_TEXT(BPI_E11, BPI_E10) ";\n"
    "    return @_fma(@_fma(r10, f4, @_fma(r8, f2, r6)), f4, @_fma(r4, f2, r2));\n"
#else
    "    return @_fma(@_fma(" BPI_STRING(BPI_E6) ", f2, r4), f2, r2);\n"
#endif
    "}\n"
    "\nstatic @_real @_power_of_2(int n)\n"
    "{\n"
    "    union { @_bits bits; @_real x; } u;\n"
    "    u.bits = (@_bits)(n + @_BIAS) << (@_DIGITS - 1);\n"
    "    return u.x;\n"
    "}\n"
    "\n/* 1 / (1 + e^-z) */\n"
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
    "\n#ifdef __cplusplus\n"
    "extern \"C\"\n"
    "#endif\n"
    "void @(const @_real *inputs, @_real *outputs);\n"
    "\n/* out = sigmoid(W a + b) layer by layer, summed in lanes that are then added in halves */\n"
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
    char text[64], *p;
    int point = 0;
    sprintf(text, "%.*e", sizeof(bp_real) == sizeof(float) ? 8 : 16, (double)x);
    for (p = text; *p; p++)
        if (strchr("-+0123456789e", *p))
            putc(*p, file);
        else if (!point++)
            putc('.', file);
    fputs(BPI_REAL_SUFFIX, file);
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
    bpi_export_text(file, "\n/* W b of one layer after the other */\n"
                          "static const @_real @_parameters[] = {", name);
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
    const char *found;
    if (length == 0 || (*name >= '0' && *name <= '9') || strspn(name, letters) != length)
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

/* Writes a file of size bytes, or, where bytes is NULL, the network as C source under a name: made
 * beside its place and put there last; if anything fails, it goes and what was at path stays. */
static bp_status bpi_write_file(const char *path, const void *bytes, size_t size,
                                const bp_net *net, const char *name)
{
    char *temporary = (char *)BACKPROP_MALLOC(strlen(path) + sizeof ".tmp");
    int good = 0;
    FILE *file;
    if (!temporary)
        return BP_OUT_OF_MEMORY;
    sprintf(temporary, "%s.tmp", path);
    file = fopen(temporary, "wb");
    if (file) {
        if (bytes)
            good = fwrite(bytes, 1, size, file) == size;
        else
            good = bpi_export_net(file, net, name);
        good = fclose(file) == 0 && good && bpi_replace(temporary, path);
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
    if (!bpi_all_finite(net->parameters, net->parameter_count))
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
        "stopped by the progress callback",
        "an input or a target is not finite"
    };
    unsigned i = (unsigned)status;
    return i < sizeof words / sizeof *words ? words[i] : "unknown status";
}

/* >>machine
 * =========
 * From here on it is about processors. Three micro-kernels do nearly all of the work, written once
 * and compiled once for each instruction set:
 *
 *     dot_tile    z[r][m]   = sum_k a[r][k] w[m][k]         forward (F1)
 *     axpy_tile   out[r][k] = f(sum_t c[t][r] x[t][k])      hidden errors (B2), gradients (B3),
 *                                                           descent (B3 and U in one)
 *     ger_dot     w[r] -= eta d[r] a,  z[r] = w[r] . next   one example: descent, and the forward
 *                                                           product of the next, in one pass
 *
 *     dot_tile           k, k + 1 ... of        axpy_tile          k ... k + NV vectors
 *                        w[0] ... w[NR-1]                          of x[t]
 *     a[0]          [                    ]      c[t][0]       [                    ]
 *      ...          [ sums, a vector each ]      ...          [ sums, in registers ]
 *     a[MR-1]       [                    ]      c[t][MR-1]    [                    ]
 *                   folded in the end                         f, then stored
 *
 * A vector is the lanes of one sum of F1 (8 floats or 4 doubles): one register with AVX2, two
 * with SSE2, NEON and WebAssembly, a small array in plain C. With AVX-512 it is two sums side by
 * side, of two examples.
 *
 * Where to find things:
 *
 *     panels (drivers of tiles)    bpi_forward_panel, bpi_axpy_panel; bpi_hidden_error and
 *                                  bpi_gradient_panel set it up
 *     instruction sets             bpi_find_kernels, bpi_has, BPI_PASS
 *     operations of a set          BPI_ADD ... BPI_EXCEEDS, bpi_vfold, below "operations"
 *     sigmoid                      bpi_vsigmoid
 *     lists of blocks not zero     bpi_list_blocks, bpi_mark
 *     forward product              bpi_dot_tile, bpi_dot_columns, bpi_dot; bpi_dot_narrow
 *     one example                  bpi_forward_one, bpi_hidden_error_one, bpi_descend_one
 *     sums of rows                 bpi_axpy_tile, bpi_axpy_columns, bpi_axpy
 *     element by element           bpi_activate, bpi_output_error, bpi_update
 *
 * To add an instruction set: write its operations, give it a number (sizes of tiles, and who has
 * fused multiply-add, go by it), include its pass, add it to bpi_find_kernels. The height of a tile
 * is BPI_MR or BPI_AXPY_MR, below those numbers. */

/* Numbers that decide about speed, never about bits. */
enum {
    /* bytes of a core's second cache, the least of today's processors */
    BPI_L2 = 1024 * 1024,
    /* bytes of weights, or of rows, that meet one tile after the other: a quarter of it */
    BPI_CHUNK = BPI_L2 / 4,
    /* bytes that rows may lie apart before a first cache of 8 ways holds too few of them */
    BPI_SPREAD = 32 * 1024,
    /* inputs, and neurons, from which on a list of the blocks that are not zero pays for itself */
    BPI_LISTED_INPUTS = 128,
    BPI_LISTED_NEURONS = 16
};

/* ---- panels: what drives the tiles; compiled once, for every set ---- */

/* Do so many rows, which lie stride numbers apart, crowd each other out of the first cache? It
 * finds a line by the low bits of its address: rows 4096 bytes apart share eight places. */
static int bpi_rows_collide(size_t rows, size_t stride)
{
    const size_t bytes = stride * sizeof(bp_real), step = bytes & (~bytes + 1);
    return rows * step > BPI_SPREAD;
}

/* Is it worth looking for blocks of zeros in the network's inputs? */
static int bpi_lists_zeros(const bp_net *net)
{
#ifdef BACKPROP_NO_SIMD
    (void)net;
    return 0;
#else
    return net->layers[0].inputs >= BPI_LISTED_INPUTS;
#endif
}

static void bpi_scratch_place(bpi_scratch *scratch, bpi_arena *arena, const bp_net *net,
                              size_t rows)
{
    size_t terms = rows;
    int l, packs = 0;
    for (l = 0; l < net->layer_count; l++) {
        const size_t outputs = (size_t)net->layers[l].outputs;
        if (l > 0 && bpi_min(outputs, BPI_TERMS) > terms)
            terms = bpi_min(outputs, BPI_TERMS);
        packs |= bpi_rows_collide(BPI_LANES, (size_t)net->layers[l].inputs);
    }
    memset(scratch, 0, sizeof *scratch);
    if (bpi_lists_zeros(net))
        scratch->blocks = (uint32_t *)bpi_take(arena, bpi_blocks((size_t)bpi_inputs(net)),
                                               sizeof(uint32_t));
    scratch->list = (const bp_real **)bpi_take(arena, terms, sizeof(bp_real *));
    scratch->places = (size_t *)bpi_take(arena, terms, sizeof(size_t));
    if (packs && rows > 1 && BPI_VECTORS)
        scratch->panel = (bp_real *)bpi_take(arena, BPI_CHUNK, 1);
}

/* Copies columns of the listed rows to the panel, and lists the copies. */
static void bpi_pack(const bp_real **list, size_t rows, size_t width, bp_real *panel)
{
    const size_t line = 64 / sizeof(bp_real), apart = (width / line / 2 * 2 + 3) * line;
    size_t i;
    for (i = 0; i < rows; i++, panel += apart) {
        memcpy(panel, list[i], width * sizeof(bp_real));
        list[i] = panel;
    }
}

/* The most columns of so many rows that fit into size bytes once they are packed. */
static size_t bpi_packed_columns(size_t rows, size_t size)
{
    const size_t pair = 128 / sizeof(bp_real), pairs = size / 128 / rows;
    return pairs > 2 ? (pairs - 2) * pair : 0;
}

/* Lists the blocks that are marked for any of the rows (see bpi_rows); returns how many. */
static size_t bpi_list_marked(const uint8_t *marks, size_t rows, size_t inputs, uint32_t *blocks)
{
    const size_t step = bpi_blocks(inputs);
    size_t b, i, count = 0;
    for (b = 0; b < step; b++) {
        unsigned any = 0;
        for (i = 0; i < rows; i++)
            any |= marks[i * step + b];
        blocks[count] = (uint32_t)(b * BPI_LANES);
        count += any;
    }
    return count;
}

/* Fills in a tile's examples, from the i-th on: to its full height, behind the last this again. */
static void bpi_list_examples(bpi_dot_job *tile, size_t height, const bpi_rows *a, size_t i,
                              bp_real *out, size_t ldo, bp_real *panel)
{
    const size_t width = tile->inputs;
    size_t r;
    for (r = 0; r < height; r++) {
        const size_t at = i + bpi_min(r, tile->rows - 1);
        tile->a[r] = bpi_row(a, at);
        tile->out[r] = out + at * ldo;
    }
    if (panel && bpi_rows_collide(height, width) &&
        width <= bpi_packed_columns(height, BPI_CHUNK))
        bpi_pack(tile->a, height, width, panel);
}

/* F1, F2 for n > 1 examples and some neurons: groups of neurons whose weights stay in the second
 * cache, and for each group one tile of examples after the other. */
static void bpi_forward_panel(const bpi_kernels *kernels, const bp_layer *layer, const bpi_rows *a,
                              size_t n, const bpi_scratch *scratch, bp_real *out, size_t ldo)
{
    const size_t inputs = (size_t)layer->inputs, outputs = (size_t)layer->outputs;
    const size_t bytes = inputs * sizeof(bp_real);
    const int narrow = outputs < kernels->dot_neurons;
    const size_t height = narrow ? (size_t)BPI_LANES : kernels->dot_rows;
    const size_t group = bytes * outputs > BPI_L2 ? (BPI_CHUNK / bytes / 16 + 1) * 16 : outputs;
    bpi_dot_job tile;
    size_t i, j, r;
    memset(&tile, 0, sizeof tile);
    tile.inputs = inputs;
    for (j = 0; j < outputs; j += group) {
        tile.neurons = bpi_min(group, outputs - j);
        if (tile.neurons < kernels->dot_neurons && !narrow) {
            /* the last group is shorter than a tile: it begins earlier */
            tile.neurons = kernels->dot_neurons;
            j = outputs - tile.neurons;
        }
        tile.w = layer->weights + j * inputs;
        tile.b = layer->biases + j;
        for (i = 0; i < n; i += tile.rows) {
            tile.rows = bpi_min(height, n - i);
            tile.prefetch = i == 0 && group < outputs;
            bpi_list_examples(&tile, height, a, i, out + j, ldo, scratch->panel);
            if (a->marks) {
                tile.blocks = scratch->blocks;
                tile.block_count = bpi_list_marked(a->marks + i * bpi_blocks(inputs), tile.rows,
                                                   inputs, scratch->blocks);
            }
            (narrow ? kernels->dot_narrow : kernels->dot)(&tile);
        }
    }
    /* whole rows, or some columns of them */
    if (outputs == ldo)
        kernels->activate(out, n * outputs);
    else
        for (r = 0; r < n; r++)
            kernels->activate(out + r * ldo, outputs);
}

/* Lists count rows of x from column k on, and where their coefficients lie; where zeros are marked,
 * only those that are not zero in all of so many columns. Returns how many are listed. */
static size_t bpi_list_terms(const bpi_rows *x, size_t first, size_t count, size_t k,
                             size_t width, size_t c_term, const bpi_scratch *scratch)
{
    const size_t blocks = bpi_blocks(x->stride), block = k / BPI_LANES;
    const size_t end = (k + width + BPI_LANES - 1) / BPI_LANES;
    size_t t, b, listed = 0;
    for (t = first; t < first + count; t++) {
        unsigned any = !x->marks || end > blocks;
        for (b = block; b < end && !any; b++)
            any = x->marks[t * blocks + b];
        scratch->list[listed] = bpi_row(x, t) + k;
        scratch->places[listed] = t * c_term;
        listed += any;
    }
    return listed;
}

/* out[i][k] = f(sum_t c[t][i] x[t][k]) for i < rows, t < count, k < columns, f being the tile's.
 * Rows of x are taken some at a time, and of these as many columns as stay in the second cache
 * while they meet one tile of sums after the other; or a tile's columns, where zeros are left out.
 * Non-zero if a descent made a number that is not finite. */
static int bpi_axpy_panel(const bpi_kernels *kernels, const bpi_axpy_job *product, size_t rows,
                          const bpi_rows *x, size_t count, size_t terms,
                          const bpi_scratch *scratch)
{
    const size_t width = product->width;
    bpi_axpy_job tile = *product;
    int bad = 0;
    size_t t, k, i, some;
    tile.x = scratch->list;
    tile.c_at = scratch->places;
    for (t = 0; t < count; t += some) {
        some = bpi_min(terms, count - t);
        tile.f = t + some < count ? BPI_ADD : product->f;
        tile.accumulate = t > 0 || product->f == BPI_ADD;
        for (k = 0; k < width; k += tile.width) {
            bp_real *panel = bpi_rows_collide(some, x->stride) && rows >= BPI_LISTED_NEURONS
                                 ? scratch->panel : NULL;
            tile.width = x->marks ? kernels->axpy_columns
                                    : bpi_packed_columns(some, BPI_CHUNK);
            tile.width = bpi_min(tile.width, width - k);
            tile.count = bpi_list_terms(x, t, some, k, tile.width, product->c_term, scratch);
            if (tile.count == 0)
                continue;
            if (panel && !x->marks)
                bpi_pack(scratch->list, tile.count, tile.width, panel);
            for (i = 0; i < rows; i += tile.rows) {
                tile.rows = rows - i;
                tile.c = product->c + i * product->c_row;
                tile.out = product->out + i * product->ldo + k;
                tile.a = product->a ? product->a + i * product->ldo + k : NULL;
                bad |= kernels->axpy(&tile);
            }
        }
    }
    return bad;
}

/* B2: delta_ik = (sum_j w_jk above_ij) a_ik (1 - a_ik), layer being the one above. */
static void bpi_hidden_error(const bpi_kernels *kernels, const bp_layer *layer,
                             const bp_real *above, const bp_real *a, size_t n,
                             const bpi_scratch *scratch, bp_real *delta)
{
    const bpi_rows w = bpi_matrix(layer->weights, layer->inputs);
    bpi_axpy_job product;
    memset(&product, 0, sizeof product);
    product.f = BPI_ERROR;
    product.c = above;
    product.c_row = (size_t)layer->outputs;
    product.c_term = 1;
    product.width = product.ldo = (size_t)layer->inputs;
    product.out = delta;
    product.a = a;
    bpi_axpy_panel(kernels, &product, n, &w, product.c_row, n == 1 ? 8 : BPI_TERMS, scratch);
}

/* B3 for some neurons, rows of delta being ld apart: f is BPI_ADD, then w and b are the gradient,
 * or BPI_DESCEND (B3 and U in one), then they are the parameters. */
static int bpi_gradient_panel(const bpi_kernels *kernels, int f, const bp_layer *layer,
                              const bp_real *delta, size_t ld, const bpi_rows *a, size_t n,
                              bp_real eta, const bpi_scratch *scratch, bp_real *w, bp_real *b)
{
    /* a bias is the weight of an input that is always 1 */
    static const bp_real one = 1;
    bpi_rows errors = bpi_matrix(delta, 0);
    bpi_axpy_job product;
    int bad;
    errors.stride = ld;
    memset(&product, 0, sizeof product);
    product.f = f;
    product.eta = eta;
    product.c = delta;
    product.c_row = 1;
    product.c_term = ld;
    product.width = product.ldo = (size_t)layer->inputs;
    product.out = w;
    product.prefetch = f == BPI_DESCEND && (size_t)layer->inputs * (size_t)layer->outputs *
                                               sizeof(bp_real) > BPI_L2;
    bad = bpi_axpy_panel(kernels, &product, (size_t)layer->outputs, a, n, n, scratch);
    product.c = &one;
    product.c_row = product.c_term = 0;
    product.width = product.ldo = (size_t)layer->outputs;
    product.out = b;
    product.prefetch = 0;
    return bpi_axpy_panel(kernels, &product, 1, &errors, n, n, scratch) | bad;
}

/* ---- instruction sets ---- */

#define BPI_PASS_PLAIN 1
#define BPI_PASS_SSE2 2
#define BPI_PASS_WASM 3
#define BPI_PASS_NEON 4
#define BPI_PASS_AVX2 5
#define BPI_PASS_AVX512 6

/* Sizes of the tiles, which must fit into the registers: 16 with AVX2, 32 with AVX-512 and NEON, 16
 * of half a vector with SSE2. Plain C, for the sake of small code, has no wide tile of dot. */
#define BPI_PAIR (BPI_PASS == BPI_PASS_AVX512 ? 2 : 1) /* sums in a vector */
#define BPI_MR (BPI_PASS >= BPI_PASS_AVX2 ? 3 : BPI_PASS == BPI_PASS_NEON ? 2 : 1)
#define BPI_NR (BPI_LANES * BPI_PAIR / 2) /* neurons of a tile of dot */
#define BPI_AXPY_MR (BPI_PASS >= BPI_PASS_AVX2 ? 6 : 4)
#define BPI_AXPY_NV (BPI_PASS >= BPI_PASS_NEON ? 2 : 1)
#define BPI_W ((size_t)(BPI_LANES * BPI_PAIR)) /* numbers in a vector */

#if defined(__GNUC__)
#define BPI_INLINE inline __attribute__((always_inline))
#define BPI_PREFETCH(p) __builtin_prefetch((const void *)(p), 0, 2)
#define BPI_TARGET_AVX2 __attribute__((target("avx2,fma")))
#define BPI_TARGET_AVX512 __attribute__((target("avx2,fma,avx512f,avx512vl")))
#else
#if defined(_MSC_VER)
#define BPI_INLINE __forceinline
#else
#define BPI_INLINE inline
#endif
#define BPI_PREFETCH(p) ((void)(p))
#define BPI_TARGET_AVX2
#define BPI_TARGET_AVX512
#endif

/* The name under which this file includes itself. */
#ifndef BACKPROP_H_FILE
#define BACKPROP_H_FILE "backprop.h"
#endif

/* Plain C keeps its tiles in memory, their heights arguments like others: small code. */
#define BPI_UNROLL
#define BPI_TILE static
#define BPI_PASS BPI_PASS_PLAIN
#include BACKPROP_H_FILE

/* Tiles in vectors are unrolled, but not under clang's sanitizers, where that takes minutes to
 * compile. The memory sanitizer does not know what AVX's masked moves read. */
#undef BPI_UNROLL
#undef BPI_TILE
#define BPI_TILE static BPI_INLINE
#if !defined(__GNUC__)
#define BPI_UNROLL
#elif !defined(__clang__)
#define BPI_UNROLL _Pragma("GCC unroll 32")
#elif __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || \
    __has_feature(thread_sanitizer)
#define BPI_UNROLL
#if __has_feature(memory_sanitizer)
#define BPI_NO_MASKS 1
#endif
#else
#define BPI_UNROLL _Pragma("clang loop unroll(full)")
#endif

#ifdef BPI_X86
#include <immintrin.h>
#ifdef _MSC_VER
#include <intrin.h>
#else
#include <cpuid.h>
#endif
/* Windows keeps the stack on boundaries of 16 bytes; gcc for it moves vectors of 32 and 64 there as
 * if they stood on their own, which faults (gcc bug 54412). So the assembler makes each such move
 * in this file one that may be unaligned: on aligned memory the same, and as fast. */
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
#ifdef BPI_SSE2
#define BPI_PASS BPI_PASS_SSE2
#include BACKPROP_H_FILE
#endif
#define BPI_PASS BPI_PASS_AVX2
#include BACKPROP_H_FILE
#define BPI_PASS BPI_PASS_AVX512
#include BACKPROP_H_FILE

/* What the processor has, and what of it the operating system saves. */
#ifdef _MSC_VER
static void bpi_cpuid(unsigned leaf, unsigned *r)
{
    __cpuidex((int *)r, (int)leaf, 0);
}
static unsigned bpi_xcr0(void)
{
    return (unsigned)_xgetbv(0);
}
#else
static void bpi_cpuid(unsigned leaf, unsigned *r)
{
    __cpuid_count(leaf, 0, r[0], r[1], r[2], r[3]);
}
static unsigned bpi_xcr0(void)
{
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}
#endif

static int bpi_has(const bpi_kernels *kernels)
{
    const unsigned fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28;        /* leaf 1, ecx */
    const unsigned avx2 = 1u << 5, avx512f = 1u << 16, avx512vl = 1u << 31;   /* leaf 7, ebx */
    const unsigned ymm = 0x06, zmm = 0xe6;                                    /* XCR0 */
    unsigned r[4], basic, extended;
    if (kernels != &bpi_kernels_avx2 && kernels != &bpi_kernels_avx512)
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
#elif defined(BPI_NEON)
#include <arm_neon.h>
#define BPI_PASS BPI_PASS_NEON
#include BACKPROP_H_FILE
#elif defined(BPI_WASM)
#define BPI_PASS BPI_PASS_WASM
#include BACKPROP_H_FILE
#endif

#ifndef BPI_X86
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
        &bpi_kernels_avx512, &bpi_kernels_avx2,
#ifdef BPI_SSE2
        &bpi_kernels_sse2,
#endif
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

/* Where plain C is all there is, its functions are called by name: those that nobody calls can
 * then be left out by the compiler or the linker, as no table of all of them is in use. */
static const bpi_kernels *bpi_kernels_of(const bp_net *net)
{
    return BPI_VECTORS ? net->kernels : &bpi_kernels_plain;
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

/* Kernels. The file includes itself for each instruction set, with BPI_PASS saying
 * which: first come the operations of that set, then the kernels in terms of them. */
#ifdef BPI_PASS

#define BPI_PASTE_(a, b) a##b
#define BPI_PASTE(a, b) BPI_PASTE_(a, b)
#define BPI_N_(name, suffix) bpi_##name##_##suffix
#define BPI_N__(name, suffix) BPI_N_(name, suffix)
#define BPI_N(name) BPI_N__(name, BPI_SUFFIX)

/* What is written below as bpi_dot_tile is bpi_dot_tile_avx2 in the pass of AVX2. */
#define bpi_v BPI_N(v)
#define bpi_part BPI_N(part)
#define bpi_part_bits BPI_N(part_bits)
#define bpi_zero BPI_N(zero)
#define bpi_any_bits BPI_N(any_bits)
#define bpi_vload BPI_N(vload)
#define bpi_vstore BPI_N(vstore)
#define bpi_vset BPI_N(vset)
#define bpi_vadd BPI_N(vadd)
#define bpi_vsub BPI_N(vsub)
#define bpi_vmul BPI_N(vmul)
#define bpi_vor BPI_N(vor)
#define bpi_vmadd BPI_N(vmadd)
#define bpi_vany BPI_N(vany)
#define bpi_vfold BPI_N(vfold)
#define bpi_fold_quarter BPI_N(fold_quarter)
#define bpi_vload_part BPI_N(vload_part)
#define bpi_vstore_part BPI_N(vstore_part)
#define bpi_vload_n BPI_N(vload_n)
#define bpi_vstore_n BPI_N(vstore_n)
#define bpi_vcheck BPI_N(vcheck)
#define bpi_scalar_fma BPI_N(scalar_fma)
#define bpi_sigmoid_part BPI_N(sigmoid_part)
#define bpi_vsigmoid_usual BPI_N(vsigmoid_usual)
#define bpi_vsigmoid_rare BPI_N(vsigmoid_rare)
#define bpi_vsigmoid BPI_N(vsigmoid)
#define bpi_activate BPI_N(activate)
#define bpi_output_error BPI_N(output_error)
#define bpi_update BPI_N(update)
#define bpi_mark BPI_N(mark)
#define bpi_list_blocks BPI_N(list_blocks)
#define bpi_dot_block BPI_N(dot_block)
#define bpi_dot_tile BPI_N(dot_tile)
#define bpi_dot_columns BPI_N(dot_columns)
#define bpi_dot BPI_N(dot)
#define bpi_dot_narrow BPI_N(dot_narrow)
#define bpi_forward_one BPI_N(forward_one)
#define bpi_hidden_error_one BPI_N(hidden_error_one)
#define bpi_ger_dot_block BPI_N(ger_dot_block)
#define bpi_ger_job BPI_N(ger_job)
#define bpi_ger_dot BPI_N(ger_dot)
#define bpi_descend_one BPI_N(descend_one)
#define bpi_axpy_tile BPI_N(axpy_tile)
#define bpi_axpy_columns BPI_N(axpy_columns)
#define bpi_axpy BPI_N(axpy)

#if BPI_PASS == BPI_PASS_PLAIN && defined(__OPTIMIZE_SIZE__)
#define BPI_LOCAL static
#else
#define BPI_LOCAL BPI_TARGET static BPI_INLINE
#endif

/* ---- operations ---- */

#if BPI_PASS == BPI_PASS_AVX2 || BPI_PASS == BPI_PASS_AVX512

/* A vector is one register: 32 bytes with AVX2, 64 with AVX-512. gcc warns in C++ of a variable of
 * its own headers where an operation of AVX-512 has no mask: some have one, of ones, here. */
#define BPI_PARTS 1
#define BPI_PART(x, i) (x)
#ifdef BACKPROP_DOUBLE
#define BPI_OP(name) BPI_PASTE(BPI_PASTE(BPI_MM, name), _pd)
#define BPI_EPI(name) BPI_PASTE(BPI_PASTE(BPI_MM, name), _epi64)
#define BPI_INTEGERS(x) BPI_PASTE(BPI_PASTE(BPI_MM, castpd_), BPI_SI)(x)
#define BPI_REALS(x) BPI_PASTE(BPI_PASTE(BPI_MM, cast), BPI_PASTE(BPI_SI, _pd))(x)
#else
#define BPI_OP(name) BPI_PASTE(BPI_PASTE(BPI_MM, name), _ps)
#define BPI_EPI(name) BPI_PASTE(BPI_PASTE(BPI_MM, name), _epi32)
#define BPI_INTEGERS(x) BPI_PASTE(BPI_PASTE(BPI_MM, castps_), BPI_SI)(x)
#define BPI_REALS(x) BPI_PASTE(BPI_PASTE(BPI_MM, cast), BPI_PASTE(BPI_SI, _ps))(x)
#endif
#define BPI_SET(x) BPI_OP(set1)(x)
#define BPI_ADD(a, b) BPI_OP(add)(a, b)
#define BPI_SUB(a, b) BPI_OP(sub)(a, b)
#define BPI_MUL(a, b) BPI_OP(mul)(a, b)
#define BPI_DIV(a, b) BPI_OP(div)(a, b)
#define BPI_MADD(a, b, c) BPI_OP(fmadd)(a, b, c)
#define BPI_POWER(x) BPI_REALS(BPI_SHIFT(BPI_EPI(sub)(BPI_SET_INTEGER(BPI_MAGIC), BPI_INTEGERS(x))))

#if BPI_PASS == BPI_PASS_AVX2
#define BPI_SUFFIX avx2
#define BPI_TARGET BPI_TARGET_AVX2
#define BPI_MM _mm256_
#define BPI_SI si256
#define BPI_OR(a, b) BPI_REALS(_mm256_or_si256(BPI_INTEGERS(a), BPI_INTEGERS(b)))
#define BPI_ANY(x) (!_mm256_testz_si256(BPI_INTEGERS(x), BPI_INTEGERS(x)))
#define BPI_EXCEEDS(x, y) (BPI_OP(movemask)(BPI_OP(cmp)(x, y, _CMP_NLE_UQ)) != 0)
#define BPI_SHIFT(x) BPI_EPI(slli)(x, BPI_MANTISSA_BITS)
#define BPI_SHUFFLE(x, y, i) BPI_OP(shuffle)(x, y, i)
#define BPI_ADD_HALVES(x, y)                                                                      \
    BPI_ADD(BPI_OP(permute2f128)(x, y, 0x20), BPI_OP(permute2f128)(x, y, 0x31))
#define BPI_IN_ORDER(x) (x)
#ifdef BACKPROP_DOUBLE
typedef __m256d bpi_v;
#define BPI_SET_INTEGER(x) _mm256_set1_epi64x(x)
#else
typedef __m256 bpi_v;
#define BPI_SET_INTEGER(x) _mm256_set1_epi32(x)
#endif
#ifndef BPI_NO_MASKS
/* n lanes of ones, from a table that slides */
static const int32_t bpi_ones[16] = { -1, -1, -1, -1, -1, -1, -1, -1 };
#define BPI_ONES(n)                                                                               \
    _mm256_loadu_si256((const __m256i *)(const void *)((const char *)bpi_ones + 32 -              \
                                                       (n) * sizeof(bp_real)))
#define BPI_LOAD_PART(p, n) BPI_OP(maskload)(p, BPI_ONES(n))
#endif

#else
#define BPI_SUFFIX avx512
#define BPI_TARGET BPI_TARGET_AVX512
#define BPI_MM _mm512_
#define BPI_SI si512
#ifdef BACKPROP_DOUBLE
typedef __m512d bpi_v;
#define BPI_MASK(n) ((__mmask8)((1u << (n)) - 1))
#define BPI_SET_INTEGER(x) _mm512_set1_epi64(x)
#define BPI_JOIN(x, y) _mm512_maskz_insertf64x4(0xff, _mm512_castpd256_pd512(x), y, 1)
#define BPI_BOTH(x) _mm512_maskz_broadcast_f64x4(0xff, x)
#define BPI_QUARTERS(x, y, i) _mm512_maskz_shuffle_f64x2(0xff, x, y, i)
#define BPI_LOAD_256(p, n)                                                                        \
    ((n) >= 4 ? _mm256_loadu_pd(p) : _mm256_maskz_loadu_pd((__mmask8)((1u << (n)) - 1), p))
#else
typedef __m512 bpi_v;
#define BPI_MASK(n) ((__mmask16)((1u << (n)) - 1))
#define BPI_SET_INTEGER(x) _mm512_set1_epi32(x)
#define BPI_JOIN(x, y)                                                                            \
    _mm512_castpd_ps(_mm512_maskz_insertf64x4(                                                    \
        0xff, _mm512_castps_pd(_mm512_castps256_ps512(x)), _mm256_castps_pd(y), 1))
#define BPI_BOTH(x) _mm512_castpd_ps(_mm512_maskz_broadcast_f64x4(0xff, _mm256_castps_pd(x)))
#define BPI_QUARTERS(x, y, i) _mm512_maskz_shuffle_f32x4(0xffff, x, y, i)
#define BPI_LOAD_256(p, n)                                                                        \
    ((n) >= 8 ? _mm256_loadu_ps(p) : _mm256_maskz_loadu_ps((__mmask8)((1u << (n)) - 1), p))
#endif
#define BPI_OR(a, b) BPI_REALS(_mm512_or_si512(BPI_INTEGERS(a), BPI_INTEGERS(b)))
#define BPI_ANY(x) (_mm512_test_epi32_mask(BPI_INTEGERS(x), BPI_INTEGERS(x)) != 0)
#define BPI_EXCEEDS(x, y) (BPI_PASTE(BPI_OP(cmp), _mask)(x, y, _CMP_NLE_UQ) != 0)
#define BPI_ALL BPI_MASK(64 / sizeof(bp_real))
#define BPI_SHIFT(x) BPI_EPI(maskz_slli)(BPI_ALL, x, BPI_MANTISSA_BITS)
#define BPI_SHUFFLE(x, y, i) BPI_OP(maskz_shuffle)(BPI_ALL, x, y, i)
#define BPI_ADD_HALVES(x, y) BPI_ADD(BPI_QUARTERS(x, y, 0x88), BPI_QUARTERS(x, y, 0xdd))
/* the sums of the first examples, then of the second ones */
#define BPI_IN_ORDER(x) BPI_QUARTERS(x, x, 0xd8)
#define BPI_LOAD_PART(p, n) BPI_OP(maskz_loadu)(BPI_MASK(n), p)
#define BPI_STORE_PART(p, n, x) BPI_OP(mask_storeu)(p, BPI_MASK(n), x)
/* n numbers at p beside n at q; and n numbers at p twice */
#define BPI_LOAD_PAIR(p, q, n) BPI_JOIN(BPI_LOAD_256(p, n), BPI_LOAD_256(q, n))
#define BPI_LOAD_BOTH(p, n) BPI_BOTH(BPI_LOAD_256(p, n))
#endif
typedef bpi_v bpi_part;
BPI_LOCAL bpi_v bpi_vload(const bp_real *p)
{
    return BPI_OP(loadu)(p);
}
BPI_LOCAL void bpi_vstore(bp_real *p, bpi_v x)
{
    BPI_OP(storeu)(p, x);
}
/* Lanes are added in halves, of four vectors of double or eight of float side by side. */
#ifdef BACKPROP_DOUBLE
BPI_LOCAL bpi_v bpi_vfold(const bpi_v *s)
{
    const bpi_v x = BPI_ADD_HALVES(s[0], s[2]), y = BPI_ADD_HALVES(s[1], s[3]);
    const bpi_v z = BPI_ADD(BPI_SHUFFLE(x, y, 0),
                            BPI_SHUFFLE(x, y, (1 << BPI_LANES * BPI_PAIR) - 1));
    return BPI_IN_ORDER(z);
}
#else
BPI_LOCAL bpi_v bpi_fold_quarter(bpi_v x, bpi_v y)
{
    return BPI_ADD(BPI_SHUFFLE(x, y, 0x44), BPI_SHUFFLE(x, y, 0xee));
}
BPI_LOCAL bpi_v bpi_vfold(const bpi_v *s)
{
    const bpi_v x = bpi_fold_quarter(BPI_ADD_HALVES(s[0], s[4]), BPI_ADD_HALVES(s[1], s[5]));
    const bpi_v y = bpi_fold_quarter(BPI_ADD_HALVES(s[2], s[6]), BPI_ADD_HALVES(s[3], s[7]));
    const bpi_v z = BPI_ADD(BPI_SHUFFLE(x, y, 0x88), BPI_SHUFFLE(x, y, 0xdd));
    return BPI_IN_ORDER(z);
}
#endif

#else

/* A vector is an array of parts: with SSE2, NEON and WebAssembly two registers of 16 bytes, in the
 * compiler's own notation; in plain C the lanes, one by one, in loops that compilers turn into
 * whatever vectors there are. */
#define BPI_TARGET
#if BPI_PASS == BPI_PASS_NEON
#define BPI_SUFFIX neon
#elif BPI_PASS == BPI_PASS_WASM
#define BPI_SUFFIX wasm
#elif BPI_PASS == BPI_PASS_SSE2
#define BPI_SUFFIX sse2
#else
#define BPI_SUFFIX plain
#endif
#define BPI_ADD(a, b) ((bpi_part)((a) + (b))) /* a cast rounds, where C keeps a float in a double */
#define BPI_SUB(a, b) ((bpi_part)((a) - (b)))
#define BPI_MUL(a, b) ((bpi_part)((a) * (b)))
#define BPI_DIV(a, b) ((bpi_part)((a) / (b)))
#define BPI_OR(a, b) BPI_REALS(BPI_INTEGERS(a) | BPI_INTEGERS(b))
#define BPI_POWER(x) BPI_REALS(((bpi_bits)BPI_MAGIC - BPI_INTEGERS(x)) << BPI_MANTISSA_BITS)
#if BPI_PASS == BPI_PASS_PLAIN
typedef bp_real bpi_part;
#define BPI_PARTS ((int)BPI_LANES)
#define BPI_SET(x) (x)
#define BPI_INTEGERS(x) bpi_to_bits(x)
#define BPI_REALS(x) bpi_from_bits(x)
#define BPI_ANY(x) (bpi_to_bits(x) != 0)
#define BPI_EXCEEDS(x, y) (!((x) <= (y)))
#define BPI_MADD(a, b, c) bpi_fma(a, b, c)
#else
typedef bp_real bpi_part __attribute__((vector_size(16)));
typedef bpi_bits bpi_part_bits __attribute__((vector_size(16)));
#define BPI_PARTS 2
#define BPI_SET(x) ((x) - bpi_zero)
#define BPI_INTEGERS(x) ((bpi_part_bits)(x))
#define BPI_REALS(x) ((bpi_part)(x))
#define BPI_ANY(x) bpi_any_bits(BPI_INTEGERS(x))
#define BPI_EXCEEDS(x, y) bpi_any_bits((bpi_part_bits)~((x) <= (y)))
static const bpi_part bpi_zero = { 0 };
BPI_LOCAL int bpi_any_bits(bpi_part_bits x)
{
    uint64_t word[2];
    memcpy(word, &x, sizeof word);
    return (word[0] | word[1]) != 0;
}
#if BPI_PASS == BPI_PASS_NEON && defined(BACKPROP_DOUBLE)
#define BPI_MADD(a, b, c) vfmaq_f64(c, a, b)
#elif BPI_PASS == BPI_PASS_NEON
#define BPI_MADD(a, b, c) vfmaq_f32(c, a, b)
#elif defined(__FMA__) && defined(BACKPROP_DOUBLE)
#define BPI_MADD(a, b, c) _mm_fmadd_pd(a, b, c)
#elif defined(__FMA__)
#define BPI_MADD(a, b, c) _mm_fmadd_ps(a, b, c)
#else
#define BPI_MADD(a, b, c) ((a) * (b) + (c))
#endif
#endif

#define BPI_PART(x, i) (x).part[i]
typedef struct bpi_v {
    bpi_part part[BPI_PARTS];
} bpi_v;
/* Two times 16 bytes, which compilers see through. */
BPI_LOCAL bpi_v bpi_vload(const bp_real *p)
{
    bpi_v x;
    memcpy(&x.part[0], p, 16);
    memcpy(&x.part[BPI_PARTS / 2], p + BPI_LANES / 2, 16);
    return x;
}
BPI_LOCAL void bpi_vstore(bp_real *p, bpi_v x)
{
    memcpy(p, &x.part[0], 16);
    memcpy(p + BPI_LANES / 2, &x.part[BPI_PARTS / 2], 16);
}

#if BPI_PASS != BPI_PASS_PLAIN && (defined(__clang__) || __GNUC__ >= 12)
BPI_LOCAL bpi_v bpi_vfold(const bpi_v *s)
{
    bpi_part x[BPI_LANES];
    bpi_v z = s[0];
    int i;
    BPI_UNROLL
    for (i = 0; i < BPI_LANES; i++)
        x[i] = s[i].part[0] + s[i].part[1];
#ifdef BACKPROP_DOUBLE
    BPI_UNROLL
    for (i = 0; i < 2; i++)
        z.part[i] = __builtin_shufflevector(x[2 * i], x[2 * i + 1], 0, 2) +
                    __builtin_shufflevector(x[2 * i], x[2 * i + 1], 1, 3);
#else
    BPI_UNROLL
    for (i = 0; i < 8; i += 2)
        x[i / 2] = __builtin_shufflevector(x[i], x[i + 1], 0, 1, 4, 5) +
                   __builtin_shufflevector(x[i], x[i + 1], 2, 3, 6, 7);
    BPI_UNROLL
    for (i = 0; i < 2; i++)
        z.part[i] = __builtin_shufflevector(x[2 * i], x[2 * i + 1], 0, 2, 4, 6) +
                    __builtin_shufflevector(x[2 * i], x[2 * i + 1], 1, 3, 5, 7);
#endif
    return z;
}
#else
/* Lane i and lane i + half added until one is left. */
BPI_LOCAL bpi_v bpi_vfold(const bpi_v *s)
{
    bp_real z[BPI_LANES], x[BPI_LANES];
    int i, j, half;
    for (j = 0; j < BPI_LANES; j++) {
        bpi_vstore(x, s[j]);
        for (half = BPI_LANES / 2; half; half /= 2)
            for (i = 0; i < half; i++)
                x[i] += x[i + half];
        z[j] = x[0];
    }
    return bpi_vload(z);
}
#endif
#endif

/* ---- what follows is the same for every set ---- */

#define BPI_EACH_PART BPI_UNROLL for (i = 0; i < BPI_PARTS; i++)
BPI_LOCAL bpi_v bpi_vset(bp_real number)
{
    bpi_v x;
    int i;
    memset(&x, 0, sizeof x);
    BPI_EACH_PART
        BPI_PART(x, i) = BPI_SET(number);
    return x;
}
BPI_LOCAL bpi_v bpi_vadd(bpi_v a, bpi_v b)
{
    int i;
    BPI_EACH_PART
        BPI_PART(a, i) = BPI_ADD(BPI_PART(a, i), BPI_PART(b, i));
    return a;
}
BPI_LOCAL bpi_v bpi_vsub(bpi_v a, bpi_v b)
{
    int i;
    BPI_EACH_PART
        BPI_PART(a, i) = BPI_SUB(BPI_PART(a, i), BPI_PART(b, i));
    return a;
}
BPI_LOCAL bpi_v bpi_vmul(bpi_v a, bpi_v b)
{
    int i;
    BPI_EACH_PART
        BPI_PART(a, i) = BPI_MUL(BPI_PART(a, i), BPI_PART(b, i));
    return a;
}
BPI_LOCAL bpi_v bpi_vor(bpi_v a, bpi_v b)
{
    int i;
    BPI_EACH_PART
        BPI_PART(a, i) = BPI_OR(BPI_PART(a, i), BPI_PART(b, i));
    return a;
}
BPI_LOCAL bpi_v bpi_vmadd(bpi_v a, bpi_v b, bpi_v c)
{
    int i;
    BPI_EACH_PART
        BPI_PART(c, i) = BPI_MADD(BPI_PART(a, i), BPI_PART(b, i), BPI_PART(c, i));
    return c;
}
BPI_LOCAL int bpi_vany(bpi_v x)
{
    int i, any = 0;
    BPI_EACH_PART
        any |= BPI_ANY(BPI_PART(x, i));
    return any;
}

#ifndef BPI_LOAD_PART
/* The first n numbers of a vector, the rest zero. */
BPI_TARGET static BPI_NOINLINE bpi_v bpi_vload_part(const bp_real *p, size_t n)
{
    bp_real part[BPI_LANES];
    size_t i;
    for (i = 0; i < BPI_LANES; i++)
        part[i] = i < n ? p[i] : 0;
    return bpi_vload(part);
}
#define BPI_LOAD_PART(p, n) bpi_vload_part(p, n)
#endif
#ifndef BPI_STORE_PART
#define BPI_STORE_PART(p, n, x) bpi_vstore_part(p, n, x)
/* The first n numbers; AVX2's masked stores take some processors 40 operations each. */
BPI_LOCAL void bpi_vstore_part(bp_real *p, size_t n, bpi_v x)
{
    bp_real part[BPI_LANES], *from = part;
    size_t some;
    bpi_vstore(part, x);
    BPI_UNROLL
    for (some = BPI_LANES / 2; some; some /= 2)
        if (n & some) {
            memcpy(p, from, some * sizeof(bp_real));
            p += some;
            from += some;
        }
}
#endif
BPI_LOCAL bpi_v bpi_vload_n(const bp_real *p, size_t n)
{
    return n >= BPI_W ? bpi_vload(p) : BPI_LOAD_PART(p, n);
}
BPI_LOCAL void bpi_vstore_n(bp_real *p, size_t n, bpi_v x)
{
    if (n >= BPI_W)
        bpi_vstore(p, x);
    else
        BPI_STORE_PART(p, n, x);
}

#ifndef BPI_LOAD_PAIR
#define BPI_LOAD_PAIR(p, q, n) bpi_vload_n(p, n)
#define BPI_LOAD_BOTH(p, n) bpi_vload_n(p, n)
#endif

/* Evidence that a number is not finite: x - x is then NaN, and otherwise without a bit. */
BPI_LOCAL bpi_v bpi_vcheck(bpi_v evidence, bpi_v x)
{
    return bpi_vor(evidence, bpi_vsub(x, x));
}

/* a b + c of single numbers, rounded as the vectors round it */
BPI_TARGET static bp_real bpi_scalar_fma(bp_real a, bp_real b, bp_real c)
{
    bp_real each[BPI_LANES * BPI_PAIR];
    bpi_vstore(each, bpi_vmadd(bpi_vset(a), bpi_vset(b), bpi_vset(c)));
    return each[0];
}

/* s(z) from BPI_SIGMOID_LOWEST to BPI_SIGMOID_HIGHEST, and what it is made of: n and e^f - 1. */
BPI_LOCAL bpi_part bpi_sigmoid_part(bpi_part z, bpi_part *n, bpi_part *p)
{
    const bpi_part rounder = BPI_SET(BPI_ROUNDER), one = BPI_SET((bp_real)1);
    bpi_part rounded = BPI_MADD(z, BPI_SET(-BPI_LOG2_E), rounder), f, f2, r;
    bpi_part t = BPI_POWER(rounded), sum = BPI_ADD(t, one), lost = BPI_SUB(t, BPI_SUB(sum, one));
    *n = BPI_SUB(rounded, rounder);
    f = BPI_MADD(*n, BPI_SET(-BPI_LN2_HIGH), BPI_SUB(BPI_SET((bp_real)0), z));
    f = BPI_MADD(*n, BPI_SET(-BPI_LN2_LOW), f);
    f2 = BPI_MUL(f, f);
#define BPI_TERM_PAIR(high, low) BPI_MADD(BPI_SET(high), f, BPI_SET(low))
#ifdef BACKPROP_DOUBLE
    r = BPI_MADD(BPI_TERM_PAIR(BPI_E9, BPI_E8), f2, BPI_TERM_PAIR(BPI_E7, BPI_E6));
    r = BPI_MADD(BPI_TERM_PAIR(BPI_E11, BPI_E10), BPI_MUL(f2, f2), r);
    r = BPI_MADD(r, BPI_MUL(f2, f2),
                 BPI_MADD(BPI_TERM_PAIR(BPI_E5, BPI_E4), f2, BPI_TERM_PAIR(BPI_E3, BPI_E2)));
#else
    r = BPI_MADD(BPI_SET(BPI_E6), f2, BPI_TERM_PAIR(BPI_E5, BPI_E4));
    r = BPI_MADD(r, f2, BPI_TERM_PAIR(BPI_E3, BPI_E2));
#endif
#undef BPI_TERM_PAIR
    *p = BPI_MADD(r, f2, f);
    return BPI_DIV(t, BPI_ADD(sum, BPI_MADD(r, f2, BPI_ADD(f, lost))));
}

BPI_LOCAL bpi_v bpi_vsigmoid_usual(bpi_v z, bpi_v *n, bpi_v *p)
{
    int i;
    BPI_EACH_PART
        BPI_PART(z, i) = bpi_sigmoid_part(BPI_PART(z, i), &BPI_PART(*n, i), &BPI_PART(*p, i));
    return z;
}

/* s(z) for a vector with lanes beyond +-BPI_SIGMOID_HIGHEST, which are rare. */
BPI_TARGET static BPI_NOINLINE bpi_v bpi_vsigmoid_rare(bpi_v given)
{
    enum { BPI_EACH = BPI_LANES * BPI_PAIR, BPI_SCALE = BPI_EXPONENT_BIAS / 2 };
    const bp_real least = BPI_SIGMOID_ZERO, most = BPI_SIGMOID_HIGHEST;
    bp_real z[BPI_EACH], a[BPI_EACH], n[BPI_EACH], sum[BPI_EACH];
    bpi_v n_all, p;
    int i;
    bpi_vstore(z, given);
    for (i = 0; i < BPI_EACH; i++)
        z[i] = z[i] < least ? least : z[i] > most ? most : z[i];
    bpi_vstore(a, bpi_vsigmoid_usual(bpi_vload(z), &n_all, &p));
    bpi_vstore(n, n_all);
    bpi_vstore(sum, bpi_vadd(p, bpi_vset(1)));
    for (i = 0; i < BPI_EACH; i++)
        if (!bpi_is_number((double)z[i]))
            a[i] = bpi_from_bits((bpi_bits)(2 * BPI_EXPONENT_BIAS + 1) << BPI_MANTISSA_BITS |
                                 (bpi_bits)1 << (BPI_MANTISSA_BITS - 1));
        else if (z[i] < BPI_SIGMOID_LOWEST) {
            a[i] = bpi_power_of_2(-BPI_SCALE) / sum[i];
            a[i] *= bpi_power_of_2(BPI_SCALE - (int)n[i]);
        }
    return bpi_vload(a);
}

BPI_LOCAL bpi_v bpi_vsigmoid(bpi_v z)
{
    const bpi_part limit = BPI_SET(BPI_SIGMOID_HIGHEST * BPI_SIGMOID_HIGHEST);
    int i, rare = 0;
    bpi_v n, p;
    BPI_EACH_PART
        rare |= BPI_EXCEEDS(BPI_MUL(BPI_PART(z, i), BPI_PART(z, i)), limit);
    return rare ? bpi_vsigmoid_rare(z) : bpi_vsigmoid_usual(z, &n, &p);
}

/* F2: a = s(z), in place. */
BPI_TARGET static void bpi_activate(bp_real *z, size_t count)
{
    size_t i;
    for (i = 0; i < count; i += BPI_W)
        bpi_vstore_n(z + i, count - i, bpi_vsigmoid(bpi_vload_n(z + i, count - i)));
}

/* U: p -= eta gradient; non-zero if that made one of them not finite. */
BPI_TARGET static int bpi_update(bp_real *p, const bp_real *gradient, size_t count, bp_real eta)
{
    bpi_v evidence = bpi_vset(0), x;
    size_t i;
    for (i = 0; i < count; i += BPI_W) {
        x = bpi_vmadd(bpi_vset(-eta), bpi_vload_n(gradient + i, count - i),
                      bpi_vload_n(p + i, count - i));
        evidence = bpi_vcheck(evidence, x);
        bpi_vstore_n(p + i, count - i, x);
    }
    return bpi_vany(evidence);
}

/* ---- dot_tile ---- */

/* s[r][m] += a[r] w[m] for a block of inputs at k, or its first n. */
BPI_TARGET BPI_TILE void bpi_dot_block(const int mr, const int nr, const bp_real *const *a,
                             const bp_real *const *w, size_t k, size_t n, bpi_v *s)
{
    bpi_v a_k[BPI_MR], w_k;
    int r, m;
    BPI_UNROLL
    for (r = 0; r < mr; r++)
        a_k[r] = BPI_LOAD_PAIR(a[BPI_PAIR * r] + k, a[BPI_PAIR * r + BPI_PAIR - 1] + k, n);
    BPI_UNROLL
    for (m = 0; m < nr; m++) {
        w_k = BPI_LOAD_BOTH(w[m] + k, n);
        BPI_UNROLL
        for (r = 0; r < mr; r++)
            s[r * nr + m] = bpi_vmadd(a_k[r], w_k, s[r * nr + m]);
    }
}

/* z[r][m] = sum_k a[r][k] w[m][k], still in lanes: mr examples (or pairs of them) by nr neurons,
 * at the listed blocks, or, where blocks is NULL, at all of them; and at the last few inputs. With
 * ahead, the rows of weights so many bytes behind w are fetched meanwhile. */
BPI_TARGET BPI_TILE void bpi_dot_tile(const int mr, const int nr, const bp_real *const *a,
                            const bp_real *const *w, size_t inputs, const uint32_t *blocks,
                            size_t block_count, size_t ahead, bpi_v *s)
{
    const size_t tail = inputs % BPI_LANES;
    size_t k;
    int m;
    BPI_UNROLL
    for (m = 0; m < mr * nr; m++)
        s[m] = bpi_vset(0);
    if (blocks) {
        const uint32_t *end = blocks + block_count;
        for (; blocks < end; blocks++)
            bpi_dot_block(mr, nr, a, w, *blocks, BPI_LANES, s);
    } else {
        for (k = 0; k + BPI_LANES <= inputs; k += BPI_LANES) {
            if (ahead)
                BPI_UNROLL
                for (m = 0; m < nr; m++)
                    BPI_PREFETCH((uintptr_t)(w[m] + k) + ahead);
            bpi_dot_block(mr, nr, a, w, k, BPI_LANES, s);
        }
    }
    if (tail)
        bpi_dot_block(mr, nr, a, w, inputs - tail, tail, s);
}

#if BPI_PASS != BPI_PASS_PLAIN
/* z = W a + b for the tile's examples, a few neurons after the others. The last few may be some
 * of those before once more, and rows behind the last example are this one's again. */
BPI_TARGET BPI_TILE void bpi_dot_columns(const int mr, const bpi_dot_job *tile)
{
    const size_t inputs = tile->inputs, most = tile->neurons - BPI_NR;
    bpi_v s[BPI_MR * BPI_NR + BPI_LANES], bias;
    bp_real z[(BPI_MR * BPI_NR + BPI_LANES) * BPI_PAIR], b[BPI_NR * 2];
    const bp_real *w[BPI_NR];
    size_t j, first, ahead;
    int i, m;
    BPI_UNROLL
    for (m = mr * BPI_NR; m < mr * BPI_NR + BPI_LANES; m++)
        s[m] = bpi_vset(0);
    for (j = 0; j < tile->neurons; j += BPI_NR) {
        first = bpi_min(j, most);
        BPI_UNROLL
        for (m = 0; m < BPI_NR; m++)
            w[m] = tile->w + (first + (size_t)m) * inputs;
        ahead = tile->prefetch && j < most ? inputs * BPI_NR * sizeof(bp_real) : 0;
        bpi_dot_tile(mr, BPI_NR, tile->a, w, inputs, tile->blocks, tile->block_count, ahead, s);
        memcpy(b, tile->b + first, BPI_NR * sizeof(bp_real));
        memcpy(b + BPI_NR, b, BPI_NR * sizeof(bp_real));
        bias = bpi_vload(b);
        BPI_UNROLL
        for (i = 0; i < mr * BPI_NR; i += BPI_LANES)
            bpi_vstore(z + i * BPI_PAIR, bpi_vadd(bpi_vfold(s + i), bias));
        BPI_UNROLL
        for (i = 0; i < mr * BPI_PAIR; i++)
            memcpy(tile->out[i] + first, z + i * BPI_NR, BPI_NR * sizeof(bp_real));
    }
}

/* F1 for up to BPI_MR vectors of examples and at least BPI_NR neurons. */
BPI_TARGET static void bpi_dot(const bpi_dot_job *tile)
{
#if BPI_MR == 3
    if (tile->rows > 2 * BPI_PAIR)
        bpi_dot_columns(3, tile);
    else
#endif
#if BPI_MR >= 2
    if (tile->rows > BPI_PAIR)
        bpi_dot_columns(2, tile);
    else
#endif
        bpi_dot_columns(1, tile);
}
#endif

#if BPI_PASS != BPI_PASS_AVX512

/* F1 for few neurons, where examples take the place of neurons in the tile. */
BPI_TARGET static void bpi_dot_narrow(const bpi_dot_job *tile)
{
    bpi_v s[BPI_LANES];
    bp_real z[BPI_LANES];
    size_t i, j;
    for (j = 0; j < tile->neurons; j++) {
        const bp_real *w = tile->w + j * tile->inputs;
        bpi_dot_tile(1, BPI_LANES, &w, tile->a, tile->inputs, tile->blocks, tile->block_count, 0,
                     s);
        bpi_vstore(z, bpi_vadd(bpi_vfold(s), bpi_vset(tile->b[j])));
        for (i = 0; i < tile->rows; i++)
            tile->out[i][j] = z[i];
    }
}

/* Marks the blocks of inputs that are not all zero (see bpi_rows); returns how many. */
BPI_TARGET static size_t bpi_mark(const bp_real *a, size_t blocks, uint8_t *marks)
{
    size_t b, count = 0;
    for (b = 0; b < blocks; b++) {
        marks[b] = (uint8_t)bpi_vany(bpi_vload(a + b * BPI_LANES));
        count += marks[b];
    }
    return count;
}

/* Lists the blocks where a or next is not all zero; returns how many. */
BPI_TARGET static size_t bpi_list_blocks(const bp_real *a, const bp_real *next, size_t inputs,
                                         uint32_t *blocks)
{
    size_t k, count = 0;
    for (k = 0; k + BPI_LANES <= inputs; k += BPI_LANES) {
        blocks[count] = (uint32_t)k;
        count += (size_t)bpi_vany(bpi_vor(bpi_vload(a + k), bpi_vload(next + k)));
    }
    return count;
}

/* F1, F2 for one example. blocks is room for a list, or NULL where the inputs are activations; room
 * is how many numbers may be written to out, at least the layer's outputs. */
BPI_TARGET static void bpi_forward_one(const bp_layer *layer, const bp_real *a, uint32_t *blocks,
                                       bp_real *out, size_t room)
{
    const size_t inputs = (size_t)layer->inputs, outputs = (size_t)layer->outputs;
    const int lists = inputs >= BPI_LISTED_INPUTS && outputs >= BPI_LISTED_NEURONS;
    const bp_real *w[BPI_LANES], *row = layer->weights;
    size_t j, m, count = 0;
    bpi_v s[BPI_LANES], z;
    if (!lists)
        blocks = NULL;
    if (blocks)
        count = bpi_list_blocks(a, a, inputs, blocks);
    for (j = 0; j < outputs; j += BPI_LANES) {
        BPI_UNROLL
        for (m = 0; m < BPI_LANES; m++) {
            w[m] = row;
            row += j + m + 1 < outputs ? inputs : 0;
        }
        bpi_dot_tile(1, BPI_LANES, &a, w, inputs, blocks, count, 0, s);
        z = bpi_vadd(bpi_vfold(s), bpi_vload_n(layer->biases + j, outputs - j));
        bpi_vstore_n(out + j, room - j, bpi_vsigmoid(z));
    }
}

/* B1: delta = scale (a - y) a (1 - a), for count outputs. */
BPI_TARGET static void bpi_output_error(const bp_real *a, const bp_real *y, size_t count,
                                        bp_real scale, bp_real *delta, size_t room)
{
    size_t j;
    for (j = 0; j < count; j += BPI_W) {
        const bpi_v a_j = bpi_vload_n(a + j, count - j);
        const bpi_v error = bpi_vsub(a_j, bpi_vload_n(y + j, count - j));
        const bpi_v slope = bpi_vmul(bpi_vsub(bpi_vset(1), a_j), a_j);
        bpi_vstore_n(delta + j, room - j, bpi_vmul(bpi_vmul(error, bpi_vset(scale)), slope));
    }
}

/* B2 for one example and few neurons above: delta_k = (sum_j w_jk above_j) a_k (1 - a_k). */
BPI_TARGET static void bpi_hidden_error_one(const bp_layer *layer, const bp_real *above,
                                            const bp_real *a, bp_real *delta, size_t room)
{
    const size_t inputs = (size_t)layer->inputs, outputs = (size_t)layer->outputs;
    size_t j, k;
    for (k = 0; k < inputs; k += BPI_W) {
        const bpi_v a_k = bpi_vload_n(a + k, room - k);
        bpi_v s = bpi_vset(0);
        for (j = 0; j < outputs; j++)
            s = bpi_vmadd(bpi_vset(above[j]),
                          bpi_vload_n(layer->weights + j * inputs + k, inputs - k), s);
        s = bpi_vmul(s, bpi_vmul(a_k, bpi_vsub(bpi_vset(1), a_k)));
        bpi_vstore_n(delta + k, room - k, s);
    }
}

#if BPI_PASS != BPI_PASS_PLAIN
/* What ger_dot has: an example's inputs a, the next one's, and where either is not zero. */
typedef struct bpi_ger_job {
    const bp_real *a, *next;
    const uint32_t *blocks; /* NULL: all count */
    size_t block_count, inputs;
    int prefetch; /* the weights are in memory: fetch the next rows */
    bpi_v minus_eta;
} bpi_ger_job;

/* At block k, or its first n numbers. All is loaded before any is stored: a store of a part keeps
 * the next row's load waiting. */
BPI_TARGET BPI_TILE void bpi_ger_dot_block(const int mr, const bpi_ger_job *job, const bpi_v *d,
                                           size_t k, size_t n, bp_real *w, bpi_v *s)
{
    const bpi_v x = bpi_vload_n(job->a + k, n), y = bpi_vload_n(job->next + k, n);
    bpi_v w_r[4];
    int r;
    BPI_UNROLL
    for (r = 0; r < mr; r++)
        w_r[r] = bpi_vload_n(w + (size_t)r * job->inputs + k, n);
    BPI_UNROLL
    for (r = 0; r < mr; r++) {
        /* a product with 0 added to it is rounded once, and never -0: as B3 adds it up */
        w_r[r] = bpi_vmadd(job->minus_eta, bpi_vmadd(d[r], x, bpi_vset(0)), w_r[r]);
        bpi_vstore_n(w + (size_t)r * job->inputs + k, n, w_r[r]);
        s[r] = bpi_vmadd(w_r[r], y, s[r]);
    }
}

/* w[r] -= eta d[r] a and z[r] = w[r] . next, still in lanes, for mr neurons. */
BPI_TARGET BPI_TILE void bpi_ger_dot(const int mr, const bpi_ger_job *given, const bp_real *delta,
                                     bp_real *w, bpi_v *z)
{
    /* a copy, which the compiler need not read anew after each store to w */
    const bpi_ger_job job = *given;
    const size_t inputs = job.inputs, tail = inputs % BPI_LANES;
    bpi_v d[4], s[4];
    size_t k;
    int r;
    BPI_UNROLL
    for (r = 0; r < mr; r++) {
        d[r] = bpi_vset(delta[r]);
        s[r] = bpi_vset(0);
    }
    if (job.blocks) {
        for (k = 0; k < job.block_count; k++)
            bpi_ger_dot_block(mr, &job, d, job.blocks[k], BPI_LANES, w, s);
    } else {
        for (k = 0; k + BPI_LANES <= inputs; k += BPI_LANES) {
            for (r = 0; r < mr && job.prefetch; r++)
                BPI_PREFETCH((uintptr_t)(w + (size_t)r * inputs + k) +
                             (size_t)mr * inputs * sizeof(bp_real));
            bpi_ger_dot_block(mr, &job, d, k, BPI_LANES, w, s);
        }
    }
    if (tail)
        bpi_ger_dot_block(mr, &job, d, inputs - tail, tail, w, s);
    BPI_UNROLL
    for (r = 0; r < mr; r++)
        z[r] = s[r];
}

/* B3 and U for one example, and at once, unless next is NULL, F1 and F2 for the next with the new
 * weights: one pass over them for what else takes two. blocks, out and room are bpi_forward_one's.
 * Non-zero if a parameter is not finite any more. */
BPI_TARGET static int bpi_descend_one(const bp_layer *layer, const bp_real *delta, const bp_real *a,
                                      bp_real eta, uint32_t *blocks, const bp_real *next,
                                      bp_real *out, size_t room)
{
    const size_t inputs = (size_t)layer->inputs, outputs = (size_t)layer->outputs;
    bpi_ger_job p;
    bpi_v evidence = bpi_vset(0), s[BPI_LANES];
    size_t j, r;
    p.a = a;
    p.next = next ? next : a;
    p.inputs = inputs;
    p.minus_eta = bpi_vset(-eta);
    p.prefetch = inputs * outputs * sizeof(bp_real) > BPI_L2;
    p.blocks = inputs >= BPI_LISTED_INPUTS && outputs >= BPI_LISTED_NEURONS ? blocks : NULL;
    p.block_count = p.blocks ? bpi_list_blocks(p.a, p.next, inputs, blocks) : 0;
    BPI_UNROLL
    for (r = 0; r < BPI_LANES; r++)
        s[r] = bpi_vset(0);
    for (j = 0; j < outputs; j += BPI_LANES) {
        const size_t rows = bpi_min(BPI_LANES, outputs - j);
        bp_real *w = layer->weights + j * inputs, *b = layer->biases + j;
        bpi_v new_b, z;
        for (r = 0; r + 4 <= rows; r += 4)
            bpi_ger_dot(4, &p, delta + j + r, w + r * inputs, s + r);
        for (; r < rows; r++)
            bpi_ger_dot(1, &p, delta + j + r, w + r * inputs, s + r);
        new_b = bpi_vadd(bpi_vset(0), bpi_vload_n(delta + j, rows));
        new_b = bpi_vmadd(p.minus_eta, new_b, bpi_vload_n(b, rows));
        bpi_vstore_n(b, rows, new_b);
        z = bpi_vadd(bpi_vfold(s), new_b);
        evidence = bpi_vcheck(evidence, z);
        if (next)
            bpi_vstore_n(out + j, room - j, bpi_vsigmoid(z));
    }
    /* a weight that is not finite makes a z that is not, even where it meets a zero */
    return bpi_vany(evidence) && !bpi_all_finite(layer->weights, outputs * (inputs + 1));
}
#endif
#endif

/* ---- axpy_tile ---- */

/* out[r][k] = f(sum_t c[t][r] x[t][k]) for mr rows and nv vectors of columns from k on, of the
 * last of which n numbers count. Adds to the evidence that descent made a number not finite. */
BPI_TARGET BPI_TILE void bpi_axpy_tile(const int mr, const int nv, const bpi_axpy_job *tile,
                                       size_t k, size_t n, bpi_v *evidence)
{
    const size_t ldo = tile->ldo, count = tile->count, c_row = tile->c_row, *c_at = tile->c_at;
    const bp_real *const *x = tile->x;
    bp_real *out = tile->out + k;
    bpi_v s[BPI_AXPY_MR][BPI_AXPY_NV], x_v[BPI_AXPY_NV];
    size_t t;
    int r, v;
    BPI_UNROLL
    for (r = 0; r < mr; r++) {
        if (tile->prefetch)
            BPI_PREFETCH((uintptr_t)(out + (size_t)r * ldo) + (size_t)mr * ldo * sizeof(bp_real));
        BPI_UNROLL
        for (v = 0; v < nv; v++)
            s[r][v] = tile->accumulate ? bpi_vload_n(out + (size_t)r * ldo + (size_t)v * BPI_W,
                                                     v + 1 < nv ? BPI_W : n)
                                       : bpi_vset(0);
    }
    for (t = 0; t < count; t++) {
        const bp_real *x_t = x[t] + k, *c = tile->c + c_at[t];
        BPI_UNROLL
        for (v = 0; v < nv; v++)
            x_v[v] = bpi_vload_n(x_t + (size_t)v * BPI_W, v + 1 < nv ? BPI_W : n);
        BPI_UNROLL
        for (r = 0; r < mr; r++) {
            const bpi_v c_r = bpi_vset(c[(size_t)r * c_row]);
            BPI_UNROLL
            for (v = 0; v < nv; v++)
                s[r][v] = bpi_vmadd(c_r, x_v[v], s[r][v]);
        }
    }
    BPI_UNROLL
    for (r = 0; r < mr; r++)
        BPI_UNROLL
        for (v = 0; v < nv; v++) {
            const size_t at = (size_t)r * ldo + (size_t)v * BPI_W;
            const size_t some = v + 1 < nv ? BPI_W : n;
            if (tile->f == BPI_ERROR) {
                const bpi_v a = bpi_vload_n(tile->a + k + at, some);
                s[r][v] = bpi_vmul(s[r][v], bpi_vmul(a, bpi_vsub(bpi_vset(1), a)));
            } else if (tile->f == BPI_DESCEND) {
                s[r][v] = bpi_vmadd(bpi_vset(-tile->eta), s[r][v], bpi_vload_n(out + at, some));
                *evidence = bpi_vcheck(*evidence, s[r][v]);
            }
            bpi_vstore_n(out + at, some, s[r][v]);
        }
}

/* All columns of mr rows. */
BPI_TARGET BPI_TILE int bpi_axpy_columns(const int mr, const bpi_axpy_job *tile)
{
    const size_t width = tile->width, whole = BPI_AXPY_NV * BPI_W;
    bpi_v evidence = bpi_vset(0);
    size_t k;
    for (k = 0; k + whole <= width; k += whole)
        bpi_axpy_tile(mr, BPI_AXPY_NV, tile, k, BPI_W, &evidence);
    for (; k < width; k += BPI_W)
        bpi_axpy_tile(mr, 1, tile, k, bpi_min(BPI_W, width - k), &evidence);
    return bpi_vany(evidence);
}

/* Takes some of the tile's rows, as high a tile as leaves no single row; sets how many. */
BPI_TARGET static int bpi_axpy(bpi_axpy_job *tile)
{
    const size_t rows = tile->rows;
#if BPI_AXPY_MR >= 6
    tile->rows = rows >= 6 && rows != 8 ? 6 : rows >= 4 ? 4 : rows >= 2 ? 2 : 1;
    if (tile->rows == 6)
        return bpi_axpy_columns(6, tile);
    if (tile->rows == 2)
        return bpi_axpy_columns(2, tile);
#else
    tile->rows = rows >= 4 ? 4 : 1;
#endif
    return tile->rows == 4 ? bpi_axpy_columns(4, tile) : bpi_axpy_columns(1, tile);
}

/* With AVX-512, single examples and narrow layers are AVX2's: memory is their limit. */
#if BPI_PASS == BPI_PASS_AVX512
#define BPI_SINGLE(name) bpi_##name##_avx2
#else
#define BPI_SINGLE(name) BPI_N(name)
#endif
static const bpi_kernels BPI_N(kernels) = {
    BPI_STRING(BPI_SUFFIX), BPI_FUSED || BPI_PASS >= BPI_PASS_NEON,
    BPI_PASS != BPI_PASS_AVX512, BPI_MR * BPI_PAIR, BPI_AXPY_NV * BPI_W,
#if BPI_PASS == BPI_PASS_PLAIN
    (size_t)-1, bpi_dot_narrow, NULL,
#else
    BPI_NR, bpi_dot, BPI_SINGLE(descend_one),
#endif
    BPI_SINGLE(dot_narrow), bpi_axpy, bpi_scalar_fma, bpi_update, bpi_activate,
    BPI_SINGLE(output_error), BPI_SINGLE(hidden_error_one), BPI_SINGLE(mark),
    BPI_SINGLE(forward_one)
};

/* What another pass defines otherwise; the rest it defines alike. */
#undef BPI_PASS
#undef BPI_SUFFIX
#undef BPI_TARGET
#undef BPI_LOCAL
#undef BPI_PARTS
#undef BPI_PART
#undef BPI_MM
#undef BPI_SI
#undef BPI_SET
#undef BPI_ADD
#undef BPI_SUB
#undef BPI_MUL
#undef BPI_DIV
#undef BPI_MADD
#undef BPI_OR
#undef BPI_POWER
#undef BPI_ANY
#undef BPI_EXCEEDS
#undef BPI_INTEGERS
#undef BPI_REALS
#undef BPI_SET_INTEGER
#undef BPI_SHIFT
#undef BPI_SHUFFLE
#undef BPI_ADD_HALVES
#undef BPI_IN_ORDER
#undef BPI_LOAD_PART
#undef BPI_STORE_PART
#undef BPI_LOAD_PAIR
#undef BPI_LOAD_BOTH
#undef BPI_SINGLE
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
