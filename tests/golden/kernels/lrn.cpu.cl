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

// Local response normalisation: y = x * (BIAS + ALPHA * s)^-beta, s the sum of squares over a window of channels.
// x, y: any layout of NHWC; vectors of neighbouring channels are computed together.
// One work-item computes one vector of a pixel. It squares the vectors that the windows of its channels reach, with zeros
// outside the image, and adds them shifted by one channel after the other.
#define H 5  // rows of an image
#define BLOCKS 2  // vectors of a pixel
#define ALPHA 0.0001f
#define BIAS 1.0f
typedef float16 part;

__kernel void lrn_0749f1d6(__global const float *restrict x, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int ox = get_global_id(0), cb = get_global_id(1), oy = get_global_id(2) % H, n = get_global_id(2) / H;
    const part x0 = cb + -1 >= 0 && cb + -1 < BLOCKS ? vload16(0, x + oy * 112 + ox * 16 + ((cb + -1)) * 560) : (part)(0);
    const part s0 = x0 * x0;
    const part x1 = vload16(0, x + oy * 112 + ox * 16 + ((cb + 0)) * 560);
    const part s1 = x1 * x1;
    const part x2 = cb + 1 >= 0 && cb + 1 < BLOCKS ? vload16(0, x + oy * 112 + ox * 16 + ((cb + 1)) * 560) : (part)(0);
    const part s2 = x2 * x2;

    part sum = (part)(s0.se, s0.sf, s1.s0, s1.s1, s1.s2, s1.s3, s1.s4, s1.s5, s1.s6, s1.s7, s1.s8, s1.s9, s1.sa, s1.sb, s1.sc, s1.sd);
    sum += (part)(s0.sf, s1.s0, s1.s1, s1.s2, s1.s3, s1.s4, s1.s5, s1.s6, s1.s7, s1.s8, s1.s9, s1.sa, s1.sb, s1.sc, s1.sd, s1.se);
    sum += s1;
    sum += (part)(s1.s1, s1.s2, s1.s3, s1.s4, s1.s5, s1.s6, s1.s7, s1.s8, s1.s9, s1.sa, s1.sb, s1.sc, s1.sd, s1.se, s1.sf, s2.s0);
    sum += (part)(s1.s2, s1.s3, s1.s4, s1.s5, s1.s6, s1.s7, s1.s8, s1.s9, s1.sa, s1.sb, s1.sc, s1.sd, s1.se, s1.sf, s2.s0, s2.s1);
    const part d = BIAS + ALPHA * sum;
    const part v = x1 * (rsqrt(d) * sqrt(rsqrt(d)));
    {
    const float16 t0 = vload16(0, e0 + cb * 16);
    const float16 t1 = v + t0;
    const float16 t2 = near_sigmoid16(t1);
    const float16 t3 = ((cb) * 16 + 16 <= 17 ? vload16(0, e1 + oy * 119 + ox * 17 + ((cb) * 16)) : (float16)(((cb) * 16 + 0 < 17 ? e1[oy * 119 + ox * 17 + (((cb) * 16 + 0))] : 0), ((cb) * 16 + 1 < 17 ? e1[oy * 119 + ox * 17 + (((cb) * 16 + 1))] : 0), ((cb) * 16 + 2 < 17 ? e1[oy * 119 + ox * 17 + (((cb) * 16 + 2))] : 0), ((cb) * 16 + 3 < 17 ? e1[oy * 119 + ox * 17 + (((cb) * 16 + 3))] : 0), ((cb) * 16 + 4 < 17 ? e1[oy * 119 + ox * 17 + (((cb) * 16 + 4))] : 0), ((cb) * 16 + 5 < 17 ? e1[oy * 119 + ox * 17 + (((cb) * 16 + 5))] : 0), ((cb) * 16 + 6 < 17 ? e1[oy * 119 + ox * 17 + (((cb) * 16 + 6))] : 0), ((cb) * 16 + 7 < 17 ? e1[oy * 119 + ox * 17 + (((cb) * 16 + 7))] : 0), ((cb) * 16 + 8 < 17 ? e1[oy * 119 + ox * 17 + (((cb) * 16 + 8))] : 0), ((cb) * 16 + 9 < 17 ? e1[oy * 119 + ox * 17 + (((cb) * 16 + 9))] : 0), ((cb) * 16 + 10 < 17 ? e1[oy * 119 + ox * 17 + (((cb) * 16 + 10))] : 0), ((cb) * 16 + 11 < 17 ? e1[oy * 119 + ox * 17 + (((cb) * 16 + 11))] : 0), ((cb) * 16 + 12 < 17 ? e1[oy * 119 + ox * 17 + (((cb) * 16 + 12))] : 0), ((cb) * 16 + 13 < 17 ? e1[oy * 119 + ox * 17 + (((cb) * 16 + 13))] : 0), ((cb) * 16 + 14 < 17 ? e1[oy * 119 + ox * 17 + (((cb) * 16 + 14))] : 0), ((cb) * 16 + 15 < 17 ? e1[oy * 119 + ox * 17 + (((cb) * 16 + 15))] : 0)));
    const float16 t4 = t2 + t3;
    const float16 t5 = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) < (int16)(17 - ((cb) * 16)) ? t4 : (float16)(0);
    vstore16(t5, 0, y + oy * 112 + ox * 16 + cb * 560);
}
}
