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

// Where under a sliding window the first maximum of x is: the sum of its coordinates, and of those within the window, times factors.
// x [N,spatial…,C], y [N,windows…,C]: any layout. One work-item computes one place; the window covers some element of x.
#define T float  // type of x

__kernel void max_place_9410f8a0(__global const float *restrict x, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int c = get_global_id(0), window = get_global_id(1), n = get_global_id(2);
    T best = 0;
    long v = -1;
    for (int k0 = 0; k0 < 3; ++k0) {
        const int i0 = (window / 6) * 2 - 1 + k0 * 1;
        if (i0 < 0 || i0 >= 9) continue;
    for (int k1 = 0; k1 < 3; ++k1) {
        const int i1 = (window % 6) * 2 - 1 + k1 * 1;
        if (i1 < 0 || i1 >= 11) continue;
        const T candidate = x[i0 * 187 + i1 * 17 + c];
        if (v < 0 || candidate > best || (candidate != candidate && best == best)) {
            best = candidate;
            v = (long)i0 * 11 + k0 * 0 + (long)i1 * 1 + k1 * 0;
        }
    }
    }
    {
    const float t0 = convert_float(v);
    const float t1 = e0[c];
    const float t2 = t0 + t1;
    const float t3 = near_sigmoid(t2);
    const float t4 = e1[((window / 6)) * 102 + ((window % 6)) * 17 + c];
    const float t5 = t3 + t4;
    y[((window / 6)) * 102 + ((window % 6)) * 17 + c] = t5;
}
}
