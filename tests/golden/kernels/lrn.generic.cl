// Local response normalisation: y = x * (BIAS + ALPHA * s)^-beta, s the sum of squares over a window of channels.
// x, y: any layout of NHWC; vectors of neighbouring channels are computed together.
// One work-item computes one vector of a pixel. It squares the vectors that the windows of its channels reach, with zeros
// outside the image, and adds them shifted by one channel after the other.
#define H 5  // rows of an image
#define BLOCKS 5  // vectors of a pixel
#define ALPHA 0.0001f
#define BIAS 1.0f
typedef float4 part;

__kernel void lrn_314580fb(__global const float *restrict x, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int ox = get_global_id(0), cb = get_global_id(1), oy = get_global_id(2) % H, n = get_global_id(2) / H;
    const part x0 = cb + -1 >= 0 && cb + -1 < BLOCKS ? vload4(0, x + oy * 28 + ox * 4 + ((cb + -1)) * 140) : (part)(0);
    const part s0 = x0 * x0;
    const part x1 = vload4(0, x + oy * 28 + ox * 4 + ((cb + 0)) * 140);
    const part s1 = x1 * x1;
    const part x2 = cb + 1 >= 0 && cb + 1 < BLOCKS ? vload4(0, x + oy * 28 + ox * 4 + ((cb + 1)) * 140) : (part)(0);
    const part s2 = x2 * x2;

    part sum = (part)(s0.s2, s0.s3, s1.s0, s1.s1);
    sum += (part)(s0.s3, s1.s0, s1.s1, s1.s2);
    sum += s1;
    sum += (part)(s1.s1, s1.s2, s1.s3, s2.s0);
    sum += (part)(s1.s2, s1.s3, s2.s0, s2.s1);
    const part d = BIAS + ALPHA * sum;
    const part v = x1 * (rsqrt(d) * sqrt(rsqrt(d)));
    {
    const float4 t0 = vload4(0, e0 + cb * 4);
    const float4 t1 = v + t0;
    const float4 t2 = 1.0f / (1.0f + exp(-t1));
    const float4 t3 = ((cb) * 4 + 4 <= 17 ? vload4(0, e1 + oy * 119 + ox * 17 + ((cb) * 4)) : (float4)(((cb) * 4 + 0 < 17 ? e1[oy * 119 + ox * 17 + (((cb) * 4 + 0))] : 0), ((cb) * 4 + 1 < 17 ? e1[oy * 119 + ox * 17 + (((cb) * 4 + 1))] : 0), ((cb) * 4 + 2 < 17 ? e1[oy * 119 + ox * 17 + (((cb) * 4 + 2))] : 0), ((cb) * 4 + 3 < 17 ? e1[oy * 119 + ox * 17 + (((cb) * 4 + 3))] : 0)));
    const float4 t4 = t2 + t3;
    const float4 t5 = (int4)(0, 1, 2, 3) < (int4)(17 - ((cb) * 4)) ? t4 : (float4)(0);
    vstore4(t5, 0, y + oy * 28 + ox * 4 + cb * 140);
}
}
