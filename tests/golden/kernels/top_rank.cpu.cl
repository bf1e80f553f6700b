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

// Coordinates of the best elements of a row, each stored at its rank.
// x: any layout; y: strided. One work-item counts the elements of a row that come before its own.
#define EXTENT 17  // elements of a row
#define COUNT 5  // of which so many are wanted
#define T float  // type of the elements
#define BETTER(a, b) ((a) > (b) || ((a) != (a) && (b) == (b)))
#define BEFORE(a, i, b, j) (BETTER(a, b) || (!BETTER(b, a) && (i) < (j)))  // in the order wanted: a at i, b at j

__kernel void top_rank_64a781e8(__global const float *restrict x, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int own = get_global_id(0), row = get_global_id(1);
    const T v = x[row * 17 + own];
    int rank = 0;
    for (int i = 0; i < EXTENT; ++i) {
        const T other = x[row * 17 + i];
        rank += BEFORE(other, i, v, own);
    }
    if (rank >= COUNT) return;
    const long result = own;
    {
    const float t0 = convert_float(result);
    const float t1 = e0[rank];
    const float t2 = t0 + t1;
    const float t3 = near_sigmoid(t2);
    const float t4 = e1[row * 5 + rank];
    const float t5 = t3 + t4;
    y[row * 5 + rank] = t5;
}
}
