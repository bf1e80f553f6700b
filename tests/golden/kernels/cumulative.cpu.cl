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

__kernel void cumulative_376b0321(__global const float *restrict x, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
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
    const float16 t2 = 1.0f / (1.0f + exp(-t1));
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
