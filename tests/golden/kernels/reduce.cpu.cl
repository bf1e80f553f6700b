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

// Elements along some axes of x combined to one.
// x, y: any layout; V neighbours along the last axis of x are combined at a time. Where that axis is kept they are V
// results; where it is reduced they are partial results of one, combined at the end.
// WG work-items compute YV results: they share a loop, then combine their parts through local memory.
#define V 16  // elements of a vector of x
#define YV 16  // elements of a vector of y
#define T float  // type of the arithmetic
#define IDENTITY ((T)0)
#define COMBINE(a, b) (a) + (b)
#define COUNT 99  // what the result is divided by
#define EXTENT 0  // elements of x that lie together along the last axis, where it is reduced
#define WG 1  // work-items of a group
#define LOOP_WG 1  // of which share the outermost loop
#define VECTOR_WG 1  // or the vectors of the last axis
#define RUN 0  // terms added to each other before they join the rest, so that a long sum rounds less; 0: it is short
#define TV float16
#define TYV float16

#if RUN
#define TAKE(v) { run = COMBINE(run, v); if (++steps % RUN == 0) { acc = COMBINE(acc, run); run = IDENTITY; } }
#else
#define TAKE(v) acc = COMBINE(acc, v)
#endif

__kernel void reduce_2215e4b8(__global const float *restrict x, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int cb = get_global_id(0) / WG, lid = get_global_id(0) % WG, row = get_global_id(1);
    TV acc = IDENTITY;
#if RUN
    TV run = IDENTITY;
    int steps = 0;
#endif
    for (int r0 = lid % LOOP_WG; r0 < 99; r0 += LOOP_WG)
    {
        const TV v = (cb * V + 16 <= 17 ? vload16(0, x + r0 * 17 + (cb * V)) : (float16)((cb * V + 0 < 17 ? x[r0 * 17 + ((cb * V + 0))] : 0), (cb * V + 1 < 17 ? x[r0 * 17 + ((cb * V + 1))] : 0), (cb * V + 2 < 17 ? x[r0 * 17 + ((cb * V + 2))] : 0), (cb * V + 3 < 17 ? x[r0 * 17 + ((cb * V + 3))] : 0), (cb * V + 4 < 17 ? x[r0 * 17 + ((cb * V + 4))] : 0), (cb * V + 5 < 17 ? x[r0 * 17 + ((cb * V + 5))] : 0), (cb * V + 6 < 17 ? x[r0 * 17 + ((cb * V + 6))] : 0), (cb * V + 7 < 17 ? x[r0 * 17 + ((cb * V + 7))] : 0), (cb * V + 8 < 17 ? x[r0 * 17 + ((cb * V + 8))] : 0), (cb * V + 9 < 17 ? x[r0 * 17 + ((cb * V + 9))] : 0), (cb * V + 10 < 17 ? x[r0 * 17 + ((cb * V + 10))] : 0), (cb * V + 11 < 17 ? x[r0 * 17 + ((cb * V + 11))] : 0), (cb * V + 12 < 17 ? x[r0 * 17 + ((cb * V + 12))] : 0), (cb * V + 13 < 17 ? x[r0 * 17 + ((cb * V + 13))] : 0), (cb * V + 14 < 17 ? x[r0 * 17 + ((cb * V + 14))] : 0), (cb * V + 15 < 17 ? x[r0 * 17 + ((cb * V + 15))] : 0)));
        TAKE(v);
    }
#if RUN
    acc = COMBINE(acc, run);
#endif

    TYV v = acc / COUNT;
    {
    const float16 t0 = vload16(0, e0 + cb * 16);
    const float16 t1 = v + t0;
    const float16 t2 = near_sigmoid16(t1);
    const float16 t3 = ((cb) * 16 + 16 <= 17 ? vload16(0, e1 + ((cb) * 16)) : (float16)(((cb) * 16 + 0 < 17 ? e1[(((cb) * 16 + 0))] : 0), ((cb) * 16 + 1 < 17 ? e1[(((cb) * 16 + 1))] : 0), ((cb) * 16 + 2 < 17 ? e1[(((cb) * 16 + 2))] : 0), ((cb) * 16 + 3 < 17 ? e1[(((cb) * 16 + 3))] : 0), ((cb) * 16 + 4 < 17 ? e1[(((cb) * 16 + 4))] : 0), ((cb) * 16 + 5 < 17 ? e1[(((cb) * 16 + 5))] : 0), ((cb) * 16 + 6 < 17 ? e1[(((cb) * 16 + 6))] : 0), ((cb) * 16 + 7 < 17 ? e1[(((cb) * 16 + 7))] : 0), ((cb) * 16 + 8 < 17 ? e1[(((cb) * 16 + 8))] : 0), ((cb) * 16 + 9 < 17 ? e1[(((cb) * 16 + 9))] : 0), ((cb) * 16 + 10 < 17 ? e1[(((cb) * 16 + 10))] : 0), ((cb) * 16 + 11 < 17 ? e1[(((cb) * 16 + 11))] : 0), ((cb) * 16 + 12 < 17 ? e1[(((cb) * 16 + 12))] : 0), ((cb) * 16 + 13 < 17 ? e1[(((cb) * 16 + 13))] : 0), ((cb) * 16 + 14 < 17 ? e1[(((cb) * 16 + 14))] : 0), ((cb) * 16 + 15 < 17 ? e1[(((cb) * 16 + 15))] : 0)));
    const float16 t4 = t2 + t3;
    if ((cb) * 16 + 16 <= 17) {
        vstore16(t4, 0, y + ((cb) * 16));
    } else {
        float lane[16];
        vstore16(t4, 0, lane);
        for (int k = 0; k < 16 && (cb) * 16 + k < 17; ++k) y[(((cb) * 16 + k))] = lane[k];
    }
}
}
