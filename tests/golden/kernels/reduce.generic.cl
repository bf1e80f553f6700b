// Elements along some axes of x combined to one.
// x, y: any layout; V neighbours along the last axis of x are combined at a time. Where that axis is kept they are V
// results; where it is reduced they are partial results of one, combined at the end.
// WG work-items compute YV results: they share a loop, then combine their parts through local memory.
#define V 4  // elements of a vector of x
#define YV 4  // elements of a vector of y
#define T float  // type of the arithmetic
#define IDENTITY ((T)0)
#define COMBINE(a, b) (a) + (b)
#define COUNT 99  // what the result is divided by
#define EXTENT 0  // elements of x that lie together along the last axis, where it is reduced
#define WG 1  // work-items of a group
#define LOOP_WG 1  // of which share the outermost loop
#define VECTOR_WG 1  // or the vectors of the last axis
#define RUN 0  // terms added to each other before they join the rest, so that a long sum rounds less; 0: it is short
#define TV float4
#define TYV float4

#if RUN
#define TAKE(v) { run = COMBINE(run, v); if (++steps % RUN == 0) { acc = COMBINE(acc, run); run = IDENTITY; } }
#else
#define TAKE(v) acc = COMBINE(acc, v)
#endif

__kernel void reduce_306d3ef7(__global const float *restrict x, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int cb = get_global_id(0) / WG, lid = get_global_id(0) % WG, row = get_global_id(1);
    TV acc = IDENTITY;
#if RUN
    TV run = IDENTITY;
    int steps = 0;
#endif
    for (int r0 = lid % LOOP_WG; r0 < 99; r0 += LOOP_WG)
    {
        const TV v = (cb * V + 4 <= 17 ? vload4(0, x + r0 * 17 + (cb * V)) : (float4)((cb * V + 0 < 17 ? x[r0 * 17 + ((cb * V + 0))] : 0), (cb * V + 1 < 17 ? x[r0 * 17 + ((cb * V + 1))] : 0), (cb * V + 2 < 17 ? x[r0 * 17 + ((cb * V + 2))] : 0), (cb * V + 3 < 17 ? x[r0 * 17 + ((cb * V + 3))] : 0)));
        TAKE(v);
    }
#if RUN
    acc = COMBINE(acc, run);
#endif

    TYV v = acc / COUNT;
    {
    const float4 t0 = vload4(0, e0 + cb * 4);
    const float4 t1 = v + t0;
    const float4 t2 = 1.0f / (1.0f + exp(-t1));
    const float4 t3 = ((cb) * 4 + 4 <= 17 ? vload4(0, e1 + ((cb) * 4)) : (float4)(((cb) * 4 + 0 < 17 ? e1[(((cb) * 4 + 0))] : 0), ((cb) * 4 + 1 < 17 ? e1[(((cb) * 4 + 1))] : 0), ((cb) * 4 + 2 < 17 ? e1[(((cb) * 4 + 2))] : 0), ((cb) * 4 + 3 < 17 ? e1[(((cb) * 4 + 3))] : 0)));
    const float4 t4 = t2 + t3;
    if ((cb) * 4 + 4 <= 17) {
        vstore4(t4, 0, y + ((cb) * 4));
    } else {
        float lane[4];
        vstore4(t4, 0, lane);
        for (int k = 0; k < 4 && (cb) * 4 + k < 17; ++k) y[(((cb) * 4 + k))] = lane[k];
    }
}
}
