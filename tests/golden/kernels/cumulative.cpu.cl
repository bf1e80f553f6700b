static float16 near_sigmoid16(float16 x) {
    float16 c = -1.44269504088896341f * x;
    c = c < -126.0f ? (float16)(-126.0f) : c;  // max and min would lose a NaN
    c = c > 126.0f ? (float16)(126.0f) : c;
    const float16 n = c + 12582912.0f, f = c - (n - 12582912.0f);
    float16 p = fma(f, 1.535336188319500e-4f, 1.339887440266574e-3f);
    p = fma(p, f, 9.618437357674640e-3f);
    p = fma(p, f, 5.550332471162809e-2f);
    p = fma(p, f, 2.402264791363012e-1f);
    p = fma(p, f, 6.931472028550421e-1f);
    p = fma(p, f, 1.0f);
    const float16 d = 1.0f + as_float16(as_int16(p) + (as_int16(n) << 23)), r = native_recip(d);
    return x < -87.0f ? (float16)(0) : fma(fma(-d, r, 1.0f), r, r);
}

// Running sums or products along one axis.
// x: any layout; y: strided. One work-item computes LANES rows of the axis, neighbours along the last one. Where WG work-items share
// a row each computes a part of it: first what the part comes to, then, beginning with what is in front of it, its elements.
#define EXTENT 7  // elements of a row
#define LANES 16  // rows of a work-item
#define WG 1  // work-items that share them
#define PART 7  // elements of a row for each of these
#define START ((float16)0)  // sum, or product, of nothing
#define JOIN(a, b) (a) + (b)
#define AT(k) ((k))  // coordinate of the k-th element

__kernel void cumulative_892b048c(__global const float *restrict x, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int cb = get_global_id(0) / WG, lid = get_global_id(0) % WG, row = get_global_id(1);
    const int begin = lid * PART, end = min(begin + PART, EXTENT);
    float16 run = START;
    for (int k = begin; k < end; ++k) {
        const int i = AT(k);
        const float16 v = (cb * LANES + 16 <= 17 ? vload16(0, x + row * 119 + i * 17 + (cb * LANES)) : (float16)((cb * LANES + 0 < 17 ? x[row * 119 + i * 17 + ((cb * LANES + 0))] : 0), (cb * LANES + 1 < 17 ? x[row * 119 + i * 17 + ((cb * LANES + 1))] : 0), (cb * LANES + 2 < 17 ? x[row * 119 + i * 17 + ((cb * LANES + 2))] : 0), (cb * LANES + 3 < 17 ? x[row * 119 + i * 17 + ((cb * LANES + 3))] : 0), (cb * LANES + 4 < 17 ? x[row * 119 + i * 17 + ((cb * LANES + 4))] : 0), (cb * LANES + 5 < 17 ? x[row * 119 + i * 17 + ((cb * LANES + 5))] : 0), (cb * LANES + 6 < 17 ? x[row * 119 + i * 17 + ((cb * LANES + 6))] : 0), (cb * LANES + 7 < 17 ? x[row * 119 + i * 17 + ((cb * LANES + 7))] : 0), (cb * LANES + 8 < 17 ? x[row * 119 + i * 17 + ((cb * LANES + 8))] : 0), (cb * LANES + 9 < 17 ? x[row * 119 + i * 17 + ((cb * LANES + 9))] : 0), (cb * LANES + 10 < 17 ? x[row * 119 + i * 17 + ((cb * LANES + 10))] : 0), (cb * LANES + 11 < 17 ? x[row * 119 + i * 17 + ((cb * LANES + 11))] : 0), (cb * LANES + 12 < 17 ? x[row * 119 + i * 17 + ((cb * LANES + 12))] : 0), (cb * LANES + 13 < 17 ? x[row * 119 + i * 17 + ((cb * LANES + 13))] : 0), (cb * LANES + 14 < 17 ? x[row * 119 + i * 17 + ((cb * LANES + 14))] : 0), (cb * LANES + 15 < 17 ? x[row * 119 + i * 17 + ((cb * LANES + 15))] : 0)));
        run = JOIN(run, v);
        {
    const float16 t0 = vload16(0, e0 + (cb * LANES) / 16 * 16 + (cb * LANES) % 16);
    const float16 t1 = run + t0;
    const float16 t2 = near_sigmoid16(t1);
    const float16 t3 = (cb * LANES + 16 <= 17 ? vload16(0, e1 + row * 119 + i * 17 + (cb * LANES)) : (float16)((cb * LANES + 0 < 17 ? e1[row * 119 + i * 17 + ((cb * LANES + 0))] : 0), (cb * LANES + 1 < 17 ? e1[row * 119 + i * 17 + ((cb * LANES + 1))] : 0), (cb * LANES + 2 < 17 ? e1[row * 119 + i * 17 + ((cb * LANES + 2))] : 0), (cb * LANES + 3 < 17 ? e1[row * 119 + i * 17 + ((cb * LANES + 3))] : 0), (cb * LANES + 4 < 17 ? e1[row * 119 + i * 17 + ((cb * LANES + 4))] : 0), (cb * LANES + 5 < 17 ? e1[row * 119 + i * 17 + ((cb * LANES + 5))] : 0), (cb * LANES + 6 < 17 ? e1[row * 119 + i * 17 + ((cb * LANES + 6))] : 0), (cb * LANES + 7 < 17 ? e1[row * 119 + i * 17 + ((cb * LANES + 7))] : 0), (cb * LANES + 8 < 17 ? e1[row * 119 + i * 17 + ((cb * LANES + 8))] : 0), (cb * LANES + 9 < 17 ? e1[row * 119 + i * 17 + ((cb * LANES + 9))] : 0), (cb * LANES + 10 < 17 ? e1[row * 119 + i * 17 + ((cb * LANES + 10))] : 0), (cb * LANES + 11 < 17 ? e1[row * 119 + i * 17 + ((cb * LANES + 11))] : 0), (cb * LANES + 12 < 17 ? e1[row * 119 + i * 17 + ((cb * LANES + 12))] : 0), (cb * LANES + 13 < 17 ? e1[row * 119 + i * 17 + ((cb * LANES + 13))] : 0), (cb * LANES + 14 < 17 ? e1[row * 119 + i * 17 + ((cb * LANES + 14))] : 0), (cb * LANES + 15 < 17 ? e1[row * 119 + i * 17 + ((cb * LANES + 15))] : 0)));
    const float16 t4 = t2 + t3;
    if (cb * LANES + 16 <= 17) {
        vstore16(t4, 0, y + row * 119 + i * 17 + (cb * LANES));
    } else {
        float lane[16];
        vstore16(t4, 0, lane);
        for (int k = 0; k < 16 && cb * LANES + k < 17; ++k) y[row * 119 + i * 17 + ((cb * LANES + k))] = lane[k];
    }
}
    }
}
