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

// Softmax along one axis: exp(x - max) / sum, or its logarithm.
// x, y: any strided layout. Along the last axis a vector holds V elements of one row of the axis, those past its end -INFINITY;
// along another axis it holds one element of V neighbouring rows.
// WG work-items compute one row, or V rows, in three passes over x; they combine their parts through local memory.
// What is float16 in the graph is rounded to that after every step, as the operators that define a softmax would round it.
#define V 16  // elements of a vector
#define EXTENT 17  // elements of a row
#define STEP 16  // of which a vector holds so many: V or 1
#define WG 1  // work-items of a group
#define T float
#define TV float16
#define ADD(a, b) ((a) + (b))

#if STEP > 1  // what is known of a vector becomes what is known of its row
#define ROW T
#define FOLD(row, v, COMBINE) ROW row = ((T *)&v)[0]; for (int i = 1; i < V; ++i) row = COMBINE(row, ((T *)&v)[i])
#else
#define ROW TV
#define FOLD(row, v, COMBINE) ROW row = v
#endif

#if WG > 1  // what each work-item knows of a row becomes what all know
#define SHARE(row, COMBINE) \
    part[lid] = row; \
    for (int rest = WG / 2; rest > 0; rest /= 2) { \
        barrier(CLK_LOCAL_MEM_FENCE); \
        if (lid < rest) part[lid] = COMBINE(part[lid], part[lid + rest]); \
    } \
    barrier(CLK_LOCAL_MEM_FENCE); \
    row = part[0]; \
    barrier(CLK_LOCAL_MEM_FENCE)
#else
#define SHARE(row, COMBINE)
#endif

__kernel void softmax_c88ac0e4(__global const float *restrict x, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int cb = get_global_id(0) / WG, lid = get_global_id(0) % WG, row = get_global_id(1);
    TV most = -INFINITY;
    for (int i = lid * STEP; i < EXTENT; i += WG * STEP)
        most = fmax(most, (i + 16 <= 17 ? vload16(0, x + row * 17 + i) : (float16)((i + 0 < 17 ? x[row * 17 + ((i + 0))] : -INFINITY), (i + 1 < 17 ? x[row * 17 + ((i + 1))] : -INFINITY), (i + 2 < 17 ? x[row * 17 + ((i + 2))] : -INFINITY), (i + 3 < 17 ? x[row * 17 + ((i + 3))] : -INFINITY), (i + 4 < 17 ? x[row * 17 + ((i + 4))] : -INFINITY), (i + 5 < 17 ? x[row * 17 + ((i + 5))] : -INFINITY), (i + 6 < 17 ? x[row * 17 + ((i + 6))] : -INFINITY), (i + 7 < 17 ? x[row * 17 + ((i + 7))] : -INFINITY), (i + 8 < 17 ? x[row * 17 + ((i + 8))] : -INFINITY), (i + 9 < 17 ? x[row * 17 + ((i + 9))] : -INFINITY), (i + 10 < 17 ? x[row * 17 + ((i + 10))] : -INFINITY), (i + 11 < 17 ? x[row * 17 + ((i + 11))] : -INFINITY), (i + 12 < 17 ? x[row * 17 + ((i + 12))] : -INFINITY), (i + 13 < 17 ? x[row * 17 + ((i + 13))] : -INFINITY), (i + 14 < 17 ? x[row * 17 + ((i + 14))] : -INFINITY), (i + 15 < 17 ? x[row * 17 + ((i + 15))] : -INFINITY))));
    FOLD(top, most, fmax);
    SHARE(top, fmax);

    TV sums = 0;
    for (int i = lid * STEP; i < EXTENT; i += WG * STEP)
        sums += exp((i + 16 <= 17 ? vload16(0, x + row * 17 + i) : (float16)((i + 0 < 17 ? x[row * 17 + ((i + 0))] : -INFINITY), (i + 1 < 17 ? x[row * 17 + ((i + 1))] : -INFINITY), (i + 2 < 17 ? x[row * 17 + ((i + 2))] : -INFINITY), (i + 3 < 17 ? x[row * 17 + ((i + 3))] : -INFINITY), (i + 4 < 17 ? x[row * 17 + ((i + 4))] : -INFINITY), (i + 5 < 17 ? x[row * 17 + ((i + 5))] : -INFINITY), (i + 6 < 17 ? x[row * 17 + ((i + 6))] : -INFINITY), (i + 7 < 17 ? x[row * 17 + ((i + 7))] : -INFINITY), (i + 8 < 17 ? x[row * 17 + ((i + 8))] : -INFINITY), (i + 9 < 17 ? x[row * 17 + ((i + 9))] : -INFINITY), (i + 10 < 17 ? x[row * 17 + ((i + 10))] : -INFINITY), (i + 11 < 17 ? x[row * 17 + ((i + 11))] : -INFINITY), (i + 12 < 17 ? x[row * 17 + ((i + 12))] : -INFINITY), (i + 13 < 17 ? x[row * 17 + ((i + 13))] : -INFINITY), (i + 14 < 17 ? x[row * 17 + ((i + 14))] : -INFINITY), (i + 15 < 17 ? x[row * 17 + ((i + 15))] : -INFINITY))) - top);
    FOLD(sum, sums, ADD);
    SHARE(sum, ADD);
    const ROW scale = 1.0f / sum;

    for (int i = lid * STEP; i < EXTENT; i += WG * STEP) {
        const TV v = (i + 16 <= 17 ? vload16(0, x + row * 17 + i) : (float16)((i + 0 < 17 ? x[row * 17 + ((i + 0))] : -INFINITY), (i + 1 < 17 ? x[row * 17 + ((i + 1))] : -INFINITY), (i + 2 < 17 ? x[row * 17 + ((i + 2))] : -INFINITY), (i + 3 < 17 ? x[row * 17 + ((i + 3))] : -INFINITY), (i + 4 < 17 ? x[row * 17 + ((i + 4))] : -INFINITY), (i + 5 < 17 ? x[row * 17 + ((i + 5))] : -INFINITY), (i + 6 < 17 ? x[row * 17 + ((i + 6))] : -INFINITY), (i + 7 < 17 ? x[row * 17 + ((i + 7))] : -INFINITY), (i + 8 < 17 ? x[row * 17 + ((i + 8))] : -INFINITY), (i + 9 < 17 ? x[row * 17 + ((i + 9))] : -INFINITY), (i + 10 < 17 ? x[row * 17 + ((i + 10))] : -INFINITY), (i + 11 < 17 ? x[row * 17 + ((i + 11))] : -INFINITY), (i + 12 < 17 ? x[row * 17 + ((i + 12))] : -INFINITY), (i + 13 < 17 ? x[row * 17 + ((i + 13))] : -INFINITY), (i + 14 < 17 ? x[row * 17 + ((i + 14))] : -INFINITY), (i + 15 < 17 ? x[row * 17 + ((i + 15))] : -INFINITY))) - top;
        const TV r = exp(v) * scale;
        {
    const float16 t0 = vload16(0, e0 + (i) / 16 * 16 + (i) % 16);
    const float16 t1 = r + t0;
    const float16 t2 = near_sigmoid16(t1);
    const float16 t3 = (i + 16 <= 17 ? vload16(0, e1 + row * 17 + i) : (float16)((i + 0 < 17 ? e1[row * 17 + ((i + 0))] : 0), (i + 1 < 17 ? e1[row * 17 + ((i + 1))] : 0), (i + 2 < 17 ? e1[row * 17 + ((i + 2))] : 0), (i + 3 < 17 ? e1[row * 17 + ((i + 3))] : 0), (i + 4 < 17 ? e1[row * 17 + ((i + 4))] : 0), (i + 5 < 17 ? e1[row * 17 + ((i + 5))] : 0), (i + 6 < 17 ? e1[row * 17 + ((i + 6))] : 0), (i + 7 < 17 ? e1[row * 17 + ((i + 7))] : 0), (i + 8 < 17 ? e1[row * 17 + ((i + 8))] : 0), (i + 9 < 17 ? e1[row * 17 + ((i + 9))] : 0), (i + 10 < 17 ? e1[row * 17 + ((i + 10))] : 0), (i + 11 < 17 ? e1[row * 17 + ((i + 11))] : 0), (i + 12 < 17 ? e1[row * 17 + ((i + 12))] : 0), (i + 13 < 17 ? e1[row * 17 + ((i + 13))] : 0), (i + 14 < 17 ? e1[row * 17 + ((i + 14))] : 0), (i + 15 < 17 ? e1[row * 17 + ((i + 15))] : 0)));
    const float16 t4 = t2 + t3;
    if (i + 16 <= 17) {
        vstore16(t4, 0, y + row * 17 + i);
    } else {
        float lane[16];
        vstore16(t4, 0, lane);
        for (int k = 0; k < 16 && i + k < 17; ++k) y[row * 17 + ((i + k))] = lane[k];
    }
}
    }
}
