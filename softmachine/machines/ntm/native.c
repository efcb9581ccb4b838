/* One step of all heads of a Neural Turing Machine, and its gradients: what `heads.py` and
   `addressing.py` say, for XLA on a CPU. `native.py` has it called.

   A memory lies as it does there: columns, each with all its rows one after the other. Loops go
   through sixteen rows at once, so rows come in sixteens. A batch is done example by example, so
   that one memory stays in the nearest cache from its first use to its last. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "xla/ffi/api/c_api.h"

#define LANES 16
typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int32_t ivec __attribute__((vector_size(4 * LANES)));

/* Arrays that no other argument overlaps. */
#define IN const float *restrict
#define OUT float *restrict

typedef struct {
    long heads, readers, writers, columns, rows, shifts;
    int late_address, late_read; /* whether read heads address, and read, the memory after */
    int key_activation, add_activation;
    float clip, smoothing, epsilon, floor;
} Sizes;

/* --- sixteen numbers -------------------------------------------------------------------- */

static inline vec load(const float *p) {
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store(float *p, vec v) { memcpy(p, &v, sizeof v); }

static inline vec choose(ivec where, vec x, vec y) {
    return (vec)((where & (ivec)x) | (~where & (ivec)y));
}

static inline vec all(float x) { return (vec){0} + x; }

static inline float sum(vec v) {
    float total = 0, part[LANES];
    store(part, v);
#pragma omp simd reduction(+ : total)
    for (int i = 0; i < LANES; i++) total += part[i];
    return total;
}

static float largest(long n, IN x) {
    vec most = load(x);
    for (long i = LANES; i < n; i += LANES) {
        vec v = load(x + i);
        most = choose(v > most, v, most);
    }
    float top = most[0];
    for (int i = 1; i < LANES; i++) top = most[i] > top ? most[i] : top;
    return top;
}

/* exp to 2 units in the last place: 2^n e^r, r by the polynomial of Cephes' expf. Below -87 and
   above 88 it stays what it is there; NaN stays NaN. */
static inline vec exponential(vec x) {
    x = choose(x < -87.0f, all(-87.0f), x);
    x = choose(x > 88.0f, all(88.0f), x);
    vec t = x * 1.44269504f;
    ivec n = __builtin_convertvector(t + choose(t < 0.0f, all(-0.5f), all(0.5f)), ivec);
    vec f = __builtin_convertvector(n, vec);
    vec r = x - f * 0.693359375f + f * 2.12194440e-4f;
    vec p = 1.9875691500e-4f * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    return p * (vec)((n + 127) << 23);
}

/* log of normal numbers above 0, likewise: x = 2^e m, m between sqrt(1/2) and sqrt(2). NaN, whose
   bits would pass for a number, stays NaN. */
static inline vec logarithm(vec x) {
    const int32_t half_root = 0x004afb0d; /* from the bits of sqrt(1/2) to those of 1/2 */
    ivec bits = (ivec)x + half_root;
    vec e = __builtin_convertvector((bits >> 23) - 127, vec);
    vec y = (vec)((bits & 0x7fffff) + (0x3f800000 - half_root)) - 1.0f, z = y * y;
    vec p = 7.0376836292e-2f * y - 1.1514610310e-1f;
    p = p * y + 1.1676998740e-1f;
    p = p * y - 1.2420140846e-1f;
    p = p * y + 1.4249322787e-1f;
    p = p * y - 1.6668057665e-1f;
    p = p * y + 2.0000714765e-1f;
    p = p * y - 2.4999993993e-1f;
    p = p * y + 3.3333331174e-1f;
    p = (y * z * p - e * 2.12194440e-4f - 0.5f * z) + y + e * 0.693359375f;
    return choose(x == x, p, x);
}

/* These work on whole vectors: there is room behind n numbers. */

static void sigmoid(long n, float *x) {
    for (long i = 0; i < n; i += LANES)
        store(x + i, 1.0f / (1.0f + exponential(-load(x + i))));
}

static void softplus(long n, float *x) {
    for (long i = 0; i < n; i += LANES) {
        vec v = load(x + i), size = choose(v > 0.0f, v, -v);
        vec e = exponential(-size), above = 1.0f + e;
        vec log1p = choose(above == 1.0f, e, logarithm(above) * e / (above - 1.0f));
        store(x + i, choose(v > 0.0f, v, all(0.0f)) + log1p);
    }
}

static void hyperbolic_tangent(long n, float *x) {
    for (long i = 0; i < n; i += LANES) {
        vec v = load(x + i), square = v * v;
        vec small = v * (1.0f + square * (-1 / 3.0f + square * (2 / 15.0f - square * 17 / 315)));
        vec large = 2.0f / (1.0f + exponential(-2.0f * v)) - 1.0f;
        store(x + i, choose(square < 0.01f, small, large));
    }
}

/* An activation, by its number in `native.py`: linear, tanh, relu, sigmoid. */
static void activate(int kind, long n, float *x) {
    if (kind == 1) hyperbolic_tangent(n, x);
    if (kind == 2)
        for (long i = 0; i < n; i++) x[i] = x[i] < 0 ? 0.0f : x[i];
    if (kind == 3) sigmoid(n, x);
}

/* From gradients of its results y to those of its arguments, in place. */
static void activate_back(int kind, long n, IN y, OUT bar) {
    if (kind == 1)
        for (long i = 0; i < n; i++) bar[i] *= 1.0f - y[i] * y[i];
    if (kind == 2)
        for (long i = 0; i < n; i++) bar[i] = y[i] > 0 ? bar[i] : 0.0f;
    if (kind == 3)
        for (long i = 0; i < n; i++) bar[i] *= y[i] * (1.0f - y[i]);
}

/* --- what the controller tells the heads: `to_head_parameters` --------------------------- */

typedef struct {
    float *keys, *strengths, *sharpenings, *gates, *shifts, *erases, *adds;
} Heads;

static long padded(long n) { return (n + LANES - 1) / LANES * LANES; }

static long value_count(const Sizes *z) {
    return z->heads * (z->columns + 3 + z->shifts) + 2 * z->writers * z->columns;
}

static long room_for_heads(const Sizes *z) {
    return padded(z->heads * z->columns) + 3 * padded(z->heads) + padded(z->heads * z->shifts) +
           2 * padded(z->writers * z->columns);
}

/* The parts in their order, each with room for whole vectors. */
static Heads parts(const Sizes *z, float *room) {
    Heads h;
    h.keys = room, room += padded(z->heads * z->columns);
    h.strengths = room, room += padded(z->heads);
    h.sharpenings = room, room += padded(z->heads);
    h.gates = room, room += padded(z->heads);
    h.shifts = room, room += padded(z->heads * z->shifts);
    h.erases = room, room += padded(z->writers * z->columns);
    h.adds = room;
    return h;
}

static void take(long n, float clip, const float **values, float *part) {
    memcpy(part, *values, n * sizeof(float));
    for (long i = n; i < padded(n); i++) part[i] = 0;
    *values += n;
    for (long i = 0; i < n; i++) {
        float x = part[i] > clip ? clip : part[i];
        part[i] = x < -clip ? -clip : x;
    }
}

static void give(long n, float clip, const float *bar, const float **values, float **values_bar) {
    for (long i = 0; i < n; i++) {
        float size = fabsf((*values)[i]); /* at the bound JAX passes on a half */
        (*values_bar)[i] = size > clip ? 0.0f : size == clip ? 0.5f * bar[i] : bar[i];
    }
    *values += n, *values_bar += n;
}

static Heads head_parameters(const Sizes *z, const float *values, float *room) {
    long heads = z->heads, shifts = z->shifts;
    long keyed = heads * z->columns, written = z->writers * z->columns;
    Heads h = parts(z, room);
    take(keyed, z->clip, &values, h.keys);
    take(heads, z->clip, &values, h.strengths);
    take(heads, z->clip, &values, h.sharpenings);
    take(heads, z->clip, &values, h.gates);
    take(heads * shifts, z->clip, &values, h.shifts);
    take(written, z->clip, &values, h.erases);
    take(written, z->clip, &values, h.adds);
    activate(z->key_activation, keyed, h.keys);
    softplus(heads, h.strengths);
    softplus(heads, h.sharpenings);
    for (long i = 0; i < heads; i++) h.sharpenings[i] += 1.0f;
    sigmoid(heads, h.gates);
    for (long i = 0; i < heads; i++) { /* a softmax */
        float *s = h.shifts + i * shifts, top = s[0];
        for (long j = 1; j < shifts; j++) top = s[j] > top ? s[j] : top;
        for (long j = 0; j < shifts; j++) s[j] -= top;
    }
    for (long i = 0; i < heads * shifts; i += LANES)
        store(h.shifts + i, exponential(load(h.shifts + i)));
    for (long i = 0; i < heads; i++) {
        float *s = h.shifts + i * shifts, total = 0;
        for (long j = 0; j < shifts; j++) total += s[j];
        for (long j = 0; j < shifts; j++) s[j] /= total;
    }
    sigmoid(written, h.erases);
    activate(z->add_activation, written, h.adds);
    return h;
}

/* From gradients of the parameters, which are changed, to those of the controller's values. */
static void head_parameters_back(const Sizes *z, const float *values, Heads h, Heads bar,
                                 float *values_bar) {
    long heads = z->heads, shifts = z->shifts;
    long keyed = heads * z->columns, written = z->writers * z->columns;
    activate_back(z->key_activation, keyed, h.keys, bar.keys);
    const float *positive = values + keyed; /* what went through softplus, whose slope is */
    take(heads, z->clip, &positive, h.strengths);
    take(heads, z->clip, &positive, h.sharpenings);
    sigmoid(heads, h.strengths); /* the logistic function */
    sigmoid(heads, h.sharpenings);
    for (long i = 0; i < heads; i++) {
        bar.strengths[i] *= h.strengths[i];
        bar.sharpenings[i] *= h.sharpenings[i];
    }
    activate_back(3, heads, h.gates, bar.gates);
    for (long i = 0; i < heads; i++) {
        float *s = h.shifts + i * shifts, *b = bar.shifts + i * shifts, mean = 0;
        for (long j = 0; j < shifts; j++) mean += s[j] * b[j];
        for (long j = 0; j < shifts; j++) b[j] = s[j] * (b[j] - mean);
    }
    activate_back(3, written, h.erases, bar.erases);
    activate_back(z->add_activation, written, h.adds, bar.adds);
    give(keyed, z->clip, bar.keys, &values, &values_bar);
    give(heads, z->clip, bar.strengths, &values, &values_bar);
    give(heads, z->clip, bar.sharpenings, &values, &values_bar);
    give(heads, z->clip, bar.gates, &values, &values_bar);
    give(heads * shifts, z->clip, bar.shifts, &values, &values_bar);
    give(written, z->clip, bar.erases, &values, &values_bar);
    give(written, z->clip, bar.adds, &values, &values_bar);
}

/* --- passes over a memory ---------------------------------------------------------------- */

/* out[i] += sum over c of x[c] m[c, i], for each row i; and squares[i] += sum of m[c, i]^2, if
   they are wanted. `n` vectors of rows at once, so that sums stay in registers. */
static inline __attribute__((always_inline)) void gather_rows(int n, long columns, long rows,
                                                              IN x, IN m, OUT out,
                                                              float *squares) {
    vec dots[4], own[4];
    for (int j = 0; j < n; j++) dots[j] = load(out + j * LANES);
    if (squares)
        for (int j = 0; j < n; j++) own[j] = load(squares + j * LANES);
    for (long c = 0; c < columns; c++)
        for (int j = 0; j < n; j++) {
            vec v = load(m + c * rows + j * LANES);
            dots[j] += x[c] * v;
            if (squares) own[j] += v * v;
        }
    for (int j = 0; j < n; j++) store(out + j * LANES, dots[j]);
    if (squares)
        for (int j = 0; j < n; j++) store(squares + j * LANES, own[j]);
}

static void gather(long columns, long rows, IN x, IN m, OUT out) {
    long i = 0;
    for (; i + 4 * LANES <= rows; i += 4 * LANES)
        gather_rows(4, columns, rows, x, m + i, out + i, NULL);
    for (; i < rows; i += LANES) gather_rows(1, columns, rows, x, m + i, out + i, NULL);
}

static void gather_with_squares(long columns, long rows, IN x, IN m, OUT out, OUT squares) {
    long i = 0;
    for (; i + 4 * LANES <= rows; i += 4 * LANES)
        gather_rows(4, columns, rows, x, m + i, out + i, squares + i);
    for (; i < rows; i += LANES) gather_rows(1, columns, rows, x, m + i, out + i, squares + i);
}

/* out[c] = sum over i of w[i] m[c, i], for each column c; `n` of them at once. */
static inline __attribute__((always_inline)) void combine_columns(int n, long rows, IN w, IN m,
                                                                  OUT out) {
    vec total[4] = {0};
    for (long i = 0; i < rows; i += LANES)
        for (int j = 0; j < n; j++) total[j] += load(w + i) * load(m + j * rows + i);
    for (int j = 0; j < n; j++) out[j] = sum(total[j]);
}

static void combine(long columns, long rows, IN w, IN m, OUT out) {
    long c = 0;
    for (; c + 4 <= columns; c += 4) combine_columns(4, rows, w, m + c * rows, out + c);
    for (; c < columns; c++) combine_columns(1, rows, w, m + c * rows, out + c);
}

/* m[c, i] += x[c] w[i]. */
static void spread(long columns, long rows, IN x, IN w, OUT m) {
    for (long c = 0; c < columns; c++)
        for (long i = 0; i < rows; i += LANES)
            store(m + c * rows + i, load(m + c * rows + i) + x[c] * load(w + i));
}

/* Eq. 3: out may be m. */
static void erase(long columns, long rows, IN w, IN e, const float *m, float *out) {
    for (long c = 0; c < columns; c++)
        for (long i = 0; i < rows; i += LANES)
            store(out + c * rows + i, load(m + c * rows + i) * (1.0f - e[c] * load(w + i)));
}

/* --- section 3.2: writing; all erases, then all adds --------------------------------------- */

/* Eq. 3 and 4: out may be m. */
static void write(const Sizes *z, const float *w, Heads h, const float *m, float *out) {
    long columns = z->columns, rows = z->rows;
    if (z->writers == 1) {
        for (long c = 0; c < columns; c++)
            for (long i = 0; i < rows; i += LANES) {
                vec v = load(m + c * rows + i);
                store(out + c * rows + i, v + load(w + i) * (h.adds[c] - h.erases[c] * v));
            }
        return;
    }
    for (long k = 0; k < z->writers; k++)
        erase(columns, rows, w + k * rows, h.erases + k * columns, k ? out : m, out);
    for (long k = 0; k < z->writers; k++)
        spread(columns, rows, h.adds + k * columns, w + k * rows, out);
}

/* Of `n` columns: gradients of w, of e and, in place, of the memory before an erase. */
static inline __attribute__((always_inline)) void erase_columns_back(int n, long rows, IN w,
                                                                     IN e, IN m, OUT bar,
                                                                     OUT w_bar, OUT e_bar) {
    vec total[4] = {0};
    for (long i = 0; i < rows; i += LANES) {
        vec weight = load(w + i), u = load(w_bar + i);
        for (int j = 0; j < n; j++) {
            vec b = load(bar + j * rows + i), y = b * load(m + j * rows + i);
            total[j] += y * weight;
            u -= e[j] * y;
            store(bar + j * rows + i, b - b * weight * e[j]);
        }
        store(w_bar + i, u);
    }
    for (int j = 0; j < n; j++) e_bar[j] = -sum(total[j]);
}

static void erase_back(long columns, long rows, IN w, IN e, IN m, OUT bar, OUT w_bar,
                       OUT e_bar) {
    long c = 0;
    for (; c + 4 <= columns; c += 4)
        erase_columns_back(4, rows, w, e + c, m + c * rows, bar + c * rows, w_bar, e_bar + c);
    for (; c < columns; c++)
        erase_columns_back(1, rows, w, e + c, m + c * rows, bar + c * rows, w_bar, e_bar + c);
}

/* --- section 3.3: addressing --------------------------------------------------------------- */

/* The stages of a head's addressing, a number per row each; and |k|, smoothed. */
typedef struct {
    float *similarity, *content, *gated, *shifted, *logs, *weighting, key_norm;
} Stages;
enum { STAGES = 6 };

static Stages stages_in(const Sizes *z, float *room, long head) {
    long rows = z->rows;
    float *p = room + head * STAGES * rows;
    return (Stages){p, p + rows, p + 2 * rows, p + 3 * rows, p + 4 * rows, p + 5 * rows, 0};
}

/* Eq. 5 and 6; `similarity` holds dot products at first. */
static void weight_by_content(long rows, float strength, float key_norm, float epsilon,
                              IN squares, OUT similarity, OUT out) {
    float total = 0;
    for (long i = 0; i < rows; i++) similarity[i] /= key_norm * sqrtf(squares[i]) + epsilon;
    float top = largest(rows, similarity);
    for (long i = 0; i < rows; i += LANES)
        store(out + i, exponential(strength * (load(similarity + i) - top)));
#pragma omp simd reduction(+ : total)
    for (long i = 0; i < rows; i++) total += out[i];
    total = 1.0f / total;
    for (long i = 0; i < rows; i++) out[i] *= total;
}

/* Gradients of the dot products, in place of those of the weighting, and of the squares, times
   two; returns that of the strength. A norm of 0 has a gradient of 0. */
static float weight_by_content_back(long rows, float strength, float key_norm, float epsilon,
                                    IN squares, IN similarity, IN content, OUT bar,
                                    OUT square_bar, float *key_norm_bar) {
    float mean = 0, strength_bar = 0, norms_bar = 0;
#pragma omp simd reduction(+ : mean)
    for (long i = 0; i < rows; i++) mean += bar[i] * content[i];
#pragma omp simd reduction(+ : strength_bar, norms_bar)
    for (long i = 0; i < rows; i++) {
        float logit_bar = content[i] * (bar[i] - mean), norm = sqrtf(squares[i]);
        float scale = 1.0f / (key_norm * norm + epsilon);
        float product_bar = -strength * logit_bar * similarity[i] * scale;
        strength_bar += logit_bar * similarity[i];
        norms_bar += product_bar * norm;
        bar[i] = strength * logit_bar * scale;
        square_bar[i] = norm > 0 ? product_bar * key_norm / norm : 0.0f;
    }
    *key_norm_bar = norms_bar;
    return strength_bar;
}

/* Eq. 7. */
static void interpolate(long rows, float gate, IN content, IN previous, OUT out) {
    for (long i = 0; i < rows; i++) out[i] = gate * content[i] + (1.0f - gate) * previous[i];
}

static float interpolate_back(long rows, float gate, IN bar, IN content, IN previous,
                              OUT content_bar, OUT previous_bar) {
    float gate_bar = 0;
#pragma omp simd reduction(+ : gate_bar)
    for (long i = 0; i < rows; i++) {
        gate_bar += bar[i] * (content[i] - previous[i]);
        content_bar[i] = gate * bar[i];
        previous_bar[i] = (1.0f - gate) * bar[i];
    }
    return gate_bar;
}

/* Eq. 8, around the ends. */
static void shift(long rows, long shifts, IN x, IN s, OUT out) {
    for (long i = 0; i < rows; i++) out[i] = s[shifts / 2] * x[i];
    for (long j = 0; j < shifts; j++) {
        long by = j - shifts / 2, away = by < 0 ? rows + by : by;
        if (by == 0) continue;
        for (long i = 0; i < rows - away; i++) out[away + i] += s[j] * x[i];
        for (long i = 0; i < away; i++) out[i] += s[j] * x[rows - away + i];
    }
}

static void shift_back(long rows, long shifts, IN bar, IN x, IN s, OUT x_bar, OUT s_bar) {
    for (long i = 0; i < rows; i++) x_bar[i] = 0;
    for (long j = 0; j < shifts; j++) {
        long by = j - shifts / 2, away = by < 0 ? rows + by : by;
        float total = 0;
#pragma omp simd reduction(+ : total)
        for (long i = 0; i < rows - away; i++) {
            total += bar[away + i] * x[i];
            x_bar[i] += s[j] * bar[away + i];
        }
        for (long i = 0; i < away; i++) {
            total += bar[i] * x[rows - away + i];
            x_bar[rows - away + i] += s[j] * bar[i];
        }
        s_bar[j] = total;
    }
}

/* Eq. 9. */
static void sharpen(long rows, float sharpening, float floor, IN x, OUT logs, OUT out) {
    float scale = 1.0f / (largest(rows, x) + floor), total = 0;
    for (long i = 0; i < rows; i += LANES) {
        vec l = logarithm((load(x + i) + floor) * scale);
        store(logs + i, l);
        store(out + i, exponential(sharpening * l));
    }
#pragma omp simd reduction(+ : total)
    for (long i = 0; i < rows; i++) total += out[i];
    total = 1.0f / total;
    for (long i = 0; i < rows; i++) out[i] *= total;
}

static float sharpen_back(long rows, float sharpening, float floor, IN bar, IN w, IN logs, IN x,
                          OUT x_bar) {
    float mean = 0, sharpening_bar = 0;
#pragma omp simd reduction(+ : mean)
    for (long i = 0; i < rows; i++) mean += bar[i] * w[i];
#pragma omp simd reduction(+ : sharpening_bar)
    for (long i = 0; i < rows; i++) {
        float power_bar = w[i] * (bar[i] - mean);
        sharpening_bar += power_bar * logs[i];
        x_bar[i] = sharpening * power_bar / (x[i] + floor);
    }
    return sharpening_bar;
}

/* All four stages of one head. `squares` are the memory's |M(i)|^2, smoothed; the first head
   that looks at a memory finds them. */
static Stages address(const Sizes *z, Heads h, long head, const float *m, float *squares,
                      int found, const float *previous, float *room) {
    long rows = z->rows, columns = z->columns;
    const float *key = h.keys + head * columns;
    Stages s = stages_in(z, room, head);
    float key_square = z->smoothing;
    for (long c = 0; c < columns; c++) key_square += key[c] * key[c];
    s.key_norm = sqrtf(key_square);
    memset(s.similarity, 0, rows * sizeof(float));
    if (found) {
        gather(columns, rows, key, m, s.similarity);
    } else {
        for (long i = 0; i < rows; i++) squares[i] = z->smoothing;
        gather_with_squares(columns, rows, key, m, s.similarity, squares);
    }
    weight_by_content(rows, h.strengths[head], s.key_norm, z->epsilon, squares, s.similarity,
                      s.content);
    interpolate(rows, h.gates[head], s.content, previous + head * rows, s.gated);
    shift(rows, z->shifts, s.gated, h.shifts + head * z->shifts, s.shifted);
    sharpen(rows, h.sharpenings[head], z->floor, s.shifted, s.logs, s.weighting);
    return s;
}

/* Of `n` columns: the keys' gradients, and what is added to the memory's. */
static inline __attribute__((always_inline)) void match_columns_back(int n, long rows, IN dots,
                                                                     IN squares, IN m, IN key,
                                                                     float own, OUT key_bar,
                                                                     OUT m_bar) {
    vec total[4] = {0};
    for (long i = 0; i < rows; i += LANES) {
        vec d = load(dots + i), s = load(squares + i);
        for (int j = 0; j < n; j++) {
            vec v = load(m + j * rows + i), b = load(m_bar + j * rows + i);
            total[j] += d * v;
            store(m_bar + j * rows + i, b + d * key[j] + s * v);
        }
    }
    for (int j = 0; j < n; j++) key_bar[j] = sum(total[j]) + own * key[j];
}

/* From the gradient of a head's weighting to those of all it was made of. */
static void address_back(const Sizes *z, Heads h, long head, const float *m,
                         const float *squares, const float *previous, Stages s,
                         const float *bar, float *room, Heads h_bar, float *previous_bar,
                         float *m_bar) {
    long rows = z->rows, columns = z->columns, c = 0;
    float *u = room, *v = room + rows;
    const float *key = h.keys + head * columns, *shifts = h.shifts + head * z->shifts;
    float *key_bar = h_bar.keys + head * columns;
    h_bar.sharpenings[head] = sharpen_back(rows, h.sharpenings[head], z->floor, bar,
                                           s.weighting, s.logs, s.shifted, u);
    shift_back(rows, z->shifts, u, s.gated, shifts, v, h_bar.shifts + head * z->shifts);
    h_bar.gates[head] = interpolate_back(rows, h.gates[head], v, s.content,
                                         previous + head * rows, u,
                                         previous_bar + head * rows);
    float key_norm_bar;
    h_bar.strengths[head] =
        weight_by_content_back(rows, h.strengths[head], s.key_norm, z->epsilon, squares,
                               s.similarity, s.content, u, v, &key_norm_bar);
    float own = s.key_norm > 0 ? key_norm_bar / s.key_norm : 0.0f;
    for (; c + 4 <= columns; c += 4)
        match_columns_back(4, rows, u, v, m + c * rows, key + c, own, key_bar + c,
                           m_bar + c * rows);
    for (; c < columns; c++)
        match_columns_back(1, rows, u, v, m + c * rows, key + c, own, key_bar + c,
                           m_bar + c * rows);
}

/* --- a step ---------------------------------------------------------------------------------- */

/* `m` is M_{t-1} first and M_t then. */
static void step(const Sizes *z, const float *values, float *m, const float *previous,
                 float *weightings, float *reads, float *room) {
    long rows = z->rows, columns = z->columns, readers = z->readers;
    float *squares = room, *stages = room + rows;
    Heads h = head_parameters(z, values, stages + STAGES * z->heads * rows);
    int found = 0;
    for (long k = z->late_address ? readers : 0; k < z->heads; k++, found = 1) {
        Stages s = address(z, h, k, m, squares, found, previous, stages);
        memcpy(weightings + k * rows, s.weighting, rows * sizeof(float));
    }
    if (!z->late_read)
        for (long k = 0; k < readers; k++)
            combine(columns, rows, weightings + k * rows, m, reads + k * columns);
    write(z, weightings + readers * rows, h, m, m);
    if (z->late_address)
        for (long k = 0; k < readers; k++) {
            Stages s = address(z, h, k, m, squares, k > 0, previous, stages);
            memcpy(weightings + k * rows, s.weighting, rows * sizeof(float));
        }
    if (z->late_read)
        for (long k = 0; k < readers; k++)
            combine(columns, rows, weightings + k * rows, m, reads + k * columns);
}

static long room_for_step(const Sizes *z) {
    return (1 + STAGES * z->heads) * z->rows + room_for_heads(z);
}

/* `bar` is the gradient of M_t first and of M_{t-1} then; the step is taken once more. */
static void step_back(const Sizes *z, const float *values, const float *before,
                      const float *previous, float *bar, const float *weightings_bar,
                      const float *reads_bar, float *values_bar, float *previous_bar,
                      float *room) {
    long rows = z->rows, columns = z->columns, cells = rows * columns;
    long heads = z->heads, readers = z->readers, writers = z->writers;
    Stages s[heads];
    float *old_squares = room, *new_squares = room + rows, *two = room + 2 * rows;
    float *stages = room + 4 * rows, *writing = stages + STAGES * heads * rows;
    float *w_bar = writing + writers * rows, *after = w_bar + heads * rows;
    float *erased = after + cells; /* the memories between erases */
    float *own = erased + (writers - 1) * cells;
    Heads h = head_parameters(z, values, own), h_bar = parts(z, own + room_for_heads(z));
    int found = 0;
    for (long k = readers; k < heads; k++, found = 1) {
        s[k] = address(z, h, k, before, old_squares, found, previous, stages);
        memcpy(writing + (k - readers) * rows, s[k].weighting, rows * sizeof(float));
    }
    if (z->late_address || z->late_read) write(z, writing, h, before, after);
    const float *addressed = z->late_address ? after : before;
    const float *read = z->late_read ? after : before;
    float *squares = z->late_address ? new_squares : old_squares;
    for (long k = 0; k < readers; k++)
        s[k] = address(z, h, k, addressed, squares, k > 0 || !z->late_address, previous,
                       stages);
    for (long k = 0; k + 1 < writers; k++)
        erase(columns, rows, writing + k * rows, h.erases + k * columns,
              k ? erased + (k - 1) * cells : before, erased + k * cells);

    memcpy(w_bar, weightings_bar, heads * rows * sizeof(float));
    for (long k = 0; k < readers; k++)
        gather(columns, rows, reads_bar + k * columns, read, w_bar + k * rows);
    for (int late = 1; late >= 0; late--) { /* what hangs on M_t; the write; then on M_{t-1} */
        for (long k = 0; k < readers && z->late_read == late; k++)
            spread(columns, rows, reads_bar + k * columns, s[k].weighting, bar);
        for (long k = 0; k < readers && z->late_address == late; k++)
            address_back(z, h, k, addressed, squares, previous, s[k], w_bar + k * rows, two,
                         h_bar, previous_bar, bar);
        if (!late) break;
        for (long k = 0; k < writers; k++) {
            gather(columns, rows, h.adds + k * columns, bar, w_bar + (readers + k) * rows);
            combine(columns, rows, writing + k * rows, bar, h_bar.adds + k * columns);
        }
        for (long k = writers - 1; k >= 0; k--)
            erase_back(columns, rows, writing + k * rows, h.erases + k * columns,
                       k ? erased + (k - 1) * cells : before, bar,
                       w_bar + (readers + k) * rows, h_bar.erases + k * columns);
    }
    for (long k = readers; k < heads; k++)
        address_back(z, h, k, before, old_squares, previous, s[k], w_bar + k * rows, two, h_bar,
                     previous_bar, bar);
    head_parameters_back(z, values, h, h_bar, values_bar);
}

static long room_for_step_back(const Sizes *z) {
    long cells = z->rows * z->columns;
    return (4 + (STAGES + 1) * z->heads + z->writers) * z->rows + z->writers * cells +
           2 * room_for_heads(z);
}

/* --- how XLA calls it -------------------------------------------------------------------------- */

/* XLA asks first for which version of its interface this was compiled. */
static int told_version(XLA_FFI_CallFrame *frame) {
    XLA_FFI_Extension_Base *extension = frame->extension_start;
    if (!extension || extension->type != XLA_FFI_Extension_Metadata) return 0;
    XLA_FFI_Metadata *metadata = ((XLA_FFI_Metadata_Extension *)extension)->metadata;
    metadata->api_version.major_version = XLA_FFI_API_MAJOR;
    metadata->api_version.minor_version = XLA_FFI_API_MINOR;
    metadata->traits = 0;
    return 1;
}

static XLA_FFI_Buffer *argument(XLA_FFI_CallFrame *frame, long i) { return frame->args.args[i]; }
static float *input(XLA_FFI_CallFrame *frame, long i) { return argument(frame, i)->data; }
static float *output(XLA_FFI_CallFrame *frame, long i) {
    return ((XLA_FFI_Buffer *)frame->rets.rets[i])->data;
}

/* All attributes are float32. */
static float attribute(XLA_FFI_CallFrame *frame, const char *name) {
    for (long i = 0; i < frame->attrs.size; i++) {
        XLA_FFI_ByteSpan *found = frame->attrs.names[i];
        if (found->len == strlen(name) && !memcmp(found->ptr, name, found->len))
            return *(float *)((XLA_FFI_Scalar *)frame->attrs.attrs[i])->value;
    }
    return NAN;
}

/* Inputs 1 and 2 are memories (..., columns, rows) and weightings (..., heads, rows). */
static Sizes sizes(XLA_FFI_CallFrame *frame) {
    XLA_FFI_Buffer *memory = argument(frame, 1), *weightings = argument(frame, 2);
    Sizes z;
    z.columns = memory->dims[memory->rank - 2];
    z.rows = memory->dims[memory->rank - 1];
    z.heads = weightings->dims[weightings->rank - 2];
    z.readers = attribute(frame, "readers");
    z.writers = z.heads - z.readers;
    z.shifts = attribute(frame, "shifts");
    z.late_address = attribute(frame, "late_address");
    z.late_read = attribute(frame, "late_read");
    z.key_activation = attribute(frame, "key_activation");
    z.add_activation = attribute(frame, "add_activation");
    z.clip = attribute(frame, "clip");
    z.smoothing = attribute(frame, "smoothing");
    z.epsilon = attribute(frame, "epsilon");
    z.floor = attribute(frame, "floor");
    return z;
}

/* Input 0 is the controller's values, (..., values). */
static long examples(XLA_FFI_CallFrame *frame) {
    XLA_FFI_Buffer *values = argument(frame, 0);
    long n = 1;
    for (long i = 0; i + 1 < values->rank; i++) n *= values->dims[i];
    return n;
}

static float *claim(long numbers) {
    long bytes = numbers * (long)sizeof(float);
    return aligned_alloc(64, (bytes + 63) & ~63L);
}

static XLA_FFI_Error *no_memory(XLA_FFI_CallFrame *frame) {
    XLA_FFI_Error_Create_Args args = {
        .struct_size = XLA_FFI_Error_Create_Args_STRUCT_SIZE,
        .message = "no memory left for a step of an NTM",
        .errc = XLA_FFI_Error_Code_RESOURCE_EXHAUSTED,
    };
    return frame->api->XLA_FFI_Error_Create(&args);
}

/* values, M_{t-1}, w_{t-1} -> M_t, w_t, r_t. */
XLA_FFI_Error *softmachine_ntm_step(XLA_FFI_CallFrame *frame) {
    if (told_version(frame)) return NULL;
    Sizes z = sizes(frame);
    long values = value_count(&z), cells = z.columns * z.rows, weights = z.heads * z.rows;
    float *room = claim(room_for_step(&z));
    if (!room) return no_memory(frame);
    for (long i = 0; i < examples(frame); i++) {
        float *before = input(frame, 1) + i * cells, *after = output(frame, 0) + i * cells;
        if (after != before) memcpy(after, before, cells * sizeof(float));
        step(&z, input(frame, 0) + i * values, after, input(frame, 2) + i * weights,
             output(frame, 1) + i * weights, output(frame, 2) + i * z.readers * z.columns,
             room);
    }
    free(room);
    return NULL;
}

/* The same three and gradients of the results -> gradients of values, M_{t-1}, w_{t-1}. */
XLA_FFI_Error *softmachine_ntm_step_back(XLA_FFI_CallFrame *frame) {
    if (told_version(frame)) return NULL;
    Sizes z = sizes(frame);
    long values = value_count(&z), cells = z.columns * z.rows, weights = z.heads * z.rows;
    float *room = claim(room_for_step_back(&z));
    if (!room) return no_memory(frame);
    for (long i = 0; i < examples(frame); i++) {
        float *given = input(frame, 3) + i * cells, *bar = output(frame, 1) + i * cells;
        if (bar != given) memcpy(bar, given, cells * sizeof(float));
        step_back(&z, input(frame, 0) + i * values, input(frame, 1) + i * cells,
                  input(frame, 2) + i * weights, bar, input(frame, 4) + i * weights,
                  input(frame, 5) + i * z.readers * z.columns, output(frame, 0) + i * values,
                  output(frame, 2) + i * weights, room);
    }
    free(room);
    return NULL;
}
