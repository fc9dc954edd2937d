/* decode.c - fuzz target: networks in bytes that come from anyone, through bp_decode and bp_load
 *
 * Nearly everything that a blind fuzzer makes is refused for its checksum or its size. The mutator
 * here knows the format: it changes fields, widths and parameters, makes the file as long as the
 * header then says, and puts the checksum right. */
#include "fuzz.h"

#define fopen(path, mode) memory_open(path, mode)
#define BACKPROP_MALLOC(size) heap_malloc(size)
#define BACKPROP_FREE(pointer) heap_free(pointer)
#define BACKPROP_ASSERT(condition) MUST(condition)
#define BACKPROP_IMPLEMENTATION
#include "backprop.h"

/* Where the fields stand, and how long the smallest network is: 1-1 of two floats. */
enum { AT_VERSION = 8, AT_PRECISION = 12, AT_EPOCHS = 16, AT_COST = 24, AT_LAYERS = 28,
       AT_INPUTS = 32, HEADER = 36, CHECKSUM = 8, SMALLEST = HEADER + 8 + 2 * 4 + CHECKSUM };

/* ---- what must hold ---- */

/* Encoded again it is the same network, and the same bytes if they had this precision. */
static void check_encoded_again(const bp_net *net, const uint8_t *data, size_t size)
{
    const size_t need = bp_encode(net, NULL, 0);
    uint8_t *bytes = (uint8_t *)malloc(need);
    bp_net *copy = NULL;
    MUST(need > 0 && bytes != NULL);
    MUST(bp_encode(net, bytes, need) == need);
    if (bpi_get(data + AT_PRECISION, 4) == sizeof(bp_real))
        MUST(need == size && memcmp(bytes, data, size) == 0);
    MUST(bp_decode(&copy, bytes, need) == BP_OK);
    MUST(copy->parameter_count == net->parameter_count);
    MUST(memcmp(copy->parameters, net->parameters, net->parameter_count * sizeof(bp_real)) == 0);
    bp_free(copy);
    free(bytes);
}

/* Outputs are in 0..1, or not a number where weights are so large that sums may overflow. */
static void check_prediction(const bp_net *net)
{
    const int inputs = net->layers[0].inputs, outputs = net->layers[net->layer_count - 1].outputs;
    bp_real *x = (bp_real *)malloc((size_t)inputs * sizeof(bp_real));
    bp_real *a = (bp_real *)malloc((size_t)outputs * sizeof(bp_real));
    double most = 0;
    size_t p;
    int i, tame;
    MUST(x != NULL && a != NULL);
    for (p = 0; p < net->parameter_count; p++)
        most = larger(most, (double)net->parameters[p]);
    tame = most < 1e30;
    for (i = 0; i < inputs; i++)
        x[i] = (bp_real)(i % 3) / 2;
    MUST(bp_predict(net, x, 1, a) == BP_OK);
    for (i = 0; i < outputs; i++)
        MUST((a[i] >= 0 && a[i] <= 1) || (!tame && !bpi_is_number((double)a[i])));
    free(x);
    free(a);
}

/* Where every layer and parameter is, and that each is a number. */
static void check_shape(const bp_net *net)
{
    const bp_real *p = net->parameters;
    size_t i;
    int l;
    for (l = 0; l < net->layer_count; l++) {
        const bp_layer *layer = &net->layers[l];
        MUST(layer->inputs > 0 && layer->outputs > 0 && layer->weights == p);
        MUST(l == 0 || layer->inputs == net->layers[l - 1].outputs);
        p += (size_t)layer->inputs * (size_t)layer->outputs;
        MUST(layer->biases == p);
        p += layer->outputs;
    }
    MUST(p == net->parameters + net->parameter_count);
    for (i = 0; i < net->parameter_count; i++)
        MUST(bpi_is_finite((double)net->parameters[i]));
}

/* The same bytes as a file: the same answer, in memory that grows with what was read. */
static void check_loaded(bp_status decoded, const bp_net *net, const uint8_t *data, size_t size)
{
    bp_net mark, *loaded = &mark;
    bp_status status;
    if (size == 0)
        return;
    memory_file.bytes = data;
    memory_file.size = size;
    heap_reset(0);
    status = bp_load(&loaded, "net");
    MUST(status == decoded);
    MUST(heap.asked <= 8 * size + 16384);
    if (status != BP_OK) {
        MUST(loaded == &mark);
        return;
    }
    MUST(loaded->parameter_count == net->parameter_count);
    bp_free(loaded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bp_net mark, *net = &mark;
    const long blocks = heap.blocks;
    bp_status status;
    heap_reset(0);
    status = bp_decode(&net, data, size);
    MUST(status == BP_OK || status == BP_BAD_FILE);
    /* A layer is 8 bytes in the file and some 24 in memory, a float may become a double. */
    MUST(heap.asked <= 4 * size + 1024);
    if (status == BP_OK) {
        check_shape(net);
        check_encoded_again(net, data, size);
        check_prediction(net);
    } else {
        MUST(net == &mark && heap.blocks == blocks);
    }
    check_loaded(status, net, data, size);
    if (status == BP_OK) {
        bp_net *none = net;
        heap_reset(1);
        MUST(bp_decode(&none, data, size) == BP_OUT_OF_MEMORY && none == net);
        bp_free(net);
    }
    MUST(heap.blocks == blocks);
    return 0;
}

/* ---- mutations ---- */

static void put(uint8_t *bytes, uint64_t value, int count)
{
    (void)bpi_put(bytes, value, count);
}

/* The network 1-1 of zeros, not yet sealed. */
static size_t smallest(uint8_t *data)
{
    memset(data, 0, SMALLEST);
    memcpy(data, "backprop", 8);
    put(data + AT_VERSION, 1, 4);
    put(data + AT_PRECISION, 4, 4);
    put(data + AT_LAYERS, 1, 4);
    put(data + AT_INPUTS, 1, 4);
    put(data + HEADER, 1, 4);
    return SMALLEST;
}

/* A count or width: mostly one that can be met, sometimes one at the edge of what fits. */
static uint64_t number(uint64_t *state)
{
    static const uint64_t edges[] = { 0,          0x7fffffff, 0x80000000, 0xffffffff, 0x7ffffffe,
                                      0x40000000, 0x10000,    0xffff,     0xb504,     0x15555556 };
    if (draw(state) % 8 == 0)
        return edges[draw(state) % (sizeof edges / sizeof *edges)];
    return draw(state) % (draw(state) % 4 ? 12 : 300) + 1;
}

/* Another value in one field of the header or of a layer. */
static void change_field(uint8_t *data, size_t size, uint64_t *state)
{
    static const int fields[] = { AT_VERSION, AT_PRECISION, AT_EPOCHS, AT_COST,
                                  AT_LAYERS,  AT_LAYERS,    AT_INPUTS, AT_INPUTS };
    const size_t layers = (size - HEADER - CHECKSUM) / 8;
    const uint64_t choice = draw(state) % 16;
    if (choice == 0)
        put(data + fields[draw(state) % 8], draw(state) % 16, 4);
    else if (choice == 1)
        put(data + HEADER + 8 * (draw(state) % layers) + 4, draw(state) % 4, 4);
    else if (choice < 4)
        put(data + AT_PRECISION, draw(state) % 2 ? 4 : 8, 4);
    else if (choice < 8)
        put(data + fields[draw(state) % 4 + 4], number(state), 4);
    else
        put(data + HEADER + 8 * (draw(state) % layers % 8), number(state), 4);
}

/* A parameter at the edge: not a number, infinite, the largest, the smallest ... */
static void change_parameter(uint8_t *data, size_t size, uint64_t *state)
{
    static const uint64_t floats[] = { 0x7f800000, 0xff800000, 0x7fc00000, 0x7f7fffff,
                                       0xff7fffff, 1,          0x80000000, 0x00800000 };
    static const uint64_t doubles[] = {
        UINT64_C(0x7ff0000000000000), UINT64_C(0xfff0000000000000), UINT64_C(0x7ff8000000000000),
        UINT64_C(0x7fefffffffffffff), UINT64_C(0x47efffffefffffff), UINT64_C(0x47effffff0000000),
        UINT64_C(0x380fffffffffffff), 1
    };
    const int width = bpi_get(data + AT_PRECISION, 4) == 8 ? 8 : 4;
    const size_t count = (size - HEADER) / (size_t)width;
    /* counted from the end, where there are parameters rather than layers */
    const size_t back = CHECKSUM + (draw(state) % count % 64 + 1) * (size_t)width;
    const uint64_t *edges = width == 8 ? doubles : floats;
    const uint64_t bits = draw(state) % 2 ? draw(state) : edges[draw(state) % 8];
    if (back <= size - HEADER)
        put(data + size - back, bits, width);
}

/* The size that the header asks for, if it is at most max_size; else size. New layers get one
 * neuron, new parameters zero. */
static size_t fit(uint8_t *data, size_t size, size_t max_size)
{
    const uint64_t layers = bpi_get(data + AT_LAYERS, 4);
    uint64_t l, parameters = 0, inputs = bpi_get(data + AT_INPUTS, 4), need;
    if (layers == 0 || layers > (max_size - HEADER - CHECKSUM) / 8)
        return size;
    for (l = 0; l < layers; l++) {
        uint8_t *layer = data + HEADER + 8 * l;
        uint64_t outputs;
        if (HEADER + 8 * (l + 1) > size)
            put(layer, 1, 8);
        outputs = bpi_get(layer, 4);
        if (inputs > max_size || outputs > max_size || parameters > max_size)
            return size;
        parameters += outputs * (inputs + 1);
        inputs = outputs;
    }
    need = HEADER + 8 * layers + bpi_get(data + AT_PRECISION, 4) % 16 * parameters + CHECKSUM;
    if (need > max_size)
        return size;
    if (need > size)
        memset(data + size, 0, need - size);
    return (size_t)need;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint64_t state = seed;
    if (max_size < SMALLEST)
        return LLVMFuzzerMutate(data, size, max_size);
    if (size < SMALLEST)
        size = smallest(data);
    switch (draw(&state) % 4) {
    case 0:
        size = LLVMFuzzerMutate(data, size, max_size);
        UNPOISON(data, size);
        break;
    case 1:
        change_parameter(data, size, &state);
        break;
    default:
        change_field(data, size, &state);
    }
    /* Now and then each repair is left out: what it would repair must be refused. */
    if (size >= SMALLEST && draw(&state) % 16 > 0)
        size = fit(data, size, max_size);
    if (size >= SMALLEST && draw(&state) % 64 > 0)
        put(data + size - CHECKSUM, bpi_checksum(data, size - CHECKSUM), CHECKSUM);
    return size;
}
