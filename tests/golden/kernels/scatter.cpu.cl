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

// x, with updates at coordinates that an index holds, one after another.
// x, index, updates: any layout; y: strided. One work-item computes LANES neighbours along the last axis: it looks through all updates
// for those that are its own, so that their order is that of the index, and no two work-items write to one place.
// A negative index counts from the end; one out of range is nobody's.
#define COUNT 3  // updates that may be an element's own
#define LANES 1  // elements of a vector
#define T int  // type of the index
#define V float  // vector of elements
#define JOIN(a, b) (a) + (b)
#define IS(j, coordinate, extent) ((j < 0 ? j + extent : j) == (T)(coordinate))

__kernel void scatter_40fbcef5(__global const float *restrict x, __global const int *restrict index, __global const float *restrict updates, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int block = get_global_id(0), last = block * LANES, row = get_global_id(1);
    V v = x[row * 17 + last];
    const int count = COUNT;
    for (int u = 0; u < count; ++u) {
        const T j0 = index[u];
        if (!IS(j0, row, 7)) continue;
        const V w = updates[u * 17 + last];
        v = JOIN(v, w);
    }
    {
    const float t0 = e0[last];
    const float t1 = v + t0;
    const float t2 = near_sigmoid(t1);
    const float t3 = e1[row * 17 + last];
    const float t4 = t2 + t3;
    y[row * 17 + last] = t4;
}
}
