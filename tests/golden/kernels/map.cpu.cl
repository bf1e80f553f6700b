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

// Every element of y by itself: an element-wise chain, or a movement of data (transpose, pad, slice, tile, resize, …).
// One work-item owns LANES neighbours along the last axis of y. The addresses are the compiler's: they follow from the
// layouts of the operands and from the index arithmetic of the op.

#define LANES 16  // elements per work-item

__kernel void map_ea2eb781(__global const float *restrict x, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
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
        const float16 t2 = near_sigmoid16(t1);
        const float16 t3 = (i3 + 16 <= 7 ? vload16(0, e1 + i1 * 35 + i2 * 7 + i3) : (float16)((i3 + 0 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 0))] : 0), (i3 + 1 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 1))] : 0), (i3 + 2 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 2))] : 0), (i3 + 3 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 3))] : 0), (i3 + 4 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 4))] : 0), (i3 + 5 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 5))] : 0), (i3 + 6 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 6))] : 0), (i3 + 7 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 7))] : 0), (i3 + 8 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 8))] : 0), (i3 + 9 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 9))] : 0), (i3 + 10 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 10))] : 0), (i3 + 11 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 11))] : 0), (i3 + 12 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 12))] : 0), (i3 + 13 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 13))] : 0), (i3 + 14 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 14))] : 0), (i3 + 15 < 7 ? e1[i1 * 35 + i2 * 7 + ((i3 + 15))] : 0)));
        const float16 t4 = t2 + t3;
        const float16 t5 = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) < (int16)(7 - (i3)) ? t4 : (float16)(0);
        vstore16(t5, 0, y + i1 * 80 + i2 * 16 + b * 1360);
    }
}
