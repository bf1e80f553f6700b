// Every element of y by itself: an element-wise chain, or a movement of data (transpose, pad, slice, tile, resize, …).
// One work-item owns LANES neighbours along the last axis of y. The addresses are the compiler's: they follow from the
// layouts of the operands and from the index arithmetic of the op.

#define LANES 4  // elements per work-item

__kernel void map_de56f28c(__global const float *restrict x, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int b = get_global_id(0);
    const int i3 = b * 4;
    const int i2 = get_global_id(1);
    const int i1 = (int)get_global_id(2) % 17;
    const int i0 = (int)get_global_id(2) / 17;
    float lane[4] = {0};
    for (int k = 0; k < 4 && i3 + k < 7; ++k) lane[k] = x[i2 * 119 + ((i3 + k)) * 17 + i1];
    const float4 v = vload4(0, lane);
    {
        const float4 t0 = vload4(0, e0 + b * 4);
        const float4 t1 = v + t0;
        const float4 t2 = 1.0f / (1.0f + exp(-t1));
        const float4 t3 = (i3 + 4 <= 7 ? vload4(0, e1 + i1 * 35 + i2 * 7 + i3) : (float4)((i3 + 0 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 0))] : 0), (i3 + 1 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 1))] : 0), (i3 + 2 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 2))] : 0), (i3 + 3 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 3))] : 0)));
        const float4 t4 = t2 + t3;
        const float4 t5 = (int4)(0, 1, 2, 3) < (int4)(7 - (i3)) ? t4 : (float4)(0);
        vstore4(t5, 0, y + i1 * 20 + i2 * 4 + b * 340);
    }
}
