static float near_sigmoid(float x) {
    float c = -1.44269504088896341f * x;
    c = c < -126.0f ? (float)(-126.0f) : c;  // max and min would lose a NaN
    c = c > 126.0f ? (float)(126.0f) : c;
    const float n = c + 12582912.0f, f = c - (n - 12582912.0f);
    float p = fma(f, 1.535336188319500e-4f, 1.339887440266574e-3f);
    p = fma(p, f, 9.618437357674640e-3f);
    p = fma(p, f, 5.550332471162809e-2f);
    p = fma(p, f, 2.402264791363012e-1f);
    p = fma(p, f, 6.931472028550421e-1f);
    p = fma(p, f, 1.0f);
    const float d = 1.0f + as_float(as_int(p) + (as_int(n) << 23)), r = native_recip(d);
    return x < -87.0f ? (float)(0) : fma(fma(-d, r, 1.0f), r, r);
}

// The states of an LSTM in LiteRT's integers along a sequence: all steps in one launch.
// All operands: any strided layout. y: h [STEPS][BATCH][STATE] of every step, h [BATCH][STATE] and c [BATCH][UNITS] behind the last, in steps.
// WG work-items walk one sequence together: each computes every WG-th unit, and they pass h on through local memory.
// Gates have 3 integer bits and 12 of a fraction, what comes of their activations has 15 of a fraction.
#define STEPS 3
#define BATCH 2  // sequences
#define UNITS 5  // units of a gate
#define STATE 5  // elements of h
#define GATES 4  // in order input, forget, cell, output; without the first where it is 1 - forget
#define WG 8  // work-items of a group
#define OWN 1  // units that a work-item may own
#define CELL_BITS 4  // integer bits of c
#define HIDDEN_ZERO 3  // zero point of what a projection takes
#define STATE_ZERO 3  // zero point of h

// x / 2^shift, halves away from zero.
static int halved(int x, int shift) {
    return (x + ((1 << shift) >> 1) - (x < 0 && shift > 0)) >> shift;
}

// x * multiplier / 2^31 * 2^exponent.
static int scaled(int x, int multiplier, int exponent) {
    const int high = (int)((((long)x << max(exponent, 0)) * multiplier + 0x40000000L) >> 31);
    return halved(high, max(-exponent, 0));
}

// Of fractions of 2^15.
static int product(int a, int b) {
    return min((a * b + (1 << 14)) >> 15, 32767);
}

// exp(x), x <= 0 with so many integer bits: a power of e from a quarter, and a factor for each bit of the rest.
static int exponential(int x, int bits) {
    const int quarter = 1 << (13 - bits), part = (x & (quarter - 1)) - quarter, rest = part - x;
    const int near = (part << bits) + (1 << 12), square = product(near, near);
    const int series = product(halved(product(square, square), 2) + product(square, near), 10923) + square;
    int y = clamp(28918 + product(near + halved(series, 1), 28918), -32768, 32767);
    if (bits >= -1 && (rest & (quarter << 0))) y = product(y, 25520);
    if (bits >= 0 && (rest & (quarter << 1))) y = product(y, 19875);
    if (bits >= 1 && (rest & (quarter << 2))) y = product(y, 12055);
    if (bits >= 2 && (rest & (quarter << 3))) y = product(y, 4435);
    if (bits >= 3 && (rest & (quarter << 4))) y = product(y, 600);
    if (bits >= 4 && (rest & (quarter << 5))) y = product(y, 11);
    if (bits >= 5 && (rest & (quarter << 6))) y = product(y, 0);
    if (bits > 5 && x < -(1 << (20 - bits))) y = 0;
    return x == 0 ? 32767 : y;
}

// 2 / (1 + x) for 0 <= x <= 1, with two integer bits: Newton's method.
static int reciprocal(int x) {
    const int half_sum = (x + 32768) >> 1;
    int y = 23130 + product(half_sum, -15420);
    for (int k = 0; k < 3; ++k) y += clamp(product(y, (1 << 13) - product(half_sum, y)) << 2, -32768, 32767);
    return y;
}

static int sigmoid(int x) {
    const int y = min(reciprocal(exponential(-abs(x), 3)) << 1, 32767);
    return x > 0 ? y : x < 0 ? 32767 - y : 1 << 14;
}

static int hyperbolic(int x, int bits) {
    const int y = clamp((reciprocal(exponential(-abs(x), bits + 1)) - (1 << 13)) << 2, -32768, 32767);
    return x > 0 ? y : x < 0 ? -y : 0;
}

__attribute__((reqd_work_group_size(8, 1, 1)))
__kernel void lstm_integer_50a58ee8(__global const int *restrict z, __global const char *restrict r, __global const int *restrict h0, __global const int *restrict c0, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int lid = get_local_id(0), b = get_global_id(1);
    __local int h[STATE];  // the state of the step before
    int next[OWN], c[OWN];
    for (int u = 0, j = lid; j < UNITS; ++u, j += WG) c[u] = c0[b * 5 + j];
    for (int j = lid; j < STATE; j += WG) h[j] = h0[b * 5 + j];
    barrier(CLK_LOCAL_MEM_FENCE);

    for (int t = 0; t < STEPS; ++t) {
        int gate[GATES][OWN];
        for (int u = 0, j = lid; j < UNITS; ++u, j += WG) {
            int sum[GATES] = {0};
            for (int k = 0; k < STATE; ++k) {
                const int v = h[k];
                #pragma unroll
                for (int g = 0; g < GATES; ++g) sum[g] += v * ((int)r[k * 20 + ((g * UNITS + j))]);
            }
            gate[0][u] = clamp(z[t * 40 + b * 20 + (0 * UNITS + j)] + scaled(sum[0], 1073741824, -1), -32768, 32767);
            gate[1][u] = clamp(z[t * 40 + b * 20 + (1 * UNITS + j)] + scaled(sum[1], 1073741824, -1), -32768, 32767);
            gate[2][u] = clamp(z[t * 40 + b * 20 + (2 * UNITS + j)] + scaled(sum[2], 1073741824, -1), -32768, 32767);
            gate[3][u] = clamp(z[t * 40 + b * 20 + (3 * UNITS + j)] + scaled(sum[3], 1073741824, -1), -32768, 32767);
        }
        for (int u = 0, j = lid; j < UNITS; ++u, j += WG) {
            const int keep = sigmoid(gate[1][u]), take = sigmoid(gate[0][u]);
            const int sum = halved(keep * c[u], 15) + halved(take * hyperbolic(gate[2][u], 3), 15 + CELL_BITS);
            c[u] = clamp(sum, -32768, 32767);
        }
        for (int u = 0, j = lid; j < UNITS; ++u, j += WG) {
            const int hidden = scaled(sigmoid(gate[3][u]) * hyperbolic(c[u], CELL_BITS), 1073741824, -21);
            next[u] = clamp(hidden + HIDDEN_ZERO, -128, 127) - STATE_ZERO;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int u = 0, j = lid; j < STATE; ++u, j += WG) {
            const int v = h[j] = next[u];
            {
    const float t0 = convert_float(v);
    const float t1 = e0[(((t * BATCH + b) * STATE + j))];
    const float t2 = t0 + t1;
    const float t3 = near_sigmoid(t2);
    const float t4 = e1[(((t * BATCH + b) * STATE + j))];
    const float t5 = t3 + t4;
    y[(((t * BATCH + b) * STATE + j))] = t5;
}
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }

    for (int j = lid; j < STATE; j += WG) {
        const int v = h[j];
        {
    const float t0 = convert_float(v);
    const float t1 = e0[(((STEPS * BATCH + b) * STATE + j))];
    const float t2 = t0 + t1;
    const float t3 = near_sigmoid(t2);
    const float t4 = e1[(((STEPS * BATCH + b) * STATE + j))];
    const float t5 = t3 + t4;
    y[(((STEPS * BATCH + b) * STATE + j))] = t5;
}
    }
    for (int u = 0, j = lid; j < UNITS; ++u, j += WG) {
        const int v = c[u];
        {
    const float t0 = convert_float(v);
    const float t1 = e0[(((STEPS + 1) * BATCH * STATE + b * UNITS + j))];
    const float t2 = t0 + t1;
    const float t3 = near_sigmoid(t2);
    const float t4 = e1[(((STEPS + 1) * BATCH * STATE + b * UNITS + j))];
    const float t5 = t3 + t4;
    y[(((STEPS + 1) * BATCH * STATE + b * UNITS + j))] = t5;
}
    }
}
