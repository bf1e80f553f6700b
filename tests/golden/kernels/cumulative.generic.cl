// Running sums or products along one axis.
// x: any layout; y: strided. One work-item computes LANES rows of the axis, neighbours along the last one. Where WG work-items share
// a row each computes a part of it: first what the part comes to, then, beginning with what is in front of it, its elements.
#define EXTENT 7  // elements of a row
#define LANES 4  // rows of a work-item
#define WG 1  // work-items that share them
#define PART 7  // elements of a row for each of these
#define START ((float4)0)  // sum, or product, of nothing
#define JOIN(a, b) (a) + (b)
#define AT(k) ((k))  // coordinate of the k-th element

__kernel void cumulative_d714bfc1(__global const float *restrict x, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int cb = get_global_id(0) / WG, lid = get_global_id(0) % WG, row = get_global_id(1);
    const int begin = lid * PART, end = min(begin + PART, EXTENT);
    float4 run = START;
    for (int k = begin; k < end; ++k) {
        const int i = AT(k);
        const float4 v = (cb * LANES + 4 <= 17 ? vload4(0, x + row * 119 + i * 17 + (cb * LANES)) : (float4)((cb * LANES + 0 < 17 ? x[row * 119 + i * 17 + ((cb * LANES + 0))] : 0), (cb * LANES + 1 < 17 ? x[row * 119 + i * 17 + ((cb * LANES + 1))] : 0), (cb * LANES + 2 < 17 ? x[row * 119 + i * 17 + ((cb * LANES + 2))] : 0), (cb * LANES + 3 < 17 ? x[row * 119 + i * 17 + ((cb * LANES + 3))] : 0)));
        run = JOIN(run, v);
        {
    const float4 t0 = vload4(0, e0 + (cb * LANES) / 4 * 4 + (cb * LANES) % 4);
    const float4 t1 = run + t0;
    const float4 t2 = 1.0f / (1.0f + exp(-t1));
    const float4 t3 = (cb * LANES + 4 <= 17 ? vload4(0, e1 + row * 119 + i * 17 + (cb * LANES)) : (float4)((cb * LANES + 0 < 17 ? e1[row * 119 + i * 17 + ((cb * LANES + 0))] : 0), (cb * LANES + 1 < 17 ? e1[row * 119 + i * 17 + ((cb * LANES + 1))] : 0), (cb * LANES + 2 < 17 ? e1[row * 119 + i * 17 + ((cb * LANES + 2))] : 0), (cb * LANES + 3 < 17 ? e1[row * 119 + i * 17 + ((cb * LANES + 3))] : 0)));
    const float4 t4 = t2 + t3;
    if (cb * LANES + 4 <= 17) {
        vstore4(t4, 0, y + row * 119 + i * 17 + (cb * LANES));
    } else {
        float lane[4];
        vstore4(t4, 0, lane);
        for (int k = 0; k < 4 && cb * LANES + k < 17; ++k) y[row * 119 + i * 17 + ((cb * LANES + k))] = lane[k];
    }
}
    }
}
