// Softmax along one axis: exp(x - max) / sum, or its logarithm.
// x, y: any strided layout. Along the last axis a vector holds V elements of one row of the axis, those past its end -INFINITY;
// along another axis it holds one element of V neighbouring rows.
// WG work-items compute one row, or V rows, in three passes over x; they combine their parts through local memory.
// What is float16 in the graph is rounded to that after every step, as the operators that define a softmax would round it.
#define V 4  // elements of a vector
#define EXTENT 17  // elements of a row
#define STEP 4  // of which a vector holds so many: V or 1
#define WG 1  // work-items of a group
#define T float
#define TV float4
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

__kernel void softmax_a7dd09db(__global const float *restrict x, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int cb = get_global_id(0) / WG, lid = get_global_id(0) % WG, row = get_global_id(1);
    TV most = -INFINITY;
    for (int i = lid * STEP; i < EXTENT; i += WG * STEP)
        most = fmax(most, (i + 4 <= 17 ? vload4(0, x + row * 17 + i) : (float4)((i + 0 < 17 ? x[row * 17 + ((i + 0))] : -INFINITY), (i + 1 < 17 ? x[row * 17 + ((i + 1))] : -INFINITY), (i + 2 < 17 ? x[row * 17 + ((i + 2))] : -INFINITY), (i + 3 < 17 ? x[row * 17 + ((i + 3))] : -INFINITY))));
    FOLD(top, most, fmax);
    SHARE(top, fmax);

    TV sums = 0;
    for (int i = lid * STEP; i < EXTENT; i += WG * STEP)
        sums += exp((i + 4 <= 17 ? vload4(0, x + row * 17 + i) : (float4)((i + 0 < 17 ? x[row * 17 + ((i + 0))] : -INFINITY), (i + 1 < 17 ? x[row * 17 + ((i + 1))] : -INFINITY), (i + 2 < 17 ? x[row * 17 + ((i + 2))] : -INFINITY), (i + 3 < 17 ? x[row * 17 + ((i + 3))] : -INFINITY))) - top);
    FOLD(sum, sums, ADD);
    SHARE(sum, ADD);
    const ROW scale = 1.0f / sum;

    for (int i = lid * STEP; i < EXTENT; i += WG * STEP) {
        const TV v = (i + 4 <= 17 ? vload4(0, x + row * 17 + i) : (float4)((i + 0 < 17 ? x[row * 17 + ((i + 0))] : -INFINITY), (i + 1 < 17 ? x[row * 17 + ((i + 1))] : -INFINITY), (i + 2 < 17 ? x[row * 17 + ((i + 2))] : -INFINITY), (i + 3 < 17 ? x[row * 17 + ((i + 3))] : -INFINITY))) - top;
        const TV r = exp(v) * scale;
        {
    const float4 t0 = vload4(0, e0 + (i) / 4 * 4 + (i) % 4);
    const float4 t1 = r + t0;
    const float4 t2 = 1.0f / (1.0f + exp(-t1));
    const float4 t3 = (i + 4 <= 17 ? vload4(0, e1 + row * 17 + i) : (float4)((i + 0 < 17 ? e1[row * 17 + ((i + 0))] : 0), (i + 1 < 17 ? e1[row * 17 + ((i + 1))] : 0), (i + 2 < 17 ? e1[row * 17 + ((i + 2))] : 0), (i + 3 < 17 ? e1[row * 17 + ((i + 3))] : 0)));
    const float4 t4 = t2 + t3;
    if (i + 4 <= 17) {
        vstore4(t4, 0, y + row * 17 + i);
    } else {
        float lane[4];
        vstore4(t4, 0, lane);
        for (int k = 0; k < 4 && i + k < 17; ++k) y[row * 17 + ((i + k))] = lane[k];
    }
}
    }
}
