// Every element of y by itself: an element-wise chain, or a movement of data (transpose, pad, slice, tile, resize, …).
// One work-item owns LANES neighbours along the last axis of y. The addresses are the compiler's: they follow from the
// layouts of the operands and from the index arithmetic of the op.

#define LANES 16  // elements per work-item

__kernel void map_a04f255d(__global const float *restrict x, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int b = get_global_id(0);
    const int i3 = b * 16;
    const int i2 = get_global_id(1);
    const int i1 = (int)get_global_id(2) % 17;
    const int i0 = (int)get_global_id(2) / 17;
    float lane[16] = {0};
    for (int k = 0; k < 16 && i3 + k < 7; ++k) lane[k] = x[i2 * 119 + ((i3 + k)) * 17 + i1];
    const float16 v = vload16(0, lane);
    {
        const float16 t0 = vload16(0, e0 + b * 16);
        const float16 t1 = v + t0;
        const float16 t2 = 1.0f / (1.0f + exp(-t1));
        const float16 t3 = (i3 + 16 <= 7 ? vload16(0, e1 + i1 * 35 + i2 * 7 + i3) : (float16)((i3 + 0 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 0))] : 0), (i3 + 1 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 1))] : 0), (i3 + 2 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 2))] : 0), (i3 + 3 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 3))] : 0), (i3 + 4 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 4))] : 0), (i3 + 5 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 5))] : 0), (i3 + 6 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 6))] : 0), (i3 + 7 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 7))] : 0), (i3 + 8 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 8))] : 0), (i3 + 9 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 9))] : 0), (i3 + 10 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 10))] : 0), (i3 + 11 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 11))] : 0), (i3 + 12 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 12))] : 0), (i3 + 13 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 13))] : 0), (i3 + 14 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 14))] : 0), (i3 + 15 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 15))] : 0)));
        const float16 t4 = t2 + t3;
        const float16 t5 = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) < (int16)(7 - (i3)) ? t4 : (float16)(0);
        vstore16(t5, 0, y + i1 * 80 + i2 * 16 + b * 1360);
    }
}
