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

// Pointwise (1x1, stride 1) convolution as a register-tiled matrix product.
// x, y: strided blocks of V channels, pixels flattened (SY = W * SX, or W = 1); w: [OC / (OB * V)][IC][OB * V].
// One work-item computes PX pixels, APART from each other, x OB blocks of V output channels; APART tiles, which are interleaved, are
// neighbours. The last of them are shifted back to end at the last pixel, and store only what those before do not.
#define V 16  // channels of a block
#define IC 17  // input channels
#define OCB 3  // blocks of output channels, ceil(OC / V)
#define PIXELS 99  // pixels of an image, height * width
#define PX 1  // tile: pixels
#define APART 1  // tiles that are interleaved; APART * PX is at most PIXELS
#define OB 1  // tile: blocks of output channels
#define RUN 10  // tiles that a work-item computes, one after another
#define TILES ((PIXELS + APART * PX - 1) / (APART * PX) * APART)
#define UNROLL 1  // input channels per unrolled step: 1 on a CPU, V on a GPU
#define AHEAD 0  // vectors of the next tile of channels' weights, fetched with each block of input channels
#define EARLY 2  // blocks of input channels by which a tile's pixels are fetched before they are needed; 0: not at all
#if AHEAD || EARLY
// PREFETCH(p): the line of memory at p will be wanted soon. OpenCL's own prefetch does nothing on the drivers for CPUs.
#ifdef __has_builtin
#if __has_builtin(__builtin_prefetch)
#define PREFETCH(p) __builtin_prefetch(p, 0, 2)
#endif
#endif
#ifndef PREFETCH
#define PREFETCH(p)
#endif
#endif
#define floatV float16
#define X_T float
#define X_OFFSET 0
#define X_SN 3168
#define X_SC 1584
#define X_SY 176
#define X_SX 16
#define LOAD_X(i) x[(i)]
#define LOADV_X(i) vload16(0, x + (i))
#define W_T float
#define LOAD_W(i) w[(i)]
#define LOADV_W(i) vload16(0, w + (i))
#define Y_T float
#define Y_OFFSET 0
#define Y_SN 4752
#define Y_SC 1584
#define Y_SY 176
#define Y_SX 16
#define X_SP X_SX  // stride of a pixel: images of width 1 are walked row by row

__attribute__((reqd_work_group_size(1, 1, 1))) __attribute__((vec_type_hint(float16)))
__kernel void conv_pointwise_b4e495e3(__global const X_T *restrict x, __global const float *restrict w, __global const float *restrict e0, __global const float *restrict e1, __global Y_T *restrict y) {
    const int ob = get_global_id(1), n = get_global_id(2);
    const int start = get_global_id(0) * RUN;
    for (int tile = start; tile < min(start + RUN, TILES); ++tile) {
        const int begin = tile / APART * APART * PX, first = min(begin, PIXELS - APART * PX) + tile % APART;
        floatV acc[OB][PX];
        #pragma unroll
        for (int b = 0; b < OB; ++b)
            #pragma unroll
            for (int p = 0; p < PX; ++p)
                acc[b][p] = 0;

        int wi = ob * IC * OB * V;
        for (int c = 0; c < IC; c += V) {
            const int xi = X_OFFSET + n * X_SN + c / V * X_SC + first * X_SP;
#if EARLY
            #pragma unroll
            for (int p = 0; p < PX; ++p)
                PREFETCH(x + xi + EARLY * X_SC + p * APART * X_SP);
#endif
#if AHEAD
            #pragma unroll
            for (int k = 0; k < AHEAD; ++k)
                PREFETCH(w + (ob + 1) * IC * OB * V + ((tile * ((IC + V - 1) / V) + c / V) * AHEAD + k) * V);
#endif
            const int lanes = IC % V ? min(V, IC - c) : V;
            __attribute__((opencl_unroll_hint(UNROLL)))
            for (int lane = 0; lane < lanes; ++lane, wi += OB * V) {
                floatV wv[OB];
                #pragma unroll
                for (int b = 0; b < OB; ++b)
                    wv[b] = LOADV_W(wi + b * V);
                #pragma unroll
                for (int p = 0; p < PX; ++p) {
                    const floatV xv = LOAD_X(xi + p * APART * X_SP + lane);
                    #pragma unroll
                    for (int b = 0; b < OB; ++b)
                        acc[b][p] = fma(xv, wv[b], acc[b][p]);
                }
            }
        }

        #pragma unroll
        for (int b = 0; b < OB; ++b)
            #pragma unroll
            for (int p = 0; p < PX; ++p)
                if (first + p * APART >= begin && ob * OB + b < OCB) {
                    floatV v = acc[b][p];
                    {
    const float16 t0 = vload16(0, e0 + ((ob * OB + b)) * 16);
    const float16 t1 = v + t0;
    const float16 t2 = near_sigmoid16(t1);
    const float16 t3 = (((ob * OB + b)) * 16 + 16 <= 33 ? vload16(0, e1 + (0) * 363 + ((first + p * APART)) * 33 + (((ob * OB + b)) * 16)) : (float16)((((ob * OB + b)) * 16 + 0 < 33 ? e1[(0) * 363 + ((first + p * APART)) * 33 + ((((ob * OB + b)) * 16 + 0))] : 0), (((ob * OB + b)) * 16 + 1 < 33 ? e1[(0) * 363 + ((first + p * APART)) * 33 + ((((ob * OB + b)) * 16 + 1))] : 0), (((ob * OB + b)) * 16 + 2 < 33 ? e1[(0) * 363 + ((first + p * APART)) * 33 + ((((ob * OB + b)) * 16 + 2))] : 0), (((ob * OB + b)) * 16 + 3 < 33 ? e1[(0) * 363 + ((first + p * APART)) * 33 + ((((ob * OB + b)) * 16 + 3))] : 0), (((ob * OB + b)) * 16 + 4 < 33 ? e1[(0) * 363 + ((first + p * APART)) * 33 + ((((ob * OB + b)) * 16 + 4))] : 0), (((ob * OB + b)) * 16 + 5 < 33 ? e1[(0) * 363 + ((first + p * APART)) * 33 + ((((ob * OB + b)) * 16 + 5))] : 0), (((ob * OB + b)) * 16 + 6 < 33 ? e1[(0) * 363 + ((first + p * APART)) * 33 + ((((ob * OB + b)) * 16 + 6))] : 0), (((ob * OB + b)) * 16 + 7 < 33 ? e1[(0) * 363 + ((first + p * APART)) * 33 + ((((ob * OB + b)) * 16 + 7))] : 0), (((ob * OB + b)) * 16 + 8 < 33 ? e1[(0) * 363 + ((first + p * APART)) * 33 + ((((ob * OB + b)) * 16 + 8))] : 0), (((ob * OB + b)) * 16 + 9 < 33 ? e1[(0) * 363 + ((first + p * APART)) * 33 + ((((ob * OB + b)) * 16 + 9))] : 0), (((ob * OB + b)) * 16 + 10 < 33 ? e1[(0) * 363 + ((first + p * APART)) * 33 + ((((ob * OB + b)) * 16 + 10))] : 0), (((ob * OB + b)) * 16 + 11 < 33 ? e1[(0) * 363 + ((first + p * APART)) * 33 + ((((ob * OB + b)) * 16 + 11))] : 0), (((ob * OB + b)) * 16 + 12 < 33 ? e1[(0) * 363 + ((first + p * APART)) * 33 + ((((ob * OB + b)) * 16 + 12))] : 0), (((ob * OB + b)) * 16 + 13 < 33 ? e1[(0) * 363 + ((first + p * APART)) * 33 + ((((ob * OB + b)) * 16 + 13))] : 0), (((ob * OB + b)) * 16 + 14 < 33 ? e1[(0) * 363 + ((first + p * APART)) * 33 + ((((ob * OB + b)) * 16 + 14))] : 0), (((ob * OB + b)) * 16 + 15 < 33 ? e1[(0) * 363 + ((first + p * APART)) * 33 + ((((ob * OB + b)) * 16 + 15))] : 0)));
    const float16 t4 = t2 + t3;
    const float16 t5 = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) < (int16)(33 - (((ob * OB + b)) * 16)) ? t4 : (float16)(0);
    vstore16(t5, 0, y + (0) * 176 + ((first + p * APART)) * 16 + ((ob * OB + b)) * 1584);
}
                }
    }
}
